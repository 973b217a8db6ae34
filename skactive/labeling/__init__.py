"""Labels from people: a session that forgets nothing."""

from ._agreement import Agreement
from ._annotators import OracleAnnotator
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
from ._files import Conflict, ImportReport
from ._items import Item
from ._review import Disagreement, Suspicion
from ._session import LabelingSession
from .label_studio import (
    LabelStudio,
    LabelStudioBackend,
    LabelStudioError,
    PullReport,
    PushReport,
)
from .page import PageOptions, PageServer

__all__ = [
    "Agreement",
    "AnnotatorError",
    "Conflict",
    "ConflictError",
    "Disagreement",
    "Event",
    "ImportReport",
    "Item",
    "LabelStudio",
    "LabelStudioBackend",
    "LabelStudioError",
    "LabelingError",
    "LabelingSession",
    "NotClaimedError",
    "OracleAnnotator",
    "PageOptions",
    "PageServer",
    "PoolChangedError",
    "PullReport",
    "PushReport",
    "StoreBusyError",
    "StoreError",
    "StoreVersionError",
    "Suspicion",
    "UnknownClassError",
    "UnknownItemError",
    "WeightedVote",
    "majority",
]
