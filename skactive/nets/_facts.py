"""What a notebook shows of a net: what it is trained on, and how far it is."""

from __future__ import annotations

from typing import Any

from ..attacks import resolve_attack
from ..losses import resolve_loss, resolve_pool_loss
from ..utils.html import ShowsFacts


class NetFacts(ShowsFacts):
    """Mixin of a net: module, attack, radius, loss, epochs and device."""

    module: Any
    attack: Any
    loss: Any
    unlabeled: Any
    device: Any

    def _facts(self) -> dict[str, Any]:
        loss = resolve_loss(self.loss)
        pool = resolve_pool_loss(self.unlabeled)
        return {
            "module": getattr(self.module, "__name__", type(self.module).__name__),
            "attack": self._attack_in_words(loss),
            "loss": " ".join(repr(loss).split()),
            **({} if pool is None else {"unlabelled points": " ".join(repr(pool).split())}),
            "epochs": len(getattr(self, "history_", None) or []) or "not trained yet",
            "device": self.device,
        }

    def _attack_in_words(self, loss: Any) -> str:
        """The attack that training makes its batches with; the radius that bounds reach."""
        attack = None if self.attack is None else resolve_attack(self.attack)
        attacked = attack.in_words if attack is not None and loss.reads_attacked else ""
        radius = loss.with_attack(attack).eps if loss.reads_bounds else None
        certified = "" if radius is None else f"bounds over ε = {radius:.4g} (Linf)"
        return "; ".join(filter(None, (attacked, certified))) or "none: standard training"
