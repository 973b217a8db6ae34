"""One protocol for comparing strategies: same data, same start, same learner, same budget."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, train_test_split

from ..learners import BudgetedLearner
from ..strategies import resolve_strategy
from ..strategies._named import named
from ..utils.budget import COUNT_OR_SHARE, as_count
from ..utils.indexing import take_rows
from ..utils.random_state import derive_seed
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike
from ..utils.validation import COUNT, Number, check_constraints
from ._curve_report import CurvePoint, CurveReport, are_shares

_CONSTRAINTS: dict = {
    "n_initial": COUNT_OR_SHARE,
    "n_per_query": COUNT_OR_SHARE,
    "budget": COUNT_OR_SHARE,
    "n_seeds": [COUNT],
    "test_size": [Number("a share in (0, 1)", 0, 1, closed="neither")],
    "cpu_limit": [Number("seconds > 0", 0, closed="neither"), None],
    "random_state": ["random_state", np.random.Generator],
}
_SPLIT, _START, _TUNE = 0, 1, 2
_TUNING_FOLDS = 3


@dataclass(frozen=True)
class Entry:
    """What is compared where a strategy's name does not say it all.

    Attributes
    ----------
    query_strategy : str, QueryStrategy or callable, default="random"
    estimator : classifier or None, default=None
        In place of the one that all share: a semi-supervised one, say, beside active ones.
        It is not tuned.
    settings : dict
        More parameters of `BudgetedLearner`, such as ``{"use_pool": True}``; a learner knows its
        pool from the first query on, so that the first stage is trained on labels alone.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.semi_supervised import SelfTrainingClassifier
    >>> from skactive.analysis import Entry
    >>> self_training = Entry("random", SelfTrainingClassifier(LogisticRegression()),
    ...                       {"use_pool": True})
    """

    query_strategy: StrategyLike = "random"
    estimator: Estimator | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def compare_curves(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    entries: list | Mapping[str, Any],
    *,
    n_initial: int | float = 10,
    n_per_query: int | float = 10,
    budget: int | float = 100,
    n_seeds: int = 10,
    test_size: float = 0.3,
    scoring: Any = None,
    tune: Mapping[str, list] | list | None = None,
    cpu_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: RandomState = None,
) -> CurveReport:
    """Learning curves of strategies under one protocol, paired by seed.

    With each seed all entries have the same test data, the same pool, the same first labels and
    the same learner. A run that fails is a row that says so; the others go on.

    Parameters
    ----------
    estimator : classifier
        The learner that all share.
    X, y : array-like
        Data; a stratified share of it is held out for scores.
    entries : list of str, QueryStrategy or callable, or mapping of str to one of these or Entry
        What is compared: strategies, which a list names itself, or your own names for them.
    n_initial : int or float, default=10
    n_per_query : int or float, default=10
    budget : int or float, default=100
        As in `BudgetedLearner`: labels to start with, in a query, and in all.
    n_seeds : int, default=10
        With fewer than six no test can be significant; with several entries it takes more.
    test_size : float in (0, 1), default=0.3
    scoring : str, callable or None, default=None
        One scorer, such as ``make_robust_scorer(…)``; ``None`` is ``score``.
    tune : dict, list of dict or None, default=None
        Grid of parameters for the shared learner, as in ``GridSearchCV``: it is tuned once, before
        anything is compared, on a random sample of `budget` rows of its own seed, for all.
    cpu_limit : float or None, default=None
        CPU seconds that a run may spend on asking and training. Once they are spent, it buys
        nothing more: its curve ends there, and it has no area.
    n_jobs : int or None, default=None
        Runs side by side, through joblib; scores do not depend on it.
    random_state : None, int, RandomState or Generator, default=None

    Returns
    -------
    curves : CurveReport
        ``curves.compare()`` tests the areas under the budget curve against ``"random"``,
        ``curves.label_costs(target)`` asks for labels, ``curves.plot()`` draws. Tables are in
        percent where all scores lie in [0, 1].

    Raises
    ------
    ValueError
        If there are no entries, no strategy has that name, a parameter is out of range, or
        `budget` is too few labels to tune with.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.analysis import compare_curves
    >>> X, y = load_iris(return_X_y=True)
    >>> curves = compare_curves(LogisticRegression(max_iter=500), X, y, ["random", "margin"],
    ...                         budget=30, n_seeds=6, random_state=0)
    >>> curves.n_labels.tolist(), curves.curves()["margin"].shape
    ([10, 20, 30], (3, 6))
    >>> [row.strategy for row in curves.compare()]
    ['margin']
    """
    given = {"n_initial": n_initial, "n_per_query": n_per_query, "budget": budget,
             "n_seeds": n_seeds, "test_size": test_size, "cpu_limit": cpu_limit,
             "random_state": random_state}  # fmt: skip
    check_constraints(_CONSTRAINTS, given, "compare_curves")
    y, entered = np.asarray(y), _named(entries)
    seed = derive_seed(random_state)
    if tune is not None:
        estimator = _tuned(estimator, X, y, tune, scoring, budget, derive_seed(seed, _TUNE))
    models = {
        name: BudgetedLearner(
            clone(entry.estimator or estimator), entry.query_strategy, n_initial, n_per_query,
            budget, **entry.settings,
        )
        for name, entry in entered.items()
    }  # fmt: skip
    runs = Parallel(n_jobs=n_jobs)(
        delayed(_run)(name, model, X, y, number, derive_seed(seed, number), test_size, scoring,
                      cpu_limit)
        for number in range(n_seeds)
        for name, model in models.items()
    )  # fmt: skip
    rows = [point for run in runs for point in run]
    return CurveReport(rows, percent=are_shares(rows))


def _named(entries: list | Mapping[str, Any]) -> dict[str, Entry]:
    if not entries:
        raise ValueError("entries is empty: name at least one strategy, such as 'random'.")
    called = named(entries, "entries")
    entered = {n: e if isinstance(e, Entry) else Entry(e) for n, e in called.items()}
    for entry in entered.values():
        resolve_strategy(entry.query_strategy)  # a typing error is told before anything runs
    return entered


def _tuned(
    estimator: Estimator, X: Any, y: Any, grid: Any, scoring: Any, budget: Any, seed: int
) -> Estimator:
    size = as_count(budget, len(y))
    if len(y) - size < len(np.unique(y)):  # a stratified sample leaves one of each class, at least
        size = len(y) // 2
    rows = _sample(y, size, seed)
    search = GridSearchCV(clone(estimator), grid, scoring=scoring, cv=_TUNING_FOLDS)
    return clone(search.fit(take_rows(X, rows), y[rows]).best_estimator_)


def _sample(y: NDArray, size: int, seed: int) -> NDArray[np.intp]:
    """Rows to tune on, stratified."""
    n_classes = len(np.unique(y))
    if size >= n_classes:
        rows, _ = train_test_split(
            np.arange(len(y)), train_size=size, stratify=y, random_state=seed
        )
        if np.unique(y[rows], return_counts=True)[1].max() >= _TUNING_FOLDS:
            return rows
    raise ValueError(
        f"tune searches in {_TUNING_FOLDS} folds of a sample of `budget` rows, and {size} rows of "
        f"{n_classes} classes are too few for that. Pass a larger budget, or no tune and an "
        "estimator that is tuned already."
    )


def _run(
    name: str, model: Any, X: Any, y: Any, number: int, seed: int, test_size: float, scoring: Any,
    cpu_limit: float | None,
) -> list[CurvePoint]:  # fmt: skip
    split = train_test_split(
        np.arange(len(y)), test_size=test_size, stratify=y, random_state=derive_seed(seed, _SPLIT)
    )
    (pool, y_pool), (X_test, y_test) = ((take_rows(X, rows), y[rows]) for rows in split)
    model = clone(model).set_params(random_state=derive_seed(seed, _START))
    scorer, points = check_scoring(model, scoring=scoring), []
    spent, bought = 0.0, 0
    try:
        for n_labels, cpu_s in _timed(model, pool, y_pool):
            spent, bought = spent + cpu_s, n_labels
            score = float(scorer(model, X_test, y_test))
            points.append(CurvePoint(name, number, n_labels, score, spent))
            if cpu_limit is not None and spent >= cpu_limit:
                break
    except Exception as error:  # a failure is a result, too
        said = f"{type(error).__name__}: {error}"
        points.append(CurvePoint(name, number, bought, float("nan"), spent, said))
    return points


def _timed(model: BudgetedLearner, X: Any, y: Any) -> Iterator[tuple[int, float]]:
    """Labels bought and CPU seconds, round by round, without those of whoever looks on."""
    started = time.process_time()
    for learner in model.rounds(X, y):
        yield len(learner.y_labeled_), time.process_time() - started
        started = time.process_time()
