"""Projected gradient descent and its one-step form, FGSM."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..passes.modules import untouched
from ..passes.precision import in_float32
from ..utils.typing import RandomState
from ..utils.validation import COUNT
from ._base import STEP_SIZE, Attack, Loss

_TINY = 1e-10  # torchattacks' eps_for_division


class PGD(Attack):
    """Projected gradient descent: steps up the loss, projected back into the ball.

    Parameters
    ----------
    eps : float, default=8/255
        Radius of the ball around each input, in input units.
    alpha : float or None, default=None
        Step size; ``None`` is 2.5 · eps / steps.
    steps : int, default=10
    random_start : bool, default=True
        Start from a random point of the ball (clipped to `bounds`) instead of the input.
    norm : {"Linf", "L2"}, default="Linf"
    bounds : (float, float), default=(0, 1)
        Range of the inputs.
    stop_when_fooled : bool, default=False
        A sample leaves the batch at the first iterate that is misclassified, and that iterate
        is returned: several times cheaper on weak models. It is then broken if *any* iterate
        is, where fixed steps look at the last one only. For evaluation, not for training.
    random_state : None, int, RandomState or Generator, default=None
        Seeds the random start of each call that is not given a generator.

    Notes
    -----
    Same steps as torchattacks' ``PGD`` and ``PGDL2`` from the same start. Madry et al. use
    ``PGD(eps=0.3, alpha=0.01, steps=40)`` on MNIST.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import PGD
    >>> module = torch.nn.Linear(4, 3)
    >>> X, y = torch.rand(8, 4), torch.randint(3, (8,))
    >>> X_adv = PGD(eps=0.1, steps=5, random_state=0)(module, X, y)
    >>> bool((X_adv - X).abs().max() <= 0.1 + 1e-6)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Attack._parameter_constraints,
        "alpha": [STEP_SIZE, None],
        "steps": [COUNT],
        "random_start": ["boolean"],
        "stop_when_fooled": ["boolean"],
    }

    def __init__(
        self,
        eps: float = 8 / 255,
        alpha: float | None = None,
        steps: int = 10,
        random_start: bool = True,
        norm: str = "Linf",
        bounds: tuple[float, float] = (0, 1),
        stop_when_fooled: bool = False,
        random_state: RandomState = None,
    ) -> None:
        self.eps = eps
        self.alpha = alpha
        self.steps = steps
        self.random_start = random_start
        self.norm = norm
        self.bounds = bounds
        self.stop_when_fooled = stop_when_fooled
        self.random_state = random_state

    @property
    def single_step(self) -> bool:  # type: ignore[override]
        """Whether it takes one gradient step."""
        return self.steps == 1

    def _perturb(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        loss: Loss | None,
        generator: torch.Generator,
    ) -> Tensor:
        start = random_point(X, self.eps, self.norm, generator) if self.random_start else X
        return self._descend(module, X, y, start.clamp(*self.bounds), loss)

    @in_float32(position=1)
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
        """Attack from `start` instead of a random point."""
        with torch.enable_grad(), untouched(module) as net:
            return self._descend(net, X, y, start, loss).detach()

    def _descend(
        self, module: nn.Module, X: Tensor, y: Tensor, start: Tensor, loss: Loss | None
    ) -> Tensor:
        alpha = 2.5 * self.eps / self.steps if self.alpha is None else self.alpha
        return pgd(
            module,
            X,
            y,
            eps=float(self.eps),
            alpha=float(alpha),
            steps=int(self.steps),
            norm=self.norm,
            bounds=self.bounds,
            start=start,
            loss=loss,
            stop_when_fooled=self.stop_when_fooled,
        )


