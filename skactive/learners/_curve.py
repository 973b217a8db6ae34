"""Active learning on labelled data as a curve: scores against labels bought."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv

from ..distributed import is_partitioned, partitioned
from ..utils.indexing import n_rows, take_rows
from ..utils.progress import shown
from ..utils.random_state import derive_seed
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike
from ..utils.validation import COUNT, check_constraints
from ._budgeted import BudgetedLearner

_CONSTRAINTS = {"n_repeats": [COUNT]}


def active_learning_curve(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    *,
    query_strategy: StrategyLike = "entropy",
    n_initial: int | float = 10,
    n_per_query: int | float = 10,
    budget: int | float = 100,
    cv: Any = None,
    scoring: Any = None,
    n_repeats: int = 1,
    n_jobs: int | None = None,
    random_state: RandomState = None,
    verbose: int = 0,
    **params: Any,
) -> tuple[NDArray, Any, Any]:
    """Scores against the number of labels, like scikit-learn's ``learning_curve``.

    Parameters
    ----------
    estimator, query_strategy, n_initial, n_per_query, budget, **params
        As in `BudgetedLearner`.
    X, y : array-like
        Data; each training fold is a pool with hidden labels. Of data in partitions (see
        `skactive.distributed`) each run holds its folds in memory.
    cv : int, splitter or None, default=None
        As in scikit-learn; ``None`` is 5 stratified folds.
    scoring : str, callable, list, tuple, set, dict or None, default=None
        One scorer, such as ``make_robust_scorer(…)``, or several as in ``cross_validate``: names,
        scorers by name, or a callable that returns a dict. ``None`` is ``score``.
    n_repeats : int, default=1
        Runs with other seeds on each split.
    n_jobs : int or None, default=None
        Runs side by side, through joblib. The result does not depend on it.
    random_state : None, int, RandomState or Generator, default=None
    verbose : int, default=0
        1 shows a progress bar over the runs, or lines where tqdm is not installed.

    Returns
    -------
    n_labels : ndarray of shape (n_rounds,)
    train_scores : ndarray of shape (n_rounds, n_splits · n_repeats), or dict of them
        On the labelled set of each round; with several scorers one array for each, by name.
    test_scores : ndarray of shape (n_rounds, n_splits · n_repeats), or dict of them
        On the test fold. `skactive.analysis.ActiveLearningCurveDisplay` draws those of several
        strategies, ``LearningCurveDisplay(train_sizes=n_labels, …)`` all three of one, and
        ``DataFrame({k: v.mean(axis=1) for k, v in test_scores.items()}, index=n_labels)`` has a
        column a scorer.

    Raises
    ------
    ValueError
        If a scorer is not known, `n_repeats` is below 1, or as in `BudgetedLearner.fit`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import active_learning_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> n_labels, train, test = active_learning_curve(
    ...     LogisticRegression(max_iter=500), X, y, query_strategy="margin", budget=30, cv=3,
    ...     n_repeats=2, random_state=0)
    >>> n_labels, test.shape
    (array([10, 20, 30]), (3, 6))
    >>> _, _, test = active_learning_curve(
    ...     LogisticRegression(max_iter=500), X, y, budget=20, cv=2, random_state=0,
    ...     scoring=["accuracy", "neg_log_loss"])
    >>> {name: scores.shape for name, scores in test.items()}
    {'accuracy': (2, 2), 'neg_log_loss': (2, 2)}
    """
    check_constraints(_CONSTRAINTS, {"n_repeats": n_repeats}, "active_learning_curve")
    y = np.asarray(y)
    if is_partitioned(X):
        X = partitioned(X).by_columns()
    splits = drawn_splits(estimator, X, y, cv)
    seed = derive_seed(random_state)
    model = BudgetedLearner(estimator, query_strategy, n_initial, n_per_query, budget, **params)
    scorer = check_scoring(model, scoring=scoring)
    jobs = [
        delayed(_one_run)(model, scorer, X, y, train, test, derive_seed(seed, i, repeat))
        for repeat in range(n_repeats)
        for i, (train, test) in enumerate(splits)
    ]
    how: Any = {"return_as": "generator"} if verbose else {}  # not every backend can
    runs: Any = Parallel(n_jobs=n_jobs, **how)(jobs)
    runs = list(shown(runs, len(jobs), "runs of active learning", "run")) if verbose else runs
    lengths = {len(run) for run in runs}
    first = [row[0] for row in runs[0]]
    if len(lengths) > 1 or any([row[0] for row in run] != first for run in runs):
        # A stopping criterion, or folds of other sizes with shares: the common rounds count.
        shortest = min(lengths)
        runs = [run[:shortest] for run in runs]
    n_labels = np.mean([[row[0] for row in run] for run in runs], axis=0).round().astype(int)
    return n_labels, _table(runs, 1), _table(runs, 2)


def drawn_splits(estimator: Estimator, X: Pool, y: ArrayLike, cv: Any) -> list:
    """Rows of each training and test fold: a `cv` that is the same however often it is asked."""
    places = np.arange(len(partitioned(X))) if is_partitioned(X) else X
    return list(check_cv(cv, y, classifier=is_classifier(estimator)).split(places, y))


def _table(runs: list, column: int) -> Any:
    """Rounds down, runs across: of one scorer, or of each by name."""
    scores = [[row[column] for row in run] for run in runs]
    if not isinstance(scores[0][0], dict):
        return np.array(scores, dtype=float).T
    return {
        name: np.array([[found[name] for found in run] for run in scores], dtype=float).T
        for name in scores[0][0]
    }


def _one_run(
    model: BudgetedLearner,
    scorer: Any,
    X: Any,
    y: NDArray,
    train: NDArray,
    test: NDArray,
    seed: int,
) -> list[tuple[int, Any, Any]]:
    model = clone(model).set_params(random_state=seed)
    X_test, rows = take_rows(X, test), []
    for learner in model.rounds(take_rows(X, train), y[train]):
        on_labeled = scorer(model, learner.X_labeled_, learner.y_labeled_)
        rows.append((n_rows(learner.y_labeled_), on_labeled, scorer(model, X_test, y[test])))
    return rows
