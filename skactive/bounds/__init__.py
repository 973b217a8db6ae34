"""Certificates: bounds of any module over a box of inputs, proved rather than attacked."""

from . import _rules  # noqa: F401  registers the rules
from ._box import Box
from ._certifier import Certifier, certified_margins
from ._crown import outputs_first
from ._margins import METHODS, margin_bounds

__all__ = ["METHODS", "Box", "Certifier", "certified_margins", "margin_bounds", "outputs_first"]
