"""When to stop asking: criteria that watch a learner from round to round."""

from ._criterion import AllOf, AnyOf, StoppingCriterion, resolve_stopping
from ._limits import MaxLabels, MaxRounds
from ._signs import Plateau, PredictionStability, UncertaintyThreshold

__all__ = [
    "AllOf",
    "AnyOf",
    "MaxLabels",
    "MaxRounds",
    "Plateau",
    "PredictionStability",
    "StoppingCriterion",
    "UncertaintyThreshold",
    "resolve_stopping",
]
