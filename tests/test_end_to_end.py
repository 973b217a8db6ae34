"""Nets inside the learner, on real images: the whole job, small."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.callbacks import BestEpoch
from skactive.metrics import robust_accuracy_score
from skactive.networks import LeNet5
from skactive.strategies import CEAL, DFAL, all_strategies
from tests.models import SmallCNN


def to_images(X):
    return np.asarray(X, dtype=np.float32).reshape(-1, 1, 8, 8)


def cnn(**params):
    params = {"attack": None, "max_epochs": 4, "lr": 0.01, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


NET_STRATEGIES = [
    name for name, cls in all_strategies().items() if "votes" not in cls()._capabilities()
]


@pytest.mark.parametrize("name", NET_STRATEGIES)
def test_three_rounds_with_every_strategy(digits, name):
    X, y = digits
    learner = ActiveLearner(cnn(attack=PGD(eps=0.05, steps=1)), name, random_state=0)
    learner.fit(X[:100], y[:100])
    unlabeled = np.zeros(len(X), dtype=bool)
    unlabeled[100:300] = True
    for _ in range(2):
        idx, rows = learner.query(X, n=20, candidates=unlabeled)
        assert unlabeled[idx].all()
        unlabeled[idx] = False
        learner.teach(rows, y[idx])
    assert [row["n_labels"] for row in learner.history_] == [100, 120, 140]
    assert learner.score(X[300:500], y[300:500]) > 0.3


def test_dfal_twins_lie_across_the_boundary_and_are_taught(digits):
    X, y = digits
    learner = ActiveLearner(cnn(max_epochs=8), DFAL(adversarial_twins=True), random_state=0)
    learner.fit(X[:150], y[:150])
    idx, rows = learner.query(X[150:400], n=15)
    before = learner.predict(rows)
    learner.teach(rows, y[150:400][idx])
    assert learner.history_[-1]["adversarial"] == 15
    assert learner.history_[-1]["n_labels"] == 165
    assert learner.X_twins_.shape == (15, 1, 8, 8)
    assert np.abs(learner.X_twins_ - rows).max() > 0
    assert_array_equal(learner.y_twins_, y[150:400][idx])
    fresh = ActiveLearner(cnn(max_epochs=8), random_state=0).fit(X[:150], y[:150])
    assert (fresh.predict(learner.X_twins_) != before).mean() > 0.8


def test_ceal_believes_the_certain_for_one_round(digits):
    X, y = digits
    learner = ActiveLearner(cnn(max_epochs=10), CEAL(threshold=0.3), random_state=0)
    learner.fit(X[:150], y[:150])
    idx, rows = learner.query(X[150:400], n=15)
    learner.teach(rows, y[150:400][idx])
    assert learner.history_[-1]["pseudo"] > 10
    assert learner.history_[-1]["n_labels"] == 165


def test_standard_first_then_adversarial_warm_started(digits):
    X, y = digits
    learner = ActiveLearner(cnn(max_epochs=6), "dre", warm_start=True, random_state=0)
    learner.fit(X[:150], y[:150])
    first = learner.estimator_
    learner.set_params(estimator__attack=PGD(eps=0.1, steps=3))
    idx, rows = learner.query(X[150:400], n=50)
    learner.teach(rows, y[150:400][idx])
    assert learner.estimator_.attack_.eps == 0.1
    assert learner.estimator_ is not first
    assert first.attack_ is None
    steps = next(iter(learner.estimator_.optimizer_.state.values()))["step"]
    assert steps == 6 * 2 + 6 * 2  # 150, then 200 samples in batches of 100


def test_validation_labels_are_counted(digits):
    X, y = digits
    net = cnn(callbacks=[BestEpoch("clean", validation_fraction=0.2)])
    learner = ActiveLearner(net, "entropy", random_state=0).fit(X[:100], y[:100])
    assert learner.history_[0]["validation"] == 20


def test_a_net_in_a_pipeline_is_seen_through(digits):
    X, y = digits
    flat = X.reshape(len(X), -1)
    pipe = make_pipeline(FunctionTransformer(to_images), cnn(attack=PGD(eps=0.05, steps=1)))
    learner = ActiveLearner(pipe, "egl", warm_start=True, random_state=0)
    learner.fit(flat[:100], y[:100])
    idx, rows = learner.query(flat[100:300], n=10)
    learner.teach(rows, y[100:300][idx])
    plain = ActiveLearner(
        cnn(attack=PGD(eps=0.05, steps=1)), "egl", warm_start=True, random_state=0
    ).fit(X[:100], y[:100])
    found, rows = plain.query(X[100:300], n=10)
    assert_array_equal(idx, found)
    plain.teach(rows, y[100:300][idx])
    attack = PGD(eps=0.05, steps=5, random_start=False)
    robust = robust_accuracy_score(learner, flat[300:350], y[300:350], attack)
    assert robust == robust_accuracy_score(plain, X[300:350], y[300:350], attack)
    assert robust < learner.score(flat[300:350], y[300:350])


def test_mnist_robust_beats_standard(data_root):
    from skactive.datasets import load_mnist

    data = load_mnist(root=data_root, size=32, n_train=600, n_test=200, random_state=0)
    attack = PGD(eps=0.2, steps=5)
    scores = {}
    for name, params in {"standard": {"attack": None}, "robust": {"attack": attack}}.items():
        net = AdversarialNetClassifier(LeNet5, max_epochs=6, lr=2e-3, random_state=0, **params)
        learner = ActiveLearner(net, "dre", random_state=0).fit(
            data.X_train[:200], data.y_train[:200]
        )
        idx, rows = learner.query(data.X_train[200:], n=200)
        learner.teach(rows, data.y_train[200:][idx])
        scores[name] = robust_accuracy_score(
            learner, data.X_test, data.y_test, PGD(eps=0.2, steps=10, stop_when_fooled=True)
        )
    assert scores["standard"] < 0.2
    assert scores["robust"] > scores["standard"] + 0.2


def test_the_gpu_gives_what_the_cpu_gives(digits):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    X, y = digits
    on_gpu = cnn(device="cuda").fit(X[:200], y[:200])
    assert on_gpu.score(X[:200], y[:200]) > 0.8
    for name in NET_STRATEGIES:
        picked = all_strategies()[name](random_state=0).query(
            on_gpu, X[200:300], 10, X_labeled=X[:20]
        )
        assert len(np.unique(picked)) == 10, name
