"""Every measure and strategy against a literal implementation of its definition."""

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC

from skactive.exceptions import CapabilityError
from skactive.modal import acquisition, batch, density, disagreement, multilabel, uncertainty
from skactive.modal.expected_error import expected_error_reduction
from skactive.modal.models import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = np.select([X[:, 0] > 0.3, X[:, 1] > 0], [2, 1], 0)
POOL = RNG.normal(size=(60, 3))


def learner(estimator=None, n=40, **params):
    estimator = LogisticRegression() if estimator is None else estimator
    return ActiveLearner(estimator, X_training=X[:n], y_training=Y[:n], **params)


def committee():
    return Committee(
        [
            learner(GaussianNB()),
            learner(LogisticRegression()),
            learner(RandomForestClassifier(n_estimators=7, random_state=0)),
        ]
    )


# -- one classifier ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "sampling", "literal", "smallest"),
    [
        ("classifier_uncertainty", "uncertainty_sampling", lambda p: 1 - p.max(), False),
        ("classifier_margin", "margin_sampling", lambda p: np.diff(np.sort(p)[-2:])[0], True),
        ("classifier_entropy", "entropy_sampling", scipy.stats.entropy, False),
    ],
)
def test_uncertainty(measure, sampling, literal, smallest):
    model = learner()
    wanted = np.array([literal(row) for row in model.predict_proba(POOL)])
    found = getattr(uncertainty, measure)(model, POOL)
    assert_allclose(found, wanted, atol=1e-12)
    assert_allclose(getattr(uncertainty, measure)(model.estimator, POOL), wanted, atol=1e-12)
    order = np.argsort(wanted if smallest else -wanted, kind="stable")[:7]
    indices, values = getattr(uncertainty, sampling)(model, POOL, n_instances=7)
    assert_array_equal(indices, order)
    assert_allclose(values, wanted[order])
    cold = ActiveLearner(LogisticRegression())
    assert_array_equal(
        getattr(uncertainty, measure)(cold, POOL),
        np.full(60, 1.0 if measure == "classifier_uncertainty" else 0.0),
    )


def test_one_column_and_rows_that_do_not_sum_to_one():
    assert_array_equal(uncertainty._proba_margin(np.ones((3, 1))), np.zeros(3))
    assert_allclose(uncertainty._proba_entropy([[2.0, 2.0]]), np.log(2))
    assert_allclose(uncertainty._proba_uncertainty([[0.2, 0.8]]), 0.2)


class Counting(LogisticRegression):
    calls = 0
    seen: tuple = ()

    def predict_proba(self, X, verbose=None):
        type(self).calls += 1
        type(self).seen = (*self.seen, verbose)
        return super().predict_proba(X)


def test_predict_proba_is_called_once_with_the_users_keywords():
    model = learner(Counting())
    for strategy in (uncertainty.entropy_sampling, batch.uncertainty_batch_sampling):
        Counting.calls, Counting.seen = 0, ()
        model.query_strategy = strategy
        model.query(POOL, n_instances=4, verbose=0)
        assert Counting.calls == 1
        assert Counting.seen == (0,)


def test_a_large_pool_is_scored_in_batches(monkeypatch):
    model = learner(Counting())
    whole = uncertainty.classifier_entropy(model, POOL)
    monkeypatch.setattr("skactive.modal._proba._BATCH", 16)
    Counting.calls = 0
    assert_array_equal(uncertainty.classifier_entropy(model, POOL), whole)
    assert Counting.calls == 4


# -- committees -------------------------------------------------------------------------


def test_disagreement():
    members = committee()
    proba = np.stack([m.predict_proba(POOL) for m in members], axis=1)
    votes = np.stack([m.predict(POOL) for m in members], axis=1)
    consensus = proba.mean(axis=1)
    wanted = {
        "vote_entropy": [
            scipy.stats.entropy([(row == c).mean() for c in range(3)]) for row in votes
        ],
        "consensus_entropy": [scipy.stats.entropy(row) for row in consensus],
        "KL_max_disagreement": [
            max(scipy.stats.entropy(p, mean) for p in row)
            for row, mean in zip(proba, consensus, strict=True)
        ],
    }
    for name, literal in wanted.items():
        assert_allclose(getattr(disagreement, name)(members, POOL), literal, atol=1e-12)
        sampling = {"KL_max_disagreement": "max_disagreement"}.get(name, name) + "_sampling"
        indices, values = getattr(disagreement, sampling)(members, POOL, n_instances=5)
        assert_allclose(values, np.sort(literal)[::-1][:5], atol=1e-12)
        assert_allclose(np.asarray(literal)[indices], values, atol=1e-12)
        cold = Committee([learner(), ActiveLearner(GaussianNB())])
        assert_array_equal(getattr(disagreement, name)(cold, POOL), np.zeros(60))


