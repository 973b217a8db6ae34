"""One-shot test selection and adversarial retraining, measured."""

from ..learners._adversarial_examples import adversarial_examples
from ._evaluation_split import EvaluationSplit
from ._measurement import retraining_report
from ._report import RetrainingReport

__all__ = ["EvaluationSplit", "RetrainingReport", "adversarial_examples", "retraining_report"]
