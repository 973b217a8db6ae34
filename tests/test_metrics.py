"""Robust accuracy: closed forms, counting, and what it refuses."""

import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import DataConversionWarning
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, minmax_scale
from sklearn.svm import SVC
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from skorch.dataset import ValidSplit
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.attacks import FGSM, PGD, Attack, AutoAttack, TabularSquare, TorchAttack
from skactive.callbacks import RobustScoring
from skactive.exceptions import CapabilityError
from skactive.metrics import (
    RobustnessCurveDisplay,
    make_robust_scorer,
    robust_accuracy_score,
    robust_correct,
    robustness_curve,
    robustness_report,
)
from skactive.metrics._black_box import BlackBoxTarget
from skactive.metrics._evaluation import Evaluation
from skactive.metrics._masking import warn_if_masked
from skactive.model_view import ModelView
from skactive.prioritization import prioritization_report
from skactive.retraining import EvaluationSplit
from skactive.utils.indexing import Rows
from tests.models import SmallCNN, SmallMLP


def linear_net(X, y, **params):
    net = AdversarialNetClassifier(
        torch.nn.Linear,
        module__in_features=X.shape[1],
        module__out_features=2,
        attack=None,
        max_epochs=20,
        lr=0.05,
        random_state=0,
        **params,
    )
    return net.fit(X, y)


@pytest.fixture(scope="module")
def affine():
    rng = np.random.default_rng(0)
    X = (0.3 + 0.4 * rng.random((400, 6))).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    return linear_net(X, y), X, y


@pytest.mark.parametrize(
    "attack", [FGSM(eps=0.05), PGD(eps=0.05, steps=10), PGD(eps=0.05, norm="L2", steps=20)]
)
def test_equals_the_closed_form_on_an_affine_net(affine, attack):
    net, X, y = affine
    weight = net.module_.weight.detach().numpy()
    bias = net.module_.bias.detach().numpy()
    w, b = weight[1] - weight[0], bias[1] - bias[0]
    dual = np.linalg.norm(w, 2) if getattr(attack, "norm", "Linf") == "L2" else np.abs(w).sum()
    margin = (X @ w + b) * np.where(y == 1, 1, -1)
    expected = (margin > 0.05 * dual).mean()
    assert robust_accuracy_score(net, X, y, attack) == pytest.approx(expected, abs=0.006)


def test_misclassified_samples_are_not_attacked(affine):
    net, X, _ = affine
    seen = []

    class Counting(Attack):
        eps = 0.1
        bounds = (0, 1)

        def __call__(self, module, X, y, *, loss=None, generator=None):
            seen.append(len(X))
            return X

    wrong = 1 - net.predict(X)
    half = np.where(np.arange(len(X)) % 2, net.predict(X), wrong)
    assert robust_accuracy_score(net, X, half, Counting(), batch_size=100) == 0.5
    assert seen == [50, 50, 50, 50]


def test_score_never_exceeds_accuracy_and_falls_with_eps(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=5, lr=0.01, random_state=0)
    net.fit(X[:300], y[:300])
    Xt, yt = X[300:400], y[300:400]
    scores = [robust_accuracy_score(net, Xt, yt, eps=eps) for eps in (0.01, 0.05, 0.3)]
    assert net.score(Xt, yt) >= scores[0] > scores[2]
    assert sorted(scores, reverse=True) == scores


def test_seeded_and_the_same_for_any_batching_when_deterministic(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=3, lr=0.01, random_state=0)
    net.fit(X[:200], y[:200])
    attack = PGD(eps=0.1, random_start=False)
    Xt, yt = X[300:360], y[300:360]
    assert robust_accuracy_score(net, Xt, yt, attack, batch_size=7) == robust_accuracy_score(
        net, Xt, yt, attack, batch_size=60
    )
    first = robust_correct(net, Xt, yt, PGD(eps=0.1), random_state=3)
    assert np.array_equal(first, robust_correct(net, Xt, yt, PGD(eps=0.1), random_state=3))


