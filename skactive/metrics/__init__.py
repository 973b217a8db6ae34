"""Robust accuracy: scores, scorers, reports and curves."""

from ._curve import RobustnessCurveDisplay, robustness_curve
from ._report import RobustnessReport
from ._scores import (
    RobustScorer,
    make_robust_scorer,
    robust_accuracy_score,
    robust_correct,
    robustness_report,
)

__all__ = [
    "RobustScorer",
    "RobustnessCurveDisplay",
    "RobustnessReport",
    "make_robust_scorer",
    "robust_accuracy_score",
    "robust_correct",
    "robustness_curve",
    "robustness_report",
]
