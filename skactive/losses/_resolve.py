"""Losses by name."""

from __future__ import annotations

from typing import Any

from ..utils.names import by_name
from ._adversarial import Adversarial
from ._base import Loss
from ._ibp import CROWNIBP, IBP
from ._mart import MART
from ._mtl_ibp import MTLIBP
from ._pool import RST, UATFT, UATKL, PoolLoss, UATPlusPlus
from ._sabr import SABR
from ._trades import TRADES

_LOSSES = {
    "adversarial": Adversarial,
    "trades": TRADES,
    "mart": MART,
    "ibp": IBP,
    "crown-ibp": CROWNIBP,
    "sabr": SABR,
    "mtl-ibp": MTLIBP,
}
_POOL_LOSSES = {"rst": RST, "uat-ft": UATFT, "uat-kl": UATKL, "uat++": UATPlusPlus}


def resolve_loss(loss: Any) -> Loss:
    """A loss from its name (``"adversarial"``, ``"trades"``, ``"ibp"``, …), or itself.

    Parameters
    ----------
    loss : str or Loss

    Returns
    -------
    loss : Loss

    Raises
    ------
    ValueError
        If no loss has that name; the nearest one is suggested.
    TypeError
        If it is neither.

    Examples
    --------
    >>> from skactive.losses import resolve_loss
    >>> resolve_loss("trades")
    TRADES()
    """
    return _resolve("loss", loss, _LOSSES, Loss, "TRADES(beta=6)")


def resolve_pool_loss(unlabeled: Any) -> Any:
    """The loss of unlabelled samples from ``"rst"``, ``"uat-ft"``, …, or itself; None stays.

    Parameters
    ----------
    unlabeled : str, RST, PoolLoss or None

    Returns
    -------
    unlabeled : RST, PoolLoss or None

    Raises
    ------
    ValueError
        If no such loss has that name; the nearest one is suggested.
    TypeError
        If it is neither.

    Examples
    --------
    >>> from skactive.losses import UATKL, resolve_pool_loss
    >>> [resolve_pool_loss(given) for given in ("UAT++", UATKL(beta=3.0), None)]
    [UATPlusPlus(), UATKL(beta=3.0), None]
    """
    if unlabeled is None:
        return None
    return _resolve("unlabeled loss", unlabeled, _POOL_LOSSES, (RST, PoolLoss), "UATKL(beta=6)")


def _resolve(what: str, given: Any, names: dict[str, Any], kinds: Any, example: str) -> Any:
    if isinstance(given, str):
        return by_name(what, given, names)()
    if not isinstance(given, kinds):
        raise TypeError(
            f"{what} must be one of {', '.join(map(repr, names))}, or an object such as {example}, "
            f"got {given!r}."
        )
    return given
