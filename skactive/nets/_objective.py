"""What a batch is trained on: which points are attacked how, and the loss of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..attacks._heads import OnCopies
from ..bounds import Box
from ..losses import Batch, Loss, resolve_loss, resolve_pool_loss
from ..passes.divergence import divergence
from ..passes.modules import untouched
from ..passes.precision import float32_door
from ..utils.compat import uncompiled
from ._certified import bounds_of

_TRADES_NOISE = 1e-3  # standard deviation of the start of TRADES' attack, from its paper


class Objective:
    """The loss of `net` on a batch whose last `n_pool` points come from the pool.

    Points marked in `as_is` are not attacked and take the criterion on themselves.

    Labelled points take ``net.loss``, points of the pool what ``net.unlabeled`` says.

    Attributes
    ----------
    output : Box or None
        Bounds of the logits that the last losses were read from, if any were.
    """

    output: Box | None = None

    def __init__(self, net: Any, n_pool: int, as_is: Tensor | None = None) -> None:
        self.net = net
        self.n_pool = n_pool
        self.as_is = as_is
        self.labelled = self.pooled = resolve_loss(net.loss).with_attack(net.attack_)
        if n_pool:
            self.pooled = resolve_pool_loss(net.unlabeled).beside(self.labelled)

    def attacked(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """The attacked counterpart of each point; points to train on as they are themselves."""
        if attack is None or not (self.labelled.reads_attacked or self.pooled.reads_attacked):
            return X

        attack = self.labelled.attack_at(attack, self._progress)
        if attack is None:
            return X

        def move(X: Tensor, y: Tensor) -> Tensor:
            return self._moved(attack, X, y, generator)

        return moved_but(self.as_is, move, X, y)

    def _moved(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        cut = len(X) - self.n_pool
        parts = [(slice(0, cut), self.labelled), (slice(cut, None), self.pooled)]
        if self.labelled.follows == self.pooled.follows:
            parts = [(slice(None), self.labelled)]
        found = [
            (self._by_divergence if loss.follows == "divergence" else self._by_label)(
                attack, X[part], y[part], generator
            )
            for part, loss in parts
            if len(X[part])
        ]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _by_label(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        return attack(self.net.module_, X, y, generator=generator)

    def _by_divergence(
        self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator
    ) -> Tensor:
        """TRADES' attack: as far as possible from the clean prediction, labels aside."""
        module = OnCopies(float32_door(self.net.module_))
        with torch.no_grad(), untouched(module, freeze=False) as frozen:
            clean = frozen(X)
        noise = torch.randn(X.shape, generator=generator, device=X.device, dtype=X.dtype)
        return attack.from_start(
            module,
            X,
            y,
            start=(X + _TRADES_NOISE * noise).clamp(*self.net.bounds_),
            loss=lambda logits: divergence(clean, logits).sum(),
            generator=generator,
        )

    def losses(self, X: Tensor, X_adv: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logits that predict the batch, and the loss of each point (or of the batch).

        All points go through the net together, so that BatchNorm sees each batch once.
        """
        if self.labelled.reads_bounds:
            return self._bounded(X, X_adv, y)
        cut = len(X) - self.n_pool
        first = 0 if self.labelled.reads_clean else cut
        last = len(X) if self.pooled.reads_clean else cut
        n_clean = max(0, last - first)
        inputs = torch.cat([X[first:last], X_adv]) if n_clean else X_adv
        output = self.net.infer(inputs)
        clean, adv = output[:n_clean], output[n_clean:]
        if self.pooled is self.labelled:
            losses = self._of(self.labelled, X, X_adv, clean, adv, y)
            return (clean if n_clean else adv), self._with_as_is(losses, adv, y)
        n_first = cut - first  # clean logits that belong to labelled points
        parts = [
            self._of(self.labelled, X[:cut], X_adv[:cut], clean[:n_first], adv[:cut], y[:cut]),
            self._of(self.pooled, X[cut:], X_adv[cut:], clean[n_first:], adv[cut:], y[cut:]),
        ]
        return adv, self._with_as_is(torch.cat(parts), adv, y)

    def _bounded(self, X: Tensor, X_adv: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Clean logits and the loss of each point, from one pass of boxes around the points."""
        net, loss = self.net, self.labelled
        box = loss.box(X, X_adv, net.bounds_, self._progress)
        self.output = None if box is None else bounds_of(net.module_, box)
        clean = net.infer(X) if self.output is None else self.output.nominal
        losses = self._of(loss, X, X_adv, clean, clean, y, self.output)
        return clean, self._with_as_is(losses, clean, y)

    def _with_as_is(self, losses: Tensor, adv: Tensor, y: Tensor) -> Tensor:
        if self.as_is is None or not self.labelled.reads_clean:
            return losses
        own = self._criterion(adv, y)
        check_each(own)
        check_each(losses)
        return torch.where(self.as_is, own, losses)

    def _of(
        self,
        loss: Loss,
        X: Tensor,
        X_adv: Tensor,
        clean: Tensor,
        adv: Tensor,
        y: Tensor,
        output: Box | None = None,
    ) -> Tensor:
        criterion, smoothing = self._criterion, self._smoothing
        return loss(
            Batch(
                X, X_adv, y, clean, adv, self.net.module_, criterion, smoothing, self._progress,
                output,
            )
        )  # fmt: skip

    @property
    def _progress(self) -> float:
        return 1.0 if self.net.run is None else self.net.run.progress

    @property
    def _smoothing(self) -> float:
        return float(getattr(self.net.criterion_, "label_smoothing", 0.0))

    def _criterion(self, logits: Tensor, y: Tensor) -> Tensor:
        if is_plain(uncompiled(self.net.criterion_)):
            return F.cross_entropy(logits, y, reduction="none", label_smoothing=self._smoothing)
        return self.net.get_loss(logits, y, training=True)


def is_plain(criterion: Any) -> bool:
    """Whether a criterion is the cross-entropy of each sample, its labels smoothed or not."""
    return (
        type(criterion) is torch.nn.CrossEntropyLoss
        and criterion.weight is None
        and criterion.reduction != "sum"
        and criterion.ignore_index < 0  # no label is
    )


def check_each(losses: Tensor) -> None:
    """Raise unless there is a loss of each sample."""
    if losses.dim() == 0:
        raise ValueError(
            "sample_weight and as_is need the loss of each sample: use the default criterion, "
            "CrossEntropyLoss without class weights."
        )


def moved_but(
    as_is: Tensor | None, move: Callable[[Tensor, Tensor], Tensor], X: Tensor, y: Tensor
) -> Tensor:
    """What `move` makes of each point, but for those that stay as they are."""
    if as_is is None:
        return move(X, y)
    moved, others = X.clone(), ~as_is
    if others.any():
        moved[others] = move(X[others], y[others])
    return moved
