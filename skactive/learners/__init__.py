"""Learners: fit, query, teach, and what is built on them."""

from ._budgeted import BudgetedLearner
from ._committee import Committee
from ._curve import active_learning_curve
from ._learner import ActiveLearner
from ._ledger import Ledger, LedgerDisplay

__all__ = [
    "ActiveLearner",
    "BudgetedLearner",
    "Committee",
    "Ledger",
    "LedgerDisplay",
    "active_learning_curve",
]
