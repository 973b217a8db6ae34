"""What a run of active learning tells: selection bias, correlation, paired comparison."""

from ..learners import LedgerDisplay
from ._bias import selection_bias
from ._comparison import Comparison, ComparisonReport, compare_strategies
from ._contest import Entry, compare_curves
from ._correlation import CorrelationResult, bias_robustness_correlation
from ._curve_fit import LearningCurveFit, fit_learning_curve
from ._curve_report import CurvePoint, CurveReport
from ._curves import area_under_budget_curve
from ._display import SelectionBiasDisplay
from ._label_cost import LabelCost, LabelCostReport, label_costs
from ._learning_curves import ActiveLearningCurveDisplay
from ._pool_map import PoolMapDisplay
from ._signed_rank import holm

__all__ = [
    "ActiveLearningCurveDisplay",
    "Comparison",
    "ComparisonReport",
    "CorrelationResult",
    "CurvePoint",
    "CurveReport",
    "Entry",
    "LabelCost",
    "LabelCostReport",
    "LearningCurveFit",
    "LedgerDisplay",
    "PoolMapDisplay",
    "SelectionBiasDisplay",
    "area_under_budget_curve",
    "bias_robustness_correlation",
    "compare_curves",
    "compare_strategies",
    "fit_learning_curve",
    "holm",
    "label_costs",
    "selection_bias",
]
