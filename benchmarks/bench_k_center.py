"""Greedy k-center against scikit-activeml's CoreSet and plain loops; picks asserted equal.

    python benchmarks/bench_k_center.py                      # about a minute
    python benchmarks/bench_k_center.py --n 5000             # two minutes
    python benchmarks/bench_k_center.py --dtype float32      # what a net's embedding has

In float64 the order of the picks is asserted equal. In float32 the peers round distances to
float32 and swap near ties: 99 % of the picks must be the same; --float64-loop asserts ours.

One thread, CPU seconds, interleaved rounds, median of the paired ratios.
"""

from __future__ import annotations

import argparse

import numpy as np
from timing import paired

from skactive.kernels.k_center import k_center_greedy


def features(n_points: int, width: int) -> np.ndarray:
    """Rows like a ReLU layer's output: ten overlapping classes, half zeros."""
    rng = np.random.default_rng(0)
    means = 2 * rng.normal(size=(10, width))
    rows = means[rng.integers(10, size=n_points)] + rng.normal(size=(n_points, width))
    return np.maximum(rows, 0).astype(np.float32)  # values that both dtypes hold


def scikit_activeml(X: np.ndarray, n: int, n_labeled: int):
    """Picks of scikit-activeml, or None where it is not installed."""
    try:
        from skactiveml.pool import k_greedy_center
    except ImportError:
        return None
    y = np.full(len(X), np.nan)
    y[:n_labeled] = 0
    return lambda: k_greedy_center(X, y, batch_size=n, random_state=0)[0] - n_labeled


def one_pass_per_pick(X: np.ndarray, n: int, n_labeled: int) -> list[int]:
    """Farthest first, all distances updated by one matrix-vector product per pick."""
    X = X - X.mean(axis=0)
    norms = np.square(X).sum(axis=1)
    pool, pool_norms = X[n_labeled:], norms[n_labeled:]
    nearest = np.full(len(pool), np.inf, dtype=X.dtype)
    picks: list[int] = []
    for center in range(n_labeled + n):
        if center >= n_labeled:
            picks.append(int(nearest.argmax()))
            center = n_labeled + picks[-1]
        squared = pool_norms - 2 * (pool @ X[center]) + norms[center]
        np.minimum(nearest, squared, out=nearest)
        nearest[picks[-1:]] = -np.inf
    return picks


def differences(X: np.ndarray, n: int, n_labeled: int) -> list[int]:
    """Farthest first in float64 on differences: the reference the picks must equal."""
    X = X.astype(np.float64)
    pool, nearest, picks = X[n_labeled:], np.inf, []
    for center in range(n_labeled + n):
        if center >= n_labeled:
            picks.append(int(nearest.argmax()))
            center = n_labeled + picks[-1]
        nearest = np.minimum(nearest, np.square(pool - X[center]).sum(axis=1))
        nearest[picks[-1:]] = -np.inf
    return picks


def check(peer: str, ours: np.ndarray, theirs: np.ndarray, rounds_float32: bool) -> None:
    if rounds_float32:
        common = len(np.intersect1d(ours, theirs))
        assert common >= 0.99 * len(ours), f"{peer}: only {common} of {len(ours)} picks in common"
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=f"{peer} picks others")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=60_000)
    parser.add_argument("--width", type=int, default=84)
    parser.add_argument("--labeled", type=int, default=1000)
    parser.add_argument("--n", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--float64-loop", action="store_true", help="the slow reference too")
    args = parser.parse_args()
    X = features(args.labeled + args.pool, args.width).astype(args.dtype)
    for n in args.n:
        peers = {"matrix-vector loop": lambda n=n: one_pass_per_pick(X, n, args.labeled)}
        peer = scikit_activeml(X, n, args.labeled)
        if peer is None:
            print("scikit-activeml is not installed: skipped (pip install skactive[bench])")
        else:
            peers["scikit-activeml"] = peer
        if args.float64_loop:
            peers["float64 differences"] = lambda n=n: differences(X, n, args.labeled)
        paired(
            f"k-center {args.dtype} {args.pool}x{args.width} n={n}",
            lambda n=n: k_center_greedy(X[args.labeled :], n, X[: args.labeled])[0],
            peers,
            lambda peer, ours, theirs: check(
                peer, ours, theirs, args.dtype == "float32" and peer != "float64 differences"
            ),
            args.rounds,
        )


if __name__ == "__main__":
    main()
