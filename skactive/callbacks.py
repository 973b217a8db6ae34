"""skorch callbacks: what can be hung into the training of a net."""

from .metrics._callback import RobustScoring
from .nets.recipes import (
    AWP,
    EMA,
    SWA,
    BestEpoch,
    CosineDecay,
    EpsWarmup,
    IBPInit,
    IBPRegularizer,
    OverfittingGuard,
    Recipe,
)

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
    "RobustScoring",
]
