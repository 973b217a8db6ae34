"""Certified accuracy: below what any attack leaves, exact where that is known, for every net."""

import pickle
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.dataset import Dataset
from torch import nn
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.attacks import FGSM, PGD, AutoAttack, TabularSquare, TorchAttack
from skactive.bounds import METHODS, Box, Certifier, certified_margins, margin_bounds
from skactive.bounds._box import RULES
from skactive.exceptions import BrokenCertificateError, CapabilityError, UnsupportedOperationError
from skactive.losses import IBP
from skactive.metrics import (
    RobustnessCurveDisplay,
    certified_accuracy_score,
    certified_correct,
    make_certified_scorer,
    make_robust_scorer,
    robust_accuracy_score,
    robust_correct,
    robustness_curve,
    robustness_report,
)
from skactive.metrics._certificates import Certificates
from skactive.metrics._evaluation import Evaluation
from skactive.model_view import ModelView
from skactive.strategies import CertifiedMargin
from tests.models import SmallCNN, SmallMLP, shifted_twins

# How much Square finds after the white-box attacks differs between versions of torch.
pytestmark = pytest.mark.filterwarnings("ignore:Square reduced the robust accuracy:UserWarning")


def certified_net(X, y, **params):
    net = AdversarialNetClassifier(
        **{"module": SmallMLP, "attack": None, "loss": IBP(0.1),
           "max_epochs": 30, "lr": 0.01, "batch_size": 64, "random_state": 0, **params}
    )  # fmt: skip
    return net.fit(X, y)


@pytest.fixture(scope="module")
def digits_net(digits):
    X, y = digits
    X = X.reshape(len(X), -1)
    return certified_net(X[:1000], y[:1000]), X[1000:1400], y[1000:1400]


def linear(X, y, **params):
    net = AdversarialNetClassifier(
        nn.Linear, module__in_features=X.shape[1], module__out_features=2, attack=None,
        max_epochs=20, lr=0.05, random_state=0, **params,
    )  # fmt: skip
    return net.fit(X, y)


@pytest.fixture(scope="module")
def affine():
    rng = np.random.default_rng(0)
    X = (0.3 + 0.4 * rng.random((400, 6))).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    return linear(X, y), X, y


# -- what it says ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_equals_the_closed_form_on_an_affine_net(affine, method):
    net, X, y = affine
    weight, bias = (p.detach().double().numpy() for p in net.module_.parameters())
    w, b = weight[1] - weight[0], bias[1] - bias[0]
    expected = (X @ w + b) * np.where(y == 1, 1, -1) > 0.05 * np.abs(w).sum()
    found = certified_correct(net, X, y, eps=0.05, method=method)
    assert_array_equal(found, expected)
    assert certified_accuracy_score(net, X, y, eps=0.05, method=method) == expected.mean()


def test_no_certified_sample_is_ever_broken_by_autoattack(digits_net):
    net, X, y = digits_net
    ibp, crown = (certified_correct(net, X, y, eps=0.1, method=method) for method in METHODS)
    assert 0.4 < ibp.mean() < crown.mean() < net.score(X, y)
    assert (ibp <= crown).all()
    few = np.flatnonzero(crown)[:25]
    for attack in ("autoattack", PGD(alpha=0.02, steps=100), PGD(alpha=0.2, steps=3)):
        assert robust_correct(net, X[few], y[few], attack, eps=0.1).all()
    assert not robust_correct(net, X, y, "autoattack-fast", eps=0.1)[~crown].all()


def test_it_falls_with_the_radius_and_never_exceeds_accuracy(digits_net):
    net, X, y = digits_net
    for method in METHODS:
        scores = [certified_accuracy_score(net, X, y, eps=eps, method=method)
                  for eps in (1e-6, 0.05, 0.1, 0.5)]  # fmt: skip
        assert scores == sorted(scores, reverse=True)
        assert net.score(X, y) == pytest.approx(scores[0], abs=1e-9)
        assert scores[-1] == 0


def test_batches_do_not_matter_and_the_net_is_left_alone(digits_net):
    net, X, y = digits_net
    before = pickle.dumps(net.module_.state_dict())
    for method in METHODS:
        found = [certified_correct(net, X[:90], y[:90], eps=0.1, method=method, batch_size=size)
                 for size in (7, 90, 1000)]  # fmt: skip
        assert_array_equal(found[0], found[1])
        assert_array_equal(found[0], found[2])
    assert pickle.dumps(net.module_.state_dict()) == before