def test_string_labels_pipelines_and_learners(digits):
    X, y = digits
    names = np.array([f"digit {label}" for label in range(10)])[y]
    net = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=5, lr=0.01, random_state=0)
    flat = X.reshape(len(X), -1)
    net.fit(flat[:300], names[:300])
    direct = robust_accuracy_score(net, flat[300:400], names[300:400], eps=0.05)
    pipe = make_pipeline(FunctionTransformer(np.asarray), net)
    learner = ActiveLearner(net, random_state=0).fit(flat[:300], names[:300])
    assert robust_accuracy_score(pipe, flat[300:400], names[300:400], eps=0.05) == direct
    assert 0 < robust_accuracy_score(learner, flat[300:400], names[300:400], eps=0.05) <= 1


LABELS_THAT_CANNOT_BE_RIGHT = [
    (lambda y: y.astype(str), r"does not know: \['0', '1'\]; it knows \[0, 1\]"),
    (lambda y: y + 6, r"does not know: \[6, 7\]"),
    (lambda y: np.where(np.arange(len(y)) == 3, 9, y), r"does not know: \[9\]"),
    (lambda y: np.where(np.arange(len(y)) < 2, np.nan, y), "NaN for 2 of 400"),
    (lambda y: np.where(np.arange(len(y)) < 1, None, y), "None for 1 of 400"),
    (lambda y: np.where(np.arange(len(y)) < 1, "0", y.astype(object)), r"\['0'\]"),
    (lambda y: np.eye(2)[y], "1d array"),
    (lambda y: None, "1d array"),
]


@pytest.mark.parametrize(("change", "message"), LABELS_THAT_CANNOT_BE_RIGHT)
def test_labels_that_cannot_be_right_are_named(affine, change, message):
    net, X, y = affine
    plain = LogisticRegression().fit(X, y)
    calls = [
        lambda y: robust_accuracy_score(net, X, y, eps=0.01),
        lambda y: make_robust_scorer("pgd", eps=0.01)(net, X, y),
        lambda y: robustness_report(net, X, y, "pgd", eps=0.01),
        lambda y: robustness_curve(net, X, y, [0, 0.01]),
        lambda y: prioritization_report(plain, X, y, strategies=["random"]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call(change(y))


def test_labels_of_an_equal_type_and_columns_are_taken(affine):
    net, X, y = affine
    expected = robust_accuracy_score(net, X, y, eps=0.01)
    for same in (y.astype(float), y.tolist(), torch.from_numpy(y), y.astype(bool), y.astype("O")):
        assert robust_accuracy_score(net, X, same, eps=0.01) == expected
    for function in (
        lambda y: robust_accuracy_score(net, X, y, eps=0.01),
        lambda y: robustness_curve(net, X, y, [0.01])[1][0],
    ):
        with pytest.warns(DataConversionWarning, match="column-vector y"):
            assert function(y[:, None]) == expected
    wrong = LogisticRegression(C=1e-3).fit(X[:, :1], y)
    (flat,) = prioritization_report(wrong, X[:, :1], y, strategies=["random"])
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        (column,) = prioritization_report(wrong, X[:, :1], y[:, None], strategies=["random"])
    assert column["apfd"] == flat["apfd"]


def test_a_class_that_a_learner_was_told_of_and_never_saw_is_never_right(affine):
    _, X, y = affine
    few = np.concatenate([np.flatnonzero(y == 0)[:20], np.flatnonzero(y == 1)[:20]])
    learner = ActiveLearner(LogisticRegression(), classes=[0, 1, 2], random_state=0)
    learner.fit(X[few], y[few])
    attack = TabularSquare(eps=1e-9, n_queries=2)
    found = robust_correct(learner, X, np.where(np.arange(len(y)) < 50, 2, y), attack)
    assert not found[:50].any()
    assert found[50:].any()


def test_an_evaluation_split_refuses_labels_that_cannot_be_right(affine):
    _, X, y = affine
    learner = ActiveLearner(LogisticRegression(), random_state=0).fit(X[:40], y[:40])
    with pytest.raises(ValueError, match=r"knows none of the labels \[7, 8\]"):
        EvaluationSplit(X[40:], y[40:] + 7, random_state=0).score(learner)
    for missing, name in ((None, "None"), (np.nan, "NaN")):
        with pytest.raises(ValueError, match=f"{name} for 1 of 360"):
            EvaluationSplit(X[40:], np.where(np.arange(360) == 0, missing, y[40:]))


@pytest.mark.parametrize("labels", [lambda y: np.array(list("abcdefghij"))[y], lambda y: y + 5])
def test_robust_scoring_of_a_validation_part_with_labels_of_any_kind(digits, labels):
    X, y = digits
    X, y = X[:200].reshape(200, -1), y[:200]

    def history(y):
        net = AdversarialNetClassifier(
            SmallMLP,
            attack=None,
            max_epochs=3,
            random_state=0,
            train_split=ValidSplit(4),
            callbacks=[RobustScoring(PGD(eps=0.01, steps=2))],
        )
        return net.fit(X, y).history[:, "robust_acc"]

    assert history(labels(y)) == history(y)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, None])