class FGSM(Attack):
    """Fast gradient sign method: one step of size `alpha` in the sign of the gradient.

    Parameters
    ----------
    eps : float, default=8/255
        L-inf radius, in input units.
    alpha : float or None, default=None
        Step size; ``None`` is `eps`, or 1.25 · eps with a random start (Wong et al.).
    random_start : bool, default=False
        ``True`` is the attack of fast adversarial training. With few labels it can collapse:
        watch the robust accuracy under `PGD`.
    bounds : (float, float), default=(0, 1)
        Range of the inputs.
    random_state : None, int, RandomState or Generator, default=None

    References
    ----------
    Goodfellow et al., "Explaining and harnessing adversarial examples", ICLR 2015; Wong et
    al., "Fast is better than free", ICLR 2020.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import FGSM
    >>> module = torch.nn.Linear(4, 3)
    >>> X, y = torch.full((8, 4), 0.5), torch.randint(3, (8,))
    >>> X_adv = FGSM(eps=0.1)(module, X, y)
    >>> bool(torch.allclose((X_adv - X).abs(), torch.tensor(0.1), atol=1e-6))
    True
    """

    single_step = True
    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Attack._parameter_constraints,
        "alpha": [STEP_SIZE, None],
        "random_start": ["boolean"],
    }

    def __init__(
        self,
        eps: float = 8 / 255,
        alpha: float | None = None,
        random_start: bool = False,
        bounds: tuple[float, float] = (0, 1),
        random_state: RandomState = None,
    ) -> None:
        self.eps = eps
        self.alpha = alpha
        self.random_start = random_start
        self.bounds = bounds
        self.random_state = random_state

    def _perturb(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        loss: Loss | None,
        generator: torch.Generator,
    ) -> Tensor:
        start = random_point(X, self.eps, "Linf", generator) if self.random_start else X
        default = 1.25 * self.eps if self.random_start else self.eps
        return pgd(
            module,
            X,
            y,
            eps=float(self.eps),
            alpha=float(default if self.alpha is None else self.alpha),
            steps=1,
            norm="Linf",
            bounds=self.bounds,
            start=start.clamp(*self.bounds),
            loss=loss,
        )


def random_point(X: Tensor, eps: float, norm: str, generator: torch.Generator) -> Tensor:
    """A random point of the ball of radius `eps` around each row of `X` (not clipped)."""
    if norm == "Linf":
        noise = torch.rand(X.shape, generator=generator, device=X.device, dtype=X.dtype)
        return X + eps * (2 * noise - 1)
    direction = torch.randn(X.shape, generator=generator, device=X.device, dtype=X.dtype)
    length = torch.rand(len(X), generator=generator, device=X.device, dtype=X.dtype)
    return X + direction * _per_row(eps * length / (_norms(direction) + _TINY), X)


def pgd(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    *,
    eps: float,
    alpha: float,
    steps: int,
    norm: str = "Linf",
    bounds: tuple[float, float] = (0, 1),
    start: Tensor | None = None,
    loss: Loss | None = None,
    stop_when_fooled: bool = False,
) -> Tensor:
    """Run projected gradient descent from `start` (default: `X`); see `PGD`.

    The plain loop: it neither checks its arguments nor sets the mode of `module`.
    """
    attacked = (X if start is None else start).clone()
    if not stop_when_fooled:
        for _ in range(steps):
            gradient, _ = _input_gradient(module, attacked, y, loss)
            attacked = _step(attacked, gradient, X, eps, alpha, norm, bounds)
        return attacked
    left = torch.arange(len(X), device=X.device)
    for _ in range(steps):
        gradient, fooled = _input_gradient(module, attacked[left], y[left], loss)
        left, gradient = left[~fooled], gradient[~fooled]
        if len(left) == 0:
            break
        attacked[left] = _step(attacked[left], gradient, X[left], eps, alpha, norm, bounds)
    return attacked


def _input_gradient(
    module: nn.Module, X: Tensor, y: Tensor, loss: Loss | None
) -> tuple[Tensor, Tensor]:
    """Gradient of the loss in the input, and which samples are misclassified there."""
    X = X.detach().requires_grad_(True)
    logits = module(X)
    value = F.cross_entropy(logits, y, reduction="sum") if loss is None else loss(logits)
    if not torch.isfinite(value):
        raise ValueError(
            f"The module returned logits with which the loss is {value.item()}: it has diverged, "
            "or its inputs were scaled wrongly."
        )
    (gradient,) = torch.autograd.grad(value, X)
    return gradient, logits.detach().argmax(dim=1) != y


def _step(
    attacked: Tensor,
    gradient: Tensor,
    X: Tensor,
    eps: float,
    alpha: float,
    norm: str,
    bounds: tuple[float, float],
) -> Tensor:
    if norm == "Linf":
        attacked = attacked + alpha * gradient.sign()
        return (X + (attacked - X).clamp_(-eps, eps)).clamp_(*bounds)
    gradient = gradient / _per_row(_norms(gradient) + _TINY, X)
    delta = attacked + alpha * gradient - X
    factor = (eps / (_norms(delta) + _TINY)).clamp(max=1.0)
    return (X + delta * _per_row(factor, X)).clamp_(*bounds)


def _norms(X: Tensor) -> Tensor:
    return X.flatten(1).norm(dim=1)


def _per_row(values: Tensor, X: Tensor) -> Tensor:
    return values.view(-1, *[1] * (X.dim() - 1))
