"""The model view: what estimators can tell, in batches, and what they say when they cannot."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.exceptions import CapabilityError
from skactive.kernels.inference import forward_in_batches, last_linear_input
from skactive.model_view import ModelView
from skactive.networks import LeNet5, ResNet18
from skactive.utils.indexing import Rows
from tests.models import SmallCNN, SmallMLP


@pytest.fixture(scope="module")
def net(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=3, lr=0.01, random_state=0)
    return net.fit(X[:200], y[:200])


@pytest.fixture(scope="module")
def pool(digits):
    return digits[0][200:260]


def test_a_net_tells_everything(net, pool):
    view = ModelView.of(net)
    assert view.capabilities == {"predict_proba", "embed", "dropout", "gradients", "boundary"}
    assert_allclose(view.predict_proba(pool), net.predict_proba(pool), atol=1e-6)
    with torch.no_grad():
        expected = nn.Sequential(*list(net.module_)[:-1]).eval()(torch.as_tensor(pool)).numpy()
    assert_allclose(view.embed(pool), expected, atol=1e-5)
    proba, embedding = view.predict_proba_and_embed(pool)
    assert_allclose(proba, view.predict_proba(pool), atol=1e-6)
    assert_allclose(embedding, expected, atol=1e-5)
    assert view.dropout_proba(pool, n_passes=3, random_state=0).shape == (3, 60, 10)
    assert view.gradient_norms(pool, wrt="last_layer").shape == (60,)
    twins, distance = view.adversarial_twins(pool)
    assert twins.shape == pool.shape
    assert_allclose(distance, view.boundary_distances(pool), rtol=1e-3, atol=1e-5)
    assert (net.predict(twins) != net.predict(pool)).mean() > 0.9


@pytest.mark.parametrize("method", ["predict_proba", "embed", "gradient_norms"])
def test_batching_and_views_of_rows_do_not_matter(net, pool, method):
    whole = getattr(ModelView.of(net), method)(pool)
    small = getattr(ModelView.of(net, batch_size=7), method)(pool)
    assert_allclose(whole, small, rtol=1e-3, atol=1e-5)
    some = np.array([5, 3, 40])
    assert_allclose(getattr(ModelView.of(net), method)(Rows(pool, some)), whole[some], rtol=1e-3)


@pytest.mark.parametrize("kind", ["tensor", "list", "memmap", "bytes", "dataset"])
def test_pools_of_any_container(net, pool, kind, tmp_path):
    if kind == "memmap":
        np.save(tmp_path / "pool.npy", pool)
    containers = {
        "tensor": lambda: torch.as_tensor(pool),
        "list": lambda: pool.tolist(),
        "memmap": lambda: np.load(tmp_path / "pool.npy", mmap_mode="r"),
        "bytes": lambda: (pool * 255).round().astype(np.uint8),
        "dataset": lambda: torch.utils.data.TensorDataset(torch.as_tensor(pool)),
    }
    found = ModelView.of(net).predict_proba(containers[kind]())
    assert_allclose(found, net.predict_proba(pool), atol=0.05 if kind == "bytes" else 1e-6)


def test_learners_searches_and_pipelines_are_seen_through(digits, net, pool):
    X, y = digits
    learner = ActiveLearner(net, random_state=0).fit(X[:100], y[:100])
    assert ModelView.of(learner).estimator is learner.estimator_
    flat = X[:200].reshape(200, -1)
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0]}, cv=2).fit(flat, y[:200])
    assert ModelView.of(search).estimator is search.best_estimator_
    to_images = FunctionTransformer(lambda X: X.reshape(-1, 1, 8, 8))
    nested = make_pipeline(StandardScaler(with_mean=False), make_pipeline(to_images, net))
    nested[0].fit(np.ones((2, 64)))
    nested[0].scale_ = np.full(64, 0.5)
    view = ModelView.of(nested)
    assert view.estimator is net
    flat_pool = pool.reshape(60, -1)
    assert_allclose(view.predict_proba(flat_pool / 2), net.predict_proba(pool), atol=1e-5)


def test_plain_estimators_tell_probabilities_and_features(digits):
    X, y = digits
    flat = X.reshape(len(X), -1)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(
        flat[:300], y[:300]
    )
    view = ModelView.of(pipe, caller="Somebody")
    assert view.capabilities == {"predict_proba", "embed"}
    assert_allclose(view.predict_proba(flat), pipe.predict_proba(flat))
    assert_allclose(view.embed(flat), pipe[0].transform(flat), rtol=1e-5)
    for method, capability in (
        ("dropout_proba", "dropout"),
        ("gradient_norms", "gradients"),
        ("boundary_distances", "boundary"),
        ("adversarial_twins", "boundary"),
    ):
        with pytest.raises(
            CapabilityError, match=f"Somebody needs '{capability}'.*Logistic.*skorch"
        ):
            getattr(view, method)(flat)


def test_text_goes_through_its_pipeline():
    texts = ["red fish", "blue fish", "old hat", "new hat"] * 5
    pipe = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [0, 0, 1, 1] * 5)
    view = ModelView.of(pipe)
    assert_allclose(view.predict_proba(texts), pipe.predict_proba(texts))
    assert view.embed(texts).shape == (20, 6)


class Softmaxed(SmallMLP):
    def forward(self, X):
        return super().forward(X).softmax(1)


class OneLogit(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 1)

    def forward(self, X):
        return self.layer(X)[:, 0]


@pytest.mark.parametrize("kind", ["probabilities", "logits", "binary"])
def test_plain_skorch_nets_are_understood(digits, kind):
    X, y = digits
    flat = X.reshape(len(X), -1)[:200]
    settings = {"max_epochs": 2, "verbose": 0, "train_split": None, "lr": 0.1}
    if kind == "probabilities":
        net = NeuralNetClassifier(Softmaxed, **settings).fit(flat, y[:200])
    elif kind == "logits":
        net = NeuralNetClassifier(SmallMLP, criterion=nn.CrossEntropyLoss, **settings)
        net.fit(flat, y[:200])
    else:
        net = NeuralNetBinaryClassifier(OneLogit, **settings)
        net.fit(flat, (y[:200] % 2).astype(np.float32))
    view = ModelView.of(net)
    assert_allclose(view.predict_proba(flat), net.predict_proba(flat), atol=1e-5)
    assert np.isfinite(view.gradient_norms(flat[:5], wrt="input")).all()
    assert (view.boundary_distances(flat[:5]) > 0).all()


def test_what_is_not_a_fitted_classifier_says_so(digits):
    X, y = digits
    flat = X.reshape(len(X), -1)[:100]
    with pytest.raises(NotFittedError):
        ModelView.of(LogisticRegression())
    with pytest.raises(CapabilityError, match="Margin needs a fitted estimator, got None"):
        ModelView.of(None, caller="Margin")
    with pytest.raises(CapabilityError, match="Margin needs 'predict_proba', which SVC"):
        ModelView.of(SVC().fit(flat, y[:100]), caller="Margin").require("predict_proba")
    with pytest.raises(CapabilityError, match="LinearRegression"):
        ModelView.of(LinearRegression().fit(flat, y[:100])).predict_proba(flat)
    regressor = NeuralNetRegressor(OneLogit, max_epochs=1, verbose=0, train_split=None)
    regressor.fit(flat, y[:100].astype(np.float32))
    with pytest.raises(CapabilityError, match="needs a classifier"):
        ModelView.of(regressor).predict_proba(flat)


def test_a_diverged_net_is_named(digits, pool):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    net.fit(X[:100], y[:100])
    with torch.no_grad():
        net.module_[0].weight.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"returned NaN for 60 of 60 samples.*diverged"):
        ModelView.of(net).predict_proba(pool)


def test_the_last_linear_input_is_what_the_networks_call_embedding():
    for module, X in ((LeNet5(), torch.rand(3, 1, 28, 28)), (ResNet18(), torch.rand(2, 3, 32, 32))):
        module.eval()
        with torch.no_grad(), last_linear_input(module) as seen:
            module(X)
        assert seen.layer is module.head
        torch.testing.assert_close(seen.value, module.embed(X))
        assert not any(sub._forward_pre_hooks for sub in module.modules())
    with pytest.raises(ValueError, match=r"no nn.Linear"), last_linear_input(nn.Conv2d(1, 1, 1)):
        pass


def test_one_pass_needs_no_copy_of_the_pool(net, pool):
    read = []

    def prepare(batch):
        read.append(len(batch))
        return torch.as_tensor(np.asarray(batch))

    logits, embedding = forward_in_batches(
        net.module_, pool, prepare, batch_size=25, embedding=True
    )
    assert read == [25, 25, 10]
    assert logits.shape == (60, 10)
    assert embedding.shape == (60, 32)
    assert_array_equal(logits, forward_in_batches(net.module_, pool, prepare, batch_size=25)[0])