def test_batch_sizes_that_are_none(affine, batch_size):
    net, X, y = affine
    for call in (
        lambda: robust_accuracy_score(net, X, y, batch_size=batch_size),
        lambda: make_robust_scorer(batch_size=batch_size),
        lambda: robustness_curve(net, X, y, [0.1], batch_size=batch_size),
    ):
        with pytest.raises((ValueError, TypeError), match="batch_size"):
            call()


@pytest.mark.parametrize("eps", [0, -1, np.inf, "0.1", True])
def test_a_scorers_radius_is_told_before_a_search(eps):
    with pytest.raises(ValueError, match="'eps' parameter of make_robust_scorer"):
        make_robust_scorer("pgd", eps=eps)


# -- any classifier --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "attack"),
    [(np.float64, "square"), (np.float32, TabularSquare(n_queries=300)), (np.float64, "window")],
)
def test_a_black_box_attack_of_a_linear_model_is_exact(affine, dtype, attack):
    _, X, y = affine
    X = X.astype(dtype)
    if attack == "window":
        attack = TorchAttack("Square", n_queries=300)  # its windows mean nothing in a table
    model = LogisticRegression().fit(X, y)
    margin = model.decision_function(X) * np.where(y == 1, 1, -1)
    expected = (margin > 0.05 * np.abs(model.coef_).sum()).mean()
    before = X.copy()
    assert 0 < expected < model.score(X, y)
    assert robust_accuracy_score(model, X, y, attack, eps=0.05) == pytest.approx(
        expected, abs=1 / 400
    )
    assert_array_equal(X, before)


def test_black_box_attacks_serve_any_classifier(affine, tmp_path):
    _, X, y = affine
    names = np.array(["no", "yes"])[y]
    frame = pd.DataFrame(X, columns=list("abcdef"))
    attack = TabularSquare(eps=0.1, n_queries=30)
    models = [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(10, random_state=0),
        HistGradientBoostingClassifier(max_iter=10),
        SVC(),
        GaussianNB(),
        ActiveLearner(RandomForestClassifier(10), random_state=0),
        Committee([LogisticRegression(), GaussianNB()], random_state=0),
        GridSearchCV(SVC(), {"C": [1, 10]}, cv=2),
    ]
    for model in models:
        data = X if hasattr(model, "query") else frame
        model = model.fit(data, names)
        clean = (model.predict(data) == names).mean()
        robust = robust_accuracy_score(model, data, names, attack)
        assert 0 <= robust < clean
        assert robust == robust_accuracy_score(model, data, names, attack)
        by_scorer = make_robust_scorer(TabularSquare(n_queries=2), eps=1e-9)(
            model, data[:20], names[:20]
        )
        assert by_scorer == (model.predict(data[:20]) == names[:20]).mean()
    found = robustness_report(model, frame, names, attack, checkpoint=tmp_path / "run.npz")
    again = robustness_report(model, frame, names, attack, checkpoint=tmp_path / "run.npz")
    assert found.survivors == again.survivors
    assert list(found.survivors) == ["clean", "tabularsquare"]
    with pytest.raises(ValueError, match="model and data differ"):
        robustness_report(models[3], frame, names, attack, checkpoint=tmp_path / "run.npz")
    _, accuracy = robustness_curve(models[0], frame, names, [0, 0.05, 0.2], attack)
    assert accuracy[0] > accuracy[1] > accuracy[2]


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_what_predict_says_decides_also_with_a_threshold_of_its_own(affine, threshold):
    """Whatever rows come first, and however few: also where scores and labels agree on them."""
    _, X, y = affine
    model = FixedThresholdClassifier(LogisticRegression(), threshold=threshold).fit(X, y)
    inner, attack = model.estimator_, TabularSquare(0.05, n_queries=500)
    cut = np.log(threshold / (1 - threshold))
    margin = (inner.decision_function(X) - cut) * np.where(y == 1, 1, -1)
    worst = np.abs(inner.coef_).sum()
    radii, accuracy = robustness_curve(model, X, y, [0, 0.03, 0.05, 0.08], attack)
    expected = [(margin > eps * worst).mean() for eps in radii]
    assert accuracy == pytest.approx(expected, abs=1 / 400)
    for order in (np.argsort(margin), np.argsort(y), np.argsort(inner.decision_function(X))[-40:]):
        found = robust_accuracy_score(model, X[order], y[order], attack)
        assert found == pytest.approx((margin[order] > 0.05 * worst).mean(), abs=1 / 400)


