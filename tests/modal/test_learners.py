"""modAL's contract of learners and committees, and what it promised but did not keep."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skactive
from skactive.modal.batch import uncertainty_batch_sampling
from skactive.modal.models import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
    CommitteeRegressor,
    DeepActiveLearner,
)
from skactive.modal.uncertainty import (
    classifier_uncertainty,
    entropy_sampling,
    margin_sampling,
    uncertainty_sampling,
)
from skactive.modal.utils import make_query_strategy
from skactive.modal.utils.selection import weighted_random
from skactive.strategies import DRE, CoreSet, Margin, RandomSampling

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = np.select([X[:, 0] > 0.3, X[:, 1] > 0], [2, 1], 0)


def learner(n=30, **params):
    return ActiveLearner(LogisticRegression(), X_training=X[:n], y_training=Y[:n], **params)


# -- what the strategy returns ------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (np.array([4, 7]), [4, 7]),
        ([4, 7], [4, 7]),
        (np.array([3]), [3]),
        ((np.array([4, 7]), X[[4, 7]]), [4, 7]),
        ((np.array([4, 7]), np.array([0.1, 0.2])), [4, 7]),
        ((5, X[5]), 5),
        (np.int64(5), 5),
    ],
)
def test_every_form_of_answer_is_understood_and_asked_for_once(answer, wanted):
    calls = []

    def strategy(classifier, pool):
        calls.append(classifier)
        return answer

    model = learner(query_strategy=strategy)
    indices, rows = model.query(X)
    assert calls == [model]
    assert_array_equal(indices, wanted)
    assert_array_equal(rows, X[wanted])
    if isinstance(answer, tuple):
        assert model.query(X, return_metrics=True)[2] is answer[1]
    else:
        with pytest.warns(UserWarning, match="return_metrics"):
            assert model.query(X, return_metrics=True)[2] is None


def test_an_error_inside_a_strategy_reaches_the_user_once():
    calls = []

    def strategy(classifier, pool):
        calls.append(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        learner(query_strategy=strategy).query(X)
    assert calls == [1]
    assert caught.value.__context__ is None


def test_n_is_n_instances_unless_the_strategy_names_it():
    assert_array_equal(learner().query(X, n=5)[0], learner().query(X, n_instances=5)[0])
    assert_array_equal(learner().query(X, 5)[0], learner().query(X, n_instances=5)[0])
    own = learner(query_strategy=lambda classifier, pool, n: np.arange(n))
    assert_array_equal(own.query(X, n=3)[0], [0, 1, 2])
    with pytest.raises(TypeError, match="either n_instances or n"):
        learner().query(X, n=5, n_instances=5)


def test_zero_is_an_empty_query():
    indices, rows = learner().query(X, n_instances=0)
    assert len(indices) == len(rows) == 0


# -- fit and teach ------------------------------------------------------------------------


def test_the_estimator_passed_is_the_one_that_is_fitted():
    estimator = LogisticRegression()
    model = ActiveLearner(estimator, X_training=X, y_training=Y)
    assert model.estimator is estimator
    assert model.X_training is X
    assert estimator.coef_.shape == (3, 3)
    assert model.score(X, Y) == estimator.score(X, Y)
    assert_array_equal(model.predict(X), estimator.predict(X))


def test_teaching_appends_in_order_and_changes_no_caller():
    first, y_first = X[:30].copy(), Y[:30].copy()
    model = ActiveLearner(LogisticRegression(), X_training=first, y_training=y_first)
    assert model.teach(X[30:40], Y[30:40]) is None
    assert_array_equal(model.X_training, X[:40])
    assert_array_equal(model.y_training, Y[:40])
    assert_array_equal(first, X[:30])
    assert_array_equal(
        model.predict_proba(X), LogisticRegression().fit(X[:40], Y[:40]).predict_proba(X)
    )
    model.teach(X[40:70], Y[40:70], only_new=True)
    assert len(model.X_training) == 40
    alone = LogisticRegression().fit(X[40:70], Y[40:70])
    assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-6)
    assert model.fit(X[:50], Y[:50]) is model
    assert len(model.X_training) == 50
    model.add_training_data(X[50:60], Y[50:60])
    assert len(model.y_training) == 60
    assert_allclose(
        model.predict_proba(X), LogisticRegression().fit(X[:50], Y[:50]).predict_proba(X)
    )


def test_new_classes_may_be_taught():
    model = ActiveLearner(LogisticRegression(), X_training=X[Y < 2], y_training=Y[Y < 2])
    assert_array_equal(model.classes_, [0, 1])
    model.teach(X[Y == 2], Y[Y == 2])
    assert_array_equal(model.classes_, [0, 1, 2])


def test_bootstraps_follow_numpys_seed_or_their_own():
    def seen(seed=None, **params):
        if seed is not None:
            np.random.seed(seed)
        model = ActiveLearner(
            GaussianNB(), X_training=X, y_training=Y, bootstrap_init=True, **params
        )
        return model.estimator.theta_

    np.random.seed(4)
    rows = np.random.choice(range(90), 90, replace=True)
    assert_array_equal(seen(4), GaussianNB().fit(X[rows], Y[rows]).theta_)
    assert_array_equal(seen(random_state=1), seen(random_state=1))
    assert not np.array_equal(seen(random_state=1), seen(random_state=2))
    model = learner(random_state=3)
    model.teach(X[30:], Y[30:], bootstrap=True)
    model.fit(X, Y, bootstrap=True)
    model.teach(X, Y, bootstrap=True, only_new=True, sample_weight=np.ones(90))


@pytest.mark.parametrize("where", ["teach", "fit", "only_new"])
@pytest.mark.parametrize(
    ("bad_X", "bad_y", "match"),
    [
        (X[:4], Y[:3], "inconsistent numbers of samples"),
        (np.full((2, 3), np.nan), Y[:2], "NaN"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_stored(where, bad_X, bad_y, match):
    model = learner()
    call = {
        "teach": model.teach,
        "fit": model.fit,
        "only_new": lambda X, y: model.teach(X, y, only_new=True),
    }[where]
    with pytest.raises(ValueError, match=match):
        call(bad_X, bad_y)
    assert len(model.X_training) == len(model.y_training) == 30


def test_shapes_that_differ_from_what_was_taught_leave_all_as_it_was():
    model = learner()
    for bad_X, bad_y in ((X[:2, :2], Y[:2]), (X[:2], Y[:2, None])):
        with pytest.raises(ValueError, match="shape"):
            model.teach(bad_X, bad_y)
        assert len(model.X_training) == len(model.y_training) == 30
    members = Committee([learner(), ActiveLearner(GaussianNB(), X_training=X[:, :2], y_training=Y)])
    with pytest.raises(ValueError, match="shape"):
        members.teach(X[:2], Y[:2])
    assert len(members.learner_list[0].X_training) == 30


def test_values_that_are_not_finite_may_be_allowed():
    from sklearn.ensemble import HistGradientBoostingClassifier

    holes = X.copy()
    holes[::7, 0] = np.nan
    model = ActiveLearner(
        HistGradientBoostingClassifier(max_iter=3),
        X_training=holes,
        y_training=Y,
        force_all_finite=False,
    )
    model.teach(holes[:10], Y[:10])
    assert len(model.X_training) == 100


# -- containers ---------------------------------------------------------------------------

KINDS = {
    "ndarray": lambda: X,
    "list": lambda: X.tolist(),
    "frame": lambda: pd.DataFrame(X, columns=list("abc"), index=np.arange(90)[::-1]),
    "csr": lambda: sp.csr_matrix(X),
    "csc": lambda: sp.csc_array(X),
    "lil": lambda: sp.lil_matrix(X),
    "coo": lambda: sp.coo_matrix(X),
    "tensor": lambda: torch.tensor(X),
}
TARGETS = {
    "ndarray": lambda: Y,
    "list": lambda: Y.tolist(),
    "series": lambda: pd.Series(Y, index=np.arange(90) + 5),
}


def take(data, rows):
    from skactive.modal.utils.data import retrieve_rows

    return retrieve_rows(data, rows)


@pytest.mark.parametrize("strategy", [entropy_sampling, uncertainty_batch_sampling])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_container_is_kept(kind, target, strategy):
    pool, y = KINDS[kind](), TARGETS[target]()
    first = np.arange(30)
    model = ActiveLearner(
        LogisticRegression(), strategy, X_training=take(pool, first), y_training=take(y, first)
    )
    reference = learner(query_strategy=strategy)
    indices, rows = model.query(pool, n_instances=6)
    assert_array_equal(indices, reference.query(X, n_instances=6)[0])
    assert type(rows) is type(pool)
    model.teach(rows, take(y, indices))
    assert type(model.X_training) is type(pool)
    assert type(model.y_training) is type(y)
    reference.teach(X[indices], Y[indices])
    assert_allclose(model.predict_proba(pool), reference.predict_proba(X), atol=1e-6)
    model.teach(rows, take(y, indices), bootstrap=True)
    cold = ActiveLearner(LogisticRegression(), strategy)
    assert len(cold.query(pool, n_instances=3)[0]) == 3


def test_images_and_multiple_outputs():
    images = X.reshape(90, 1, 3, 1)

    class Flat(LogisticRegression):
        def fit(self, X, y):
            return super().fit(X.reshape(len(X), -1), y)

        def predict_proba(self, X):
            return super().predict_proba(X.reshape(len(X), -1))

    model = ActiveLearner(
        Flat(), uncertainty_batch_sampling, X_training=images[:30], y_training=Y[:30]
    )
    indices, rows = model.query(images, n_instances=4)
    assert rows.shape == (4, 1, 3, 1)
    model.teach(rows, Y[indices])
    assert model.X_training.shape == (34, 1, 3, 1)


def test_a_pipeline_on_a_frame():
    frame = pd.DataFrame({"size": X[:, 0], "kind": np.array(["a", "b", "c"])[Y]})
    pipe = make_pipeline(
        make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(), ["kind"])),
        LogisticRegression(),
    )
    model = ActiveLearner(pipe, uncertainty_batch_sampling, frame[:30], Y[:30], on_transformed=True)
    indices, rows = model.query(frame, n_instances=5)
    assert list(rows.columns) == ["size", "kind"]
    model.teach(rows, Y[indices])
    assert_allclose(model.transform_without_estimating(frame), pipe[:-1].transform(frame))
    with pytest.raises(ValueError, match="on_transformed"):
        model.set_params(on_transformed=False).query(frame)
    both = VotingClassifier([("a", clone(pipe)), ("b", clone(pipe))]).fit(frame, Y)
    side = ActiveLearner(both).transform_without_estimating(frame)
    assert side.shape == (90, 8)
    members = Committee([model, model], on_transformed=True)
    assert members.transform_without_estimating(frame).shape == (90, 8)
    assert learner().transform_without_estimating(X) is X


# -- a citizen of scikit-learn --------------------------------------------------------------


def test_clone_search_and_cross_validation():
    model = learner(bootstrap_init=True, random_state=0)
    copy = clone(model)
    assert copy.estimator is not model.estimator
    assert copy.X_training is model.X_training
    assert not hasattr(copy.estimator, "coef_")
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert copy.get_params()["bootstrap_init"] is True
    assert "ActiveLearner" in repr(model)
    assert is_classifier(model)
    assert is_regressor(ActiveLearner(LinearRegression()))
    assert len(cross_val_score(model, X, Y, cv=3)) == 3
    search = GridSearchCV(model, {"estimator__C": [1e-6, 1.0]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"estimator__C": 1.0}
    assert make_pipeline(StandardScaler(), ActiveLearner(GaussianNB())).fit(X, Y).predict(
        X
    ).shape == (90,)
    optimizer = clone(
        BayesianOptimizer(GaussianProcessRegressor(optimizer=None), X_training=X, y_training=Y)
    )
    assert optimizer.get_max() == (None, -np.inf)
    committee = Committee([learner(), learner()])
    assert not hasattr(clone(committee).learner_list[0].estimator, "coef_")


def test_pickling():
    members = Committee([learner(), learner(query_strategy=margin_sampling)])
    for thing in (learner(), members):
        again = pickle.loads(pickle.dumps(thing))
        assert_array_equal(again.predict(X), thing.predict(X))
        assert_array_equal(again.query(X, n_instances=3)[0], thing.query(X, n_instances=3)[0])


def test_hasattr_tells_the_truth():
    assert not hasattr(ActiveLearner(LinearRegression()), "predict_proba")
    assert hasattr(learner(), "predict_proba")
    assert not hasattr(ActiveLearner(LogisticRegression()), "classes_")


# -- the two libraries in one ---------------------------------------------------------------


def test_strategy_objects_are_query_strategies_here():
    model = learner(query_strategy=Margin())
    assert_array_equal(
        np.sort(model.query(X, n_instances=5)[0]), np.sort(margin_sampling(model, X, 5)[0])
    )
    assert model.query(X, n=5, return_metrics=True)[2].shape == (5,)
    far = learner(query_strategy=CoreSet(embedding="input", random_state=0))
    near = CoreSet(embedding="input", random_state=0).query(None, X, 4, X_labeled=X[:30])
    assert_array_equal(far.query(X, n_instances=4)[0], near)


def test_modals_functions_are_query_strategies_there():
    ours = skactive.ActiveLearner(
        LogisticRegression(), uncertainty_batch_sampling, random_state=0
    ).fit(X[:30], Y[:30])
    theirs = learner(query_strategy=uncertainty_batch_sampling)
    assert_array_equal(
        ours.query(X, n=7, exclude_labeled=False)[0], theirs.query(X, n_instances=7)[0]
    )
    weighted = skactive.ActiveLearner(
        LogisticRegression(),
        lambda classifier, pool, n_instances=1: weighted_random(
            1 - classifier.predict_proba(pool).max(axis=1), n_instances, random_state=0
        ),
    ).fit(X[:30], Y[:30])
    assert len(weighted.query(X, n=2)[0]) == 2


def test_ties_are_repeated_with_a_random_state():
    def picks(seed):
        cold = ActiveLearner(LogisticRegression(), random_state=seed)
        return [cold.query(X, n_instances=3, random_tie_break=True)[0].tolist() for _ in range(4)]

    assert picks(0) == picks(0)
    assert picks(0) != picks(1)
    assert picks(0)[0] != picks(0)[1]


@pytest.mark.parametrize(
    "strategy",
    [RandomSampling(), DRE(), make_query_strategy(classifier_uncertainty, weighted_random)],
)
def test_what_is_drawn_follows_the_random_state_or_numpys_seed(strategy):
    def picks(**params):
        model = learner(query_strategy=strategy, **params)
        return [model.query(X, n_instances=4)[0].tolist() for _ in range(3)]

    def under_numpys_seed(seed):
        np.random.seed(seed)
        return picks()

    for drawn in (lambda seed: picks(random_state=seed), under_numpys_seed):
        assert drawn(0) == drawn(0)
        assert drawn(0) != drawn(1)
        assert drawn(0)[0] != drawn(0)[1]


def test_a_random_state_of_its_own_draws_nothing_from_numpys():
    model = learner(query_strategy=RandomSampling(random_state=0))
    before = np.random.get_state()[1].copy(), np.random.get_state()[2]
    assert_array_equal(model.query(X, n=4)[0], RandomSampling(random_state=0).query(None, X, 4))
    assert_array_equal(np.random.get_state()[1], before[0])
    assert np.random.get_state()[2] == before[1]


def test_a_random_state_that_is_set_later_counts():
    model = learner(query_strategy=RandomSampling(), random_state=1)
    model.query(X, n=4)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(model.query(X, n=4)[0], again.query(X, n=4)[0])
    fresh = learner(query_strategy=RandomSampling(), random_state=123456)
    assert_array_equal(
        model.set_params(random_state=123456).query(X, n=4)[0], fresh.query(X, n=4)[0]
    )


# -- committees -----------------------------------------------------------------------------


def committee():
    return Committee(
        [
            ActiveLearner(GaussianNB(), X_training=X[:30], y_training=Y[:30]),
            ActiveLearner(
                DecisionTreeClassifier(random_state=0), X_training=X[:30], y_training=Y[:30]
            ),
        ]
    )


def test_a_committee_is_a_collection():
    members = committee()
    assert len(members) == 2
    assert list(members) == members.learner_list
    assert members.n_classes_ == 3
    assert members.fit(X, Y) is members
    assert members.score(X, Y, sample_weight=np.ones(90)) > 0.8
    members.teach(X[:5], Y[:5])
    assert [len(m.X_training) for m in members] == [95, 95]
    members.teach(X[:5], Y[:5], only_new=True, bootstrap=True)
    assert [len(m.X_training) for m in members] == [100, 100]
    cold = Committee([ActiveLearner(GaussianNB())])
    assert cold.classes_ is None
    assert cold.n_classes_ == 0
    assert cold.X_training is None
    with pytest.raises(NotFittedError, match="no data"):
        cold.rebag()


def test_bags_differ_and_keep_the_data():
    members = Committee(
        [ActiveLearner(GaussianNB(), X_training=X, y_training=Y, random_state=i) for i in (0, 1)]
    )
    assert_array_equal(*[m.estimator.theta_ for m in members])
    members.rebag()
    assert not np.array_equal(*[m.estimator.theta_ for m in members])
    assert [len(m.X_training) for m in members] == [90, 90]
    members.fit(X, Y, bootstrap=True)
    assert not np.array_equal(*[m.estimator.theta_ for m in members])


class Fickle(GaussianNB):
    """It fails once on more than 30 rows."""

    def fit(self, X, y):
        if len(X) > 30 and not hasattr(self, "failed"):
            self.failed = True
            raise RuntimeError("once")
        return super().fit(X, y)


def test_a_member_that_fails_leaves_what_all_members_store():
    data = {"X_training": X[:30], "y_training": Y[:30]}
    members = Committee([ActiveLearner(model, **data) for model in (GaussianNB(), Fickle())])
    with pytest.raises(RuntimeError, match="once"):
        members.teach(X[30:40], Y[30:40])
    assert [len(member.X_training) for member in members] == [30, 30]
    members.teach(X[30:40], Y[30:40])
    for member in members:
        assert_array_equal(member.X_training, X[:40])
        assert_array_equal(member.y_training, Y[:40])


def test_the_second_argument_of_a_committee():
    members = committee()
    assert len(members.query(X, True)) == 3
    indices, rows = members.query(X, 3)
    assert len(indices) == len(rows) == 3
    assert len(members.query(X, n=2)[0]) == 2


def test_data_of_members_that_differ_is_joined():
    members = Committee(
        [
            ActiveLearner(GaussianNB(), X_training=X[part], y_training=Y[part])
            for part in (slice(0, 30), slice(0, 30), slice(30, 50))
        ]
    )
    assert_array_equal(members.X_training, X[:50])


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_members_share_in_copies_counts_once(kind):
    members = Committee(
        [
            ActiveLearner(
                LogisticRegression(), X_training=take(KINDS[kind](), rows), y_training=Y[rows]
            )
            for rows in (np.arange(30), np.arange(30), np.arange(30, 60))
        ],
        query_strategy=uncertainty_batch_sampling,
    )
    known = members.X_training
    assert (known.shape[0] if hasattr(known, "shape") else len(known)) == 60
    assert len(members.query(KINDS[kind](), n_instances=3)[0]) == 3


# -- Bayesian optimisation ------------------------------------------------------------------


@pytest.mark.parametrize("column", [False, True])
def test_the_maximum_is_remembered(column):
    y = X[:, :1] ** 2 if column else X[:, 0] ** 2
    model = BayesianOptimizer(
        GaussianProcessRegressor(optimizer=None), X_training=X[:10], y_training=y[:10]
    )
    best = int(np.argmax(y[:10]))
    assert_array_equal(model.get_max()[0], X[best])
    assert_array_equal(model.get_max()[1], y[best])
    model.teach(X[10:], y[10:], only_new=True)
    assert len(model.X_training) == 90
    assert_array_equal(model.X_max, X[np.argmax(y)])
    model.fit(pd.DataFrame(X[:5]), pd.Series(y[:5].ravel()))
    assert model.y_max == y[:5].max()
    assert_array_equal(model.X_max, X[np.argmax(y[:5])])
    assert BayesianOptimizer(GaussianProcessRegressor()).get_max() == (None, -np.inf)


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [TypeError, AssertionError])
@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ActiveLearner(GaussianNB(), "entropy"), "callable"),
        (lambda: ActiveLearner(GaussianNB(), force_all_finite=1), "force_all_finite"),
        (lambda: Committee((learner(),)), "must be a list"),
        (lambda: Committee([learner()], "vote").query(X), "callable"),
    ],
)
def test_wrong_types(call, match, error):
    with pytest.raises(error, match=match):
        call()


def test_mocks_are_legal_estimators():
    class Anything:
        def fit(self, X, y, **kwargs):
            self.kwargs = kwargs

        def predict(self, X, **kwargs):
            return kwargs

        def score(self, X, y, **kwargs):
            return kwargs

    assert ActiveLearner(None).estimator is None
    mock = Anything()
    model = ActiveLearner(mock, X_training=X, y_training=Y, verbose=3)
    assert mock.kwargs == {"verbose": 3}
    model.teach(X, Y, epochs=2)
    assert mock.kwargs == {"epochs": 2}
    assert model.predict(X, batch_size=5) == {"batch_size": 5}
    assert model.score(X, Y, batch_size=5) == {"batch_size": 5}


# -- nets -----------------------------------------------------------------------------------


def net(**params):
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    return NeuralNetClassifier(
        torch.nn.Linear,
        module__in_features=3,
        module__out_features=3,
        criterion=torch.nn.CrossEntropyLoss,
        train_split=None,
        max_epochs=2,
        verbose=0,
        **params,
    )


def test_a_deep_learner_trains_on_and_stores_nothing():
    model = DeepActiveLearner(net())
    data = X.astype(np.float32)
    start = model.estimator.module_.weight.detach().clone()
    model.teach(data, Y)
    first = model.estimator.module_.weight.detach().clone()
    assert not torch.equal(start, first)
    assert len(model.estimator.history) == 2
    model.teach(torch.tensor(data), torch.tensor(Y), bootstrap=True)
    assert len(model.estimator.history) == 4
    model.teach(data, Y, warm_start=False)
    assert len(model.estimator.history) == 2
    assert model.fit(data, Y, bootstrap=True) is model
    assert not hasattr(model, "X_training")
    assert model.score(data, Y) == np.mean(model.predict(data) == Y)
    assert model.query(data, n_instances=4)[1].shape == (4, 3)


def test_epochs_and_batch_size_of_a_deep_learner():
    model = DeepActiveLearner(net())
    model.num_epochs, model.batch_size = np.int64(5), 7
    assert (model.estimator.max_epochs, model.estimator.batch_size) == (5, 7)
    assert (model.num_epochs, model.batch_size) == (5, 7)
    for name in ("num_epochs", "batch_size"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            setattr(model, name, 0)
        with pytest.raises(TypeError, match=f"{name} must be an integer"):
            setattr(model, name, 1.5)


def test_a_net_that_is_not_initialised_is_cold():
    data = X.astype(np.float32)
    model = ActiveLearner(net(), uncertainty_sampling)
    assert_array_equal(model.query(data, n_instances=3)[0], [0, 1, 2])


def test_regressors_in_a_committee():
    members = CommitteeRegressor(
        [
            ActiveLearner(LinearRegression(), X_training=X[p], y_training=X[p, 0])
            for p in (slice(9), slice(5, 30))
        ]
    )
    members.teach(X[:3], X[:3, 0])
    assert members.fit(X, X[:, 0]) is members
    assert_allclose(members.predict(X), X[:, 0], atol=1e-9)


def test_forests_with_the_default_query_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ActiveLearner(RandomForestClassifier(5), X_training=X, y_training=Y).query(X)
