"""What a batch is trained on: which points are attacked how, and the loss of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..losses import mart_loss, trades_loss
from ..passes.divergence import divergence
from ..passes.modules import untouched
from ..passes.precision import float32_door

_TRADES_NOISE = 1e-3  # standard deviation of the start of TRADES' attack, from its paper

# Loss of a part of the batch -> does its attack follow the divergence, does it read clean logits.
_BY_DIVERGENCE = {"adversarial": False, "mart": False, "ft": False, "trades": True, "kl": True}
_READS_CLEAN = {"adversarial": False, "mart": True, "ft": False, "trades": True, "kl": True}
_BY_DIVERGENCE["both"], _READS_CLEAN["both"] = False, True
_POOL_LOSS = {"uat-ft": "ft", "uat-kl": "kl", "uat++": "both"}


class Objective:
    """The loss of `net` on a batch whose last `n_pool` points come from the pool.

    Points marked in `as_is` are not attacked and take the criterion on themselves.

    Labelled points take ``net.loss``. Points of the pool take the same, to their pseudo-labels
    (``"rst"``), or cross-entropy to them (``"ft"``), β · KL to the net's own clean prediction
    (``"kl"``), or the sum of the two (``"both"``).
    """

    def __init__(self, net: Any, n_pool: int, as_is: Tensor | None = None) -> None:
        self.net = net
        self.n_pool = n_pool
        self.as_is = as_is
        self.labelled = net.loss
        self.pooled = _POOL_LOSS.get(net.unlabeled, net.loss) if n_pool else net.loss

    def attacked(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """The attacked counterpart of each point; points to train on as they are themselves."""
        if attack is None:
            return X

        def move(X: Tensor, y: Tensor) -> Tensor:
            return self._moved(attack, X, y, generator)

        return moved_but(self.as_is, move, X, y)

    def _moved(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        cut = len(X) - self.n_pool
        parts = [(slice(0, cut), self.labelled), (slice(cut, None), self.pooled)]
        if _BY_DIVERGENCE[self.labelled] == _BY_DIVERGENCE[self.pooled]:
            parts = [(slice(None), self.labelled)]
        found = [
            (self._by_divergence if _BY_DIVERGENCE[kind] else self._by_label)(
                attack, X[part], y[part], generator
            )
            for part, kind in parts
        ]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _by_label(self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        return attack(self.net.module_, X, y, generator=generator)

    def _by_divergence(
        self, attack: Any, X: Tensor, y: Tensor, generator: torch.Generator
    ) -> Tensor:
        """TRADES' attack: as far as possible from the clean prediction, labels aside."""
        module = float32_door(self.net.module_)
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
        cut = len(X) - self.n_pool
        first = 0 if _READS_CLEAN[self.labelled] else cut
        last = len(X) if self.n_pool == 0 or _READS_CLEAN[self.pooled] else cut
        n_clean = max(0, last - first) if first < len(X) else 0
        inputs = torch.cat([X[first:last], X_adv]) if n_clean else X_adv
        output = self.net.infer(inputs)
        clean, adv = output[:n_clean], output[n_clean:]
        if self.n_pool == 0 or self.pooled == self.labelled:
            losses = self._of(self.labelled, clean, adv, y)
            return (clean if n_clean else adv), self._with_as_is(losses, adv, y)
        n_first = cut - first  # clean logits that belong to labelled points
        parts = [
            self._of(self.labelled, clean[:n_first], adv[:cut], y[:cut]),
            self._of(self.pooled, clean[n_first:], adv[cut:], y[cut:]),
        ]
        return adv, self._with_as_is(torch.cat(parts), adv, y)

    def _with_as_is(self, losses: Tensor, adv: Tensor, y: Tensor) -> Tensor:
        if self.as_is is None or self.labelled == "adversarial":
            return losses
        smoothing = float(getattr(self.net.criterion_, "label_smoothing", 0.0))
        own = F.cross_entropy(adv, y, reduction="none", label_smoothing=smoothing)
        return torch.where(self.as_is, own, losses)

    def _of(self, kind: str, clean: Tensor, adv: Tensor, y: Tensor) -> Tensor:
        beta = float(self.net.beta)
        smoothing = float(getattr(self.net.criterion_, "label_smoothing", 0.0))
        if kind == "adversarial":
            return self._criterion(adv, y, smoothing)
        if kind == "trades":
            return trades_loss(clean, adv, y, beta, label_smoothing=smoothing)
        if kind == "mart":
            return mart_loss(clean, adv, y, beta)
        fixed = F.cross_entropy(adv, y, reduction="none")
        if kind == "ft":
            return fixed
        own = beta * divergence(clean.detach(), adv)
        return own if kind == "kl" else fixed + own

    def _criterion(self, logits: Tensor, y: Tensor, smoothing: float) -> Tensor:
        criterion = self.net.criterion_
        if type(criterion) is torch.nn.CrossEntropyLoss and criterion.weight is None:
            return F.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
        return self.net.get_loss(logits, y, training=True)


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
