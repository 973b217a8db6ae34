"""Ranked batch mode and information density against their definitions, written plainly."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin_min
from threadpoolctl import threadpool_limits

from skactive.kernels.density import information_density
from skactive.kernels.ranked_batch import ranked_batch

from .timing import Peer, Row, paired, run_alone, within


def rows(quick: bool) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    n_pool, n = (2_000, 10) if quick else (20_000, 20)
    pool, labeled = rng.normal(size=(n_pool, 64)), rng.normal(size=(200, 64))
    uncertainty = rng.random(n_pool)

    def plain() -> list[int]:
        known, left, order = labeled, np.ones(n_pool, dtype=bool), []
        for _ in range(n):
            positions = np.flatnonzero(left)
            alpha = len(positions) / (len(positions) + len(known))
            distance = pairwise_distances_argmin_min(pool[positions], known)[1]
            scores = alpha * (1 - 1 / (1 + distance)) + (1 - alpha) * uncertainty[positions]
            pick = positions[scores.argmax()]
            order.append(pick)
            left[pick] = False
            known = np.vstack([known, pool[[pick]]])
        return order

    def same_picks(mine, other) -> str:
        np.testing.assert_array_equal(mine, other)
        return "equal picks"

    yield from paired(
        f"ranked batch, {n_pool:,} × 64, n = {n}",
        lambda: ranked_batch(pool, uncertainty, n, labeled),
        [Peer("all distances anew for each pick", plain, None, same_picks)],
        rounds=3,
    )
    yield _seconds(
        f"ranked batch, {n_pool:,} × 64, n = 100",
        10.0,
        lambda: ranked_batch(pool, uncertainty, 100, labeled),
    )
    yield _seconds(
        f"ranked batch, {n_pool:,} × 64, n = 100, nothing labelled",
        20.0,
        lambda: ranked_batch(pool, uncertainty, 100),
    )

    part = pool[: n_pool // 4]

    def same_density(mine, other) -> str:
        np.testing.assert_allclose(mine, other, rtol=1e-6)
        return "equal to 1e-6"

    yield from paired(
        f"information density, {len(part):,} × 64",
        lambda: information_density(part),
        [
            Peer(
                "the whole matrix at once",
                lambda: (1 / (1 + pairwise_distances(part))).mean(axis=1),
                None,
                same_density,
            )
        ],
        rounds=3,
    )
    yield _seconds(f"information density, {n_pool:,} × 64", 20.0, lambda: information_density(pool))


def _seconds(kernel: str, allowed: float, run) -> Row:
    with threadpool_limits(1):
        start = time.process_time()
        run()
        used = time.process_time() - start
    return within(kernel, f"at most {allowed:.0f} s", allowed, used, "CPU s")


if __name__ == "__main__":
    run_alone(rows)
