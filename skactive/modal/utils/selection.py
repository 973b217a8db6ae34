"""From utilities to picks."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from ...kernels.selection import top_k
from .._errors import InvalidType, InvalidValue


def multi_argmax(values: ArrayLike, n_instances: int = 1) -> tuple[NDArray, NDArray]:
    """Positions of the `n_instances` largest values, and these values.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, 1)
        NaN comes last.
    n_instances : int, default=1

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Best first; of equal values the first.
    values : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If `n_instances` is negative or larger than the number of values (an `AssertionError`,
        too, as in modAL).

    Examples
    --------
    >>> from skactive.modal.utils.selection import multi_argmax
    >>> multi_argmax([0.1, 0.9, 0.5], n_instances=2)
    (array([1, 2]), array([0.9, 0.5]))
    """
    values = _one_dimensional(values)
    indices = top_k(_nan_last(values), check_count(n_instances, len(values)), None)
    return indices, values[indices]


def multi_argmin(values: ArrayLike, n_instances: int = 1) -> tuple[NDArray, NDArray]:
    """Positions of the `n_instances` smallest values, and these values.

    Parameters
    ----------
    values, n_instances
        As in `multi_argmax`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Smallest first; of equal values the first.
    values : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        As in `multi_argmax`.

    Examples
    --------
    >>> from skactive.modal.utils.selection import multi_argmin
    >>> indices, values = multi_argmin([0.1, 0.9, 0.5], n_instances=2)
    >>> indices.tolist(), values.tolist()
    ([0, 2], [0.1, 0.5])
    """
    values = _one_dimensional(values)
    indices, _ = multi_argmax(-values, n_instances)
    return indices, values[indices]


def shuffled_argmax(
    values: ArrayLike, n_instances: int = 1, *, random_state: Any = None
) -> tuple[NDArray, NDArray]:
    """Like `multi_argmax`, but equal values in random order, and the best **last**.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, 1)
    n_instances : int, default=1
    random_state : None, int or RandomState, default=None
        ``None`` is NumPy's global generator, as in modAL.

    Returns
    -------
    indices, values : ndarray of shape (n_instances,)
        In ascending order of the values.

    Raises
    ------
    ValueError
        As in `multi_argmax`.

    Examples
    --------
    >>> from skactive.modal.utils.selection import shuffled_argmax
    >>> indices, values = shuffled_argmax([0.1, 0.9, 0.5], n_instances=2)
    >>> indices.tolist(), values.tolist()
    ([2, 1], [0.5, 0.9])

    Of equal values each is picked now and then:

    >>> {int(shuffled_argmax([3, 3, 0], random_state=seed)[0][0]) for seed in range(20)}
    {0, 1}
    """
    values = _one_dimensional(values)
    n = check_count(n_instances, len(values))
    shuffled = check_random_state(random_state).permutation(len(values))
    # A stable sort of the shuffled values: with NumPy's seed, the very picks of modAL.
    order = np.argsort(_nan_last(values)[shuffled], kind="stable")
    indices = shuffled[order[len(values) - n :]]
    return indices, values[indices]


def shuffled_argmin(
    values: ArrayLike, n_instances: int = 1, *, random_state: Any = None
) -> tuple[NDArray, NDArray]:
    """Like `multi_argmin`, but equal values in random order, and the smallest **last**.

    Parameters
    ----------
    values, n_instances, random_state
        As in `shuffled_argmax`.

    Returns
    -------
    indices, values : ndarray of shape (n_instances,)
        In descending order of the values.

    Raises
    ------
    ValueError
        As in `multi_argmax`.

    Examples
    --------
    >>> from skactive.modal.utils.selection import shuffled_argmin
    >>> indices, values = shuffled_argmin([0.1, 0.9, 0.5], n_instances=2)
    >>> indices.tolist(), values.tolist()
    ([2, 0], [0.5, 0.1])
    """
    values = _one_dimensional(values)
    indices, _ = shuffled_argmax(-values, n_instances, random_state=random_state)
    return indices, values[indices]


def weighted_random(
    weights: ArrayLike, n_instances: int = 1, *, random_state: Any = None
) -> NDArray:
    """Draw positions without replacement, with probabilities proportional to `weights`.

    Parameters
    ----------
    weights : array-like of shape (n,)
        Not negative, not all zero.
    n_instances : int, default=1
        At most the number of positive weights.
    random_state : None, int or RandomState, default=None
        ``None`` is NumPy's global generator, as in modAL.

    Returns
    -------
    indices : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or more are asked for than have one (an
        `AssertionError`, too).

    Examples
    --------
    Where the weight is 0, nothing is drawn:

    >>> from skactive.modal.utils.selection import weighted_random
    >>> sorted(weighted_random([0.0, 1.0, 0.0, 9.0], n_instances=2, random_state=0).tolist())
    [1, 3]
    """
    weights = _one_dimensional(weights)
    n = check_count(n_instances, len(weights))
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise InvalidValue(
            "weights must be finite, not negative and not all zero: they are drawn in proportion."
        )
    if n > np.count_nonzero(weights):
        raise InvalidValue(
            f"n_instances must not exceed the number of positive weights, "
            f"{np.count_nonzero(weights)}, got {n}."
        )
    rng = check_random_state(random_state)
    return rng.choice(len(weights), size=n, p=weights / weights.sum(), replace=False)


def pick(
    values: ArrayLike,
    n_instances: int,
    random_tie_break: bool,
    random_state: Any = None,
    *,
    smallest: bool = False,
) -> tuple[NDArray, NDArray]:
    """What every modAL strategy ends with: the best positions and their values."""
    if random_tie_break:
        chosen = shuffled_argmin if smallest else shuffled_argmax
        return chosen(values, n_instances, random_state=random_state)
    return (multi_argmin if smallest else multi_argmax)(values, n_instances)


def _one_dimensional(values: ArrayLike) -> NDArray:
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise InvalidValue(
            f"Utilities must be one number per sample, shape (n,), got shape {values.shape}."
        )
    return values if values.dtype.kind == "f" else values.astype(float)


def _nan_last(values: NDArray) -> NDArray:
    return np.where(np.isnan(values), -np.inf, values)


def check_count(n_instances: Any, n_available: int) -> int:
    """`n_instances` as an int; raise if it is none, negative or too large."""
    if not isinstance(n_instances, Integral) or isinstance(n_instances, bool):
        raise InvalidType(f"n_instances must be an integer, got {n_instances!r}.")
    if not 0 <= int(n_instances) <= n_available:
        raise InvalidValue(
            f"n_instances must be between 0 and the number of samples in the pool, {n_available}, "
            f"got {n_instances}. Ask for fewer, or pass a larger pool."
        )
    return int(n_instances)
