"""Adversarially trained nets."""

from ._classifier import AdversarialNetClassifier

__all__ = ["AdversarialNetClassifier"]