def test_weights_of_samples(digits_net):
    net, X, y = digits_net
    certified = certified_correct(net, X, y, eps=0.1)
    weights = np.random.default_rng(0).random(len(y))
    found = certified_accuracy_score(net, X, y, eps=0.1, sample_weight=weights)
    assert found == pytest.approx(weights[certified].sum() / weights.sum())
    scorer = make_certified_scorer(0.1)
    assert scorer(net, X, y, sample_weight=weights) == found
    few, attack = slice(0, 50), PGD(steps=2)
    correct = robust_correct(net, X[few], y[few], attack, eps=0.1)
    attacked = make_robust_scorer(attack, eps=0.1)(net, X[few], y[few], sample_weight=weights[few])
    assert attacked == pytest.approx(weights[few][correct].sum() / weights[few].sum())
    for bad, message in (
        (weights[:3], "one number per sample"), (-weights, "finite numbers >= 0"),
        (0 * weights, "one of them above 0"), (weights * np.nan, "finite"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            certified_accuracy_score(net, X, y, eps=0.1, sample_weight=bad)


# -- estimators, labels and data of every kind -----------------------------------------------------


def test_labels_pipelines_learners_and_searches(digits_net):
    net, X, y = digits_net
    expected = certified_correct(net, X, y, eps=0.1)
    assert_array_equal(
        certified_correct(make_pipeline(FunctionTransformer(np.asarray), net), X, y, eps=0.1),
        expected,
    )
    names = np.array([f"digit {label}" for label in range(10)])
    named = certified_net(X, names[y], max_epochs=2)
    plain = certified_net(X, y, max_epochs=2)
    assert certified_accuracy_score(named, X, names[y], eps=0.02) == certified_accuracy_score(
        plain, X, y, eps=0.02
    )
    learner = ActiveLearner(clone(plain), random_state=0).fit(X, y)
    search = GridSearchCV(clone(plain), {"lr": [0.01]}, cv=2).fit(X, y)
    for model in (learner, search):
        assert 0 < certified_accuracy_score(model, X, y, eps=0.02) < 1
    for bad in (names[y], np.where(np.arange(len(y)) == 3, 77, y), y[:5]):
        with pytest.raises(ValueError, match=r"does not know|same, non-zero number"):
            certified_correct(net, X, bad, eps=0.1)


def test_containers_and_dtypes(digits_net):
    net, X, y = digits_net
    X, y = X[:100], y[:100]
    expected = certified_correct(net, X, y, eps=0.1)
    for same in (X.astype(np.float64), torch.from_numpy(X), X.tolist(), Dataset(X, y)):
        assert_array_equal(certified_correct(net, same, y, eps=0.1), expected)
    assert_array_equal(certified_correct(net, X, torch.from_numpy(y), eps=0.1), expected)


def sigmoid_of_one(n_features):
    return nn.Sequential(nn.Linear(n_features, 1), nn.Sigmoid(), nn.Flatten(0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ending", [nn.Softmax(dim=-1), nn.LogSoftmax(dim=1)])
def test_skorchs_own_classifier_and_probabilities(affine, ending, method):
    _, X, y = affine
    net = NeuralNetClassifier(
        nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2), ending),
        max_epochs=30, lr=0.5, verbose=0, train_split=None,
    ).fit(X, y)  # fmt: skip
    logits = NeuralNetClassifier(net.module_[:3], criterion=nn.CrossEntropyLoss).initialize()
    logits.module_.load_state_dict(net.module_[:3].state_dict())
    logits.classes_inferred_ = np.array([0, 1])
    found = certified_correct(net, X, y, eps=0.03, method=method)
    assert 0 < found.mean() < 1
    assert_array_equal(found, certified_correct(logits, X, y, eps=0.03, method=method))
    assert (found <= robust_correct(net, X, y, "pgd", eps=0.03)).all()


def test_nets_of_one_output(affine):
    _, X, y = affine
    torch.manual_seed(0)
    logit = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    settings = {"max_epochs": 60, "lr": 1.0, "verbose": 0, "train_split": None}
    net = NeuralNetBinaryClassifier(logit, **settings).fit(X, y.astype(np.float32))
    other = NeuralNetBinaryClassifier(
        nn.Sequential(logit, nn.Sigmoid()), criterion=nn.BCELoss, **settings
    ).fit(X, y.astype(np.float32))
    for model in (net, other):
        weight, bias = (p.detach().double().numpy() for p in model.module_.parameters())
        sign = np.where(y == 1, 1, -1)
        expected = (X @ weight[0] + bias[0]) * sign > 0.05 * np.abs(weight).sum()
        assert 0 < expected.mean() < 1
        assert_array_equal(certified_correct(model, X, y, eps=0.05), expected)


@pytest.mark.parametrize("threshold", [0.4, 0.7])
def test_of_one_output_it_is_the_prediction_that_is_proved_whatever_its_threshold(
    affine, threshold
):
    _, X, y = affine
    torch.manual_seed(0)
    logit, settings = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0)), {"verbose": 0, "lr": 1.0}
    nets = [
        NeuralNetBinaryClassifier(logit, threshold=threshold, **settings),
        NeuralNetBinaryClassifier(
            nn.Sequential(logit, nn.Sigmoid()),
            criterion=nn.BCELoss,
            threshold=threshold,
            **settings,
        ),
    ]
    for net in nets:
        net.set_params(train_split=None, max_epochs=60).fit(X, y.astype(np.float32))
        weight, bias = (p.detach().double().numpy() for p in net.module_.parameters())
        ahead = (X @ weight[0] + bias[0] - np.log(threshold / (1 - threshold))) * (2 * y - 1)
        assert_array_equal(ahead > 0, net.predict(X) == y)
        expected = ahead > 0.05 * np.abs(weight).sum()
        assert 0 < expected.mean() < (ahead > 0).mean()
        assert_array_equal(certified_correct(net, X, y, eps=0.05), expected)
        report = robustness_report(net, X, y, "pgd", eps=0.05, certify="crown", audit=1.0)
        assert report.accuracy == (ahead > 0).mean()
        margins = CertifiedMargin(eps=0.05).score_samples(net, X)
        assert_array_equal((margins < 0) & (ahead > 0), expected)
        distances = ModelView.of(net).boundary_distances(X)
        np.testing.assert_allclose(
            distances, np.abs(ahead) / np.linalg.norm(weight), rtol=0.05, atol=1e-3
        )