def test_members_with_other_classes_are_aligned():
    two = ActiveLearner(GaussianNB(), X_training=X[Y != 1], y_training=Y[Y != 1])
    members = Committee([two, learner()])
    assert_array_equal(members.classes_, [0, 1, 2])
    proba = members.vote_proba(POOL)
    assert proba.shape == (60, 2, 3)
    assert_array_equal(proba[:, 0, [0, 2]], two.predict_proba(POOL))
    assert_array_equal(proba[:, 0, 1], 0)
    assert_allclose(proba.sum(axis=2), 1)
    assert_array_equal(members.predict(POOL), proba.mean(axis=1).argmax(axis=1))


def test_labels_that_are_names():
    names = np.array(["cat", "dog", "owl"])[Y]
    members = Committee(
        [ActiveLearner(m, X_training=X, y_training=names) for m in (GaussianNB(), SVC())]
    )
    assert set(members.vote(POOL).ravel()) <= {"cat", "dog", "owl"}
    assert members.query(POOL, n_instances=3)[1].shape == (3, 3)
    assert committee().vote(POOL).dtype == float


def test_spread_of_regressors():
    parts = [slice(0, 40), slice(20, 80), slice(60, 120)]
    members = CommitteeRegressor(
        [
            ActiveLearner(LinearRegression(), X_training=X[p], y_training=X[p, :1] ** 2)
            for p in parts
        ]
    )
    votes = np.stack([m.predict(POOL).ravel() for m in members], axis=1)
    assert_allclose(members.vote(POOL), votes)
    mean, std = members.predict(POOL, return_std=True)
    assert_allclose(mean, votes.mean(axis=1))
    assert_allclose(std, votes.std(axis=1))
    assert_array_equal(members.query(POOL, n_instances=4)[0], np.argsort(-std)[:4])
    process = ActiveLearner(
        GaussianProcessRegressor(optimizer=None),
        disagreement.max_std_sampling,
        X_training=X[:9],
        y_training=X[:9, 0],
    )
    _, std = process.estimator.predict(POOL, return_std=True)
    assert process.query(POOL)[0] == np.argmax(std)


# -- batches ----------------------------------------------------------------------------


def literal_ranked_batch(pool, labeled, u, n, metric="euclidean"):
    order = []
    labeled = None if labeled is None else [*labeled]
    if labeled is None:
        order.append(int(cdist(pool, pool, metric).mean(axis=0).argmin()))
        labeled = [pool[order[0]]]
    while len(order) < n:
        left = [i for i in range(len(pool)) if i not in order]
        alpha = len(left) / (len(left) + len(labeled))
        d = cdist(pool[left], np.array(labeled), metric).min(axis=1)
        pick = left[int(np.argmax(alpha * (1 - 1 / (1 + d)) + (1 - alpha) * u[left]))]
        order.append(pick)
        labeled.append(pool[pick])
    return order


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("cold", [False, True])
def test_ranked_batch(metric, cold):
    model = ActiveLearner(LogisticRegression()) if cold else learner()
    u = np.ones(60) if cold else 1 - model.predict_proba(POOL).max(axis=1)
    wanted = literal_ranked_batch(
        POOL, None if cold else X[:40], u, 25, {"manhattan": "cityblock"}.get(metric, metric)
    )
    indices, values = batch.uncertainty_batch_sampling(
        model, POOL, n_instances=25, metric=metric, n_jobs=2 if metric == "manhattan" else None
    )
    assert_array_equal(indices, wanted)
    assert_allclose(values, u[wanted])


