"""DeepFool: the smallest step across the decision boundary, for many samples at once."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ..passes.modules import untouched
from ..passes.precision import at_least_float32, in_float32
from ..utils.ranges import RANGE, check_bounds
from ..utils.validation import COUNT, Number, check_params
from ._heads import logits_head
from ._race import Race

_SHARE = Number("a number in [0, 1)", 0, 1, closed="left")
_KAPPA = 2.0  # how much larger than any gradient seen so far an unseen class's may be


class DeepFoolResult(NamedTuple):
    """What `DeepFool` returns.

    Attributes
    ----------
    perturbation : Tensor like X
        x_adv − x, across the boundary by the overshoot.
    distance : Tensor of shape (n,)
        L2 distance to the boundary, the overshoot left out; ``inf`` where none was found.
        Never NaN.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import DeepFool
    >>> module = torch.nn.Linear(2, 2)
    >>> _ = module.load_state_dict({"weight": torch.eye(2), "bias": torch.zeros(2)})
    >>> X = torch.tensor([[0.75, 0.5]])
    >>> result = DeepFool(overshoot=0.5)(module, X)
    >>> result.perturbation.numpy().round(4).tolist()  # to (0.625, 0.625), and half of it beyond
    [[-0.1875, 0.1875]]
    >>> round(result.distance.item(), 3), module(X + result.perturbation).argmax().item()
    (0.177, 1)
    """

    perturbation: Tensor
    distance: Tensor


class DeepFool(BaseEstimator):
    """Minimal L2 perturbation that changes the *predicted* class: ``deepfool(module, X)``.

    Each step goes to the nearest of the linearised boundaries to the other classes; the step,
    lengthened by `overshoot`, is repeated from where it leads until the class changes.

    Parameters
    ----------
    steps : int, default=50
        Most steps for one sample.
    overshoot : float, default=0.02
        Share by which each step is lengthened. It is left out of ``distance``.
    n_candidates : int or None, default=None
        Only consider the boundaries to that many most likely other classes; ``None`` is all.
    bounds : (float, float), default=(0, 1)
        Range of the inputs; each step is clipped to it.
    tol : float, default=1e-3
        A sample also counts as arrived when its next step is shorter than this share of its
        perturbation; the perturbation as a whole is then lengthened by the overshoot. Clipping
        lets steps shrink towards the boundary, and crossing it would be left to rounding.
    exhaustive : bool, default=False
        Linearise the boundaries to all classes in each step. By default only the two nearest
        by logit gap, and a further one only where its gap is small enough for its boundary to
        be nearer, if its gradient is at most twice the largest seen. Where it is larger, the
        distance found is too long, which occurs in adversarially trained nets.
    batch_size : int, default=256
        Samples worked on at once. One that is finished leaves and the next one takes its place.

    Notes
    -----
    Same recurrence as torchattacks' ``DeepFool``, which works on one sample at a time and leaves
    the overshoot of the last step in. On an affine network ``distance`` is exactly
    the smallest gap (f_y − f_k) / ‖w_k − w_y‖ over the other classes k.

    References
    ----------
    Moosavi-Dezfooli et al., "DeepFool: a simple and accurate method to fool deep neural
    networks", CVPR 2016, algorithm 2.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import DeepFool
    >>> module = torch.nn.Linear(2, 2)
    >>> _ = module.load_state_dict({"weight": torch.eye(2), "bias": torch.zeros(2)})
    >>> result = DeepFool()(module, torch.tensor([[0.5, 0.1]]))
    >>> round(result.distance.item(), 4)
    0.2828
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "steps": [COUNT],
        "overshoot": [_SHARE],
        "n_candidates": [COUNT, None],
        "bounds": [RANGE],
        "tol": [_SHARE],
        "exhaustive": ["boolean"],
        "batch_size": [COUNT],
    }

    def __init__(
        self,
        steps: int = 50,
        overshoot: float = 0.02,
        n_candidates: int | None = None,
        bounds: tuple[float, float] = (0, 1),
        tol: float = 1e-3,
        exhaustive: bool = False,
        batch_size: int = 256,
    ) -> None:
        self.steps = steps
        self.overshoot = overshoot
        self.n_candidates = n_candidates
        self.bounds = bounds
        self.tol = tol
        self.exhaustive = exhaustive
        self.batch_size = batch_size

    @in_float32(position=1)
    def __call__(self, module: nn.Module, X: Tensor, *, race: Race | None = None) -> DeepFoolResult:
        """Find the nearest boundary of each sample.

        Parameters
        ----------
        module : torch.nn.Module
            Returns logits of shape (n, n_classes). Run in eval mode and left as it was.
        X : Tensor of shape (n, ...), floating point
            Inputs within ``bounds``. Not modified.
        race : Race or None, default=None
            Give up samples that cannot be among the nearest ones (see
            `skactive.attacks._nearest_boundary`); their distance is ``inf``.

        Returns
        -------
        result : DeepFoolResult

        Raises
        ------
        ValueError
            If a parameter is out of range, `X` is not finite or leaves ``bounds``, or the
            module returns NaN or a single class.
        """
        check_params(self)
        if not torch.is_tensor(X) or not X.is_floating_point():
            raise ValueError(f"X must be a floating point tensor, got {type(X).__name__}.")
        check_bounds(X, self.bounds)
        X = at_least_float32(X)
        with torch.inference_mode(False), torch.enable_grad(), untouched(module) as net:
            X = X.clone() if X.is_inference() else X.detach()
            return self._run(logits_head(net, X) if len(X) else net, X, race)

    def _run(self, module: nn.Module, X: Tensor, race: Race | None) -> DeepFoolResult:
        n, device = len(X), X.device
        moved = X.clone()
        boundary = X.clone()
        label = torch.full((n,), -1, device=device)
        age = torch.zeros(n, dtype=torch.long, device=device)
        found = torch.zeros(n, dtype=torch.bool, device=device)
        active = torch.empty(0, dtype=torch.long, device=device)
        admitted = 0
        while True:
            fresh = torch.arange(
                admitted, min(n, admitted + self.batch_size - len(active)), device=device
            )
            active, admitted = torch.cat([active, fresh]), admitted + len(fresh)
            if len(active) == 0:
                break
            x = moved[active].requires_grad_(True)
            logits = _checked_logits(module(x))
            predicted = logits.detach().argmax(dim=1)
            label[active] = torch.where(label[active] < 0, predicted, label[active])
            flipped = predicted != label[active]
            step, length, steepest = self._nearest_boundary(logits, x, label[active], module)
            so_far = (x.detach() - X[active]).flatten(1).norm(dim=1)
            arrived = flipped | (length <= self.tol * so_far)
            goes_on = ~flipped & torch.isfinite(length)
            x = x.detach()
            reached = active[arrived & ~flipped]
            boundary[reached] = moved[reached]
            walks = active[goes_on & ~arrived]
            ahead = step[goes_on & ~arrived]
            boundary[walks] = (moved[walks] + ahead).clamp(*self.bounds)
            moved[walks] = (moved[walks] + (1 + self.overshoot) * ahead).clamp(*self.bounds)
            found[active] = arrived
            age[active] += 1
            stuck = (moved[active] == x).flatten(1).all(dim=1)
            beyond = X[reached] + (1 + self.overshoot) * (moved[reached] - X[reached])
            moved[reached] = beyond.clamp(*self.bounds)
            done = arrived | ~goes_on | stuck | (age[active] > self.steps)
            if race is not None:
                ends = active[arrived]
                distances = (boundary[ends] - X[ends]).flatten(1).norm(dim=1)
                done |= race.step(distances, so_far, steepest)
            active = active[~done]
        distance = (boundary - X).flatten(1).norm(dim=1)
        return DeepFoolResult(moved - X, distance.masked_fill(~found, float("inf")))

    def _nearest_boundary(
        self, logits: Tensor, x: Tensor, label: Tensor, module: nn.Module
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step to the nearest linearised boundary, its length (inf without), steepest slope."""
        own = logits.gather(1, label[:, None])
        gaps = (own - logits).detach().scatter(1, label[:, None], float("inf"))
        order = gaps.argsort(dim=1)
        n_others = min(logits.shape[1] - 1, self.n_candidates or logits.shape[1])
        best = torch.full((len(x),), float("inf"), device=x.device, dtype=x.dtype)
        step = torch.zeros_like(x.detach())
        steepest = torch.zeros_like(best)
        rows = torch.arange(len(x), device=x.device)
        for rank in range(n_others):
            if rank >= 2 and not self.exhaustive:
                gap = gaps.gather(1, order[:, rank : rank + 1])[:, 0]
                near = (gap < _KAPPA * best * steepest)[rows]
                if not near.any():
                    break
                if not near.all():  # the others are settled: their graph is not needed again
                    rows = rows[near]
                    x = x[near].detach().requires_grad_(True)
                    logits = module(x)
            other = order[rows, rank][:, None]
            difference = logits.gather(1, other) - logits.gather(1, label[rows][:, None])
            (w,) = torch.autograd.grad(difference.sum(), x, retain_graph=rank + 1 < n_others)
            norm = w.flatten(1).norm(dim=1)
            gap = -difference.detach()[:, 0]
            length = torch.where(norm > 0, gap.abs() / norm, float("inf"))
            steepest[rows] = torch.maximum(steepest[rows], norm)
            nearer = length < best[rows]
            best[rows] = torch.where(nearer, length, best[rows])
            direction = w * _per_row(length / norm, w)
            step[rows[nearer]] = direction[nearer]
        return step, best, steepest


def _checked_logits(logits: Tensor) -> Tensor:
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise ValueError(
            f"DeepFool needs logits of shape (n, n_classes >= 2), got {tuple(logits.shape)}."
        )
    if torch.isnan(logits).any():
        raise ValueError("The module returned NaN: it has diverged, or its inputs are not finite.")
    return logits


def _per_row(values: Tensor, X: Tensor) -> Tensor:
    return values.view(-1, *[1] * (X.dim() - 1))
