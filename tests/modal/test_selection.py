"""Utilities to picks: against literal definitions."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from skactive.modal.utils import (
    check_class_labels,
    check_class_proba,
    make_linear_combination,
    make_product,
    make_query_strategy,
)
from skactive.modal.utils.selection import (
    multi_argmax,
    multi_argmin,
    shuffled_argmax,
    shuffled_argmin,
    weighted_random,
)

VALUES = arrays(float, st.integers(1, 30), elements=st.integers(-3, 3).map(float))


@given(VALUES, st.data())
def test_multi_argmax_and_argmin(values, data):
    n = data.draw(st.integers(0, len(values)))
    for function, sign in ((multi_argmax, -1), (multi_argmin, 1)):
        indices, picked = function(values, n)
        assert_array_equal(indices, np.argsort(sign * values, kind="stable")[:n])
        assert_array_equal(picked, values[indices])


@given(VALUES, st.data())
def test_shuffled_picks_the_same_values_in_ascending_order(values, data):
    n = data.draw(st.integers(0, len(values)))
    for function, best in (
        (shuffled_argmax, np.sort(values)[len(values) - n :]),
        (shuffled_argmin, np.sort(values)[:n][::-1]),
    ):
        indices, picked = function(values, n, random_state=0)
        assert len(set(indices.tolist())) == n
        assert_array_equal(picked, best)
        assert_array_equal(picked, values[indices])


def test_ties_are_random_and_follow_numpys_seed():
    values = np.zeros(50)
    drawn = {int(shuffled_argmax(values, random_state=i)[0][0]) for i in range(40)}
    assert len(drawn) > 10
    np.random.seed(3)
    first = shuffled_argmax(values, 5)[0]
    np.random.seed(3)
    shuffled = np.random.permutation(50)  # modAL's way
    assert_array_equal(first, shuffled[np.argsort(values[shuffled], kind="mergesort")[45:]])
    np.random.seed(3)
    assert_array_equal(shuffled_argmax(values, 5)[0], first)
    assert_array_equal(multi_argmax(values, 3)[0], [0, 1, 2])


def test_nan_is_never_preferred():
    values = np.array([np.nan, 1.0, 3.0, np.nan])
    assert_array_equal(multi_argmax(values, 2)[0], [2, 1])
    assert_array_equal(multi_argmin(values, 2)[0], [1, 2])
    assert set(shuffled_argmax(values, 2, random_state=0)[0]) == {1, 2}


def test_weighted_random():
    rng = np.random.default_rng(0)
    weights = rng.random(40)
    weights[:20] = 0
    indices = weighted_random(weights, 20, random_state=0)
    assert set(indices) == set(range(20, 40))
    np.random.seed(1)
    first = weighted_random(weights, 4)
    np.random.seed(1)
    wanted = np.random.choice(range(40), size=4, p=weights / weights.sum(), replace=False)
    assert_array_equal(first, wanted)


@pytest.mark.parametrize("error", [ValueError, AssertionError])
@pytest.mark.parametrize(
    "call",
    [
        lambda: multi_argmax(np.ones(3), 4),
        lambda: multi_argmin(np.ones(3), -1),
        lambda: shuffled_argmax(np.ones(3), 4),
        lambda: shuffled_argmin(np.ones(3), 4),
        lambda: multi_argmax(np.ones((3, 2))),
        lambda: weighted_random(np.ones(3), 4),
        lambda: weighted_random(np.zeros(3)),
        lambda: weighted_random([1.0, -1.0, 2.0]),
        lambda: weighted_random([1.0, 0.0], 2),
        lambda: make_linear_combination(min, max, weights=[1]),
        lambda: make_product(min, max, exponents=[1, 2, 3]),
    ],
)
def test_bad_arguments_are_both_kinds_of_error(call, error):
    with pytest.raises(error, match="must"):
        call()


@pytest.mark.parametrize("error", [TypeError, AssertionError])
def test_counts_must_be_integers_and_measures_functions(error):
    with pytest.raises(error, match="integer"):
        multi_argmax(np.ones(3), 1.5)
    with pytest.raises(error, match="functions"):
        make_linear_combination(min, 3)
    with pytest.raises(error, match="functions"):
        make_query_strategy(min, "max")


def first_column(classifier, X):
    return X[:, 0]


def second_column(classifier, X):
    return X[:, 1]


def best(utility):
    return np.argmax(utility)


def test_combinations_against_the_formula_and_through_pickle():
    X = np.random.default_rng(0).random((20, 2))
    total = make_linear_combination(first_column, second_column, weights=[0.3, 0.7])
    product = make_product(first_column, second_column, exponents=[2, 0.5])
    for combined, wanted in (
        (total, 0.3 * X[:, 0] + 0.7 * X[:, 1]),
        (product, X[:, 0] ** 2 * X[:, 1] ** 0.5),
        (make_linear_combination(first_column, second_column), X.sum(axis=1)),
        (make_product(first_column, second_column), X.prod(axis=1)),
    ):
        assert_allclose(combined(None, X), wanted)
        assert_allclose(pickle.loads(pickle.dumps(combined))(None, X), wanted)
    strategy = pickle.loads(pickle.dumps(make_query_strategy(total, multi_argmax)))
    assert_array_equal(strategy(None, X, n_instances=3)[0], np.argsort(-total(None, X))[:3])
    assert strategy(None, X)[0] == np.argmax(total(None, X))
    one = make_query_strategy(total, best)
    assert one(None, X, n_instances=1) == np.argmax(total(None, X))
    with pytest.raises(ValueError, match="best takes no n_instances"):
        one(None, X, n_instances=2)


class Known:
    def __init__(self, classes):
        self.classes_ = classes


def test_class_labels_and_probabilities():
    assert check_class_labels(Known(np.arange(3)), Known(np.arange(3)))
    assert not check_class_labels(Known(np.arange(3)), Known(np.arange(4)))
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError, match="fitted"):
        check_class_labels(Known(np.arange(3)), object())
    proba = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert_array_equal(
        check_class_proba(proba, ["b", "d"], ["a", "b", "c", "d"]),
        [[0, 0.2, 0, 0.8], [0, 0.5, 0, 0.5]],
    )
