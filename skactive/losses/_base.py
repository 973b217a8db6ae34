"""What a loss is told about a batch, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from ..attacks import Attack
from ..bounds import Box
from ..utils.validation import Interval

BETA: dict[str, list] = {"beta": [Interval(Real, 0, None, closed="left")]}


@dataclass(frozen=True)
class Batch:
    """Samples of a batch that take one loss, after the module saw the whole batch once.

    Attributes
    ----------
    X, X_adv : Tensor of shape (n, ...)
        Clean inputs, and their attacked counterparts.
    y : Tensor of shape (n,), int64
        Labels, or pseudo-labels of points of the pool.
    logits : Tensor of shape (n, n_classes)
        Of the clean inputs; empty unless the loss says ``reads_clean``.
    logits_adv : Tensor of shape (n, n_classes)
    module : torch.nn.Module
        In train mode, for losses that need more of it than its logits.
    criterion : callable
        ``criterion(logits, y)``, the net's own: one value per sample where it can.
    label_smoothing : float
        Of the criterion.
    progress : float in [0, 1]
        Share of the training's updates that are done, for losses that change on the way.
    output : Box of shape (n, n_classes) or None
        Bounds of the logits over the loss's `box`; ``None`` unless the loss says ``reads_bounds``
        and has a box by now.

    Examples
    --------
    A net makes it; by hand, to try a loss on numbers that are known:

    >>> import torch
    >>> from skactive.losses import Adversarial, Batch
    >>> X, y = torch.zeros(1, 4), torch.tensor([0])
    >>> batch = Batch(
    ...     X, X_adv=X, y=y, logits=torch.zeros(1, 2), logits_adv=torch.tensor([[0.0, 2.0]]),
    ...     module=torch.nn.Linear(4, 2), criterion=torch.nn.CrossEntropyLoss(reduction="none"),
    ...     label_smoothing=0.0, progress=0.5,
    ... )
    >>> round(Adversarial()(batch).item(), 3)  # log(1 + e²)
    2.127
    """

    X: Tensor
    X_adv: Tensor
    y: Tensor
    logits: Tensor
    logits_adv: Tensor
    module: nn.Module
    criterion: Callable[[Tensor, Tensor], Tensor]
    label_smoothing: float
    progress: float
    output: Box | None = None


class Loss(BaseEstimator):
    """Base class of what a net is trained on: called with a `Batch`, one value per sample.

    A subclass stores its parameters and implements ``__call__``. What it does not say otherwise:

    Attributes
    ----------
    follows : {"label", "divergence"}, default="label"
        What its attack maximises: the cross-entropy to the label, or the divergence from the
        clean prediction.
    reads_clean : bool, default=False
        Whether it reads the clean logits. A loss that does not is the criterion where a sample
        is not attacked; of one that does, such samples take the criterion instead.
    reads_attacked : bool, default=True
        Whether it reads attacked inputs; where it does not, none are made, and `X_adv` is `X`.
    reads_bounds : bool, default=False
        Whether it reads bounds of the logits over the box that its ``box`` returns; the clean
        logits are then those inside of the box, and there are none of attacked inputs.
    needs_attack : bool, default=True
        Whether it is nothing without an attack.
    reads_criterion : bool, default=True
        Whether it reads the batch's `criterion`; one that does not has a cross-entropy of its own,
        and class weights or another criterion are refused beside it.
    reads_smoothing : bool, default=True
        Whether it reads the batch's `criterion` or `label_smoothing`; likewise.

    Examples
    --------
    >>> from skactive.losses import Loss
    >>> class Half(Loss):  # half of the loss on clean samples, half on attacked ones
    ...     reads_clean = True
    ...     def __call__(self, batch):
    ...         both = batch.criterion(batch.logits, batch.y)
    ...         return (both + batch.criterion(batch.logits_adv, batch.y)) / 2
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", loss=Half())
    """

    follows: ClassVar[str] = "label"
    reads_clean: ClassVar[bool] = False
    reads_attacked: ClassVar[bool] = True
    reads_bounds: ClassVar[bool] = False
    needs_attack: ClassVar[bool] = True
    reads_criterion: ClassVar[bool] = True
    reads_smoothing: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list]] = {}

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample, shape (n,)."""
        raise NotImplementedError(f"{type(self).__name__} must implement __call__.")

    def box(
        self, X: Tensor, X_adv: Tensor, bounds: tuple[float, float], progress: float
    ) -> Box | None:
        """Inputs to bound the logits over, of a loss that reads bounds; None where only `X`."""
        raise NotImplementedError(f"{type(self).__name__} says reads_bounds: implement box.")

    def with_attack(self, attack: Attack | None) -> Any:
        """The loss as it is where batches are attacked with `attack`: itself."""
        return self

    def attack_at(self, attack: Attack, progress: float) -> Attack | None:
        """The attack by now, of those that change on the way; None for none."""
        return attack

    def check(self, bounds: tuple[float, float]) -> None:
        """Raise, before any training, unless it fits inputs in `bounds`."""
