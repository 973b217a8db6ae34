"""The samples of a pool nearest to the decision boundary, without attacking all of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from . import DeepFool
from ._race import Race

_SAFETY = 1.2  # slopes up to this many times the steepest one met are allowed for
_SAMPLE = 64  # random samples that are attacked first, to meet slopes everywhere
_MOST = 1024  # samples loaded at once


def nearest_boundaries(
    module: nn.Module,
    logits: NDArray,
    load: Callable[[NDArray], Tensor],
    n: int,
    deepfool: DeepFool,
    rng: np.random.Generator,
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
    sample = rng.choice(len(gaps), min(len(gaps), _SAMPLE), replace=False)
    by_gap = np.argsort(gaps, kind="stable")
    order = np.concatenate([sample, by_gap[~np.isin(by_gap, sample)]])
    race = Race(n)
    distances = np.full(len(gaps), np.inf, dtype=np.float32)
    begin, end = 0, len(sample)
    while begin < len(order):
        rows = order[begin:end]
        found = deepfool(module, load(rows), race=race)
        distances[rows] = found.distance.cpu().numpy()
        within_reach = gaps[order[end:]] <= _SAFETY * race.steepest * race.worst
        begin, end = end, end + min(_MOST, int(within_reach.sum()))
        if begin == end:
            break
    if np.isfinite(distances).sum() < n:
        return _all_distances(module, load, len(gaps), deepfool)
    return distances


def _all_distances(
    module: nn.Module, load: Callable[[NDArray], Tensor], n_points: int, deepfool: DeepFool
) -> NDArray:
    step = 16 * deepfool.batch_size
    windows = [np.arange(start, min(start + step, n_points)) for start in range(0, n_points, step)]
    return np.concatenate([deepfool(module, load(w)).distance.cpu().numpy() for w in windows])
