"""Labels from people: a session that forgets nothing."""

from ._consensus import WeightedVote, majority
from ._errors import (
    AnnotatorError,
    ConflictError,
    LabelingError,
    NotClaimedError,
    PoolChangedError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
    UnknownClassError,
    UnknownItemError,
)
from ._events import Event
from ._items import Item
from ._session import LabelingSession

__all__ = [
    "AnnotatorError",
    "ConflictError",
    "Event",
    "Item",
    "LabelingError",
    "LabelingSession",
    "NotClaimedError",
    "PoolChangedError",
    "StoreBusyError",
    "StoreError",
    "StoreVersionError",
    "UnknownClassError",
    "UnknownItemError",
    "WeightedVote",
    "majority",
]
