"""Robust accuracy: closed forms, counting, and what it refuses."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive._robustness import Evaluation
from skactive.attacks import FGSM, PGD, Attack, AutoAttack, TorchAttack
from skactive.attacks._autoattack import warn_if_masked
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


def test_a_label_the_model_does_not_know_is_never_right(affine):
    net, X, _ = affine
    assert robust_accuracy_score(net, X, np.full(len(X), 7), eps=0.01) == 0.0


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

    def _parts(self, n_classes):
        square = TorchAttack("Square", eps=self.eps, n_queries=10)
        return {"pgd": PGD(eps=self.eps, random_start=False), "square": square}


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
    whole = RobustScoring(PGD(eps=0.05, steps=3), data=(X_val, y_val))
    net = fit([whole])
    last = robust_accuracy_score(net, X_val, y_val, PGD(eps=0.05, steps=3))
    assert net.history[-1, "robust_acc"] == last
    for bad, message in ((RobustScoring(), "nothing to attack"), (RobustScoring(every=0), "every")):
        with pytest.raises(ValueError, match=message):
            fit([bad])


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
