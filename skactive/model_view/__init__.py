"""What a strategy may ask of any estimator: the only place that knows nets and Pipelines."""

from ._capabilities import capabilities_of, column_labels, require_of
from ._estimators import InputView
from ._net import NetView
from ._skorch import SkorchView
from ._view import ModelView

__all__ = [
    "InputView",
    "ModelView",
    "NetView",
    "SkorchView",
    "capabilities_of",
    "column_labels",
    "require_of",
]
