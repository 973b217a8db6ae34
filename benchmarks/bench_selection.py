"""DRE, MCP and top-n selection from given scores, against plain NumPy-and-list code."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from skactive.kernels.clusters import mcp_select
from skactive.kernels.selection import top_k
from skactive.kernels.stratified import bin_indices, stratified_sample

from .timing import Peer, Row, paired, run_alone, same_picks, within

N_BINS = 50
N = 200


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


def top_rows(scores: np.ndarray) -> Iterator[Row]:
    def check(ours, theirs) -> str:
        np.testing.assert_array_equal(scores[ours], scores[theirs])
        return "equal scores"

    peer = Peer("argsort and a list", lambda: plain_top(scores, N), None, check)
    yield from paired(
        f"top {N} of {len(scores):,}", lambda: top_k(scores, N, np.random.default_rng(0)), [peer], 3
    )


def dre_rows(scores: np.ndarray) -> Iterator[Row]:
    bins = bin_indices(scores, N_BINS)

    def ours():
        return stratified_sample(scores, N, N_BINS, "ceil_tail", rng=np.random.default_rng(0))

    def check(mine, theirs) -> str:
        assert len(set(mine)) == len(set(theirs)) == N
        drawn = [np.bincount(bins[picks], minlength=N_BINS) for picks in (mine, theirs)]
        # A score on an inner edge may fall to either side by rounding.
        assert np.abs(drawn[0] - drawn[1]).max() <= 1, "the quotas differ"
        return "equal quotas"

    peer = Peer("masks and lists", lambda: plain_dre(scores, N), 8, check)
    yield from paired(f"DRE, {N} from {len(scores):,} scores", ours, [peer])
    yield from _within_half_a_second("DRE", len(scores), ours)


def mcp_rows(n_points: int, with_peer: bool) -> Iterator[Row]:
    block = np.random.default_rng(0).dirichlet(np.full(10, 0.5), size=min(n_points, 1_000_000))
    proba = np.tile(block.astype(np.float32), (n_points // len(block), 1))

    def ours():
        return mcp_select(proba, N, np.random.default_rng(0))

    if with_peer:
        peer = Peer("lists", lambda: plain_mcp(proba, N), 20, same_picks)
        yield from paired(f"MCP, {N} from {n_points:,} × 10", ours, [peer], budget=20)
    yield from _within_half_a_second("MCP", n_points, ours)


def _within_half_a_second(name: str, n_points: int, ours) -> Iterator[Row]:
    if n_points >= 10_000_000:
        start = time.process_time()
        ours()
        spent = time.process_time() - start
        yield within(f"{name}, {N} from {n_points:,}", "half a second", 0.5, spent, "CPU s")


def rows(quick: bool) -> Iterator[Row]:
    for size in (60_000,) if quick else (60_000, 1_000_000, 10_000_000):
        scores = np.random.default_rng(0).gamma(0.3, size=size).astype(np.float32)
        yield from top_rows(scores)
        yield from dre_rows(scores)
    yield from mcp_rows(60_000, True)
    if not quick:
        yield from mcp_rows(1_000_000, True)
        yield from mcp_rows(10_000_000, False)


if __name__ == "__main__":
    run_alone(rows)
