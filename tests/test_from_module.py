"""Models trained elsewhere: a module, a skorch net, taken over in one line."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.dataset import Dataset
from torch import nn
from torch.utils.data import default_collate

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.bounds import certified_margins
from skactive.metrics import robust_accuracy_score
from skactive.retraining import adversarial_examples

RNG = np.random.default_rng(0)
X = RNG.random((60, 4), dtype=np.float32)
Y = X[:, :3].argmax(axis=1)
POOL = RNG.random((50, 4), dtype=np.float32)
ATTACK = PGD(eps=0.1, steps=2)


def trained():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
        optimizer.step()
    return module


def from_module(module, classes=(0, 1, 2), **params):
    params = {"attack": ATTACK, "max_epochs": 1, "random_state": 0, **params}
    return AdversarialNetClassifier.from_module(module, classes, **params)


@pytest.mark.parametrize("inputs", [None, X[:5]])
def test_a_module_is_used_everywhere_and_never_changed(inputs):
    module = trained()
    before = copy.deepcopy(module.state_dict())
    net = from_module(module, X=inputs)
    assert net.score(X, Y) > 0.9
    assert robust_accuracy_score(net, X, Y, ATTACK) < net.score(X, Y)
    assert adversarial_examples(net, X, Y).shape == X.shape
    learner = ActiveLearner.from_fitted(net, X, Y, "dfal", random_state=0)
    assert len(learner.select_tests(POOL, budget=5)) == 5
    _, rows = learner.query(POOL, n=5)
    score = learner.teach(rows, np.zeros(5, int)).score(X, Y)
    assert score > 0.8  # one epoch from the trained weights; from fresh ones it is a third
    assert learner.retrain(POOL[:5], np.zeros(5, int)).score(X, Y) > 0.8
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert module.training


def test_each_training_starts_from_the_module():
    net = from_module(trained())
    first = clone(net).fit(X, Y).predict_proba(POOL)
    assert_array_equal(first, net.fit(X, Y).predict_proba(POOL))
    assert_array_equal(first, pickle.loads(pickle.dumps(net)).predict_proba(POOL))
    assert from_module(trained()).partial_fit(X, Y).score(X, Y) > 0.8


def test_labels_stand_for_outputs_in_their_order():
    module = trained()
    names = np.array(["plane", "car", "bird"])
    net = from_module(module, names)
    assert net.classes_.tolist() == ["bird", "car", "plane"]
    assert (net.predict(X) == names[Y]).mean() > 0.9
    assert robust_accuracy_score(net, X, names[Y], PGD(eps=1e-4, steps=1)) > 0.9
    assert clone(net).fit(X, names[Y]).score(X, names[Y]) > 0.8


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_certificates_do_not_depend_on_the_order_of_the_names(method):
    module, inputs, column = trained().eval(), torch.from_numpy(X), torch.from_numpy(Y)
    net = from_module(module, ["b", "c", "a"])
    sorted_column = torch.tensor([1, 2, 0])[column]
    assert_allclose(
        certified_margins(net.module_, inputs, sorted_column, 0.02, method=method),
        certified_margins(module, inputs, column, 0.02, method=method),
        rtol=1e-6,
    )


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_a_skorch_net(criterion):
    last = [nn.Softmax(dim=1)] if criterion is nn.NLLLoss else []
    skorch_net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(4, 3), *last), criterion=criterion, max_epochs=30, lr=0.5,
        train_split=None, verbose=0,
    ).fit(X, Y.astype(np.int64))  # fmt: skip
    net = from_module(skorch_net, None, X=X)
    assert_allclose(net.predict_proba(X), torch.softmax(
        torch.log(torch.from_numpy(skorch_net.predict_proba(X))), dim=1
    ), atol=1e-5)  # fmt: skip
    assert_array_equal(net.predict(X), skorch_net.predict(X))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("names", [None, ["b", "a"]])
def test_a_binary_skorch_net_keeps_its_threshold(threshold, names):
    skorch_net = NeuralNetBinaryClassifier(
        nn.Linear(4, 1), threshold=threshold, max_epochs=1, train_split=None, verbose=0
    ).fit(X, (Y == 0).astype(np.float32))
    with torch.no_grad():  # predictions on both sides of every threshold
        skorch_net.module_.weight.copy_(torch.tensor([[8.0, -8.0, 0.0, 0.0]]))
    expected = skorch_net.predict(POOL).astype(int)
    net = from_module(skorch_net, names, X=X)
    assert_array_equal(net.predict(POOL), np.array(names or [0, 1])[expected])


def test_outputs_that_a_skorch_net_was_never_taught_are_classes():
    skorch_net = NeuralNetClassifier(
        nn.Linear(4, 3), criterion=nn.CrossEntropyLoss, max_epochs=1, train_split=None, verbose=0
    ).fit(X, np.where(Y > 0, 2, 0))
    net = from_module(skorch_net, None, X=X)
    assert net.classes_.tolist() == [0, 1, 2]
    assert_array_equal(net.predict(POOL), skorch_net.predict(POOL))


class Doubled(Dataset):
    def transform(self, X, y):
        rows, label = super().transform(X, y)
        return 2 * rows, label


class Backwards(NeuralNetClassifier):
    def infer(self, x, **fit_params):
        return -super().infer(x, **fit_params)


@pytest.mark.parametrize(
    ("kind", "params", "what"),
    [
        (NeuralNetClassifier, {"dataset": Doubled}, "dataset"),
        (NeuralNetClassifier, {"predict_nonlinearity": torch.neg}, "predict_nonlinearity"),
        (NeuralNetClassifier, {"iterator_valid__collate_fn": default_collate}, "iterator_valid"),
        (Backwards, {}, "infer"),
    ],
)
def test_what_a_skorch_net_does_around_its_module_is_not_lost_in_silence(kind, params, what):
    skorch_net = kind(
        nn.Linear(4, 3), criterion=nn.CrossEntropyLoss, max_epochs=1, train_split=None, verbose=0,
        **params,
    ).fit(X, Y.astype(np.int64))  # fmt: skip
    with pytest.raises(ValueError, match=f"its own {what}, which would be lost"):
        from_module(skorch_net, None)
    assert_array_equal(
        from_module(skorch_net.module_, skorch_net.classes_).predict(POOL),
        skorch_net.module_(torch.from_numpy(POOL)).argmax(dim=1),
    )


def test_a_plain_skorch_net_learns_on():
    skorch_net = NeuralNetClassifier(
        trained(), criterion=nn.CrossEntropyLoss, max_epochs=1, train_split=None, verbose=0
    ).fit(X, Y.astype(np.int64))
    learner = ActiveLearner.from_fitted(skorch_net, X, Y.astype(np.int64), "egl", random_state=0)
    _, rows = learner.query(POOL, n=5)
    learner.teach(rows, np.zeros(5, np.int64))
    assert learner.score(X, Y) > 0.8


@pytest.mark.parametrize(
    ("module", "classes", "error", "words"),
    [
        (nn.Linear, [0, 1, 2], TypeError, "a class"),
        ("model.pt", [0, 1, 2], TypeError, "trained torch module"),
        (nn.Linear(4, 3), None, ValueError, "Pass classes="),
        (nn.Linear(4, 3), [0, 1, 1], ValueError, "different labels"),
        (nn.Linear(4, 3), [0, 1], ValueError, r"logits of shape \(.*, 2\)"),
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)), [0, 1, 2], ValueError, "probabilities"),
        (nn.Linear(5, 3), [0, 1, 2], ValueError, "cannot read samples of shape"),
    ],
)
def test_what_does_not_fit_is_refused(module, classes, error, words):
    with pytest.raises(error, match=words):
        from_module(module, classes, X=X)
    if words.startswith(("logits", "prob")):
        with pytest.raises(error, match=words):
            from_module(module, classes).predict(X)


def test_a_shape_that_was_shown_is_kept():
    with pytest.raises(ValueError, match="5 features"):
        from_module(trained(), X=X).predict(np.ones((3, 5), np.float32))
    with pytest.raises(ValueError, match="works in"):
        from_module(trained(), X=X * 9)
