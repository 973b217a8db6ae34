"""What a run of active learning tells: selection bias, correlation, paired comparison."""

from ..learners import LedgerDisplay
from ._bias import selection_bias
from ._comparison import Comparison, ComparisonReport, compare_strategies
from ._correlation import CorrelationResult, bias_robustness_correlation
from ._curves import area_under_budget_curve
from ._display import SelectionBiasDisplay
from ._learning_curves import ActiveLearningCurveDisplay
from ._pool_map import PoolMapDisplay
from ._signed_rank import holm

__all__ = [
    "ActiveLearningCurveDisplay",
    "Comparison",
    "ComparisonReport",
    "CorrelationResult",
    "LedgerDisplay",
    "PoolMapDisplay",
    "SelectionBiasDisplay",
    "area_under_budget_curve",
    "bias_robustness_correlation",
    "compare_strategies",
    "holm",
    "selection_bias",
]
