"""Label Studio: tasks in the order in which the session asks, answers back, a backend to ask."""

from ._backend import LabelStudioBackend
from ._client import LabelStudioError
from ._sync import LabelStudio, PullReport, PushReport

__all__ = ["LabelStudio", "LabelStudioBackend", "LabelStudioError", "PullReport", "PushReport"]
