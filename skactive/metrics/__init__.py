"""Robust and certified accuracy: scores, scorers, reports and curves."""

from ._certified import (
    CertifiedScorer,
    certified_accuracy_score,
    certified_correct,
    make_certified_scorer,
)
from ._curve import RobustnessCurveDisplay, robustness_curve
from ._reliability import ReliabilityDisplay
from ._report import RobustnessReport
from ._scores import (
    RobustScorer,
    make_robust_scorer,
    robust_accuracy_score,
    robust_correct,
    robustness_report,
)

__all__ = [
    "CertifiedScorer",
    "ReliabilityDisplay",
    "RobustScorer",
    "RobustnessCurveDisplay",
    "RobustnessReport",
    "certified_accuracy_score",
    "certified_correct",
    "make_certified_scorer",
    "make_robust_scorer",
    "robust_accuracy_score",
    "robust_correct",
    "robustness_curve",
    "robustness_report",
]
