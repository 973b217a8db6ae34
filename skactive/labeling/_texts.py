"""Texts that users give."""

from __future__ import annotations

from typing import Any

from ._errors import LabelingError


def list_of_texts(name: str, texts: Any) -> list[str]:
    """A list of texts; one text alone is none, or its letters would be taken.

    Raises
    ------
    LabelingError
        If it is anything else.
    """
    listed = list(texts) if hasattr(texts, "__iter__") else [texts]
    if isinstance(texts, str) or not all(isinstance(text, str) and text for text in listed):
        raise LabelingError(f"{name} must be a list of texts, got {texts!r}.")
    return listed


def check_text(name: str, text: Any) -> None:
    """Raise a `LabelingError` unless it is a text that is kept as it is."""
    if not isinstance(text, str) or len(text) > 10_000 or "\0" in text:
        raise LabelingError(f"{name} must be a text of at most 10000 characters, got {text!r:.99}.")
