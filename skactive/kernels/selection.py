"""The one place where scores become picks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def top_k(scores: ArrayLike, k: int, rng: np.random.Generator | None) -> NDArray[np.intp]:
    """Return the indices of the k largest scores, best first; ties in random order.

    Parameters
    ----------
    scores : array-like of shape (n,), float or int
        Larger = earlier. ``inf`` and ``-inf`` are ordinary values.
    k : int
        How many, 0 ≤ k ≤ n.
    rng : numpy.random.Generator or None
        Decides between equal scores, also between those at the cut; ``None`` puts the one
        that comes first in `scores` first.

    Returns
    -------
    indices : ndarray of shape (k,), dtype intp
        Distinct positions in `scores`.

    Raises
    ------
    ValueError
        If `scores` is not one-dimensional or holds NaN, or `k` is out of range.

    Notes
    -----
    One selection of the k-th largest value, one pass to collect what reaches it, one
    sort of the k winners: O(n + k log k), and a transient copy of `scores`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.selection import top_k
    >>> top_k([0.1, 0.9, -np.inf, 0.5], 2, np.random.default_rng(0))
    array([1, 3])
    """
    scores = np.asarray(scores)
    _check(scores, k)
    if k == 0:
        return np.empty(0, dtype=np.intp)
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    winners = np.flatnonzero(scores > cut)
    tied = np.flatnonzero(scores == cut)
    if rng is None:
        drawn, order = tied[: k - len(winners)], np.arange(k)[::-1]
        indices = np.sort(np.concatenate([winners, drawn]))
    else:
        drawn = rng.choice(tied, k - len(winners), replace=False, shuffle=False)
        indices, order = np.concatenate([winners, drawn]), rng.permutation(k)
    # Reversed instead of negated: integers and booleans have no safe negative.
    return indices[np.lexsort((order, scores[indices]))[::-1]]


def _check(scores: NDArray, k: int) -> None:
    if scores.ndim != 1:
        raise ValueError(f"scores must be one-dimensional, got an array of shape {scores.shape}.")
    if not 0 <= k <= len(scores):
        raise ValueError(f"k must be between 0 and the number of scores {len(scores)}, got {k}.")
    if len(scores) and np.isnan(scores.max()):  # max propagates NaN: no mask needed
        first = int(np.flatnonzero(np.isnan(scores))[0])
        raise ValueError(
            f"scores holds NaN (first at position {first}): a NaN has no rank. Score with a "
            "finite or infinite number, -inf for 'never'."
        )
