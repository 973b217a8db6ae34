"""The samples of a pool nearest to the decision boundary, without attacking all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from . import DeepFool
from ._race import Race

_SAFETY = 1.2  # slopes up to this many times the steepest one met are allowed for
SAMPLE = 64  # random samples that are attacked first, to meet slopes everywhere
_MOST = 1024  # samples loaded at once


def nearest_boundaries(
    module: nn.Module,
    logits: NDArray,
    load: Callable[[NDArray], Tensor],
    n: int,
    deepfool: DeepFool,
    rng: np.random.Generator,
    before: Race | None = None,
) -> NDArray:
    """DeepFool distances of the samples that can be among the n nearest to the boundary.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits; left as it was.
    logits : ndarray of shape (n_points, n_classes)
        What it returns for the pool.
    load : callable
        Positions -> inputs, a tensor within the attack's bounds.
    n : int
        How many are wanted, 1 ≤ n ≤ n_points.
    deepfool : DeepFool
    rng : numpy.random.Generator
        Draws the samples that are attacked first.
    before : Race or None, default=None
        One that went before, in another part of the pool: only what is within its reach is
        attacked, no sample first, and as many distances are found as there are.

    Returns
    -------
    distances : ndarray of shape (n_points,), float32
        ``inf`` for samples that are out: never attacked, given up on the way, or without a
        boundary. All distances if fewer than `n` were found otherwise.

    Notes
    -----
    A gap of g between the two largest logits cannot close within g / L if no difference of
    two logits is steeper than L. Samples are attacked from the smallest gap up; a path longer
    than the n-th shortest distance so far is given up; and the search ends where
    g / L is longer than that, with L 1.2 times the steepest slope met on any path, random
    samples' among them. That L is observed, not proven: an exhaustive search is the check.
    """
    top2 = np.partition(logits, -2, axis=1)[:, -2:]
    gaps = top2[:, 1] - top2[:, 0]
    by_gap = np.argsort(gaps, kind="stable")
    if before is None:
        race = Race(n)
        sample = rng.choice(len(gaps), min(len(gaps), SAMPLE), replace=False)
        order = np.concatenate([sample, by_gap[~np.isin(by_gap, sample)]])
        begin, end = 0, len(sample)
    else:
        race, order = Race(n, before.worst, before.steepest), by_gap
        begin, end = 0, _next(gaps, race)
    distances = np.full(len(gaps), np.inf, dtype=np.float32)
    while begin < end:
        rows = order[begin:end]
        found = deepfool(module, load(rows), race=race)
        distances[rows] = found.distance.cpu().numpy()
        begin, end = end, end + _next(gaps[order[end:]], race)
    if before is None and np.isfinite(distances).sum() < n:
        return _all_distances(module, load, len(gaps), deepfool)
    return distances


def _next(gaps: NDArray, race: Race) -> int:
    """How many of the samples are attacked next, from the smallest gap on."""
    if not np.isfinite(race.worst):
        return min(_MOST, len(gaps))
    return min(_MOST, int((gaps <= _SAFETY * race.steepest * race.worst).sum()))


def _all_distances(
    module: nn.Module, load: Callable[[NDArray], Tensor], n_points: int, deepfool: DeepFool
) -> NDArray:
    step = 16 * deepfool.batch_size
    windows = [np.arange(start, min(start + step, n_points)) for start in range(0, n_points, step)]
    return np.concatenate([deepfool(module, load(w)).distance.cpu().numpy() for w in windows])
