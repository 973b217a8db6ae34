"""Checks that any query strategy can be run through, third-party ones included."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
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

from ..utils.compat import is_hooked
from . import QueryStrategy, ScoringStrategy

_N_POOL = 60


def check_query_strategy(
    strategy: QueryStrategy, estimator: Any = None, X_pool: Any = None, X_labeled: Any = None
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
    X_labeled : ndarray of shape (n_labeled, ...) or None, default=None
        What the estimator was taught; ``None``: the strategy is told of nothing labelled.

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
    for _, check in iterate_checks(strategy, estimator, X_pool, X_labeled):
        check()


def parametrize_with_strategy_checks(
    strategies: list[QueryStrategy],
    estimator: Any = None,
    X_pool: Any = None,
    X_labeled: Any = None,
) -> Any:
    """A pytest decorator: one test for each strategy and check, ``test(check)``.

    Parameters
    ----------
    strategies : list of QueryStrategy
    estimator, X_pool, X_labeled
        See `check_query_strategy`.

    Returns
    -------
    decorator : pytest.MarkDecorator
        ``pytest.mark.parametrize("check", …)``; the cases are named after strategy and check.

    Examples
    --------
    >>> from skactive.strategies import DRE
    >>> from skactive.utils.estimator_checks import parametrize_with_strategy_checks
    >>> @parametrize_with_strategy_checks([DRE(n_bins=10)])
    ... def test_my_strategies(check):
    ...     check()
    >>> cases = test_my_strategies.pytestmark[0].args[1]  # what pytest will run
    >>> "DRE(n_bins=10)-check_same_seed_same_indices" in [case.id for case in cases]
    True
    """
    import pytest

    cases = [
        pytest.param(check, id=f"{strategy!r}-{name}")
        for strategy in strategies
        for name, check in iterate_checks(strategy, estimator, X_pool, X_labeled)
    ]
    return pytest.mark.parametrize("check", cases)


def iterate_checks(
    strategy: QueryStrategy, estimator: Any = None, X_pool: Any = None, X_labeled: Any = None
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
    case = _Case(strategy, estimator, X_pool, X_labeled)
    checks = [
        check_distinct_indices,
        check_same_seed_same_indices,
        check_candidates,
        check_pool_unchanged,
        check_estimator_unchanged,
        check_global_generators_unchanged,
        check_bad_n,
        check_bad_random_state,
        check_duplicated_rows,
        check_copies,
        check_select_tests,
        check_modal_signature,
    ]
    if isinstance(strategy, ScoringStrategy):
        checks.append(check_scores)
    if _net(estimator) is not None:
        checks.append(check_modes_unchanged)
    for own in checks:
        yield own.__name__, partial(own, case)


@dataclass(frozen=True)
class _Case:
    """A strategy and what it is asked about."""

    strategy: QueryStrategy
    estimator: Any
    X: Any
    X_labeled: Any

    def seeded(self) -> Any:
        return clone(self.strategy).set_params(random_state=0)

    def query(self, n: Any = 5, X: Any = None, estimator: Any = None, **params: Any) -> NDArray:
        """What a fresh copy of the strategy picks."""
        pool = self.X if X is None else X
        estimator = self.estimator if estimator is None else estimator
        return self.seeded().query(estimator, pool, n, X_labeled=self.X_labeled, **params)


def check_distinct_indices(case: _Case) -> None:
    """``query`` returns n distinct positions in the pool, for one, some and all of it."""
    for n in (1, 7, len(case.X)):
        picked = case.query(n)
        assert picked.shape == (n,), f"{n} samples were asked for, {picked.shape} came"
        assert picked.dtype == np.intp, f"positions have dtype {picked.dtype}"
        assert len(np.unique(picked)) == n, "the same position came twice"
        assert picked.min() >= 0, "a negative position came"
        assert picked.max() < len(case.X), "a position outside the pool came"


def check_same_seed_same_indices(case: _Case) -> None:
    """The same ``random_state`` gives the same positions."""
    for n in (1, 9, len(case.X)):
        assert np.array_equal(case.query(n), case.query(n)), "two queries with one seed differ"


def check_candidates(case: _Case) -> None:
    """``candidates`` are kept to, as positions and as a mask, as if the pool were those rows."""
    allowed = np.arange(1, len(case.X), 2)
    mask = np.isin(np.arange(len(case.X)), allowed)
    picked = case.query(candidates=allowed)
    assert set(picked.tolist()) <= set(allowed.tolist()), "a position outside candidates came"
    assert np.array_equal(picked, case.query(candidates=mask)), "a mask picks others"
    alone = case.query(X=case.X[allowed])
    assert np.array_equal(allowed[alone], picked), "candidates differ from a pool of those rows"


def check_pool_unchanged(case: _Case) -> None:
    """The pool is not written to."""
    frozen = case.X.copy()
    frozen.flags.writeable = False
    case.query(X=frozen)
    written = case.X.copy()
    case.query(X=written)
    assert np.array_equal(written, frozen, equal_nan=True), "the pool was changed"


def check_estimator_unchanged(case: _Case) -> None:
    """The estimator is as it was: what it holds, and what it predicts."""
    before, proba = _state(case.estimator), case.estimator.predict_proba(case.X)
    case.query()
    assert _state(case.estimator) == before, "the estimator was changed"
    assert np.array_equal(proba, case.estimator.predict_proba(case.X)), "it predicts otherwise"


def check_modes_unchanged(case: _Case) -> None:
    """A net in training mode, a layer that its owner has frozen among others, stays like that."""
    estimator = copy.deepcopy(case.estimator)
    module = _net(estimator).module_.train()
    leaves = [sub for sub in module.modules() if not list(sub.children())]
    leaves[len(leaves) // 2].eval()
    next(module.parameters()).requires_grad_(False)
    before = _state(estimator)
    case.query(estimator=estimator)
    assert _state(estimator) == before, "modes, gradients or hooks of the net were changed"


def _net(estimator: Any) -> Any:
    """The net, or that at the end of a Pipeline, or None."""
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    return last if hasattr(last, "module_") else None


def _state(estimator: Any) -> Any:
    """Everything about an estimator that a query must leave as it is, to compare with ``==``."""
    net = _net(estimator)
    if net is None:
        return joblib.hash(estimator)
    module = net.module_
    return (
        {key: joblib.hash(value) for key, value in module.state_dict().items()},
        [sub.training for sub in module.modules()],
        [(p.requires_grad, p.grad is None) for p in module.parameters()],
        [is_hooked(sub) for sub in module.modules()],
    )


def check_global_generators_unchanged(case: _Case) -> None:
    """NumPy's and torch's global generators are where they were."""
    users = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(20_251)  # noqa: NPY002  # a state that no strategy would set
        state, torch_state = _numpy_state(), torch.random.get_rng_state()
        case.query()
        assert np.array_equal(state, _numpy_state()), "NumPy's global generator moved"
        assert torch.equal(torch_state, torch.random.get_rng_state()), "torch's generator moved"
    finally:
        np.random.set_state(users)  # noqa: NPY002


def _numpy_state() -> np.ndarray:
    return np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002


def check_bad_n(case: _Case) -> None:
    """Too few, too many or half a sample, and an empty pool, raise a clear error."""
    for n, error in ((0, ValueError), (len(case.X) + 1, ValueError), (2.5, TypeError)):
        _check_refused(partial(case.query, n), error, "n must be", f"n={n} was accepted")
    empty = partial(case.query, 1, X=case.X[:0])
    _check_refused(empty, ValueError, "empty", "an empty pool was accepted")


def check_bad_random_state(case: _Case) -> None:
    """A seed that is none raises an error that names it."""
    strategy = case.seeded().set_params(random_state="seed")
    query = partial(strategy.query, case.estimator, case.X, 4)
    _check_refused(query, ValueError, "random_state", "random_state='seed' was accepted")


def _check_refused(call: Callable, error: type[Exception], words: str, otherwise: str) -> None:
    try:
        call()
    except error as caught:
        otherwise = str(caught)
    assert words in otherwise, otherwise


def check_duplicated_rows(case: _Case) -> None:
    """Equal rows are different positions."""
    picked = case.query(15, X=np.repeat(case.X[:2], 10, axis=0))
    assert len(set(picked.tolist())) == 15, "duplicated rows gave the same position twice"


def check_copies(case: _Case) -> None:
    """A clone and a pickled copy pick the same, and no state is left after a query."""
    strategy = case.seeded()
    picked = strategy.query(case.estimator, case.X, 5)
    assert not [key for key in vars(strategy) if key.endswith("_")], "a query left state behind"
    for other in (clone(strategy), pickle.loads(pickle.dumps(strategy))):
        again = other.query(case.estimator, case.X, 5)
        assert np.array_equal(picked, again), "a cloned or pickled copy picks others"


def check_select_tests(case: _Case) -> None:
    """``select_tests`` takes a count or a share."""
    for budget, n in ((3, 3), (0.1, len(case.X) // 10)):
        picked = case.seeded().select_tests(case.estimator, case.X, budget=budget)
        assert len(set(picked.tolist())) == n, f"{len(picked)} samples for a budget of {budget}"


def check_modal_signature(case: _Case) -> None:
    """``strategy(learner, X, n_instances=n)`` returns indices and scores, as in modAL."""
    learner = SimpleNamespace(estimator=case.estimator, X_training=case.X[:5])
    for classifier in (case.estimator, learner):
        picked, scores = case.seeded()(classifier, case.X, n_instances=3)
        assert len(set(np.asarray(picked).tolist())) == 3, "modAL's signature picks no 3 samples"
        assert scores is None or scores.shape == (3,), "scores are not those of the picks"


def check_scores(case: _Case) -> None:
    """One score a sample, never NaN."""
    scores = case.seeded().score_samples(case.estimator, case.X)
    assert scores.shape == (len(case.X),), f"scores have shape {scores.shape}"
    assert not np.isnan(scores).any(), "a score is NaN"
