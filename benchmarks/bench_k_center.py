"""Greedy k-center against scikit-activeml's CoreSet: the same picks in the same order.

60,000 × 84 float64, like a ReLU layer's output, 1,000 labelled. The order is also checked against
float64 differences, pick by pick.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skactive.kernels.k_center import k_center_greedy

from .timing import Peer, Row, absent, installed, paired, run_alone

WIDTH, N_LABELED = 84, 1000
BARS = {200: 8, 1000: 25, 5000: 50}


def features(n_points: int) -> np.ndarray:
    """Ten overlapping classes, half zeros."""
    rng = np.random.default_rng(0)
    means = 2 * rng.normal(size=(10, WIDTH))
    rows = means[rng.integers(10, size=n_points)] + rng.normal(size=(n_points, WIDTH))
    return np.maximum(rows, 0)


def by_skactiveml(X: np.ndarray, n: int) -> np.ndarray:
    """Picks of scikit-activeml."""
    from skactiveml.pool import k_greedy_center

    y = np.full(len(X), np.nan)
    y[:N_LABELED] = 0
    return k_greedy_center(X, y, batch_size=n, random_state=0)[0] - N_LABELED


def by_differences(X: np.ndarray, n: int) -> list[int]:
    """Farthest first in float64 on differences: the reference the picks must equal."""
    pool, nearest = X[N_LABELED:], np.inf
    picks: list[int] = []
    for center in range(N_LABELED + n):
        if center >= N_LABELED:
            picks.append(int(nearest.argmax()))
            center = N_LABELED + picks[-1]
        nearest = np.minimum(nearest, np.square(pool - X[center]).sum(axis=1))
        nearest[picks[-1:]] = -np.inf
    return picks


def in_order(ours, theirs) -> str:
    np.testing.assert_array_equal(ours, theirs)
    return "equal picks, in order"


def rows(quick: bool) -> Iterator[Row]:
    n_pool = 3000 if quick else 60_000
    X = features(N_LABELED + n_pool)
    for n in (20, 100) if quick else (200, 1000, 5000):
        bar = BARS.get(n)
        label = f"k-center, {n:,} of {n_pool:,} × {WIDTH}"
        peers = []
        if installed("skactiveml"):
            peers.append(Peer("scikit-activeml", lambda n=n: by_skactiveml(X, n), bar, in_order))
        else:
            yield absent(label, "scikit-activeml", bar)
        if n <= 200:
            peers.append(Peer("float64 loop", lambda n=n: by_differences(X, n), None, in_order))
        yield from paired(
            label,
            lambda n=n: k_center_greedy(X[N_LABELED:], n, X[:N_LABELED])[0],
            peers,
            rounds=3,
            budget=25,
        )


if __name__ == "__main__":
    run_alone(rows)
