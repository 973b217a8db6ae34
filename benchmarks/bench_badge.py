"""BADGE against scikit-activeml's, which forms the gradient embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skactive.kernels.badge import badge_select

from .timing import Peer, Row, absent, installed, paired, run_alone


def problem(n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities and the embeddings of a ReLU layer of width 84."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=n_points)
    means = 2 * rng.normal(size=(10, 84))
    embedding = np.maximum(means[y] + rng.normal(size=(n_points, 84)), 0)
    return rng.dirichlet(np.full(10, 0.3), size=n_points), embedding


def by_skactiveml(proba: np.ndarray, embedding: np.ndarray, n: int) -> np.ndarray:
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge

    class Known(SkactivemlClassifier):
        """Predicts the given probabilities."""

        def fit(self, X, y, sample_weight=None):
            return self

        def predict_proba(self, X):
            return proba

    y = np.full(len(embedding), np.nan)
    strategy = Badge(random_state=0)
    return np.array(
        strategy.query(embedding, y, Known(classes=range(10)), fit_clf=False, batch_size=n)
    )


def potential(proba: np.ndarray, embedding: np.ndarray, picks: np.ndarray) -> float:
    """Σ D² to the nearest pick: what k-means++ makes small."""
    residual = proba - np.eye(proba.shape[1])[proba.argmax(axis=1)]
    gradients = (residual[:, :, None] * embedding[:, None, :]).reshape(len(proba), -1)
    squared = np.square(gradients).sum(axis=1)
    centers = gradients[picks]
    distances = squared[:, None] - 2 * gradients @ centers.T + squared[picks]
    return float(np.maximum(distances, 0).min(axis=1).sum())


def rows(quick: bool) -> Iterator[Row]:
    n_points, n = (1000, 20) if quick else (10_000, 100)
    proba, embedding = problem(n_points)
    label = f"BADGE, {n} of {n_points:,} × 84, 10 classes"
    if not installed("skactiveml"):
        yield absent(label, "scikit-activeml", 50)
        return

    def agree(ours, theirs) -> str:
        mine, other = (potential(proba, embedding, picks) for picks in (ours, theirs))
        assert len(set(ours)) == n
        assert mine <= 1.2 * other, f"potential {mine:.5g}, theirs {other:.5g}"
        return f"drawn at random; potential {mine:.4g}, theirs {other:.4g}"

    yield from paired(
        label,
        lambda: badge_select(proba, embedding, n, np.random.default_rng(0)),
        [Peer("scikit-activeml", lambda: by_skactiveml(proba, embedding, n), 50, agree)],
        budget=40,
    )


if __name__ == "__main__":
    run_alone(rows)
