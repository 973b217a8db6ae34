"""The samples of a pool with the largest expected gradient length, most others never looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from .gradient_norms import lengths_and_slopes
from .inference import check_not_diverged

_SAFETY = 1.2  # slopes up to this many times the steepest one met are allowed for


@dataclass(frozen=True)
class Lengths:
    """What is known from elsewhere in a pool: its n-th largest length so far, and slopes."""

    n_th: float
    slopes: NDArray


def first_lengths(
    module: nn.Module,
    load: Callable[[NDArray], Tensor],
    n_rows: int,
    n: int,
    wrt: str = "parameters",
    batch_size: int = 256,
) -> Lengths:
    """Compute the lengths of a few rows, that searches elsewhere in the pool begin with.

    Parameters
    ----------
    module, load, n, wrt, batch_size
        As in `longest_gradients`.
    n_rows : int
        How many there are to load.
    """
    lengths, slopes = [], []
    for start in range(0, n_rows, batch_size):
        rows = np.arange(start, min(start + batch_size, n_rows))
        found, steepest = lengths_and_slopes(module, load(rows), wrt)
        lengths.append(found.cpu().numpy())
        slopes.append(_SAFETY * steepest.cpu().numpy())
    every = np.concatenate(lengths)
    check_not_diverged(every)
    n_th = float(np.partition(every, -n)[-n]) if n <= len(every) else -np.inf
    return Lengths(n_th, np.max(slopes, axis=0))


def longest_gradients(
    module: nn.Module,
    proba: NDArray,
    load: Callable[[NDArray], Tensor],
    n: int,
    wrt: str = "parameters",
    batch_size: int = 256,
    before: Lengths | None = None,
) -> NDArray:
    """Expected gradient lengths of the samples that can be among the n largest.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits; left as it was.
    proba : ndarray of shape (n_points, n_classes)
        Class probabilities of the pool.
    load : callable
        Positions -> inputs of the module.
    n : int
        How many are wanted, 1 ≤ n ≤ n_points.
    wrt : {"parameters", "last_layer", "input"}, default="parameters"
        See `expected_gradient_length`.
    batch_size : int, default=256
    before : Lengths or None, default=None
        What `first_lengths` found elsewhere in the pool: rows that may be longer are looked at.

    Returns
    -------
    lengths : ndarray of shape (n_points,), float32
        ``-inf`` where it was not computed.

    Notes
    -----
    With logits z, ‖∇J(x, c)‖ = ‖Σ_k p_k (∇z_k − ∇z_c)‖, so that the length is at most
    Σ_kc p_k p_c L_kc, if no difference of the logits k and c is steeper than L_kc. Samples are
    taken from the largest of these bounds down until it is below the n-th largest length so far,
    with L 1.2 times the steepest differences met. That L is observed, not proven: computing
    all lengths is the check.
    """
    slopes = np.ones((proba.shape[1], proba.shape[1]))
    bounds = _bounds(proba, slopes)  # the Gini impurity: nothing is known about slopes yet
    lengths = np.full(len(proba), -np.inf, dtype=np.float32)
    left = np.ones(len(proba), dtype=bool)
    n_th, known = -np.inf, False
    if before is not None:
        n_th, slopes, known = before.n_th, before.slopes, True
        bounds = _bounds(proba, slopes)
    while left.any():
        rows = np.flatnonzero(left & (bounds >= n_th))
        if len(rows) > batch_size:
            rows = rows[np.argpartition(-bounds[rows], batch_size)[:batch_size]]
        if not len(rows):
            break
        found, steepest = lengths_and_slopes(module, load(rows), wrt)
        lengths[rows], left[rows] = found.cpu().numpy(), False
        check_not_diverged(lengths[rows])
        slopes = np.maximum(slopes * known, _SAFETY * steepest.cpu().numpy())
        known = True
        bounds = _bounds(proba, slopes)
        if len(left) - left.sum() >= n:
            n_th = max(n_th, float(np.partition(lengths, -n)[-n]))
    return lengths


def _bounds(proba: NDArray, slopes: NDArray) -> NDArray:
    """Σ_kc p_k p_c L_kc of each row, but for k = c."""
    slopes = (slopes * (1 - np.eye(len(slopes)))).astype(np.float32)
    return np.einsum("nk,nk->n", proba @ slopes, proba)
