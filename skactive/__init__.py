"""skactive: robust active learning with a scikit-learn API."""

from .learners import ActiveLearner, BudgetedLearner, Committee, active_learning_curve
from .nets import AcceleratedNetClassifier, AdversarialNetClassifier, FixMatch
from .persistence import inspect, load
from .utils.version import __version__

__all__ = [
    "AcceleratedNetClassifier",
    "ActiveLearner",
    "AdversarialNetClassifier",
    "BudgetedLearner",
    "Committee",
    "FixMatch",
    "__version__",
    "active_learning_curve",
    "inspect",
    "load",
]
