"""What every fixed-radius attack promises, checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ..passes.modules import untouched
from ..passes.precision import at_least_float32, in_float32
from ..utils.random_state import torch_generator
from ..utils.ranges import RADIUS, RANGE, check_bounds, check_width
from ..utils.typing import RandomState
from ..utils.validation import Number, StrOptions, check_constraints
from ._heads import logits_head

Loss = Callable[[Tensor], Tensor]
STEP_SIZE = Number("a positive step size in input units", 0)


class Attack(BaseEstimator):
    """Base class of attacks of a fixed radius: ``attack(module, X, y)`` -> attacked X.

    A subclass has the parameters ``eps``, ``bounds`` and ``random_state`` and implements
    ``_perturb(module, X, y, loss, generator)``. One that only asks for the module's outputs says
    ``needs_gradients = False``: it then attacks any classifier. One that takes a single gradient
    step, which nets can learn to see through, says ``single_step = True``. One that runs others in
    turn returns them from ``parts``.

    Notes
    -----
    The module runs in **eval mode** while it is attacked: BatchNorm then uses its running
    statistics and does not update them from adversarial batches, dropout is off, and the
    perturbation of one sample does not depend on its neighbours in the batch. Training flags
    (of each sub-module), ``requires_grad`` and ``.grad`` are as before afterwards, also when
    the attack raises. A module of half precision, or under ``torch.autocast``, is run as it is;
    steps, losses and distances are computed in float32.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import Attack
    >>> class Darker(Attack):
    ...     needs_gradients = False
    ...     def __init__(self, eps=8 / 255, bounds=(0, 1), random_state=None):
    ...         self.eps, self.bounds, self.random_state = eps, bounds, random_state
    ...     def _perturb(self, module, X, y, loss, generator):
    ...         return (X - self.eps).clamp(*self.bounds)
    >>> X, y = torch.tensor([[0.5, 0.125]]), torch.tensor([0])
    >>> Darker(eps=0.25)(torch.nn.Linear(2, 2), X, y).tolist()
    [[0.25, 0.0]]
    """

    eps: float
    bounds: tuple[float, float]
    random_state: RandomState
    norm: str = "Linf"
    needs_gradients: bool = True
    single_step: bool = False
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "eps": [RADIUS],
        "bounds": [RANGE],
        "norm": [StrOptions({"Linf", "L2"})],
    }

    @in_float32(position=1)
    def __call__(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        *,
        loss: Loss | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Attack a batch.

        Parameters
        ----------
        module : torch.nn.Module
            Returns logits of shape (n, n_classes). Log-probabilities serve as well, and
            probabilities are attacked through their logarithms.
        X : Tensor of shape (n, ...), floating point
            Inputs within ``bounds``. Not modified.
        y : Tensor of shape (n,), integer
            Class indices, the labels to turn the module away from.
        loss : callable or None, default=None
            ``loss(logits) -> scalar`` to maximise instead of the summed cross-entropy to `y`.
        generator : torch.Generator or None, default=None
            Source of random starts, on the device of `X`; ``None`` makes one from
            ``random_state``.

        Returns
        -------
        X_adv : Tensor like `X`
            Within ``bounds`` and within ``eps`` of `X`; detached. Inputs of half precision come
            back as float32: they are too coarse for a radius.

        Raises
        ------
        ValueError
            If a parameter is out of range, `X` holds NaN or leaves ``bounds``, `y` does not
            fit the module's classes, or the module returns NaN or no scores per class.
        """
        self._check_params()
        X, y = check_batch(X, y, self.bounds)
        if len(X) == 0:
            return X.clone()
        if self.eps < float("inf"):
            check_width("eps", self.eps, self.bounds, self.norm, X[0].numel())
        if generator is None:
            generator = torch_generator(self.random_state, device=X.device)
        with torch.inference_mode(False), torch.enable_grad(), untouched(module) as net:
            head = logits_head(net, X, y)
            attacked = self._perturb(head, X, y, loss, generator).detach().contiguous()
        self._check_result(X, attacked)
        return attacked

    @property
    def name(self) -> str:
        """What it is called in reports and messages."""
        return type(self).__name__

    @property
    def in_words(self) -> str:
        """Name, radius and steps, as reports and notebooks show them.

        Examples
        --------
        >>> from skactive.attacks import PGD
        >>> PGD(eps=0.3, steps=40).in_words
        'PGD, ε = 0.3 (Linf), 40 steps'
        """
        steps = getattr(self, "steps", None)
        reach = "no radius" if self.eps == float("inf") else f"ε = {self.eps:.4g} ({self.norm})"
        return ", ".join([self.name, reach, *([] if steps is None else [f"{steps} steps"])])

    def parts(self, n_classes: int = 10) -> list[tuple[str, Attack]]:
        """Attacks that it runs in turn, each on those whom the ones before it left.

        Parameters
        ----------
        n_classes : int, default=10
            Classes of the module that is attacked.

        Returns
        -------
        parts : list of (str, Attack)
            By name; of an attack that is not made of others, itself.
        """
        return [(self.name.lower(), self)]

    def from_start(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        *,
        start: Tensor,
        loss: Loss,
        generator: torch.Generator,
    ) -> Tensor:
        """Attack from a given start, where the attack can; from its own otherwise (TRADES)."""
        return self(module, X, y, loss=loss, generator=generator)

    def _perturb(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        loss: Loss | None,
        generator: torch.Generator,
    ) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} must implement _perturb.")

    def _check_params(self) -> None:
        given = {name: getattr(self, name) for name in self._parameter_constraints}
        check_constraints(self._parameter_constraints, given, type(self).__name__)
        for name in ("eps", "alpha"):
            size = given.get(name)
            # The longest L2 distance depends on the number of inputs.
            if size is not None and self.norm == "Linf":
                check_width(name, size, self.bounds)

    def _check_result(self, X: Tensor, attacked: Tensor) -> None:
        low, high = self.bounds
        name = type(self).__name__
        if attacked.shape != X.shape or attacked.dtype != X.dtype:
            raise ValueError(
                f"{name} returned {tuple(attacked.shape)} {attacked.dtype} for inputs "
                f"{tuple(X.shape)} {X.dtype}."
            )
        delta = (attacked - X).flatten(1)
        size = delta.norm(dim=1) if self.norm == "L2" else delta.abs().amax(dim=1)
        slack = 1e-5 * max(1.0, abs(low), abs(high), self.eps)
        inside = (attacked >= low - slack).all() and (attacked <= high + slack).all()
        if not (size <= self.eps * (1 + 1e-4) + slack).all() or not inside:
            raise ValueError(
                f"{name} returned a perturbation of size {size.max():.6g} (eps={self.eps}) and "
                f"values in [{attacked.min():.4g}, {attacked.max():.4g}] (bounds={self.bounds})."
            )


def check_batch(X: Tensor, y: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Inputs and labels fit to be attacked, detached; raise if they are not."""
    if not torch.is_tensor(X) or not X.is_floating_point():
        kind = X.dtype if torch.is_tensor(X) else type(X).__name__
        raise ValueError(f"X must be a floating point tensor, got {kind}.")
    y = torch.as_tensor(y, device=X.device)
    if y.shape != X.shape[:1] or y.is_floating_point():
        raise ValueError(
            f"y must hold one class index per sample, shape {tuple(X.shape[:1])}, got "
            f"{tuple(y.shape)} {y.dtype}."
        )
    check_bounds(X, bounds)
    # Tensors made in inference mode cannot take part in a backward pass: copies can.
    with torch.inference_mode(False):
        X = at_least_float32(X.clone() if X.is_inference() else X.detach())
        y = y.clone() if y.is_inference() else y
        return X, y.long()
