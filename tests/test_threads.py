"""One fitted model in two threads, and models trained side by side: as one after the other."""

import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier
from torch import nn

from skactive import AdversarialNetClassifier, Committee
from skactive.attacks import FGSM, PGD, DeepFool, TorchAttack
from skactive.learners import active_learning_curve
from skactive.metrics import robust_accuracy_score
from skactive.model_view import ModelView
from skactive.strategies import all_strategies
from tests.models import SmallCNN, SmallMLP

COMMITTEE_ONLY = {"vote_entropy", "consensus_entropy", "max_disagreement"}


class WithDropout(nn.Module):
    """What goes wrong in train mode: BatchNorm, dropout; with a lock, it cannot be copied."""

    def __init__(self, lock=False):
        super().__init__()
        self.body = SmallCNN()
        self.body.insert(8, nn.Dropout(0.5))
        self.lock = threading.Lock() if lock else None

    def forward(self, X):
        return self.body(X)


@pytest.fixture(scope="module")
def nets(digits):
    """A net of ours, and one that skorch leaves in train mode."""
    X, y = digits
    settings = {"max_epochs": 2, "lr": 0.01, "batch_size": 50}
    ours = AdversarialNetClassifier(SmallCNN, attack=None, random_state=0, **settings)
    made = {"ours": ours.fit(X[:200], y[:200])}
    for name, lock in (("skorch's", False), ("not copyable", True)):
        torch.manual_seed(0)
        made[name] = NeuralNetClassifier(
            WithDropout, module__lock=lock, criterion=nn.CrossEntropyLoss, verbose=0,
            train_split=None, **settings,
        ).fit(X[:200], y[:200])  # fmt: skip
        assert made[name].module_.training
    return made


@pytest.fixture(autouse=True)
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def state(module):
    return (
        [value.clone() for value in module.state_dict().values()],
        [sub.training for sub in module.modules()],
        [(p.requires_grad, p.grad is None) for p in module.parameters()],
        [len(sub._forward_hooks) + len(sub._forward_pre_hooks) for sub in module.modules()],
        ["forward" in sub.__dict__ for sub in module.modules()],
    )


def assert_as_found(module, before):
    after = state(module)
    assert all(map(torch.equal, before[0], after[0]))
    assert before[1:] == after[1:]


def in_two_threads(function, repeats):
    """What `function` returns each time, called from two threads at once."""
    start = threading.Barrier(2)

    def run():
        start.wait()
        return [function() for _ in range(repeats)]

    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(run) for _ in range(2)]
        return [found for future in both for found in future.result()]


@pytest.mark.parametrize("whose", ["ours", "skorch's", "not copyable"])
@pytest.mark.parametrize("name", sorted(set(all_strategies()) - COMMITTEE_ONLY))
def test_two_threads_pick_as_one(nets, digits, whose, name):
    net, pool = nets[whose], digits[0][300:360]
    labeled = digits[0][:10]

    def query():
        strategy = all_strategies()[name](random_state=0)
        return strategy.query(net, pool, 5, X_labeled=labeled)

    before = state(net.module_)
    if whose == "not copyable" and name.startswith("certified"):
        with pytest.raises(ValueError, match="a copy in float64, but .* cannot be copied"):
            query()
        return
    expected = query()
    for picked in in_two_threads(query, 2):
        assert_array_equal(picked, expected)
    assert_as_found(net.module_, before)


@pytest.mark.parametrize("name", sorted(COMMITTEE_ONLY))
def test_two_threads_pick_as_one_with_a_committee(digits, name):
    X, y = digits[0].reshape(-1, 64), digits[1]
    committee = Committee(
        AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=1, random_state=0), n_members=2,
        random_state=0,
    ).fit(X[:100], y[:100])  # fmt: skip

    def query():
        return all_strategies()[name](random_state=0).query(committee, X[300:360], 5)

    expected = query()
    for picked in in_two_threads(query, 2):
        assert_array_equal(picked, expected)


def warning_filters():
    """All but the one of scikit-learn's `check_array`, which two threads at once may leave behind.

    It is set inside `catch_warnings`, which does not keep threads apart.
    """
    return [rule for rule in warnings.filters if rule[2].__name__ != "ComplexWarning"]


PASSES = {
    "probabilities": lambda net, X, y: ModelView.of(net).predict_proba(X),
    "many rows": lambda net, X, y: ModelView.of(net).predict_proba(np.tile(X, (30, 1, 1, 1))),
    "embedding": lambda net, X, y: ModelView.of(net).embed(X),
    "dropout": lambda net, X, y: ModelView.of(net).dropout_proba(X, 2, random_state=0),
    "gradients": lambda net, X, y: ModelView.of(net).gradient_norms(X),
    "gradients in the input": lambda net, X, y: ModelView.of(net).gradient_norms(X, "input"),
    "boundary": lambda net, X, y: ModelView.of(net).boundary_distances(X, DeepFool(steps=3)),
    **{
        name: lambda net, X, y, attack=attack: robust_accuracy_score(net, X, y, attack)
        for name, attack in {
            "PGD": PGD(eps=0.1, steps=2, random_state=0),
            "torchattacks": TorchAttack("PGD", eps=0.1, steps=2, random_state=0),
        }.items()
    },
}


@pytest.mark.parametrize("whose", ["ours", "skorch's", "not copyable"])
@pytest.mark.parametrize("kind", PASSES)
def test_every_kind_of_pass_in_two_threads(nets, digits, whose, kind):
    net, X, y = nets[whose], digits[0][300:336], digits[1][300:336]
    before, generator = state(net.module_), torch.random.get_rng_state()
    stdout, filters = sys.stdout, warning_filters()
    expected = PASSES[kind](net, X, y)
    for found in in_two_threads(lambda: PASSES[kind](net, X, y), 2):
        assert_array_equal(found, expected)
    assert_as_found(net.module_, before)
    assert torch.equal(generator, torch.random.get_rng_state())
    assert sys.stdout is stdout
    assert warning_filters() == filters


def test_predictions_beside_queries(nets, digits):
    net, X = nets["ours"], digits[0][300:360]
    expected = net.predict_proba(X)
    dropout = PASSES["dropout"](net, X, None)

    def either():
        return net.predict_proba(X), PASSES["dropout"](net, X, None)

    for proba, sampled in in_two_threads(either, 3):
        assert_array_equal(proba, expected)
        assert_array_equal(sampled, dropout)


def test_trainings_side_by_side_are_those_of_one_after_the_other(digits):
    X, y = digits[0][:120], digits[1][:120]

    def train(seed):
        net = AdversarialNetClassifier(
            WithDropout, attack=FGSM(eps=0.05), max_epochs=2, random_state=seed
        )
        net.fit(X, y)
        return net.partial_fit(X, y).predict_proba(X)

    before = torch.random.get_rng_state()
    expected = [train(seed) for seed in range(3)]
    found = joblib.Parallel(2, backend="threading")(joblib.delayed(train)(s) for s in range(3))
    assert_array_equal(found, expected)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=100),
        AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=2, random_state=0),
    ],
)
def test_learning_curves_in_threads(digits, model):
    X, y = digits[0][:200].reshape(200, -1), digits[1][:200]

    def curve(n_jobs):
        with joblib.parallel_backend("threading"):
            return active_learning_curve(
                model, X, y, query_strategy="margin", n_initial=20, n_per_query=20, budget=60,
                cv=2, n_repeats=2, random_state=0, n_jobs=n_jobs,
            )  # fmt: skip

    for alone, side_by_side in zip(curve(1), curve(2), strict=True):
        assert_array_equal(alone, side_by_side)
