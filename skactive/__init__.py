"""skactive: robust active learning with a scikit-learn API."""

from .classifier import AdversarialNetClassifier
from .committee import Committee
from .learner import ActiveLearner
from .simulation import BudgetedLearner, active_learning_curve

__version__ = "0.1.0.dev0"

__all__ = [
    "ActiveLearner",
    "AdversarialNetClassifier",
    "BudgetedLearner",
    "Committee",
    "__version__",
    "active_learning_curve",
]
