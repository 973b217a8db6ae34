"""A key for each class: itself where it is one letter or digit, else the next free one."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from ...utils.names import did_you_mean
from .._errors import LabelingError

_RESERVED = "bnsu"  # back, note, skip, undo: taken only by classes that are called so
_DIGITS = string.digits[1:] + "0"
_ALL = string.digits + string.ascii_lowercase


def class_keys(classes: Sequence[Any], given: Mapping[Any, str] | None = None) -> list[str | None]:
    """Keys of classes, in their order.

    Parameters
    ----------
    classes : sequence of labels
    given : mapping from labels to keys, or None
        What the user wants; the others are chosen.

    Returns
    -------
    keys : list of str or None
        None where there is none left; the page finds such classes by their names.

    Raises
    ------
    LabelingError
        If a key is given for no class, to two, or is no letter or digit.

    Examples
    --------
    >>> class_keys(["cat", "dog", "x"])
    ['1', '2', 'x']
    >>> class_keys(["cat", "dog"], {"cat": "c"})
    ['c', '1']
    """
    names = [str(label) for label in classes]
    chosen = _checked(names, given or {})
    for name in names:
        if name.lower() in _ALL and len(name) == 1 and name.lower() not in chosen.values():
            chosen.setdefault(name, name.lower())
    free = [key for key in _DIGITS if key not in chosen.values()]
    if len(names) - len(chosen) > len(free):  # numbers would run out in the middle
        free += [key for key in string.ascii_lowercase if key not in {*_RESERVED, *chosen.values()}]
    for name in names:
        if name not in chosen and free:
            chosen[name] = free.pop(0)
    return [chosen.get(name) for name in names]


def _checked(names: list[str], given: Mapping[Any, str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for label, key in given.items():
        if str(label) not in names:
            raise LabelingError(
                f"keys has {label!r}, which is no class.{did_you_mean(label, names)} There are "
                f"{', '.join(names[:20])}."
            )
        key = str(key).lower()
        if len(key) != 1 or key not in _ALL:
            raise LabelingError(f"The key of {label!r} must be one letter or digit, got {key!r}.")
        if key in chosen.values():
            raise LabelingError(f"keys gives {key!r} to more than one class.")
        chosen[str(label)] = key
    return chosen
