"""Checks that any query strategy can be run through, third-party ones included."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import (
    check_estimator_cloneable,
    check_estimator_repr,
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_set_params,
)

from . import QueryStrategy, ScoringStrategy

_N_POOL = 60


def check_query_strategy(
    strategy: QueryStrategy, estimator: Any = None, X_pool: Any = None
) -> None:
    """Check that a query strategy keeps every promise skactive's own keep.

    Parameters
    ----------
    strategy : QueryStrategy
        Not changed.
    estimator : fitted estimator or None, default=None
        What to query; ``None`` is a logistic regression on three blobs. Strategies that need a
        net are given one here.
    X_pool : ndarray of shape (n_pool >= 20, ...) or None, default=None
        The pool that goes with it.

    Raises
    ------
    AssertionError
        If a promise is broken; the message says which.

    Examples
    --------
    >>> from skactive.strategies import DRE
    >>> from skactive.utils.estimator_checks import check_query_strategy
    >>> check_query_strategy(DRE(n_bins=10))
    """
    for _, check in iterate_checks(strategy, estimator, X_pool):
        check()


def parametrize_with_strategy_checks(
    strategies: list[QueryStrategy], estimator: Any = None, X_pool: Any = None
) -> Any:
    """A pytest decorator: one test for each strategy and check, ``test(check)``.

    Parameters
    ----------
    strategies : list of QueryStrategy
    estimator, X_pool
        See `check_query_strategy`.

    Returns
    -------
    decorator
    """
    import pytest

    cases = [
        pytest.param(check, id=f"{strategy!r}-{name}")
        for strategy in strategies
        for name, check in iterate_checks(strategy, estimator, X_pool)
    ]
    return pytest.mark.parametrize("check", cases)


def iterate_checks(
    strategy: QueryStrategy, estimator: Any = None, X_pool: Any = None
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield ``(name, check)`` for all checks that apply; a check takes no argument."""
    name = type(strategy).__name__
    for sklearn_check in (
        check_estimator_cloneable,
        check_estimator_repr,
        check_get_params_invariance,
        check_no_attributes_set_in_init,
        check_set_params,
    ):
        yield sklearn_check.__name__, partial(sklearn_check, name, strategy)
    if estimator is None:
        X, y = make_blobs(_N_POOL + 30, centers=3, n_features=4, random_state=0)
        estimator, X_pool = LogisticRegression().fit(X[_N_POOL:], y[_N_POOL:]), X[:_N_POOL]
    checks = [
        check_distinct_indices,
        check_same_seed_same_indices,
        check_candidates,
        check_pool_unchanged,
        check_estimator_unchanged,
        check_global_generators_unchanged,
        check_bad_n,
        check_duplicated_rows,
        check_pickle,
        check_modal_signature,
    ]
    if isinstance(strategy, ScoringStrategy):
        checks.append(check_scores)
    for own in checks:
        yield own.__name__, partial(own, strategy, estimator, X_pool)


def _seeded(strategy: QueryStrategy) -> QueryStrategy:
    return clone(strategy).set_params(random_state=0)


def check_distinct_indices(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """``query`` returns n distinct positions in the pool, for one, some and all of it."""
    for n in (1, 7, len(X)):
        picked = _seeded(strategy).query(estimator, X, n)
        assert picked.shape == (n,), f"{n} samples were asked for, {picked.shape} came"
        assert len(set(picked.tolist())) == n, "the same position came twice"
        assert picked.min() >= 0, "a negative position came"
        assert picked.max() < len(X), "a position outside the pool came"


def check_same_seed_same_indices(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """The same ``random_state`` gives the same positions."""
    first, again = (_seeded(strategy).query(estimator, X, 9) for _ in range(2))
    assert np.array_equal(first, again), "two queries with random_state=0 differ"


def check_candidates(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """``candidates`` are kept to, as positions and as a mask, as if the pool were those rows."""
    allowed = np.arange(1, len(X), 2)
    mask = np.isin(np.arange(len(X)), allowed)
    picked = _seeded(strategy).query(estimator, X, 5, candidates=allowed)
    assert set(picked.tolist()) <= set(allowed.tolist()), "a position outside candidates came"
    assert np.array_equal(picked, _seeded(strategy).query(estimator, X, 5, candidates=mask))
    alone = _seeded(strategy).query(estimator, X[allowed], 5)
    assert np.array_equal(allowed[alone], picked), "candidates differ from a pool of those rows"


def check_pool_unchanged(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """The pool is not written to."""
    kept = X.copy()
    frozen = X.copy()
    frozen.flags.writeable = False
    _seeded(strategy).query(estimator, frozen, 5)
    assert np.array_equal(kept, frozen), "the pool was changed"


def check_estimator_unchanged(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """The estimator predicts as before."""
    before = estimator.predict_proba(X)
    _seeded(strategy).query(estimator, X, 5)
    assert np.array_equal(before, estimator.predict_proba(X)), "the estimator was changed"


def check_global_generators_unchanged(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """NumPy's and torch's global generators are where they were."""
    users = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(20_251)  # noqa: NPY002  # a state that no strategy would set
        state, torch_state = _numpy_state(), torch.random.get_rng_state()
        _seeded(strategy).query(estimator, X, 5)
        assert np.array_equal(state, _numpy_state()), "NumPy's global generator moved"
        assert torch.equal(torch_state, torch.random.get_rng_state()), "torch's generator moved"
    finally:
        np.random.set_state(users)  # noqa: NPY002


def _numpy_state() -> np.ndarray:
    return np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002


def check_bad_n(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """Too few, too many or half a sample raise a clear error."""
    bad: tuple[Any, ...] = (0, len(X) + 1, 2.5)
    for n in bad:
        said = f"n={n} was accepted"
        try:
            _seeded(strategy).query(estimator, X, n)
        except (ValueError, TypeError) as error:
            said = str(error)
        assert "n must be" in said, said


def check_duplicated_rows(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """Equal rows are different positions."""
    same = np.repeat(X[:2], 10, axis=0)
    picked = _seeded(strategy).query(estimator, same, 15)
    assert len(set(picked.tolist())) == 15, "duplicated rows gave the same position twice"


def check_pickle(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """A pickled copy picks the same, and no state is left after a query."""
    seeded = _seeded(strategy)
    picked = seeded.query(estimator, X, 5)
    assert not [key for key in vars(seeded) if key.endswith("_")], "a query left state behind"
    again = pickle.loads(pickle.dumps(seeded)).query(estimator, X, 5)
    assert np.array_equal(picked, again), "a pickled copy picks others"


def check_modal_signature(strategy: QueryStrategy, estimator: Any, X: Any) -> None:
    """``strategy(classifier, X, n_instances=n)`` returns indices and scores, as in modAL."""
    picked, scores = _seeded(strategy)(estimator, X, n_instances=3)
    assert len(set(np.asarray(picked).tolist())) == 3
    assert scores is None or len(scores) == 3


def check_scores(strategy: Any, estimator: Any, X: Any) -> None:
    """One score a sample, never NaN."""
    scores = _seeded(strategy).score_samples(estimator, X)
    assert scores.shape == (len(X),), f"scores have shape {scores.shape}"
    assert not np.isnan(scores).any(), "a score is NaN"
