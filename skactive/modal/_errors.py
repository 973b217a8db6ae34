"""Errors that old code and new code both catch: modAL raised AssertionError for bad arguments."""

from __future__ import annotations


class InvalidValue(ValueError, AssertionError):
    """A value out of range; modAL raised AssertionError for it."""


class InvalidType(TypeError, AssertionError):
    """A value of the wrong type; modAL raised AssertionError for it."""
