"""The entropy query on a logistic regression, 100,000 × 64.

modAL does not run beside a current scikit-learn: its row is a literal version of its
``uncertainty_sampling``: ``predict_proba``, scipy's entropy, ``argpartition``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from scipy.stats import entropy
from sklearn.linear_model import LogisticRegression

from skactive.strategies import MaxEntropy

from .timing import Peer, Row, absent, installed, paired, run_alone, same_picks


def by_modal(model, X: np.ndarray, n: int) -> np.ndarray:
    utility = np.transpose(entropy(np.transpose(model.predict_proba(X))))
    best = np.argpartition(-utility, n - 1, axis=0)[:n]
    return best[np.argsort(-utility[best])]


def by_skactiveml(model, X: np.ndarray, y: np.ndarray, n: int) -> np.ndarray:
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import UncertaintySampling

    wrapped = SklearnClassifier(LogisticRegression(), classes=range(10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped.fit(X[:1000], y[:1000])
    wrapped.estimator_ = model
    unlabeled = np.full(len(X), np.nan)
    strategy = UncertaintySampling(method="entropy", random_state=0)
    return np.asarray(strategy.query(X, unlabeled, wrapped, fit_clf=False, batch_size=n))


def rows(quick: bool) -> Iterator[Row]:
    n_rows = 2000 if quick else 100_000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 64))
    y = (X @ rng.normal(size=(64, 10)) + rng.gumbel(size=(n_rows, 10))).argmax(axis=1)
    model = LogisticRegression(max_iter=200).fit(X[:1000], y[:1000])
    for n, bar in ((100, 5), (1000, 30)):
        label = f"entropy query, {n:,} of {n_rows:,} × 64"
        peers = [
            Peer("modAL's lines", lambda n=n: by_modal(model, X, n), 0.9, same_picks),
            Peer(
                "predict_proba alone", lambda: model.predict_proba(X), None, lambda *_: "the limit"
            ),
        ]
        if installed("skactiveml"):
            peers.append(
                Peer("scikit-activeml", lambda n=n: by_skactiveml(model, X, y, n), bar, same_picks)
            )
        else:
            yield absent(label, "scikit-activeml", bar)
        yield from paired(
            label,
            lambda n=n: MaxEntropy(random_state=0).query(model, X, n),
            peers,
            budget=30,
        )


if __name__ == "__main__":
    run_alone(rows)
