"""The model view: what estimators can tell, in batches, and what they say when they cannot."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.datasets import load_iris
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
from skactive.bounds import certified_margins
from skactive.exceptions import CapabilityError
from skactive.model_view import ModelView, _estimators, _view
from skactive.retraining import adversarial_examples
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
    known = {"predict_proba", "logits", "embed", "dropout", "gradients", "boundary"}
    assert view.capabilities == known | {"certificates"}
    assert_allclose(view.predict_proba(pool), net.predict_proba(pool), atol=1e-6)
    assert_allclose(softmax(view.logits(pool), axis=1), net.predict_proba(pool), atol=1e-6)
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


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_certified_margins_are_those_of_the_module_in_any_batches(net, pool, method):
    inputs, y = torch.as_tensor(pool), net.predict(pool).astype(int)
    expected = certified_margins(net.module_, inputs, torch.as_tensor(y), 0.02, method=method)
    for view in (ModelView.of(net), ModelView.of(net, batch_size=7)):
        assert_allclose(view.certified_margins(pool, 0.02, method), expected, atol=1e-9)
        assert_allclose(view.certified_margins(pool, 0.02, method, y), expected, atol=1e-9)
    others = ModelView.of(net).certified_margins(pool, 0.02, method, (y + 1) % 10)
    assert (others < 0).all()
    to_images = FunctionTransformer(lambda X: X.reshape(-1, 1, 8, 8))
    flat = pool.reshape(60, -1)
    found = ModelView.of(make_pipeline(to_images, net)).certified_margins(flat, 0.02, method)
    assert_allclose(found, expected, atol=1e-9)
    some = np.array([5, 3, 40])
    found = ModelView.of(net).certified_margins(Rows(pool, some), 0.02, method)
    assert_allclose(found, expected[some], atol=1e-9)


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
    assert view.capabilities == {"predict_proba", "logits", "embed"}
    assert_allclose(view.logits(flat), pipe.decision_function(flat))
    assert_allclose(view.predict_proba(flat), pipe.predict_proba(flat))
    assert_allclose(view.embed(flat), pipe[0].transform(flat), rtol=1e-5)
    for method, capability in (
        ("dropout_proba", "dropout"),
        ("gradient_norms", "gradients"),
        ("boundary_distances", "boundary"),
        ("adversarial_twins", "boundary"),
        ("certified_margins", "certificates"),
    ):
        with pytest.raises(
            CapabilityError, match=f"Somebody needs '{capability}'.*Logistic.*skorch"
        ):
            getattr(view, method)(flat, *[0.1] * (method == "certified_margins"))


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


class LogSoftmaxed(SmallMLP):
    def forward(self, X):
        return super().forward(X).log_softmax(1)


class PlainNLL(NeuralNetClassifier):
    """What a user writes whose module ends in nn.LogSoftmax."""

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return nn.functional.nll_loss(y_pred, y_true)


class OneProbability(OneLogit):
    def forward(self, X):
        return super().forward(X).sigmoid()


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(17, 8), nn.Linear(8, 10)

    def forward(self, X):
        return self.head(self.words(X).mean(dim=1))


@pytest.mark.parametrize("kind", ["log-probabilities", "probability", "tokens"])
def test_less_usual_skorch_nets_are_understood(digits, kind):
    X, y = digits
    X, y = X.reshape(len(X), -1)[:100], y[:100]
    settings = {"max_epochs": 2, "verbose": 0, "train_split": None, "lr": 0.1}
    if kind == "log-probabilities":
        net = PlainNLL(LogSoftmaxed, **settings).fit(X, y)
    elif kind == "probability":
        net = NeuralNetBinaryClassifier(OneProbability, criterion=nn.BCELoss, **settings)
        net.fit(X, (y % 2).astype(np.float32))
    else:
        X = (X * 16).astype(np.int64)
        net = NeuralNetClassifier(Words, criterion=nn.CrossEntropyLoss, **settings).fit(X, y)
    expected = net.predict_proba(X)
    if kind == "log-probabilities":
        expected = np.exp(expected)
    view = ModelView.of(net)
    assert_allclose(view.predict_proba(X), expected, atol=1e-5)
    assert (view.gradient_norms(X[:4]) > 0).all()


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


def test_columns_of_a_plain_skorch_net_that_was_not_taught_all_labels(digits):
    X, y = digits[0].reshape(len(digits[0]), -1), digits[1]
    X, y = X[np.isin(y, (0, 2))], y[np.isin(y, (0, 2))]
    net = NeuralNetClassifier(
        nn.Linear, module__in_features=64, module__out_features=4, verbose=0, train_split=None,
        criterion=nn.CrossEntropyLoss, max_epochs=20, lr=0.1,
    )  # fmt: skip
    learner = ActiveLearner(net, "margin").fit(X, y)
    view = ModelView.of(learner)
    assert view.classes_.tolist() == [0, 1, 2]
    proba = learner.predict_proba(X)
    assert_allclose(proba, view.predict_proba(X)[:, [0, 2]], rtol=1e-5)
    assert (learner.classes_[proba.argmax(axis=1)] == y).mean() > 0.95
    worse = adversarial_examples(learner, X, y, "pgd", eps=0.3)
    assert learner.score(worse, y) < 0.5 < learner.score(X, y)


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


class NothingToDrop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 10, 8)

    def forward(self, X):
        return torch.relu(self.layer(X).flatten(1))


def test_a_net_without_the_layers_says_who_asked(digits, pool):
    X, y = digits
    net = AdversarialNetClassifier(NothingToDrop, attack=None, max_epochs=1, random_state=0)
    view = ModelView.of(net.fit(X[:100], y[:100]), caller="Somebody")
    with pytest.raises(CapabilityError, match=r"Somebody needs 'dropout'.*F.relu cannot be hooked"):
        view.dropout_proba(pool)
    with pytest.raises(CapabilityError, match=r"Somebody needs 'embed'.*no nn.Linear"):
        view.embed(pool)
    with pytest.raises(CapabilityError, match=r"Somebody needs 'gradients'.*no nn.Linear"):
        view.gradient_norms(pool, wrt="last_layer")
    assert (view.gradient_norms(pool) > 0).all()


@pytest.mark.parametrize("shape", [(1, 9, 9), (8, 8), (64,)])
def test_samples_of_another_shape_are_refused_with_both_shapes(net, shape):
    message = f"shape {shape}, but the net was trained on samples of shape (1, 8, 8)"
    for method in ("predict_proba", "embed", "dropout_proba", "gradient_norms"):
        with pytest.raises(ValueError, match=re.escape(message)):
            getattr(ModelView.of(net), method)(np.zeros((3, *shape), np.float32))


def test_a_diverged_net_is_named_by_gradients_and_dropout_too(digits, pool):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    net.fit(X[:100], y[:100])
    with torch.no_grad():
        net.module_[0].weight.fill_(torch.nan)
    for method in ("embed", "dropout_proba", "gradient_norms"):
        with pytest.raises(ValueError, match="NaN for 60 of 60 samples"):
            getattr(ModelView.of(net), method)(pool)


def test_compiled_nets_serve_hooks_as_well(digits, pool):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    net.fit(X[:100], y[:100])
    plain = ModelView.of(net)
    expected = plain.predict_proba_and_embed(pool), plain.gradient_norms(pool)
    net.module_ = torch.compile(net.module_, backend="eager")
    view = ModelView.of(net)
    found = view.predict_proba_and_embed(pool), view.gradient_norms(pool)
    for mine, theirs in zip((*found[0], found[1]), (*expected[0], expected[1]), strict=True):
        assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_sparse_features_become_dense_only_if_they_fit():
    X = sp.random(300, 50, density=0.1, format="csr", random_state=0)
    model = LogisticRegression().fit(X, np.arange(300) % 2)
    view = ModelView.of(model, caller="CoreSet")
    assert_allclose(view.embed(X), X.toarray(), rtol=1e-6)
    assert view.embed(X).dtype == np.float32
    huge = sp.csr_matrix((10**6, 5000))
    with pytest.raises(CapabilityError, match=r"CoreSet.*1000000 x 5000.*TruncatedSVD"):
        view.embed(huge)


def test_plain_estimators_predict_in_blocks(monkeypatch, digits):
    X, y = digits
    flat = X.reshape(len(X), -1)[:100]
    model = LogisticRegression(max_iter=500).fit(flat, y[:100])
    whole = ModelView.of(model).predict_proba_and_embed(flat)
    monkeypatch.setattr(_estimators, "MAX_ROWS", 7)
    for small, large in zip(ModelView.of(model).predict_proba_and_embed(flat), whole, strict=True):
        assert_allclose(small, large, rtol=1e-5)


def test_scores_in_parts_equal_scores_at_once(monkeypatch):
    X, y = load_iris(return_X_y=True)
    view = ModelView.of(LogisticRegression(max_iter=500).fit(X, y))
    shapes = []

    def score(proba):
        shapes.append(len(proba))
        return 1 - proba.max(axis=1)

    whole = view.score_proba(X, score)
    monkeypatch.setattr(_view, "MAX_ROWS", 40)
    monkeypatch.setattr(_view, "_MAX_PROBA", 3)
    assert_allclose(view.score_proba(X, score), whole)
    assert shapes == [150, 40, 40, 40, 30]
    part = Rows(X, np.arange(20, 140))
    assert_allclose(view.score_proba(part, score), whole[20:140])
