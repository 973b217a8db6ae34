"""When to stop asking: criteria for `BudgetedLearner` and `active_learning_curve`."""

from .learners._stopping import (
    AllOf,
    AnyOf,
    MaxLabels,
    MaxRounds,
    Plateau,
    PredictionStability,
    StoppingCriterion,
    UncertaintyThreshold,
    resolve_stopping,
)

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
