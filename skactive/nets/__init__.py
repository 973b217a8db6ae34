"""Adversarially trained nets."""

from ._classifier import AdversarialNetClassifier
from ._fixmatch import FixMatch
from ._views import RandomAffine

__all__ = ["AdversarialNetClassifier", "FixMatch", "RandomAffine"]
