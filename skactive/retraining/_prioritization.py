"""Test prioritisation: which order of the tests finds the faults of a model first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..strategies import resolve_strategy
from ..utils.budget import as_text, budget_to_count
from ..utils.drawing import legend, series
from ..utils.indexing import n_rows
from ..utils.labels import encode_labels
from ..utils.reports import Report
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike
from ._budgets import key


def apfd_score(is_fault: ArrayLike, order: ArrayLike) -> float:
    """Average percentage of faults detected: 1 − Σ ranks of the faults / (n m) + 1 / (2 n).

    Parameters
    ----------
    is_fault : bool array of shape (n,)
        Which samples are faults, ``predict(X) != y``: m of them.
    order : int array of shape (n,)
        All positions, the first test first.

    Returns
    -------
    apfd : float
        About 1/2 for a random order; 1 − m / (2 n) when all faults come first.

    Raises
    ------
    ValueError
        If `order` is no permutation, or there is no fault.

    References
    ----------
    Rothermel et al., "Prioritizing test cases for regression testing", IEEE TSE 2001; Feng et al.,
    "DeepGini", ISSTA 2020.

    Examples
    --------
    >>> from skactive.prioritization import apfd_score
    >>> apfd_score([False, True, False, False], order=[1, 0, 2, 3])
    0.875
    """
    faults = _checked(is_fault, order)
    n, m = len(faults), int(faults.sum())
    ranks = np.flatnonzero(faults[np.asarray(order)]) + 1
    return float(1 - ranks.sum() / (n * m) + 1 / (2 * n))


def fault_detection_rate(
    is_fault: ArrayLike, order: ArrayLike, budget: float, *, normalize: bool = True
) -> float:
    """Share of the faults that a budget could find which it finds.

    Parameters
    ----------
    is_fault, order
        See `apfd_score`.
    budget : int or float
        How many tests are run, or which share.
    normalize : bool, default=True
        Divide by the smaller of the budget and the number of faults, so that 1 is the best
        possible; ``False`` divides by the budget: the share of the tests run that are faults.

    Returns
    -------
    rate : float in [0, 1]

    Examples
    --------
    >>> from skactive.prioritization import fault_detection_rate
    >>> fault_detection_rate([True, True, False, False], order=[0, 2, 1, 3], budget=0.5)
    0.5
    """
    faults = _checked(is_fault, order)
    n = budget_to_count(budget, len(faults))
    found = faults[np.asarray(order)][:n].sum()
    return float(found / (min(n, faults.sum()) if normalize else n))


def prioritize(
    estimator: Estimator,
    X: Pool,
    strategy: StrategyLike = "gini",
    *,
    X_labeled: Pool | None = None,
    random_state: RandomState = None,
) -> NDArray[np.intp]:
    """All tests in the order a strategy would ask for them.

    Parameters
    ----------
    estimator : fitted estimator
    X : array-like of shape (n_test, ...)
    strategy : str or QueryStrategy, default="gini"
    X_labeled : array-like or None, default=None
        What the estimator was trained on.
    random_state : None, int, RandomState or Generator, default=None
        Used when the strategy's own `random_state` is ``None``.

    Returns
    -------
    order : ndarray of shape (n_test,)
        A permutation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.prioritization import prioritize
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> prioritize(model, X, "margin").shape
    (150,)
    """
    found = resolve_strategy(strategy).select(
        estimator, X, n_rows(X), X_labeled=X_labeled, random_state=random_state
    )
    return found.indices


@dataclass(frozen=True, repr=False)
class PrioritizationReport(Report):
    """What `prioritization_report` measured: a sequence of dicts, one a strategy.

    Attributes
    ----------
    rows : list of dict
        ``strategy``, ``apfd``, ``time`` in seconds for the whole order, and
        ``fault_detection_rate`` as a dict by budget. In a data frame or a CSV file these are
        columns of their own, ``found at 4 %``.

    Examples
    --------
    A model that is wrong about the one test it is unsure of:

    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive.prioritization import prioritization_report
    >>> model = GaussianNB().fit([[-2.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 1])
    >>> report = prioritization_report(model, [[-2.0], [-0.2], [1.0], [2.0]], [0, 1, 1, 1],
    ...     strategies=["gini"], budgets=[0.25])
    >>> report[0]["apfd"], report[0]["fault_detection_rate"]  # 1 - 1 / 4 + 1 / 8
    (0.875, {0.25: 1.0})
    >>> list(report.to_frame().columns)
    ['strategy', 'apfd', 'found at 25 %', 'seconds']
    """

    rows: list[dict[str, Any]]

    def _draw(self, ax: Any) -> None:
        for number, row in enumerate(self.rows):
            rates, style = row["fault_detection_rate"], series(number, row["strategy"])
            budgets = [as_text(budget) for budget in rates]
            ax.plot(budgets, list(rates.values()), label=row["strategy"], **style)
        ax.set(xlabel="Budget", ylabel="Faults found, of those that could be", ylim=(0, 1.02))
        legend(ax)

    def _records(self) -> list[dict[str, Any]]:
        return [
            {
                "strategy": row["strategy"],
                "apfd": row["apfd"],
                **{f"found at {as_text(b)}": v for b, v in row["fault_detection_rate"].items()},
                "seconds": row["time"],
            }
            for row in self.rows
        ]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        lines = [list(record.values()) for record in self._records()]
        body = [[name, *(f"{value:.3f}" for value in values)] for name, *values in lines]
        return list(self._records()[0]), body


def prioritization_report(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    *,
    strategies: Sequence[StrategyLike] = ("random", "gini", "dre"),
    budgets: Sequence[float] = (0.01, 0.04, 0.1),
    X_labeled: Pool | None = None,
    random_state: RandomState = 0,
) -> PrioritizationReport:
    """Compare strategies by how early they find what a model gets wrong.

    Parameters
    ----------
    estimator : fitted classifier
    X : array-like of shape (n_test, ...)
    y : array-like of shape (n_test,)
        True labels.
    strategies : sequence of str or QueryStrategy, default=("random", "gini", "dre")
    budgets : sequence of int or float, default=(0.01, 0.04, 0.1)
        Counts, or shares of the tests: 1 is a test, 1.0 all of them.
    X_labeled : array-like or None, default=None
        What the estimator was trained on.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    report : PrioritizationReport

    Raises
    ------
    ValueError
        If the estimator makes no mistakes, labels are unknown, or `budgets` holds both 1 and 1.0.

    Notes
    -----
    Strategies that select a set and not by score (`DRE`, `CoreSet`, …) order the tests as they
    pick them, asked for all of them: `DRE`'s order is a fair sample at every point, and finds
    mistakes no sooner than a random one. For sets of a budget use `retraining_report`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.prioritization import prioritization_report
    >>> X, y = load_digits(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X[:200], y[:200])
    >>> report = prioritization_report(model, X[200:], y[200:], strategies=["random", "gini"])
    >>> report[1]["apfd"] > report[0]["apfd"]
    True
    >>> print(report.table.splitlines()[0])
    | strategy | apfd | found at 1 % | found at 4 % | found at 10 % | seconds |
    """
    if len({key(budget) for budget in budgets}) > len(set(budgets)):
        raise ValueError(
            "budgets must not hold both 1, a single test, and 1.0, all of them: rates are found by "
            "budget, and these are one key. Leave 1.0 out; all tests find all faults."
        )
    classes: Any = estimator.classes_  # type: ignore[attr-defined]  # regressors have none
    truth = encode_labels(y, classes)
    if len(truth) != n_rows(X):
        raise ValueError(
            f"X and y must have the same number of samples: X has {n_rows(X)}, y has {len(truth)}."
        )
    is_fault = encode_labels(estimator.predict(X), classes) != truth
    rows = []
    for strategy in strategies:
        started = time.perf_counter()
        order = prioritize(estimator, X, strategy, X_labeled=X_labeled, random_state=random_state)
        spent = time.perf_counter() - started
        rows.append(
            {
                "strategy": strategy if isinstance(strategy, str) else repr(strategy),
                "apfd": apfd_score(is_fault, order),
                "time": spent,
                "fault_detection_rate": {
                    budget: fault_detection_rate(is_fault, order, budget) for budget in budgets
                },
            }
        )
    return PrioritizationReport(rows)


def _checked(is_fault: ArrayLike, order: ArrayLike) -> NDArray[np.bool_]:
    faults, order = np.asarray(is_fault), np.asarray(order)
    if faults.ndim != 1 or not np.isin(faults, (0, 1)).all():
        raise ValueError("is_fault must be a 1-d array of booleans, one per test.")
    if not np.array_equal(np.sort(order), np.arange(len(faults))):
        raise ValueError(
            f"order must hold each of the {len(faults)} positions exactly once, the first test "
            "first."
        )
    if not faults.any():
        raise ValueError("There is no fault to find: the model is right on all of these tests.")
    return faults.astype(bool)