def test_ranked_batch_of_the_whole_pool_and_of_other_containers():
    model = learner()
    indices, _ = batch.uncertainty_batch_sampling(model, POOL, n_instances=1000)
    assert sorted(indices) == list(range(60))
    cold = ActiveLearner(LogisticRegression())
    assert sorted(batch.uncertainty_batch_sampling(cold, POOL, 60)[0]) == list(range(60))
    twenty = indices[:20]
    assert_array_equal(batch.uncertainty_batch_sampling(model, POOL)[0], twenty)
    assert_array_equal(batch.uncertainty_batch_sampling(model, sp.coo_matrix(POOL))[0], twenty)
    assert_array_equal(batch.uncertainty_batch_sampling(model, POOL.tolist())[0], twenty)
    images = POOL.reshape(60, 1, 3, 1)
    scores = np.linspace(0, 1, 60)
    flat, values = batch.ranked_batch(model, images, scores, 5, "euclidean", None)
    assert_array_equal(flat, literal_ranked_batch(POOL, X[:40], scores, 5))
    assert_array_equal(values, scores[flat])  # as in modAL: of two indices alone, one would be lost


def test_a_committee_is_ranked_by_what_its_members_know():
    members = committee()
    assert members.X_training is members.learner_list[0].X_training
    u = 1 - members.predict_proba(POOL).max(axis=1)
    members.query_strategy = batch.uncertainty_batch_sampling
    assert_array_equal(
        members.query(POOL, n_instances=9)[0], literal_ranked_batch(POOL, X[:40], u, 9)
    )


def test_single_picks():
    mask = np.ones(60, dtype=bool)
    mask[:5] = False
    index, row, left = batch.select_instance(X[:40], POOL, np.ones(60), mask, "euclidean", None)
    d = cdist(POOL[5:], X[:40]).min(axis=1)
    alpha = 55 / 95
    assert index == 5 + np.argmax(alpha * (1 - 1 / (1 + d)) + (1 - alpha))
    assert_array_equal(row, POOL[[index]])
    assert mask.sum() == 55
    assert left.sum() == 54
    assert not left[index]
    index, row = batch.select_cold_start_instance(POOL, "euclidean", None)
    assert index == cdist(POOL, POOL).mean(axis=0).argmin()
    assert_array_equal(row, POOL[[index]])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_information_density(metric):
    wanted = (1 / (1 + cdist(POOL, POOL, metric))).mean(axis=1)
    assert_allclose(density.information_density(POOL, metric), wanted, rtol=1e-7)
    assert_allclose(density.information_density(POOL.reshape(60, 3, 1), metric), wanted, rtol=1e-7)
    assert_allclose(density.cosine_similarity([1, 0], [0, 1]), 0.5)
    assert_allclose(density.euclidean_similarity([0, 0], [3, 4]), 1 / 6)


def test_a_distance_matrix_is_left_as_it_was():
    distances = cdist(POOL, POOL)
    kept = distances.copy()
    for _ in range(2):
        found = density.information_density(distances, "precomputed")
        assert_allclose(found, density.information_density(POOL), rtol=1e-7)
    assert_array_equal(distances, kept)


def test_no_distance_matrix_is_held():
    import tracemalloc

    big = np.random.default_rng(0).random((6000, 8))
    model = ActiveLearner(LogisticRegression(), batch.uncertainty_batch_sampling)
    for work in (
        lambda: density.information_density(big),
        lambda: density.information_density(big, "manhattan"),
        lambda: batch.ranked_batch(model, big, np.ones(6000), 5, "euclidean", None),
    ):
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200e6 < 6000**2 * 8


# -- expected error ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["binary", "log"])
def test_expected_error_reduction(loss):
    model = learner(GaussianNB(), n=30)
    pool = POOL[:12]
    of = {"binary": lambda p: 1 - p.max(), "log": scipy.stats.entropy}[loss]
    proba = model.predict_proba(pool)
    wanted = np.zeros(12)
    for i in range(12):
        for c, label in enumerate(np.unique(Y[:30])):
            again = clone(model.estimator).fit([*X[:30], pool[i]], [*Y[:30], label])
            rest = again.predict_proba(np.delete(pool, i, axis=0))
            wanted[i] += proba[i, c] * sum(of(row) for row in rest)
    for n_jobs in (None, 2):
        indices, errors = expected_error_reduction(
            model, pool, loss="".join(loss), n_instances=4, n_jobs=n_jobs
        )
        assert_array_equal(indices, np.argsort(wanted)[:4])
        assert_allclose(errors, np.sort(wanted)[:4])
    some, _ = expected_error_reduction(model, pool, loss=loss, candidates=[3, 8, 9], n_instances=2)
    assert_array_equal(some, np.array([3, 8, 9])[np.argsort(wanted[[3, 8, 9]])[:2]])


