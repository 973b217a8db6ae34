"""BatchBALD against scikit-activeml's and Baal's.

Up to four picks all configurations of labels are enumerated and the picks must be equal; later
ones rest on drawn configurations, each library's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skactive.kernels.batch_bald import batch_bald_select

from .timing import Peer, Row, absent, installed, paired, run_alone


def sampled_predictions(n_points: int) -> np.ndarray:
    """Ten networks that agree on some points and not on others, ten classes."""
    rng = np.random.default_rng(0)
    base = rng.dirichlet(np.full(10, 0.3), size=n_points)
    return np.stack([[rng.dirichlet(8 * row + 0.05) for row in base] for _ in range(10)])


def by_skactiveml(proba: np.ndarray, n: int) -> list[int]:
    from skactiveml.pool import batch_bald

    utilities = batch_bald(proba.copy(), n, n_MC_samples=1000, random_state=0)
    return [int(np.nanargmax(row)) for row in utilities]


def by_baal(proba: np.ndarray, n: int) -> list[int]:
    from baal.active.heuristics import BatchBALD

    heuristic = BatchBALD(num_samples=n, num_draw=1000)
    logits = np.log(np.maximum(proba, 1e-12)).transpose(1, 2, 0)
    return [int(i) for i in heuristic(logits)[:n]]


def _in_common(ours, theirs) -> str:
    common = len(np.intersect1d(ours, theirs))
    if list(ours) == list(theirs):
        return "equal picks, in order"
    return f"{common} of {len(ours)} picks in common: each draws configurations"


def _same(ours, theirs) -> str:
    assert list(ours) == list(theirs), "not the same picks"
    return _in_common(ours, theirs)


_COMPARED = (  # Baal draws from the start, and takes so long that nothing else fits beside it
    ("skactiveml", "scikit-activeml", by_skactiveml, 4, 12, _same),
    ("skactiveml", "scikit-activeml", by_skactiveml, 10, 12, _in_common),
    ("baal", "Baal", by_baal, 4, None, _in_common),
)


def rows(quick: bool) -> Iterator[Row]:
    proba = sampled_predictions(300 if quick else 2000)
    for module, name, run, n, bar, check in _COMPARED:
        label = f"BatchBALD, {n} of {proba.shape[1]:,}, 10 networks"
        if not installed(module):
            yield absent(label, name, bar)
            continue
        yield from paired(
            label,
            lambda n=n: batch_bald_select(proba, n, np.random.default_rng(0))[0],
            [Peer(name, lambda run=run, n=n: run(proba, n), bar, check)],
            budget=15,
        )


if __name__ == "__main__":
    run_alone(rows)
