"""skorch callbacks: what can be hung into the training of a net."""

from .metrics._callback import RobustScoring

__all__ = ["RobustScoring"]
