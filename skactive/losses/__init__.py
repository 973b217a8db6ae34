"""What a net is trained on: losses as objects, and their formulas."""

from ..passes.divergence import divergence
from ._adversarial import Adversarial
from ._base import Batch, Loss
from ._certified import CertifiedLoss
from ._ibp import CROWNIBP, IBP
from ._mart import MART, mart_loss
from ._mtl_ibp import MTLIBP
from ._pool import RST, UATFT, UATKL, PoolLoss, UATPlusPlus
from ._resolve import resolve_loss, resolve_pool_loss
from ._sabr import SABR
from ._trades import TRADES, trades_loss

__all__ = [
    "CROWNIBP",
    "IBP",
    "MART",
    "MTLIBP",
    "RST",
    "SABR",
    "TRADES",
    "UATFT",
    "UATKL",
    "Adversarial",
    "Batch",
    "CertifiedLoss",
    "Loss",
    "PoolLoss",
    "UATPlusPlus",
    "divergence",
    "mart_loss",
    "resolve_loss",
    "resolve_pool_loss",
    "trades_loss",
]
