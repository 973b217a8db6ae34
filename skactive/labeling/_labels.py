"""The declared classes, and labels as they are stored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.labels import refuse_missing_labels
from ..utils.names import did_you_mean
from ._errors import LabelingError, UnknownClassError

_EXACT = 2**53  # below it floats tell whole numbers apart


class Classes:
    """Labels that may be given: texts or numbers, told apart by type (``3`` is no ``"3"``).

    Parameters
    ----------
    labels : iterable of str, int, float or bool
        At least two, distinct, in the order that annotators see; floats are whole numbers, as for
        scikit-learn, which takes others for the values of a regression.
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
        self._check_taught()

    def _check_taught(self) -> None:
        """Raise if classifiers would refuse these, which is too late once they are given."""
        kind = type(self.labels[0])
        if kind is int and self.array.dtype.kind in "iu":
            return
        if kind is float and all(x.is_integer() and abs(x) <= _EXACT for x in self.labels):
            return
        if kind in (int, float):
            raise LabelingError(
                f"classes must be texts or whole numbers of at most 64 bits, got "
                f"{self.labels[:10]}. Declare texts, {[str(label) for label in self.labels[:10]]}, "
                "or number the classes."
            )

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
        """A label from its text in a file; blanks around it count where a class has them.

        Classes that are numbers are known however a program writes them: ``1.0`` is 1.
        """
        known = {str(label): label for label in self.labels}
        bare = text.strip()
        if text in known or bare in known:
            return known.get(text, known.get(bare))
        number = _whole(bare) if type(self.labels[0]) in (int, float) else None
        return self.checked(bare if number is None else type(self.labels[0])(number))


def _whole(text: str) -> int | None:
    """A whole number as a table writes it that has made floats of all; None for all else.

    Such floats are no numbers to rely on beyond 2^53: they may have been others before.
    """
    found = re.fullmatch(r"([+-]?\d+)(\.0*)?", text, flags=re.ASCII)
    number = None if found is None else int(found[1])
    return number if number is not None and abs(number) < _EXACT else None


def _plain(label: Any) -> Any:
    """Without NumPy."""
    return (
        label.item()
        if isinstance(label, (np.generic, np.ndarray)) and np.ndim(label) == 0
        else label
    )