def test_modules_of_half_precision_are_refused(digits_net):
    net, X, y = digits_net
    half = AdversarialNetClassifier.from_module(
        pickle.loads(pickle.dumps(net.module_)).half(), classes=np.arange(10)
    )
    with pytest.raises(ValueError, match=r"half precision.*module\.float\(\)"):
        certified_correct(half, X, y, eps=0.02)
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(ValueError, match="autocast"):
        certified_correct(net, X, y, eps=0.02)


def test_memory_does_not_grow_with_the_batch():
    torch.manual_seed(0)
    module, X = SmallCNN().eval(), torch.rand(1500, 1, 8, 8)
    certifier = Certifier(module, 1e-3, method="crown")
    y = torch.full((len(X),), module(X).argmax(1).mode().values)
    seen = []
    of_batch = certifier._of_batch
    certifier._of_batch = lambda *given: seen.append((given[2], len(given[0]))) or of_batch(*given)
    certified = certifier.certified(X, y)
    for method in METHODS:
        sizes = [n for name, n in seen if name == method]
        assert max(sizes) < 1400
        assert len(sizes) > 2
    assert sum(n for name, n in seen if name == "ibp") == 1500
    assert sum(n for name, n in seen if name == "crown") < 1500  # intervals have certified some
    assert_array_equal(certified, certified_margins(module, X, y, 1e-3, method="crown") > 0)


def test_boxes_without_a_tape_let_go_of_what_they_came_from():
    module = nn.Sequential(*[nn.Linear(4, 4) for _ in range(6)])
    X, y = torch.rand(3, 4), torch.tensor([0, 1, 2])
    output = module(Box.around(X, 0.1, (0, 1), tape=False))
    depth, box = 0, output
    while box.sources():
        depth, (box,) = depth + 1, box.sources()
    assert depth <= 2
    taped = module(Box.around(X, 0.1, (0, 1)))
    torch.testing.assert_close(margin_bounds(output, y), margin_bounds(taped, y))
    with pytest.raises(ValueError, match="tape=True"):
        margin_bounds(output, y, "crown")


