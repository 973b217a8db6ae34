"""Robust accuracy: closed forms, counting, and what it refuses."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, Attack
from skactive.exceptions import CapabilityError
from skactive.metrics import make_robust_scorer, robust_accuracy_score, robust_correct
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
