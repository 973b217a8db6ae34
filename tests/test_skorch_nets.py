"""skorch's own nets: their modules get what skorch gives them, and their word is what they say."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from skorch import NeuralNetClassifier
from skorch.dataset import ValidSplit
from torch import nn
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.callbacks import RobustScoring
from skactive.exceptions import CapabilityError
from skactive.learners._training import reads_pixels
from skactive.metrics import robust_accuracy_score
from skactive.model_view import ModelView
from skactive.retraining import adversarial_examples
from skactive.strategies import DFAL, EGL, CoreSet, LeastConfidence, Margin, all_strategies

RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 7, (100, 5))
BYTES = RNG.integers(0, 256, (100, 5), dtype=np.uint8)
NUMBERS = RNG.normal(size=(100, 5)).astype(np.float32)
OF_COMMITTEES = {"vote_entropy", "consensus_entropy", "max_disagreement"}
Y = RNG.integers(0, 3, 100)


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag, self.linear = nn.EmbeddingBag(7, 4), nn.Linear(4, 3)

    def forward(self, X):
        return self.linear(self.bag(X))


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.linear = nn.Parameter(torch.randn(7, 4)), nn.Linear(4, 3)

    def forward(self, X):
        return self.linear(F.embedding(X, self.table).mean(1))


class OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(35, 3)

    def forward(self, X):
        return self.linear(F.one_hot(X, 7).float().flatten(1))


class Linear(nn.Module):
    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.linear = nn.Linear(5, 3, dtype=dtype)

    def forward(self, X):
        return self.linear(X)


class OfBytes(Linear):
    def forward(self, X):
        return self.linear(X.float() / 255)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)).double()

    def forward(self, X):
        return self.layers(X)


class Standardised(torch.utils.data.Dataset):
    def __init__(self, X, y=None):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return (self.X[i] - 5) / 10, 0 if self.y is None else self.y[i]


def plain(module, X, y=Y, **params):
    torch.manual_seed(0)
    params = {"criterion": nn.CrossEntropyLoss, "max_epochs": 5, "lr": 0.3, **params}
    return NeuralNetClassifier(module, train_split=None, verbose=0, **params).fit(X, y)


CASES = {
    "bytes": (OfBytes, BYTES, {}),
    "tokens, a bag": (Bag, TOKENS, {}),
    "tokens, of 32 bits": (Bag, TOKENS.astype(np.int32), {}),
    "tokens, a function": (Table, TOKENS, {}),
    "tokens, one-hot": (OneHot, TOKENS, {}),
    "float64": (Linear, NUMBERS.astype(float), {"module__dtype": torch.float64}),
    "big-endian pool": (Linear, NUMBERS.astype(">f4"), {}),
    "own dataset": (Linear, NUMBERS * 10 + 5, {"dataset": Standardised}),
    "own nonlinearity": (Linear, NUMBERS, {"predict_nonlinearity": lambda z: z.mul(9).softmax(1)}),
}


@pytest.mark.parametrize("kind", CASES)
def test_the_view_reads_and_tells_what_skorch_does(kind):
    module, X, params = CASES[kind]
    net = plain(module, X if X.dtype.isnative else X.astype(X.dtype.newbyteorder("=")), **params)
    net.module_.train()
    before, state = X.copy(), torch.get_rng_state()
    proba = ModelView.of(net).predict_proba(X)
    assert_array_equal(torch.get_rng_state(), state)
    assert net.module_.training
    assert_array_equal(X, before)
    native = X.astype(X.dtype.newbyteorder("="))
    assert_allclose(proba, net.predict_proba(native), atol=1e-6)
    ordered = np.sort(proba, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    picks = Margin(random_state=0).query(net, X, n=5)
    assert margins[picks].max() <= np.delete(margins, picks).min()


def test_a_pool_of_bytes_is_asked_about_what_the_net_predicts():
    y = (BYTES[:, 0] > 127).astype(int)
    learner = ActiveLearner(plain(OfBytes, BYTES, y), "margin", random_state=0)
    learner.fit(BYTES[:50], y[:50])
    picks, _ = learner.query(BYTES[50:], n=5)
    ordered = np.sort(learner.predict_proba(BYTES[50:]), axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    assert margins[picks].max() <= np.delete(margins, picks).min()


def test_bytes_for_a_module_of_floats_are_refused():
    net = plain(Linear, BYTES / np.float32(255))
    with pytest.raises(ValueError, match=r"X holds bytes \(uint8\).*X / 255"):
        Margin().query(net, BYTES, n=2)
    whole = ModelView.of(plain(Linear, NUMBERS)).predict_proba(np.arange(10).reshape(2, 5))
    assert_allclose(whole.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["bytes", "tokens, a function"])
def test_whole_numbers_cannot_be_moved_by_little(kind):
    module, X, params = CASES[kind]
    net = plain(module, X, **params)
    for name in ("dfal", "low_input_gradient", "adversarial_entropy", "certified_margin"):
        with pytest.raises(CapabilityError, match=r"moves a net's input.*reads whole numbers"):
            all_strategies()[name]().query(net, X, n=2)
    with pytest.raises(CapabilityError, match="robust_accuracy_score moves a net's input"):
        robust_accuracy_score(net, X, Y, "pgd", eps=0.1)
    assert len(EGL(random_state=0).query(net, X, n=2)) == 2  # in the parameters


@pytest.mark.parametrize("name", sorted(set(all_strategies()) - OF_COMMITTEES))
def test_every_strategy_takes_a_module_of_float64(name):
    X = RNG.random((60, 5))
    net = plain(Deep, X, Y[:60])
    assert len(set(all_strategies()[name](random_state=0).query(net, X, n=3))) == 3


def test_what_a_dataset_of_its_own_makes_of_rows_goes_to_the_module():
    unit = RNG.random((100, 5)).astype(np.float32)
    X = unit * 10 + 5
    net = plain(Linear, X, dataset=Standardised)
    inputs = ModelView.of(net).net_inputs(X)
    assert_allclose(inputs, unit, atol=1e-6)
    with pytest.raises(CapabilityError, match="which its dataset or iterator cannot be given back"):
        adversarial_examples(net, X, "pgd", eps=0.1)
    with pytest.raises(CapabilityError, match="makes adversarial twins of the net's own input"):
        DFAL(adversarial_twins=True).query(net, X, n=2)


def test_robust_accuracy_while_such_a_net_trains_is_that_of_its_inputs():
    X = RNG.random((60, 5)).astype(np.float32) * 10 + 5
    scoring = RobustScoring("fgsm", eps=1e-9)
    net = NeuralNetClassifier(
        Linear,
        criterion=nn.CrossEntropyLoss,
        dataset=Standardised,
        train_split=ValidSplit(0.5, random_state=0),
        callbacks=[scoring],
        max_epochs=2,
        verbose=0,
    ).fit(X, Y[:60])
    assert_allclose(net.history[:, "robust_acc"], net.history[:, "valid_acc"])


class OfTwo(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 3)

    def forward(self, left, right):
        return self.linear(torch.cat([left, right], dim=1))


class Halves(Standardised):
    def __getitem__(self, i):
        X = {"left": self.X[i, :2], "right": self.X[i, 2:]}
        return X, 0 if self.y is None else self.y[i]


def test_a_net_of_two_inputs_is_told_what_it_lacks():
    net = plain(OfTwo, NUMBERS, dataset=Halves)
    assert_allclose(ModelView.of(net).predict_proba(NUMBERS), net.predict_proba(NUMBERS))
    with pytest.raises(CapabilityError, match="one tensor, but its dataset gives a dict"):
        CoreSet().query(net, NUMBERS, n=2)


class Cautious(NeuralNetClassifier):
    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1].copy()


@pytest.mark.parametrize("kind", ["a method", "a function"])
def test_predictions_of_its_own_are_no_logits(kind):
    net = plain(Linear, NUMBERS)
    if kind == "a method":
        net.__class__ = Cautious
    else:
        net.set_params(predict_nonlinearity=lambda z: (-z).softmax(1))
    proba = net.predict_proba(NUMBERS)
    assert_allclose(ModelView.of(net).predict_proba(NUMBERS), proba, atol=1e-6)
    picks = LeastConfidence(random_state=0).query(net, NUMBERS, n=3)
    assert proba.max(axis=1)[picks].max() <= np.delete(proba.max(axis=1), picks).min()
    for name in ("dfal", "badge"):
        with pytest.raises(CapabilityError, match="needs logits, but this .* has its own predict_"):
            all_strategies()[name]().query(net, NUMBERS, n=2)


def test_a_nonlinearity_that_keeps_the_order_leaves_the_logits():
    X = RNG.random((100, 5)).astype(np.float32)
    net = plain(Linear, X, predict_nonlinearity=lambda z: (z / 2).softmax(1))
    assert len(DFAL(random_state=0).query(net, X, n=2)) == 2


def test_bytes_count_as_pixels_for_our_nets_only():
    ours = AdversarialNetClassifier(Linear, attack=None)
    for estimator, pixels in ((ours, True), (NeuralNetClassifier(Linear), False)):
        assert reads_pixels(estimator) is pixels
        assert reads_pixels(make_pipeline("passthrough", estimator)) is pixels
