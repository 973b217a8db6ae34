"""One-shot test selection and adversarial retraining, measured."""

from ..learners._adversarial_examples import adversarial_examples
from ._evaluation_split import EvaluationSplit
from ._report import RetrainingReport, retraining_report

__all__ = ["EvaluationSplit", "RetrainingReport", "adversarial_examples", "retraining_report"]
