"""skactive: robust active learning with a scikit-learn API."""

from .classifier import AdversarialNetClassifier
from .committee import Committee
from .learner import ActiveLearner

__version__ = "0.1.0.dev0"

__all__ = ["ActiveLearner", "AdversarialNetClassifier", "Committee", "__version__"]