class FourVotes(ClassifierMixin, BaseEstimator):
    """Class 1 wins where two features are high, and ties where one is: then class 0 is said."""

    def fit(self, X, y):
        self.classes_ = np.arange(2)
        return self

    def predict_proba(self, X):
        votes = 1 + (X.reshape(len(X), -1)[:, :2] >= 0.5).sum(axis=1)
        return np.column_stack([4 - votes, votes]) / 4

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


class FarOffThreshold(FourVotes):
    """Scores are all of class 1, by far; class 0 is said up to a threshold of its own."""

    def decision_function(self, X):
        return 1000.0 * X.reshape(len(X), -1)[:, :2].sum(axis=1)

    def predict(self, X):
        return (self.decision_function(X) > 1050).astype(int)


class FourVotesModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, X):
        votes = 1 + (X.flatten(1)[:, :2] >= 0.5).sum(dim=1)
        return torch.stack([4 - votes, votes], dim=1) + self.bias


@pytest.mark.parametrize("model", [FourVotes(), FarOffThreshold(), FourVotesModule()])
@pytest.mark.parametrize("shape", [(2,), (1, 3, 3)])
def test_an_attack_goes_on_where_classes_tie(model, shape):
    attack = TabularSquare(eps=0.1, n_queries=100)
    if isinstance(model, nn.Module):
        model = AdversarialNetClassifier.from_module(model, [0, 1])
    else:
        model.fit(None, None)
        if len(shape) == 3:
            attack = TorchAttack("Square", eps=0.1, n_queries=100, p_init=0.5)
    X, y = np.full((40, *shape), 0.45, np.float32), np.zeros(40, int)
    assert_array_equal(robust_correct(model, X, y, attack), y)
    assert_array_equal(robust_correct(model, X + 0.1, y + 1, attack), y)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_neighbours_that_tie_are_searched_to_the_last_corner(k):
    rng = np.random.default_rng(0)
    X = rng.random((150, 3))
    y = (X.sum(axis=1) > 1.5).astype(int)
    model, Xt, yt = KNeighborsClassifier(k).fit(X[:50], y[:50]), X[50:], y[50:]
    low, high = (Xt - 0.15).clip(0, 1), (Xt + 0.15).clip(0, 1)
    corners = [np.where(ends, high, low) for ends in product([False, True], repeat=3)]
    expected = np.all([model.predict(moved) == yt for moved in [Xt, *corners]], axis=0)
    assert_array_equal(robust_correct(model, Xt, yt, TabularSquare(0.15, 200)), expected)


