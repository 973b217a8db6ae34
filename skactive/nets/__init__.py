"""Adversarially trained nets."""

from ._accelerated import AcceleratedNetClassifier
from ._classifier import AdversarialNetClassifier
from ._fixmatch import FixMatch
from ._views import RandomAffine

__all__ = ["AcceleratedNetClassifier", "AdversarialNetClassifier", "FixMatch", "RandomAffine"]
