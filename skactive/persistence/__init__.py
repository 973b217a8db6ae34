"""Files that run no code: learners, nets, strategies and reports saved, inspected and loaded."""

from ._files import FORMAT, FileSummary, inspect, load, save

__all__ = ["FORMAT", "FileSummary", "inspect", "load", "save"]