def test_expected_error_of_other_containers(capsys):
    import pandas as pd

    model = learner(GaussianNB(), n=30)
    wanted = expected_error_reduction(model, POOL[:6], n_instances=3)[0]
    frame = pd.DataFrame(POOL[:6], columns=list("abc"), index=range(10, 16))
    other = ActiveLearner(
        GaussianNB(),
        X_training=pd.DataFrame(X[:30], columns=list("abc")),
        y_training=pd.Series(Y[:30]),
    )
    assert_array_equal(expected_error_reduction(other, frame, n_instances=3, verbose=1)[0], wanted)
    assert "6 out of   6" in "".join(capsys.readouterr())
    cold = ActiveLearner(GaussianNB())
    assert_array_equal(expected_error_reduction(cold, POOL), [0])
    half = expected_error_reduction(model, POOL, p_subsample=0.2, n_instances=4, random_state=0)
    assert np.isfinite(half[1]).all()


# -- Bayesian optimisation --------------------------------------------------------------


def test_acquisition_functions():
    mean, std = RNG.normal(size=20), RNG.random(20) + 0.1
    z = (mean - 0.5 - 0.1) / std
    normal = scipy.stats.norm
    assert_allclose(acquisition.PI(mean, std, 0.5, 0.1), normal.cdf(z))
    expected = (mean - 0.6) * normal.cdf(z) + std * normal.pdf(z)
    assert_allclose(acquisition.EI(mean, std, 0.5, 0.1), expected)
    assert_allclose(acquisition.UCB(mean, std, 2), mean + 2 * std)
    sure = np.zeros(2)
    assert_array_equal(acquisition.EI([1.0, 3.0], sure, 2.0, 0.0), [0, 1])
    assert_array_equal(acquisition.PI([1.0, 3.0], sure, 2.0, 0.0), [0, 1])


@pytest.mark.parametrize("name", ["PI", "EI", "UCB"])
def test_optimizers(name):
    model = BayesianOptimizer(
        GaussianProcessRegressor(optimizer=None), X_training=X[:9], y_training=X[:9, 0] ** 2
    )
    mean, std = model.estimator.predict(POOL, return_std=True)
    rest = () if name == "UCB" else (model.y_max,)
    wanted = getattr(acquisition, name)(mean, std, *rest, 0.3)
    assert_allclose(getattr(acquisition, f"optimizer_{name}")(model, POOL, 0.3), wanted)
    indices, values = getattr(acquisition, f"max_{name}")(model, POOL, 0.3, n_instances=3)
    assert_array_equal(indices, np.argsort(-wanted)[:3])
    assert_allclose(values, wanted[indices])

    class Cold(BayesianOptimizer):
        def predict(self, X, **kwargs):
            raise NotFittedError

    cold = Cold(GaussianProcessRegressor(optimizer=None))
    cold.y_max = 0.0
    assert getattr(acquisition, f"optimizer_{name}")(cold, POOL).shape == (60,)


# -- several labels ---------------------------------------------------------------------

LABELS = np.stack([X[:, 0] > 0, X[:, 1] > 0.5, X[:, 2] > -0.5], axis=1).astype(int)


def multi(estimator=None):
    if estimator is None:
        svm = SVC(kernel="linear", probability=True, random_state=0)
        estimator = OneVsRestClassifier(svm)
    return ActiveLearner(estimator, X_training=X, y_training=LABELS)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_multilabel():
    model = multi()
    proba, h = model.predict_proba(POOL), model.predict(POOL)
    signs = 2 * h - 1
    corners = 2 * np.eye(3) - 1
    losses = np.array([[max(0, 1 - e @ s) for e in corners] for s in signs])
    certain = proba.argmax(axis=1)
    wanted = {
        "max_loss": [
            sum(max(0, 1 - e * h) for e, h in zip(corners[c], s, strict=True))
            for c, s in zip(certain, signs, strict=True)
        ],
        "mean_max_loss": losses.mean(axis=1),
        "min_confidence": -proba.min(axis=1),
        "avg_confidence": proba.mean(axis=1),
        "max_score": (proba * (h - 0.5)).max(axis=1),
        "avg_score": (proba * (h - 0.5)).mean(axis=1),
    }
    for name, utility in wanted.items():
        utility = np.array(utility)
        model.query_strategy = getattr(multilabel, name)
        indices, _, values = model.query(POOL, n_instances=5, return_metrics=True)
        assert_array_equal(indices, np.argsort(-utility, kind="stable")[:5])
        assert_allclose(np.abs(values), np.abs(utility[indices]))
        shuffled, _ = getattr(multilabel, name)(model, POOL, 5, True, random_state=0)
        assert_allclose(np.sort(utility[shuffled]), np.sort(utility)[-5:])