def test_pairwise_scores_of_three_classes_are_votes():
    X, y = load_wine(return_X_y=True)
    X, attack = minmax_scale(X), TabularSquare(0.15, n_queries=200)
    params = {"kernel": "linear", "decision_function_shape": "ovo"}
    by_class, by_pair = SVC(kernel="linear").fit(X, y), SVC(**params).fit(X, y)
    searched = GridSearchCV(SVC(**params), {"C": [1.0]}, cv=2).fit(X, y)
    found = [robust_accuracy_score(m, X, y, attack) for m in (by_class, by_pair, searched)]
    assert found == pytest.approx([found[0]] * 3, abs=0.02)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize(
    "kind", [OneVsRestClassifier, AdaBoostClassifier, BaggingClassifier, RFE, SVC]
)
def test_only_scores_of_pairs_are_read_as_such(kind, n_classes):
    rng = np.random.default_rng(0)
    X = rng.random((80, 3))
    y = (X[:, 0] * n_classes).astype(int)
    pairs = SVC(kernel="linear", C=10, decision_function_shape="ovo")
    model = pairs if kind is SVC else kind(pairs)
    scores = BlackBoxTarget(ModelView.of(model.fit(X, y)), Rows(X)).scores(torch.from_numpy(X))
    assert scores.shape == (80, n_classes)
    assert (scores.argmax(dim=1).numpy() == model.predict(X)).mean() > 0.95
    assert 0 < robust_accuracy_score(model, X, y, TabularSquare(eps=0.1, n_queries=5)) < 1


