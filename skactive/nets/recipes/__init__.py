"""What changes a training run, each a skorch callback in a file of its own."""

from ._awp import AWP
from ._best_epoch import BestEpoch
from ._cosine_decay import CosineDecay
from ._ema import EMA
from ._eps_warmup import EpsWarmup
from ._ibp_init import IBPInit
from ._ibp_regularizer import IBPRegularizer
from ._overfitting_guard import OverfittingGuard
from ._recipe import Recipe
from ._swa import SWA

__all__ = [
    "AWP",
    "EMA",
    "SWA",
    "BestEpoch",
    "CosineDecay",
    "EpsWarmup",
    "IBPInit",
    "IBPRegularizer",
    "OverfittingGuard",
    "Recipe",
]
