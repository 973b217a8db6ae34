"""Certificates: bounds of any module over a box of inputs, proved rather than attacked."""

from . import _rules  # noqa: F401  registers the rules
from ._box import Box
from ._margins import certified_margins, margin_bounds

__all__ = ["Box", "certified_margins", "margin_bounds"]
