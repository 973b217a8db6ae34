"""Names that a user gives to samples: distinct numbers or texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_ids(ids: Any, n: int) -> NDArray | None:
    """`ids` as a 1-d array of distinct integers or texts, a copy; ``None`` stays ``None``.

    Raises
    ------
    ValueError
        If they are not a distinct one for each of `n` samples.
    """
    if ids is None:
        return None
    named = _as_ids(ids)
    if named.shape != (n,):
        raise ValueError(f"ids must name each of the {n} samples, got shape {named.shape}.")
    values, counts = np.unique(named, return_counts=True)
    if len(values) != n:
        raise ValueError(
            f"ids must be distinct; more than once came {_few(values[counts > 1])}. Leave repeated "
            "samples out, or name them apart."
        )
    return named


def joined_ids(old: NDArray | None, new: Any, n_old: int, n_new: int) -> NDArray | None:
    """Ids of old and new samples, all distinct; None if neither have any.

    Raises
    ------
    ValueError
        If only some have ids, of two kinds, or the same one.
    """
    named = check_ids(new, n_new)
    if old is None and named is None:
        return None
    if old is None or named is None:
        which = f"{n_old} labelled" if old is None else f"{n_new} new"
        raise ValueError(
            f"The {which} samples have no ids, but the others have. Pass ids for all samples, "
            "from fit on, or for none."
        )
    if n_old and n_new:
        _check_kind(old, named)
    known = np.isin(named, old)
    if known.any():
        raise ValueError(
            f"ids are labelled already: {_few(named[known])}. Use relabel to change their labels, "
            "or leave them out."
        )
    return np.concatenate([old, named]) if n_old else named


def positions_of_ids(known: NDArray | None, ids: Any) -> NDArray[np.intp]:
    """Where each of `ids` stands among the known ones.

    Raises
    ------
    ValueError
        If there are no known ones, or some are not among them or come more than once.
    """
    if known is None:
        raise ValueError(
            "The labelled samples have no ids. Name them by rows, their positions in X_labeled_, "
            "or pass ids= to fit and teach."
        )
    named = _as_ids(ids)
    asked = check_ids(named, len(named))
    if asked is None or not len(asked):
        return np.empty(0, dtype=np.intp)
    _check_kind(known, asked)
    position = {name: i for i, name in enumerate(known.tolist())}
    unknown = [name for name in asked.tolist() if name not in position]
    if unknown:
        raise ValueError(f"ids are not labelled: {_few(unknown)}. Known are {_few(known)}.")
    return np.array([position[name] for name in asked.tolist()], dtype=np.intp)


def _as_ids(ids: Any) -> NDArray:
    named = np.array(ids)
    if named.dtype.kind == "O" and all(isinstance(name, str) for name in named.ravel()):
        named = named.astype(str)
    if named.ndim != 1 or (named.size and named.dtype.kind not in "iuU"):
        raise ValueError(
            "ids must be a 1-d array of integers or texts, got shape "
            f"{named.shape} and dtype {named.dtype}."
        )
    if named.dtype.kind == "u" and named.size and int(named.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"ids must fit into 64 bits with a sign, got {int(named.max())}.")
    return named if named.dtype.kind == "U" else named.astype(np.int64)


def _check_kind(known: NDArray, other: NDArray) -> None:
    if (known.dtype.kind == "U") != (other.dtype.kind == "U"):
        raise ValueError(
            f"ids must be of one kind: those known are {known.dtype}, the others {other.dtype}."
        )


def _few(names: Any) -> str:
    listed = np.asarray(names).tolist()
    return f"{listed[:5]}{'' if len(listed) <= 5 else f' and {len(listed) - 5} more'}"
