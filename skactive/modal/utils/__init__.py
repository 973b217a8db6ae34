"""modAL's utilities."""

from .combination import make_linear_combination, make_product, make_query_strategy
from .data import data_vstack
from .selection import multi_argmax, weighted_random
from .validation import check_class_labels, check_class_proba

__all__ = [
    "check_class_labels",
    "check_class_proba",
    "data_vstack",
    "make_linear_combination",
    "make_product",
    "make_query_strategy",
    "multi_argmax",
    "weighted_random",
]