class Told:
    """Predicts what it was told."""

    classes_ = np.arange(4)

    def predict(self, X):
        return np.asarray(X)


def test_losses_of_several_labels_are_modals():
    predicted = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1]]
    losses = multilabel._SVM_loss(Told(), predicted, most_certain_classes=[0, 0, 0, 0, 0, 0])
    assert losses.tolist() == [2, 0, 4, 2, 6, 8]  # those of modAL 0.4.2
    assert multilabel._SVM_loss(Told(), predicted).tolist() == [0, 0.75, 0.75, 1.5, 3, 2]


def test_svm_binary_minimum():
    model = multi(OneVsRestClassifier(LinearSVC()))
    distance = np.abs(
        np.stack([svm.decision_function(POOL) for svm in model.estimator.estimators_])
    ).min(axis=0)
    model.query_strategy = multilabel.SVM_binary_minimum
    index, row = model.query(POOL)
    assert np.ndim(index) == 0
    assert index == distance.argmin()
    assert_array_equal(row, POOL[index])
    assert multilabel.SVM_binary_minimum(model, POOL, True, random_state=0)[0] == index
    indices, rows = model.query(POOL, n_instances=4)
    assert_array_equal(indices, np.argsort(distance)[:4])
    assert rows.shape == (4, 3)
    assert len(multilabel.SVM_binary_minimum(model, POOL, True, n_instances=4)[0]) == 4
    with pytest.raises(CapabilityError, match="decision_function"):
        multilabel.SVM_binary_minimum(learner(), POOL)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(n_estimators=5, random_state=0),
        MultiOutputClassifier(LogisticRegression()),
    ],
)
def test_probabilities_that_come_as_a_list(estimator):
    model = multi(estimator)
    listed = model.predict_proba(POOL)
    assert isinstance(listed, list)
    assert_array_equal(
        multilabel.label_proba(model, POOL), np.stack([part[:, 1] for part in listed], axis=1)
    )
    assert len(multilabel.avg_score(model, POOL, n_instances=4)[0]) == 4


# -- bad input --------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, AssertionError])
@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: uncertainty.uncertainty_sampling(learner(), POOL, 61), "n_instances"),
        (lambda: disagreement.vote_entropy_sampling(committee(), POOL, 61), "n_instances"),
        (lambda: expected_error_reduction(learner(), POOL, p_subsample=1.5), "p_subsample"),
        (lambda: expected_error_reduction(learner(), POOL, loss="hinge"), "loss must be"),
        (lambda: expected_error_reduction(learner(), POOL, p_subsample=0.0), "samples tried"),
        (lambda: multilabel.max_loss(multi(OneVsRestClassifier(GaussianNB())), POOL, 61), "n_inst"),
        (
            lambda: batch.select_instance(X, POOL, np.ones(60), np.zeros(60, bool)),
            "nothing to pick",
        ),
        (lambda: density.information_density(np.array([["a"], ["b"]])), "on_transformed"),
    ],
)
def test_values_out_of_range(call, match, error):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: uncertainty.entropy_sampling(learner(LinearSVC()), POOL), "no predict_proba"),
        (lambda: uncertainty.entropy_sampling(multi(RandomForestClassifier()), POOL), "multilabel"),
        (lambda: disagreement.vote_entropy_sampling(learner(), POOL), "Committee"),
        (lambda: disagreement.max_std_sampling(learner(), POOL), "return_std"),
        (lambda: disagreement.consensus_entropy(GaussianNB(), POOL), "Committee"),
        (lambda: multilabel.max_loss(learner(LinearSVC()), POOL), "no predict_proba"),
        (lambda: multilabel.mean_max_loss(learner(), POOL), "one column per label"),
    ],
)
def test_a_wrong_pairing_is_explained(call, match):
    with pytest.raises(CapabilityError, match=match):
        call()
