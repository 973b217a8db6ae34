"""One cell: a strategy on a data set, with a learner and a seed, from first label to last."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from ._data import SPECS, Split
from ._pickers import Pick, Picker, Round


class Cell(NamedTuple):
    """What is run once."""

    dataset: str
    learner: str
    strategy: str
    seed: int


class Row(NamedTuple):
    """A line of the results. CPU seconds: of the query before these labels, and of the training."""

    dataset: str
    learner: str
    strategy: str
    seed: int
    n_labels: int
    accuracy: str
    query_s: str
    fit_s: str
    error: str = ""


def run_cell(cell: Cell, data: Split, learner: BaseEstimator, picker: Picker) -> list[Row]:
    """All rows of a cell; what a strategy raises ends it and is its last row."""
    spec, rows = SPECS[cell.dataset], []
    labeled, pick, query_s = data.first, Pick(data.first), 0.0
    n_classes = len(np.unique(data.y_pool))
    for stage in range(spec.n_queries + 1):
        model, fit_s = _fitted(learner, data, labeled, pick)
        accuracy = np.mean(model.predict(data.X_test) == data.y_test)
        rows.append(Row(*cell, len(labeled), f"{accuracy:.4f}", f"{query_s:.3g}", f"{fit_s:.3g}"))
        if stage == spec.n_queries:
            break
        known = Round(
            model, data.X_pool, labeled, data.y_pool[labeled], spec.n_query, n_classes, stage,
            seed=1000 * cell.seed + stage,
        )  # fmt: skip
        try:
            pick, query_s = _picked(picker, known)
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:150]
            return [*rows, Row(*cell, len(labeled), "", "", "", said)]
        labeled = np.concatenate([labeled, pick.idx])
    return rows


def _fitted(
    learner: BaseEstimator, data: Split, labeled: NDArray, pick: Pick
) -> tuple[BaseEstimator, float]:
    """The learner, taught anew what is known, and its CPU seconds."""
    rows = np.concatenate([labeled, pick.pseudo])
    y = np.concatenate([data.y_pool[labeled], pick.labels]).astype(int)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(learner).fit(data.X_pool[rows], y)
    return model, time.process_time() - start


def _picked(picker: Picker, known: Round) -> tuple[Pick, float]:
    """What a strategy picked, checked, and its CPU seconds."""
    np.random.seed(known.seed)  # noqa: NPY002  modAL draws ties from the global generator
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pick = picker(known)
    spent = time.process_time() - start
    new = np.setdiff1d(pick.idx, known.labeled)
    if len(new) != known.n or len(pick.idx) != known.n:
        raise ValueError(f"{len(new)} new samples instead of {known.n}")
    return pick, spent
