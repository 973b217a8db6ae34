"""What a run of active learning tells: selection bias, correlation, paired comparison."""

from ._analysis import (
    Comparison,
    CorrelationResult,
    area_under_budget_curve,
    bias_robustness_correlation,
    compare_strategies,
    holm,
    selection_bias,
)
from ._display import SelectionBiasDisplay

__all__ = [
    "Comparison",
    "CorrelationResult",
    "SelectionBiasDisplay",
    "area_under_budget_curve",
    "bias_robustness_correlation",
    "compare_strategies",
    "holm",
    "selection_bias",
]
