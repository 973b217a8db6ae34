"""Files that run no code: learners, nets, strategies and reports saved, inspected and loaded."""

from ._files import FORMAT, FileSummary, from_bytes, inspect, load, save, to_bytes

__all__ = ["FORMAT", "FileSummary", "from_bytes", "inspect", "load", "save", "to_bytes"]