def test_what_a_black_box_cannot_do_is_said(affine, digits):
    _, X, y = affine
    model = LogisticRegression().fit(X, y)
    for attack in ("pgd", "autoattack", PGD(eps=0.1)):
        with pytest.raises(CapabilityError, match=r"LogisticRegression .* attack='square'"):
            robust_accuracy_score(model, X, y, attack)
    with pytest.raises(ValueError, match="pass bounds"):
        robust_accuracy_score(model, X * 3, y, "square", eps=0.1)
    few = TabularSquare(eps=0.01, n_queries=20)
    assert robust_accuracy_score(model, X * 2 - 0.5, y, few, bounds=(-1, 2)) > 0
    with pytest.raises(TypeError, match="toarray"):
        robust_accuracy_score(model, sp.csr_matrix(X), y, "square")
    with pytest.raises(CapabilityError, match="classifier with one label"):
        robust_accuracy_score(LinearRegression().fit(X, y), X, y, "square")
    votes = VotingClassifier([("a", GaussianNB())]).fit(X, y)
    with pytest.raises(CapabilityError, match="needs predict_proba"):
        robust_accuracy_score(votes, X, y, "square")
    for bad in ({"n_queries": 0}, {"p_init": 2}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            robust_accuracy_score(model, X, y, TabularSquare(**bad))
    images, labels = digits
    flat = make_pipeline(FunctionTransformer(flattened), LogisticRegression(max_iter=200))
    flat.fit(images[:200], labels[:200])
    window = TorchAttack("Square", eps=0.1, n_queries=20)
    assert robust_accuracy_score(flat, images[:50], labels[:50], window) < 1


def flattened(X):
    return X.reshape(len(X), -1)


def test_scorer_in_cross_validation_and_pickled(affine):
    net, X, y = affine
    scorer = make_robust_scorer(PGD(eps=0.02, steps=3))
    found = cross_validate(net, X, y, cv=2, scoring={"acc": "accuracy", "robust": scorer})
    assert np.all(found["test_robust"] <= found["test_acc"])
    assert pickle.loads(pickle.dumps(scorer))(net, X, y) == scorer(net, X, y)


def test_bad_input_says_what_was_wrong(affine):
    net, X, y = affine
    with pytest.raises(ValueError, match="X has 400, y has 3"):
        robust_accuracy_score(net, X, y[:3])
    with pytest.raises(ValueError, match="non-zero"):
        robust_accuracy_score(net, X[:0], y[:0])
    with pytest.raises(ValueError, match=r"\[0"):
        robust_accuracy_score(net, X * 3, y)
    with pytest.raises(ValueError, match="pgd"):
        robust_accuracy_score(net, X, y, "pgdd")
    with pytest.raises(TypeError, match="epss"):
        make_robust_scorer(epss=0.1)
    with pytest.raises(CapabilityError, match=r"robust_accuracy_score.*LogisticRegression"):
        robust_accuracy_score(LogisticRegression().fit(X, y), X, y)


# -- reports, curves and the callback --------------------------------------------------------------


@pytest.fixture(scope="module")
def digits_net(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=10, lr=0.01, random_state=0)
    return net.fit(X[:400].reshape(400, -1), y[:400]), X[400:520].reshape(120, -1), y[400:520]


def report(net, X, y, **params):
    params = {"attack": "autoattack-fast", "eps": 0.05, "batch_size": 50, **params}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Square may find one more
        return robustness_report(net, X, y, **params)


def test_a_report_tells_what_each_part_left(digits_net):
    net, X, y = digits_net
    found = report(net, X, y)
    assert list(found.survivors) == ["clean", "apgd-ce", "apgd-t", "square"]
    shares = list(found.survivors.values())
    assert shares == sorted(shares, reverse=True)
    assert found.accuracy == shares[0] == pytest.approx(net.score(X, y))
    assert found.robust_accuracy == shares[-1] == found.correct.mean()
    assert found.zero_gradients == 0
    plain = report(net, X, y, attack="pgd")
    assert list(plain.survivors) == ["clean", "pgd"]
    assert plain.zero_gradients is None
    assert plain.robust_accuracy == robust_accuracy_score(net, X, y, eps=0.05, batch_size=50)


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_where_it_was(digits_net, tmp_path, monkeypatch):
    net, X, y = digits_net
    whole = report(net, X, y)
    path = tmp_path / "run.npz"
    batches = []

    def killed_in_the_third(self, batch, labels, seed, real=Evaluation._batch):
        batches.append(len(labels))
        if len(batches) == 3:
            raise Killed
        return real(self, batch, labels, seed)

    monkeypatch.setattr(Evaluation, "_batch", killed_in_the_third)
    with pytest.raises(Killed):
        report(net, X, y, checkpoint=path)
    resumed = report(net, X, y, checkpoint=path)
    assert batches == [50, 50, 20, 20]  # only the batch that was not finished is done again
    assert resumed.survivors == whole.survivors
    assert_array_equal(resumed.correct, whole.correct)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    assert report(net, X, y, checkpoint=path).survivors == whole.survivors
    assert len(batches) == 4
    other = clone(net).set_params(random_state=1).fit(X, y)
    for change, message in (
        ({"eps": 0.1}, "attack differ"),
        ({"random_state": 1}, "seed differ"),
        ({"batch_size": 60}, "batch_size differ"),
        ({"estimator": other}, "model and data differ"),
        ({"random_state": None}, "integer random_state"),
    ):
        params = {"estimator": net, "checkpoint": path, **change}
        with pytest.raises(ValueError, match=message):
            report(params.pop("estimator"), X, y, **params)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        report(net, X, y, checkpoint=path)


class Rounding(nn.Module):
    """Logits without a gradient: white-box attacks are blind, Square is not."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 4)

    def forward(self, X):
        return self.linear((X * 8).round() / 8) * 1e4


def test_masked_gradients_are_warned_of():
    rng = np.random.default_rng(0)
    X = rng.random((80, 16), dtype=np.float32)
    net = AdversarialNetClassifier(Rounding, attack=None, max_epochs=1, random_state=0)
    y = net.fit(X, np.arange(80) % 4).predict(X)
    zero = pytest.warns(UserWarning, match=r"100.0% of the samples .* gradient of exactly zero")
    with zero, pytest.warns(UserWarning, match=r"Square reduced .* from 100.0%"):
        found = robustness_report(net, X, y, PGDThenSquare(eps=0.02))
    assert found.zero_gradients == 1.0
    with pytest.warns(UserWarning, match="Square reduced the robust accuracy from 70.0% to 65.0%"):
        warn_if_masked({"clean": 0.9, "apgd-ce": 0.7, "square": 0.65}, 0.0)
    warn_if_masked({"clean": 0.9, "apgd-ce": 0.7, "square": 0.699}, 0.01)  # no warning


class PGDThenSquare(AutoAttack):
    """Two parts that take no time."""

    def parts(self, n_classes=10):
        square = TorchAttack("Square", eps=self.eps, n_queries=10)
        return [("pgd", PGD(eps=self.eps, random_start=False)), ("square", square)]


def test_the_curve_falls_and_equals_its_scores(digits_net):
    net, X, y = digits_net
    eps, accuracy = robustness_curve(net, X, y, [0.1, 0, 0.03, 0.5], PGD(steps=5))
    assert_array_equal(eps, [0, 0.03, 0.1, 0.5])
    assert (np.diff(accuracy) <= 0).all()
    assert accuracy[0] == pytest.approx(net.score(X, y))
    first = robust_accuracy_score(net, X, y, PGD(eps=0.03, steps=5))
    assert accuracy[1] == pytest.approx(first)
    assert accuracy[3] == 0
    for bad in ([-0.1], [], [np.inf]):
        with pytest.raises(ValueError, match="eps must be"):
            robustness_curve(net, X, y, bad)


def test_the_display_draws_the_curve(digits_net):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    net, X, y = digits_net
    display = RobustnessCurveDisplay.from_estimator(net, X, y, [0, 0.1], name="digits")
    assert_array_equal(display.line_.get_xdata(), [0, 0.1])
    assert_array_equal(display.line_.get_ydata(), display.accuracy)
    assert display.ax_.get_legend_handles_labels()[1] == ["digits"]
    again = display.plot(ax=display.ax_, color="red", name="again")
    assert again.line_.get_color() == "red"
    assert display.area == pytest.approx(display.accuracy.mean())
    plt.close("all")


def test_robust_scoring_records_and_leaves_the_training_alone(digits):
    X, y = digits
    X, X_val, y, y_val = X[:200].reshape(200, -1), X[200:260].reshape(60, -1), y[:200], y[200:260]

    def fit(callbacks):
        net = AdversarialNetClassifier(
            SmallMLP, attack=None, max_epochs=4, random_state=0, callbacks=callbacks
        )
        return net.fit(X, y)

    scoring = RobustScoring(PGD(eps=0.05, steps=3), data=(X_val, y_val), every=2, n_samples=30)
    net = fit([("robust", scoring), EarlyStopping("robust_acc", lower_is_better=False)])
    seen = net.history[:, "robust_acc"]
    assert seen[0] == seen[1]
    assert seen[2] == seen[3]
    assert sum(net.history[:, "robust_acc_best"]) >= 1
    assert_array_equal(net.predict_proba(X_val), fit([]).predict_proba(X_val))
    for rows in (pd.DataFrame(X_val, index=range(7, 67)), list(X_val)):
        scoring = RobustScoring(PGD(eps=0.05, steps=3), data=(rows, y_val), every=2, n_samples=30)
        assert fit([scoring]).history[:, "robust_acc"] == seen
    whole = RobustScoring(PGD(eps=0.05, steps=3), data=(X_val, y_val))
    net = fit([whole])
    last = robust_accuracy_score(net, X_val, y_val, PGD(eps=0.05, steps=3))
    assert net.history[-1, "robust_acc"] == last
    for bad, message in ((RobustScoring(), "nothing to attack"), (RobustScoring(every=0), "every")):
        with pytest.raises(ValueError, match=message):
            fit([bad])


def test_robust_scoring_draws_rows_of_any_container(affine):
    _, X, y = affine
    containers = [X, torch.from_numpy(X), X.tolist(), pd.DataFrame(X, columns=list("abcdef"))]
    found = []
    for data in containers:
        scoring = RobustScoring("pgd", data=(data, y.tolist()), eps=0.05, n_samples=50)
        fitted = data if isinstance(data, pd.DataFrame) else X
        net = linear_net(fitted, y, callbacks=[scoring])
        found.append(net.history[:, "robust_acc"])
    assert found == [found[0]] * 4


def test_settings_of_square_serve_tables_or_are_refused(affine):
    _, X, y = affine
    model = LogisticRegression().fit(X, y)
    given = TorchAttack("Square", eps=0.05, n_queries=20, p_init=0.3, n_restarts=1, loss="margin")
    expected = robust_correct(model, X, y, TabularSquare(0.05, 20, p_init=0.3))
    assert_array_equal(robust_correct(model, X, y, given), expected)
    for bad in ({"n_restarts": 3}, {"loss": "ce"}, {"resc_schedule": True}, {"seed": 1}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))}=.*TabularSquare"):
            robust_correct(model, X, y, TorchAttack("Square", eps=0.05, **bad))


def test_robust_scoring_in_a_plain_skorch_net(digits):
    X, y = digits
    net = NeuralNetClassifier(
        SmallMLP,
        criterion=nn.CrossEntropyLoss,
        max_epochs=2,
        verbose=0,
        callbacks=[RobustScoring("pgd", eps=0.02)],
    )
    net.fit(X[:200].reshape(200, -1), y[:200])
    assert len(net.history[:, "robust_acc"]) == 2
