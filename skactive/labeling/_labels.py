"""The declared classes, and labels as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.labels import refuse_missing_labels
from ..utils.names import did_you_mean
from ._errors import LabelingError, UnknownClassError


class Classes:
    """Labels that may be given: texts or numbers, told apart by type (``3`` is no ``"3"``).

    Parameters
    ----------
    labels : iterable
        At least two, distinct, in the order that annotators see.
    """

    def __init__(self, labels: Iterable[Any]) -> None:
        if isinstance(labels, str) or not hasattr(labels, "__iter__"):
            raise LabelingError(f"classes must be a list of labels, got {labels!r}.")
        self.labels = [_plain(label) for label in labels]
        kinds = {type(label) for label in self.labels}
        if not kinds <= {str, int, float, bool} or len(kinds) > 1:
            raise LabelingError(
                f"classes must be all texts or all numbers of one type, got {self.labels[:10]}."
            )
        refuse_missing_labels(np.array(self.labels))
        if len(set(self.labels)) < len(self.labels) or len(self.labels) < 2:
            raise LabelingError(
                f"classes must be at least two distinct labels, got {self.labels[:10]}."
            )
        self.array: NDArray = np.array(self.labels)

    def checked(self, y: Any) -> Any:
        """A label as it is stored.

        Raises
        ------
        UnknownClassError
            If it is none of the classes.
        """
        label = _plain(y)
        if type(label) is type(self.labels[0]) and label in self.labels:
            return label
        named = ", ".join(map(repr, self.labels[:20]))
        hint = did_you_mean(label, map(str, self.labels)) if isinstance(label, str) else ""
        hint = next(
            (f" Did you mean {each!r}?" for each in self.labels if str(each) == label), hint
        )
        raise UnknownClassError(
            f"{label!r} is none of the declared classes.{hint} There are {named}; others are "
            "declared with classes=[…]."
        )

    def parsed(self, text: str) -> Any:
        """A label from its text in a file."""
        for label in self.labels:
            if text == str(label):
                return label
        return self.checked(text)


def _plain(label: Any) -> Any:
    """Without NumPy."""
    return (
        label.item()
        if isinstance(label, (np.generic, np.ndarray)) and np.ndim(label) == 0
        else label
    )
