"""DRE, MCP and top-n selection from given scores, against plain NumPy-and-list code.

    python benchmarks/bench_selection.py
    python benchmarks/bench_selection.py --sizes 60000 1000000 10000000 --rounds 5

One thread, CPU seconds, interleaved rounds, median of the paired ratios. Equal values
(top-n), quotas (DRE) or sets of points (MCP) are asserted.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from timing import paired

from skactive.kernels.clusters import mcp_select
from skactive.kernels.selection import top_k
from skactive.kernels.stratified import bin_indices, stratified_sample

N_BINS = 50


def plain_top(scores: np.ndarray, n: int) -> list[int]:
    return [int(i) for i in np.argsort(scores)[::-1][:n]]


def plain_dre(scores: np.ndarray, n: int) -> list[int]:
    """A mask over all scores per bin, ceiled quotas, low to high, the last n kept."""
    rng = np.random.RandomState(0)  # as np.random.choice: permutes every bin
    edges = np.linspace(scores.min(), scores.max(), N_BINS + 1)
    picks: list[int] = []
    for b in range(N_BINS):
        below = scores <= edges[b + 1] if b == N_BINS - 1 else scores < edges[b + 1]
        members = np.flatnonzero((scores >= edges[b]) & below)
        quota = math.ceil(len(members) / len(scores) * n)
        picks += list(rng.choice(members, quota, replace=False))
    return picks[-n:]


def plain_mcp(proba: np.ndarray, n: int) -> list[int]:
    """A list of (priority, row) per cluster, the best popped in every sweep."""
    clusters: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for i, row in enumerate(proba):
        second, first = np.argsort(row)[-2:]
        clusters.setdefault((first, second), []).append((row[second] / row[first], i))
    for members in clusters.values():
        members.sort()
    picks: list[int] = []
    while len(picks) < n:
        heads = sorted((c[-1] for c in clusters.values() if c), reverse=True)[: n - len(picks)]
        picks += [i for _, i in heads]
        for members in clusters.values():
            if members:
                members.pop()
    return picks


def bench_top(scores: np.ndarray, n: int, rounds: int) -> None:
    def check(peer, ours, theirs):
        np.testing.assert_array_equal(scores[ours], scores[theirs])

    paired(
        f"top-n of {len(scores)}, n={n}",
        lambda: top_k(scores, n, np.random.default_rng(0)),
        {"argsort and list": lambda: plain_top(scores, n)},
        check,
        rounds,
    )


def bench_dre(scores: np.ndarray, n: int, rounds: int) -> None:
    bins = bin_indices(scores, N_BINS)

    def check(peer, ours, theirs):
        assert len(set(ours)) == len(set(theirs)) == n
        drawn = [np.bincount(bins[picks], minlength=N_BINS) for picks in (ours, theirs)]
        # A score on an inner edge may fall to either side by rounding.
        assert np.abs(drawn[0] - drawn[1]).max() <= 1, "the quotas differ"

    paired(
        f"DRE from {len(scores)} scores, n={n}",
        lambda: stratified_sample(scores, n, N_BINS, "ceil_tail", rng=np.random.default_rng(0)),
        {"masks and lists": lambda: plain_dre(scores, n)},
        check,
        rounds,
    )


def bench_mcp(n_points: int, n: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(10, 0.5), size=n_points)

    def check(peer, ours, theirs):
        assert set(ours.tolist()) == set(theirs), "the sets differ"

    paired(
        f"MCP from {n_points}x10, n={n}",
        lambda: mcp_select(proba, n, np.random.default_rng(0)),
        {"lists": lambda: plain_mcp(proba, n)},
        check,
        rounds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[60_000, 1_000_000, 10_000_000])
    parser.add_argument("--mcp-sizes", type=int, nargs="+", default=[60_000, 1_000_000])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for size in args.sizes:
        scores = np.random.default_rng(0).gamma(0.3, size=size).astype(np.float32)
        bench_top(scores, args.n, args.rounds)
        bench_dre(scores, args.n, args.rounds)
    for size in args.mcp_sizes:
        bench_mcp(size, args.n, args.rounds)


if __name__ == "__main__":
    main()
