"""Learners: fit, query, teach, and what is built on them."""

from ._committee import Committee
from ._learner import ActiveLearner
from ._simulation import BudgetedLearner, active_learning_curve

__all__ = ["ActiveLearner", "BudgetedLearner", "Committee", "active_learning_curve"]