def test_ten_thousand_images_take_seconds(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    net.fit(X[:200], y[:200])
    many, labels = np.resize(X, (10000, 1, 8, 8)), np.resize(y, 10000)
    start = time.process_time()
    certified_accuracy_score(net, many, labels, eps=0.01)
    assert time.process_time() - start < 20  # 2 on a machine of its own


# -- modules ---------------------------------------------------------------------------------------


class Weights(nn.Module):
    """Products with weights from either side, a softmax in the middle."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(7, 5))
        self.second = nn.Parameter(torch.randn(7, 4))

    def forward(self, X):
        hidden = torch.tanh(self.first @ X.unsqueeze(2)).squeeze(2)
        return torch.softmax(hidden, dim=1) @ self.second


LAYERS = {
    "linear": lambda: nn.Linear(6, 6),
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.1),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "hardtanh": lambda: nn.Hardtanh(-0.5, 0.5),
    "relu6": nn.ReLU6,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
    "softmax": lambda: nn.Softmax(1),
    "log-softmax": lambda: nn.LogSoftmax(1),
    "dropout": nn.Dropout,
    "norm": lambda: randomised(nn.BatchNorm1d(6)),
    "images": lambda: nn.Unflatten(1, (1, 2, 3)),
}
ON_IMAGES = {
    "convolution": lambda c: nn.Conv2d(c, c, 3, padding=1),
    "strided": lambda c: nn.Conv2d(c, 2 * c, 2, stride=2, padding=1),
    "norm": lambda c: randomised(nn.BatchNorm2d(c)),
    "relu": lambda c: nn.ReLU(),
    "max": lambda c: nn.MaxPool2d(2, stride=1),
    "padded max": lambda c: nn.MaxPool2d(3, stride=2, padding=1),
    "average": lambda c: nn.AvgPool2d(2, stride=1),
    "adaptive": lambda c: nn.AdaptiveAvgPool2d(2),
    "padding": lambda c: nn.ConstantPad2d(1, 0.3),
    "reflection": lambda c: nn.ReflectionPad2d(1),
    "nearest": lambda c: nn.Upsample(scale_factor=2),
    "dropout": lambda c: nn.Dropout2d(),
    "residual": lambda c: Residual(c),
}


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            randomised(nn.BatchNorm2d(channels)),
            nn.LeakyReLU(0.2),
        )

    def forward(self, X):
        return torch.cat([X + self.inner(X), 0.5 - X], dim=1)


def randomised(norm):
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    return norm


SMALLEST = {"max": 3, "average": 3, "strided": 3, "reflection": 2}


def random_net(kinds, images):
    """A small net of those layers, one after the other."""
    if not images:
        layers = [nn.Linear(6, 6)]
        for kind in kinds:
            layer = LAYERS[kind]()
            layers += [layer, nn.Flatten()] if kind == "images" else [layer, nn.Linear(6, 6)]
        return nn.Sequential(*layers, nn.Linear(6, 3)).eval()
    layers = [nn.Conv2d(1, 2, 2)]
    X = torch.rand(1, 1, 5, 5)
    for kind in kinds:
        shape = nn.Sequential(*layers).eval()(X).shape
        if min(shape[2:]) < SMALLEST.get(kind, 1):
            continue  # nothing would be left, or be there to reflect
        layers.append(ON_IMAGES[kind](shape[1]))
    width = nn.Sequential(*layers, nn.Flatten()).eval()(X).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 3)).eval()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    images=st.booleans(),
    picks=st.lists(st.integers(0, 10**3), max_size=4),
    eps=st.floats(1e-3, 0.4),
    method=st.sampled_from(METHODS),
)
def test_no_point_of_a_ball_leaves_what_was_proved(seed, images, picks, eps, method):
    torch.manual_seed(seed)
    names = sorted(ON_IMAGES if images else LAYERS)
    module = random_net([names[pick % len(names)] for pick in picks], images)
    X = torch.rand(3, 1, 5, 5) if images else torch.rand(3, 6)
    y = module(X).argmax(1)
    proved = certified_margins(module, X, y, eps, method=method)
    assert torch.isfinite(proved).all()
    steps = torch.rand(500, *X.shape) * 2 - 1
    steps[:250] = steps[:250].sign()
    points = (X + eps * steps).clamp(0, 1)
    attack = PGD(eps=eps, alpha=eps / 4, steps=10, random_state=0)
    points = torch.cat([points, attack(module, X, y)[None], X[None]])
    with torch.no_grad():
        logits = module(points.flatten(0, 1)).reshape(len(points), 3, -1)
    own = logits.gather(2, y.expand(len(points), 3)[..., None])
    worst = (own - logits).scatter(2, y.expand(len(points), 3)[..., None], torch.inf)
    worst = worst.amin(dim=2).amin(dim=0).double()
    assert (proved <= worst).all()


class Cancelling(nn.Module):
    """Large values that cancel: exact in float64, noise in float32."""

    def __init__(self, large):
        super().__init__()
        self.register_buffer("large", torch.tensor(large))

    def forward(self, X):
        return X + X * self.large - X * self.large


@pytest.mark.parametrize("ending", [[], [nn.Softmax(1)]])
def test_what_rounding_does_to_the_net_is_taken_off(ending):
    X, y = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)), None
    exact = nn.Sequential(Cancelling(0.0), *ending)
    noisy = nn.Sequential(Cancelling(3e5), *ending)
    broken = noisy(X).argmax(1) != X.argmax(1)
    assert broken.any()  # by rounding alone
    safe = certified_margins(exact, X, y, 1e-8, method="crown") > 0
    assert safe[broken].any()  # each is robust but for rounding
    proved = certified_margins(noisy, X, X.argmax(1), 1e-8, method="crown") > 0
    assert not (proved & broken).any()


class Copying(nn.Module):
    """Reads a copy of its input, outside of the graph or not."""

    def __init__(self, copy):
        super().__init__()
        self.copy = copy
        self.layers = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 3))

    def forward(self, X):
        return self.layers(self.copy(X))


def test_copies_and_what_leaves_the_graph():
    torch.manual_seed(0)
    X = torch.rand(5, 3)
    module = Copying(torch.clone)
    y = module(X).argmax(1)
    ibp, crown = (certified_margins(module.layers, X, y, 0.05, method=method) for method in METHODS)
    for method, expected in zip(METHODS, (ibp, crown), strict=True):
        assert_array_equal(certified_margins(module, X, y, 0.05, method=method), expected)
    module.copy = lambda X: X.detach()
    detached = certified_margins(module, X, y, 0.05, method="crown")
    assert (detached <= crown + 1e-9).all()  # no gradient there, and no bound of zero either
    assert (ibp <= detached).all()
    assert (ibp <= crown).all()


def test_weights_from_either_side_and_a_softmax_inside():
    torch.manual_seed(0)
    module, X = Weights(), torch.rand(4, 5)
    y = module(X).argmax(1)
    for method in METHODS:
        proved = certified_margins(module, X, y, 0.05, method=method)
        for step in torch.rand(200, *X.shape) * 0.1 - 0.05:
            with torch.no_grad():
                logits = module((X + step).clamp(0, 1))
            margins = logits.gather(1, y[:, None]) - logits
            assert (proved <= margins.scatter(1, y[:, None], torch.inf).amin(1)).all()


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"eps": 0}, "eps.*positive"),
        ({"eps": -0.1}, "eps.*positive"),
        ({"eps": np.nan}, "eps.*positive"),
        ({"eps": np.inf}, "eps.*positive"),
        ({"eps": "0.1"}, r"eps.*Write eps=0\.1, without quotes"),
        ({"eps": None}, "eps"),
        ({"eps": 8}, r"eps=8 is longer than the range of the inputs.*8/255"),
        ({"eps": 0.1, "method": "cronw"}, "method.*'crown'"),
        ({"eps": 0.1, "bounds": (1, 0)}, "low < high"),
        ({"eps": 0.1, "batch_size": 0}, "batch_size"),
        ({"eps": 0.1, "progress": "bar"}, "progress"),
    ],
)
def test_parameters_that_are_none(affine, params, message):
    net, X, y = affine
    with pytest.raises(ValueError, match=message):
        certified_accuracy_score(net, X, y, **params)
    if params["eps"] != 8:  # the range is the net's to say
        with pytest.raises(ValueError, match=message):
            make_certified_scorer(**params)


def test_bounds_are_the_nets_or_given(affine):
    net, X, y = affine
    with pytest.raises(ValueError, match=r"values in \[.*the certificate works in \[0, 1\]"):
        certified_accuracy_score(net, X * 3, y, eps=0.1)
    wide = certified_accuracy_score(net, X * 3, y, eps=0.1, bounds=(0, 3))
    assert 0 < wide <= 1
    own = linear(X * 6 - 3, y, bounds=(-3, 3))
    assert 0 < certified_accuracy_score(own, X * 6 - 3, y, eps=0.3) < 1
    with pytest.raises(ValueError, match=r"eps=7 is longer .* \[-3, 3\]"):
        certified_accuracy_score(own, X * 6 - 3, y, eps=7)


def test_estimators_without_layers_are_told_what_has_them(affine):
    _, X, y = affine
    for model in (
        LogisticRegression(),
        RandomForestClassifier(5),
        make_pipeline(FunctionTransformer(), LogisticRegression()),
        ActiveLearner(LogisticRegression(), random_state=0),
        Committee([LogisticRegression(), RandomForestClassifier(5)], random_state=0),
    ):
        with pytest.raises(
            CapabilityError, match=r"certified_accuracy_score needs 'certificates'.*skorch net"
        ):
            certified_accuracy_score(model.fit(X, y), X, y, eps=0.1)


class Activated(nn.Module):
    """A linear layer, and what is given, in front of two logits."""

    def __init__(self, function=F.gelu):
        super().__init__()
        self.layer = nn.Linear(6, 2)
        self.function = function

    def forward(self, X):
        return self.layer(self.function(X))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (F.gelu, "gelu"),
        (lambda X: X**2, "pow"),
        (lambda X: X if X.sum() > 0 else -X, "__gt__"),
        (lambda X: torch.where(X == 0, 1.0, X), "__eq__"),
        (lambda X: X @ X.transpose(0, 1) @ X, "matmul of two values"),
        (lambda X: torch.as_tensor(np.asarray(X)), "__array__"),
    ],
)
def test_operations_without_bounds_are_named(affine, function, name):
    _, X, y = affine
    net = AdversarialNetClassifier.from_module(Activated(function), classes=[0, 1])
    y = net.predict(X)
    with pytest.raises(UnsupportedOperationError, match=name):
        certified_accuracy_score(net, X, y, eps=0.1)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, X, mask):
        return self.layer(X * mask)


class ThreeDimensions(nn.Linear):
    def forward(self, X):
        return super().forward(X)[:, None]


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_modules_that_are_no_function_of_one_input_to_logits(affine):
    _, X, y = affine
    net = NeuralNetClassifier(TwoInputs, criterion=nn.CrossEntropyLoss).initialize()
    net.classes_inferred_ = np.array([0, 1])
    with pytest.raises(CapabilityError, match=r"requires 2: X, mask"):
        certified_accuracy_score(net, X, y, eps=0.1)
    net = AdversarialNetClassifier.from_module(ThreeDimensions(6, 2), classes=[0, 1])
    with pytest.raises(CapabilityError, match=r"one logit per class.*\(256, 1, 2\)"):
        certified_accuracy_score(net, X, y, eps=0.1)
    with pytest.raises(UnsupportedOperationError, match=r"torch\.jit"):
        Certifier(torch.jit.trace(nn.Linear(6, 2), torch.rand(2, 6)), 0.1)


# -- scorers ---------------------------------------------------------------------------------------


def test_scorers_in_searches_and_pickled(affine):
    net, X, y = affine
    scorer = make_certified_scorer(eps=0.02, method="crown")
    found = cross_validate(net, X, y, cv=2, scoring={"acc": "accuracy", "certified": scorer})
    assert np.all(found["test_certified"] <= found["test_acc"])
    assert (found["test_certified"] > 0).all()
    assert pickle.loads(pickle.dumps(scorer))(net, X, y) == scorer(net, X, y)
    assert repr(scorer) == "make_certified_scorer(eps=0.02, method='crown')"
    with pytest.raises(TypeError, match="random_state"):
        make_certified_scorer(0.1, random_state=0)


# -- reports and curves ----------------------------------------------------------------------------


class Counted(PGD):
    """PGD without chance, which counts what it is given."""

    seen: list[int]

    def __call__(self, module, X, y, **kwargs):
        type(self).seen.append(len(X))
        return super().__call__(module, X, y, **kwargs)


@pytest.fixture
def counted():
    Counted.seen = []
    return Counted(0.1, alpha=0.02, steps=10, random_start=False)


@pytest.mark.parametrize("certify", [True, "ibp", "crown"])
def test_a_report_attacks_only_what_is_not_certified(digits_net, counted, certify):
    net, X, y = digits_net
    plain = robustness_report(net, X, y, counted)
    attacked, Counted.seen = sum(Counted.seen), []
    found = robustness_report(net, X, y, counted, certify=certify, audit=0)
    method = "ibp" if certify is True else certify
    assert_array_equal(found.certified, certified_correct(net, X, y, eps=0.1, method=method))
    assert_array_equal(found.correct, plain.correct)
    assert found.survivors == plain.survivors
    assert sum(Counted.seen) == attacked - found.certified.sum()
    assert found.n_audited == 0
    assert found.accuracy > found.robust_accuracy > found.certified_accuracy > 0.4
    assert [row["part"] for row in found] == ["clean", "counted", "certified"]
    assert found[-1]["n_samples"] == found.certified.sum()
    assert "| certified |" in found.table
    assert "0 were attacked all the same" in found.notes[-1]
    assert plain.certified is plain.certified_accuracy is plain.n_audited is None


@settings(max_examples=15, deadline=None)
@given(
    eps=st.floats(1e-3, 0.5),
    certify=st.sampled_from(METHODS),
    attack=st.sampled_from([PGD(steps=3), FGSM(), PGD(norm="L2", steps=3), TorchAttack("PGDL2")]),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 1000),
)
def test_accuracy_is_at_least_attacked_is_at_least_certified(
    digits_net, eps, certify, attack, batch_size, seed
):
    net, X, y = digits_net
    rows = np.random.default_rng(seed).choice(len(y), 40, replace=False)
    report = robustness_report(
        net, X[rows], y[rows], attack, eps=eps, certify=certify, audit=0.3,
        batch_size=batch_size, random_state=seed,
    )  # fmt: skip
    shares = [row["accuracy"] for row in report]
    assert shares == sorted(shares, reverse=True)
    assert (report.certified <= report.correct).all()
    assert bool(report.n_audited) == bool(report.certified.any())


def test_autoattack_after_certificates_says_the_same(digits_net):
    net, X, y = digits_net
    X, y = X[:60], y[:60]
    attack = AutoAttack(0.1, version="fast")
    found = robustness_report(net, X, y, attack, certify="crown", audit=0.1)
    assert list(found.survivors) == ["clean", "apgd-ce", "apgd-t", "square"]
    plain = robustness_report(net, X, y, attack)
    assert abs(found.robust_accuracy - plain.robust_accuracy) <= 1 / 60  # other random starts
    assert found.zero_gradients == plain.zero_gradients
    assert found.n_audited == np.ceil(0.1 * found.certified.sum())


def exactly_the_nominal(func, box, *args, **kwargs):
    """A wrong rule: as if nothing could move."""
    value = F.relu(box.nominal)
    return Box(value, value, value)


@pytest.mark.parametrize("certify", METHODS)
def test_a_wrong_bound_is_found_out(digits_net, counted, certify, monkeypatch):
    net, X, y = digits_net
    report = {"attack": counted, "eps": 0.2, "certify": certify}
    robustness_report(net, X, y, **report)
    monkeypatch.setitem(RULES, F.relu, exactly_the_nominal)
    with pytest.raises(BrokenCertificateError, match=r"counted turned .*'(ibp|crown)'") as caught:
        robustness_report(net, X, y, **report)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value)
    rows = np.array(error.rows)
    assert (rows < 256).all()  # of the first batch
    broken = ~robust_correct(net, X, y, counted, eps=0.2)
    assert broken[rows].all()
    with pytest.raises(BrokenCertificateError) as caught:
        robustness_report(net, X, y, **report, audit=1, batch_size=100)
    assert len(caught.value.rows) > len(rows)
    with pytest.raises(BrokenCertificateError):
        robustness_curve(net, X, y, [0.1, 0.2], counted, certified=certify)
    assert robustness_report(net, X, y, **report, audit=0).n_audited == 0  # none looked


def test_rows_of_later_batches_are_named_by_their_place(digits_net, counted, monkeypatch):
    net, X, y = digits_net

    def wrong_in_the_end(self, inputs, labels, real=Certificates.of):
        found = real(self, inputs, labels)
        return labels == self.target.predicted(inputs) if len(inputs) < 100 else found

    monkeypatch.setattr(Certificates, "of", wrong_in_the_end)
    with pytest.raises(BrokenCertificateError) as caught:
        robustness_report(net, X[:150], y[:150], counted, eps=0.3, certify=True, audit=1,
                          batch_size=100)  # fmt: skip
    assert min(caught.value.rows) >= 100


def test_a_killed_run_goes_on_with_its_certificates(digits_net, counted, tmp_path, monkeypatch):
    net, X, y = digits_net
    X, y, path = X[:120], y[:120], tmp_path / "run.npz"
    params = {"attack": PGD(0.1, steps=3), "certify": True, "batch_size": 50, "audit": 0.2}
    whole = robustness_report(net, X, y, **params)
    batches = []

    def killed_in_the_third(self, batch, labels, seed, real=Evaluation._batch):
        batches.append(len(labels))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return real(self, batch, labels, seed)

    monkeypatch.setattr(Evaluation, "_batch", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        robustness_report(net, X, y, **params, checkpoint=path)
    resumed = robustness_report(net, X, y, **params, checkpoint=path)
    assert batches == [50, 50, 20, 20]
    for name in ("correct", "certified"):
        assert_array_equal(getattr(resumed, name), getattr(whole, name))
    assert (resumed.survivors, resumed.n_audited) == (whole.survivors, whole.n_audited)
    for change in ({"certify": False}, {"certify": "crown"}, {"audit": 0.5}):
        with pytest.raises(ValueError, match="certify differ"):
            robustness_report(net, X, y, **{**params, **change}, checkpoint=path)
    plain = tmp_path / "plain.npz"
    robustness_report(net, X, y, PGD(0.1, steps=3), checkpoint=plain)
    with pytest.raises(ValueError, match="certify differ"):
        robustness_report(net, X, y, PGD(0.1, steps=3), checkpoint=plain, certify=True)


def test_reports_refuse_what_no_certificate_speaks_of(digits_net, affine):
    net, X, y = digits_net
    with pytest.raises(ValueError, match="CW has no radius"):
        robustness_report(net, X, y, TorchAttack("CW"), certify=True)
    for bad in ({"certify": "crwn"}, {"certify": 2}, {"audit": 1.5}, {"audit": -0.1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            robustness_report(net, X, y, "pgd", **{"certify": True, **bad})
    _, X, y = affine
    with pytest.raises(CapabilityError, match="needs 'certificates'"):
        robustness_report(LogisticRegression().fit(X, y), X, y, "square", eps=0.1, certify=True)


def test_the_curve_and_its_band(digits_net):
    net, X, y = digits_net
    radii = [0.1, 0, 0.03, 0.3]
    attack = PGD(steps=5)
    eps, accuracy, certified = robustness_curve(net, X, y, radii, attack, certified=True)
    assert_array_equal(eps, [0, 0.03, 0.1, 0.3])
    assert (np.diff(accuracy) <= 0).all()
    assert (np.diff(certified) <= 0).all()
    assert (certified <= accuracy).all()
    assert certified[0] == accuracy[0] == pytest.approx(net.score(X, y))
    for i in (1, 2, 3):
        assert certified[i] == certified_accuracy_score(net, X, y, eps=eps[i])
    _, tighter, crown = robustness_curve(net, X, y, radii, attack, certified="crown", audit=0.5)
    assert (crown >= certified).all()
    assert crown[2] > certified[2]
    assert_array_equal(robustness_curve(net, X, y, [0.1], attack, certified=True)[2], certified[2])
    np.testing.assert_allclose(tighter, accuracy, atol=2 / len(y))
    assert tighter[1] == pytest.approx(robust_accuracy_score(net, X, y, attack, eps=0.03), abs=0.01)


def test_the_display_draws_the_band(digits_net):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    net, X, y = digits_net
    display = RobustnessCurveDisplay.from_estimator(
        net, X[:50], y[:50], [0, 0.1], PGD(steps=2), certified=True, name="digits"
    )
    assert_array_equal(display.certified_line_.get_ydata(), display.certified)
    assert display.certified_line_.get_color() == display.line_.get_color()
    (path,) = display.band_.get_paths()
    corners = {tuple(vertex) for vertex in path.vertices}
    assert {(0.1, display.accuracy[1]), (0.1, display.certified[1])} <= corners
    assert display.ax_.get_legend_handles_labels()[1] == ["digits"]
    again = RobustnessCurveDisplay([0, 0.1], [0.9, 0.5]).plot(ax=display.ax_)
    assert not hasattr(again, "band_")
    plt.close("all")


def test_a_module_may_overwrite_what_it_gets():
    module, twin = shifted_twins(5, 2)
    X = np.random.default_rng(0).random((300, 5)).astype("float32")
    attack = TabularSquare(0.05, n_queries=50, random_state=0)
    found = []
    for one in (module, twin):
        net = AdversarialNetClassifier.from_module(one, classes=[0, 1], attack=None)
        y = net.predict(X)
        report = robustness_report(net, X, y, attack, certify=True)
        found.append((report.survivors, report.certified.mean(), y.mean()))
        found[-1] += (certified_correct(net, X, y, eps=0.05).mean(),)
    assert found[0] == found[1]
    assert found[0][0]["clean"] == 1
    given = torch.tensor(X[:6])
    moved = attack(module, given, torch.zeros(6, dtype=torch.long))
    assert torch.equal(given, torch.tensor(X[:6]))
    assert (moved - given).abs().max() <= 0.05 + 1e-6
