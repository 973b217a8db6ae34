"""Bounds are sound for every layer and module, exact where that is known, and refuse the rest."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp
from torch import nn
from torch.nn import functional as F

from skactive.attacks import PGD
from skactive.bounds import METHODS, Box, Certifier, certified_margins, margin_bounds
from skactive.exceptions import UnsupportedOperationError
from skactive.networks import VGG8, LeNet5, PreActResNet18, ResNet18
from tests.models import SmallCNN


class Residual(nn.Module):
    """Constants, a residual sum, a concatenation and views in an ordinary forward."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(12, 3)
        self.register_buffer("mean", torch.full((6,), 0.4))

    def forward(self, X):
        X = (X - self.mean) / 0.3
        hidden = torch.relu(self.first(X))
        mixed = 1 - hidden - 0.5 * X + hidden * torch.tensor([1.0, -1, 2, -2, 0, 3])
        return self.last(torch.cat([mixed, -X], dim=1).view(X.size(0), -1))


LAYERS = {
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "leaky": nn.LeakyReLU(0.2),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "hardtanh": nn.Hardtanh(-0.3, 0.4),
    "relu6": nn.ReLU6(),
    "softplus": nn.Softplus(),
    "elu": nn.ELU(),
    "batchnorm": nn.BatchNorm2d(3),
    "max": nn.MaxPool2d(2),
    "overlapping max": nn.MaxPool2d(3, stride=2),
    "padded max": nn.MaxPool2d(3, stride=2, padding=1),
    "adaptive max": nn.AdaptiveMaxPool2d(2),
    "average": nn.AvgPool2d(2),
    "adaptive average": nn.AdaptiveAvgPool2d(2),
    "zeros around": nn.ZeroPad2d(1),
    "halves around": nn.ConstantPad2d(1, 0.5),
    "reflected": nn.ReflectionPad2d(1),
    "strided convolution": nn.Conv2d(3, 4, 3, stride=2, padding=1),
    "grouped convolution": nn.Conv2d(3, 6, 3, groups=3, bias=False),
    "nearest": nn.Upsample(scale_factor=2),
    "bilinear": nn.Upsample(scale_factor=1.5, mode="bilinear"),
    "dropout": nn.Dropout(0.5),
    "dropout of maps": nn.Dropout2d(0.5),
    "identity": nn.Identity(),
}


def around(layer):
    """A small net with that layer in the middle."""
    torch.manual_seed(0)
    layer = copy.deepcopy(layer)
    if isinstance(layer, nn.BatchNorm2d):
        layer.weight.data = torch.tensor([1.0, -2.0, 0.5])
        layer.running_mean = torch.tensor([0.1, -0.2, 0.0])
    body = nn.Sequential(nn.Conv2d(1, 3, 3), layer, nn.Flatten())
    width = body(torch.rand(2, 1, 8, 8)).shape[1]
    return nn.Sequential(body, nn.Linear(width, 4)).eval()


def points(X, eps, n, rng):
    """Corners and inner points of the box around each sample."""
    for number in range(n):
        step = torch.from_numpy(rng.uniform(-1, 1, X.shape)).to(X)
        step = step.sign() if number % 2 else step
        yield (X + eps * step).clamp(0, 1)


def worst_sampled(module, X, y, eps, n=60):
    """The smallest margin among sampled points and PGD's, in float64."""
    module = copy.deepcopy(module).double()
    rng = np.random.default_rng(0)
    found = torch.full((len(X),), torch.inf, dtype=torch.float64)
    attack = PGD(eps=eps, alpha=eps / 4, steps=10, random_start=True, random_state=0)
    tried = [*points(X.double(), eps, n, rng), attack(module, X.double(), y)]
    for Z in tried:
        with torch.no_grad():
            logits = module(Z)
        margins = logits.gather(1, y[:, None]) - logits
        found = torch.minimum(found, margins.scatter(1, y[:, None], torch.inf).amin(dim=1))
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", LAYERS)
def test_no_point_of_the_box_leaves_the_bounds(name, method):
    module = around(LAYERS[name])
    X = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    y = module(X).argmax(1)
    eps = 0.05
    box = copy.deepcopy(module).double()(Box.around(X.double(), eps, (0, 1)))
    for Z in points(X.double(), eps, 20, np.random.default_rng(0)):
        logits = copy.deepcopy(module).double()(Z)
        assert (logits >= box.lower - 1e-9).all()
        assert (logits <= box.upper + 1e-9).all()
    margins = certified_margins(module, X, y, eps, method=method)
    assert (margins <= worst_sampled(module, X, y, eps)).all()


@pytest.mark.parametrize("network", [LeNet5, VGG8, ResNet18, PreActResNet18])
def test_every_network_has_bounds(network):
    torch.manual_seed(0)
    module = network(in_channels=1 if network is LeNet5 else 3).eval()
    X = torch.rand(1, module.in_channels, 32, 32)
    y = module(X).argmax(1)
    margins = certified_margins(module, X, y, 1e-7)
    with torch.no_grad():
        logits = module(X).double()
    gap = logits.gather(1, y[:, None]) - logits
    clean = gap.scatter(1, y[:, None], torch.inf).amin(1)
    assert (margins < clean).all()
    assert torch.isfinite(margins).all()
    if network in (LeNet5, VGG8):  # few layers: so small a box loses next to nothing
        assert (margins > clean - 0.1).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.sampled_from(["relu", "leaky", "tanh", "sigmoid", "norm"]), max_size=3),
    st.floats(1e-3, 0.3),
)
def test_random_nets_are_bounded_soundly(seed, kinds, eps):
    torch.manual_seed(seed)
    parts = {
        "relu": nn.ReLU, "leaky": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
        "norm": lambda: nn.BatchNorm1d(7),
    }  # fmt: skip
    layers = [nn.Linear(5, 7), *itertools.chain(*((parts[k](), nn.Linear(7, 7)) for k in kinds))]
    module = nn.Sequential(*layers, nn.Linear(7, 3)).eval()
    X = torch.rand(4, 5)
    y = module(X).argmax(1)
    worst = worst_sampled(module, X, y, eps, n=30)
    ibp, crown = (certified_margins(module, X, y, eps, method=method) for method in METHODS)
    assert (ibp <= worst).all()
    assert (crown <= worst).all()
    assert (crown >= ibp).all()


def test_ordinary_forward_code_is_followed():
    torch.manual_seed(0)
    module, X = Residual(), torch.rand(6, 6)
    y = module(X).argmax(1)
    for method in METHODS:
        margins = certified_margins(module, X, y, 0.05, method=method)
        assert (margins <= worst_sampled(module, X, y, 0.05)).all()
    assert (certified_margins(module, X, y, 1e-9) > 0).any()


def test_one_linear_layer_is_exact():
    torch.manual_seed(0)
    module, X = nn.Linear(6, 3).double(), torch.rand(4, 6).double()
    y = torch.tensor([0, 1, 2, 0])
    box = Box.around(X, 0.3, (0, 1))
    corners = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6))).double()
    for row in range(len(X)):
        vertices = box.lower[row] + corners * (box.upper[row] - box.lower[row])
        logits = module(vertices)
        expected = (logits[:, y[row], None] - logits).amin(0)
        for method in METHODS:
            got = margin_bounds(module(box), y, method)[row]
            torch.testing.assert_close(got, expected)


def exact_margin(first, last, x, eps, label, other):
    """Smallest z_label − z_other of a net with one ReLU layer, as a mixed integer program."""
    W, b = (value.detach().numpy().astype(float) for value in first.parameters())
    V, c = (value.detach().numpy().astype(float) for value in last.parameters())
    low, high = np.clip(x - eps, 0, 1), np.clip(x + eps, 0, 1)
    hidden, big = len(b), 100.0
    n = len(x) + 2 * hidden  # inputs, activations, which side of zero
    cost = np.zeros(n)
    cost[len(x) : len(x) + hidden] = V[label] - V[other]
    eye, none = np.eye(hidden), np.zeros((hidden, hidden))
    constraints = [
        LinearConstraint(np.hstack([-W, eye, none]), b, np.inf),
        LinearConstraint(np.hstack([-W, eye, big * eye]), -np.inf, b + big),
        LinearConstraint(np.hstack([0 * W, eye, -big * eye]), -np.inf, 0),
    ]
    limits = (
        np.r_[low, np.zeros(2 * hidden)],
        np.r_[high, np.full(hidden, np.inf), np.ones(hidden)],
    )
    found = milp(
        cost, constraints=constraints, bounds=limits,
        integrality=np.r_[np.zeros(len(x) + hidden), np.ones(hidden)],
    )  # fmt: skip
    assert found.success
    return found.fun + c[label] - c[other]


def test_small_relu_nets_against_the_exact_answer():
    torch.manual_seed(0)
    first, last = nn.Linear(4, 6), nn.Linear(6, 3)
    module, X = nn.Sequential(first, nn.ReLU(), last), torch.rand(5, 4)
    y = module(X).argmax(1)
    for eps in (1e-3, 0.1):
        exact = [
            min(exact_margin(first, last, X[i].double().numpy(), eps, y[i], k)
                for k in range(3) if k != y[i])
            for i in range(len(X))
        ]  # fmt: skip
        for method in METHODS:
            got = certified_margins(module, X, y, eps, method=method).numpy()
            assert (got <= np.array(exact) + 1e-9).all()
            if eps == 1e-3 and method == "crown":  # hardly a ReLU changes sides: almost exact
                np.testing.assert_allclose(got, exact, atol=2e-3)


def test_a_margin_is_cut_to_the_range_of_the_inputs():
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        module.bias.zero_()
    X, y = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    inside = certified_margins(module, X, y, 0.4)
    outside = certified_margins(module, X, y, 0.4, bounds=(-1, 2))
    assert inside.item() == pytest.approx(0.2, abs=1e-4)  # 0.6 - 0.4
    assert outside.item() == pytest.approx(0.2, abs=1e-4)
    assert certified_margins(module, X, y, 1.0).item() == pytest.approx(-1.0, abs=1e-4)


def test_the_module_is_left_as_it_is():
    torch.manual_seed(0)
    module = SmallCNN().train()
    before = pickle.dumps(module.state_dict())
    certified_margins(module, torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 2]), 0.1, method="crown")
    assert pickle.dumps(module.state_dict()) == before
    assert all(sub.training for sub in module.modules())
    assert all(p.dtype == torch.float32 and p.grad is None for p in module.parameters())


def test_in_training_statistics_are_those_of_the_clean_batch_and_gradients_flow():
    torch.manual_seed(0)
    module = SmallCNN().train()
    twin, X = copy.deepcopy(module), torch.rand(6, 1, 8, 8)
    box = module(Box.around(X, 0.05, (0, 1)))
    torch.testing.assert_close(box.nominal, twin(X))
    torch.testing.assert_close(module[1].running_mean, twin[1].running_mean)
    assert (box.lower <= box.nominal + 1e-5).all()
    assert (box.nominal <= box.upper + 1e-5).all()
    margin_bounds(box, torch.arange(6)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def slow_interval(layer, low, high, clean):
    """Ends of one layer's output by the definition of each, through plain autograd."""
    if isinstance(layer, nn.ReLU):
        return low.relu(), high.relu(), clean.relu()
    if isinstance(layer, nn.Flatten):
        return low.flatten(1), high.flatten(1), clean.flatten(1)
    if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
        over = [0, 2, 3][: clean.ndim - 1]
        mean, var = clean.mean(over, keepdim=True), clean.var(over, unbiased=False, keepdim=True)
        shape = mean.shape
        scale = layer.weight.reshape(shape) / (var + layer.eps).sqrt()
        one, two, three = (
            (value - mean) * scale + layer.bias.reshape(shape) for value in (low, high, clean)
        )
        return torch.minimum(one, two), torch.maximum(one, two), three
    up, down = copy.copy(layer), copy.copy(layer)
    up.__dict__, down.__dict__ = dict(layer.__dict__), dict(layer.__dict__)
    up._parameters = {"weight": layer.weight.clamp_min(0), "bias": layer.bias}
    down._parameters = {"weight": layer.weight.clamp_max(0), "bias": None}
    return up(low) + down(high), up(high) + down(low), layer(clean)


@pytest.mark.parametrize("order", ["before", "after"])
def test_bounds_and_their_gradients_in_training_are_those_of_the_slow_way(order):
    """BatchNorm joined to the weights before it, or on its own after a ReLU."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    norm.weight.data, norm.bias.data = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.1, 0, -1])
    middle = [norm, nn.ReLU()] if order == "before" else [nn.ReLU(), norm]
    layers = [nn.Conv2d(1, 3, 3), *middle, nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(),
              nn.Linear(16, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)]  # fmt: skip
    module = nn.Sequential(*layers).double().train()
    plain = copy.deepcopy(module)
    X = torch.rand(6, 1, 7, 7).double()
    box = Box.around(X, 0.1, (0, 1))
    fast = module(box)
    low, high, clean = box.lower, box.upper, X
    for layer in layers:
        low, high, clean = slow_interval(layer, low, high, clean)
    torch.testing.assert_close((fast.lower, fast.upper, fast.nominal), (low, high, clean))
    weights = torch.randn(3, 6, 3).double()
    parameters = list(module.parameters())
    got = torch.autograd.grad(
        sum((w * v).sum() for w, v in zip(weights, (fast.lower, fast.upper, fast.nominal))),
        parameters,
    )
    expected = torch.autograd.grad(
        sum((w * v).sum() for w, v in zip(weights, (low, high, clean))), parameters
    )
    torch.testing.assert_close(got, expected)
    plain(X)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], value)


def test_what_is_computed_later_has_gradients_as_it_would_have_had_at_once():
    module, box = nn.Linear(3, 2), Box.around(torch.rand(4, 3), 0.1, (0, 1))
    with torch.no_grad():
        without = module(box)
    assert not without.upper.requires_grad
    output = module(box)
    with torch.no_grad():
        assert output.lower.requires_grad
    with torch.no_grad():
        assert torch.equal(without.lower, output.lower)


def test_batches_that_fit_in_memory_and_neighbours_change_no_margin(monkeypatch):
    torch.manual_seed(0)
    module, X = SmallCNN().eval(), torch.rand(9, 1, 8, 8)
    y = module(X).argmax(1)
    for method in METHODS:
        whole = certified_margins(module, X, y, 0.02, method=method)
        torch.testing.assert_close(whole, certified_margins(module, X, None, 0.02, method=method))
        with monkeypatch.context() as patch:
            patch.setattr("skactive.bounds._certifier._MOST", 40_000)
            certifier = Certifier(module, 0.02, method=method)
            torch.testing.assert_close(certifier.margins(X), whole)
        assert certifier._n_rows[method] < 9
        one = [
            certified_margins(module, X[i : i + 1], y[i : i + 1], 0.02, method=method)
            for i in range(9)
        ]
        torch.testing.assert_close(torch.cat(one), whole)
    assert certified_margins(module, X[:0], y[:0], 0.02).shape == (0,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"eps": 0.0}, "eps"),
        ({"eps": -0.1}, "eps"),
        ({"eps": float("nan")}, "eps"),
        ({"eps": "0.3"}, "eps.*Write eps=0.3, without quotes"),
        ({"eps": 8}, r"eps=8 is longer than the range .*\[0, 1\].*8/255"),
        ({"bounds": (1, 0)}, "bounds.*low < high"),
        ({"bounds": (0, 0.5)}, "X has values .* but the certificate works in"),
        ({"method": "lp"}, "method"),
        ({"X": torch.full((2, 4), torch.nan)}, "NaN"),
        ({"X": np.zeros((2, 4))}, "X must be a floating point tensor, got ndarray"),
        ({"X": torch.zeros(2, 4, dtype=torch.int64)}, "floating point tensor, got torch.int64"),
        ({"y": torch.tensor([0, 3])}, "y must hold one class index per sample, 0 to 2"),
        ({"y": torch.tensor([0.0, 1.0])}, "y must hold"),
        ({"y": torch.tensor([0])}, "y must hold"),
        ({"module": nn.Linear(4, 1)}, r"logits .*returned \(3, 1\)"),
        ({"module": nn.Flatten(0)}, r"logits .*returned \(12,\)"),
        ({"module": nn.Linear(4, 3).bfloat16()}, "half precision"),
        ({"module": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3).bfloat16())}, "half precision"),
        ({"module": lambda X: X}, "module must be a torch.nn.Module, got function"),
    ],
)
def test_bad_input_is_named(given, message):
    given = {
        "module": nn.Linear(4, 3),
        "X": torch.linspace(0, 1, 8).reshape(2, 4),
        "y": torch.tensor([0, 1]),
        "eps": 0.1,
        **given,
    }
    with pytest.raises(ValueError, match=message):
        certified_margins(**given)


def test_what_is_made_of_no_input_or_runs_in_half_precision_is_no_net_to_certify():
    class Constant(nn.Module):
        def forward(self, X):
            return torch.zeros(len(X), 3)

    with pytest.raises(ValueError, match="logits made of its input"):
        certified_margins(Constant(), torch.rand(2, 4), torch.tensor([0, 1]), 0.1)
    with torch.autocast("cpu"), pytest.raises(ValueError, match="outside torch.autocast"):
        certified_margins(nn.Linear(4, 3), torch.rand(2, 4), torch.tensor([0, 1]), 0.1)


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.GELU(), "gelu"), (nn.Softmin(1), "softmin"), (nn.PReLU(), "prelu")]
)
def test_an_unknown_operation_is_named(layer, name):
    module = nn.Sequential(nn.Linear(4, 3), layer)
    with pytest.raises(UnsupportedOperationError, match=name):
        certified_margins(module, torch.rand(2, 4), torch.tensor([0, 1]), 0.1)


def test_products_of_inputs_are_refused_and_errors_can_be_pickled():
    class Square(nn.Module):
        def forward(self, X):
            return X * X

    with pytest.raises(UnsupportedOperationError, match="depend on the input") as caught:
        certified_margins(Square(), torch.rand(2, 3), torch.tensor([0, 1]), 0.1)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_attributes_that_a_tensor_has_not_are_no_bounds():
    box = Box.around(torch.rand(2, 3), 0.1, (0, 1))
    assert (len(box), box.numel(), box.size(1), box.dim()) == (2, 6, 3, 2)
    assert box.is_floating_point()
    with pytest.raises(AttributeError, match="no attribute"):
        box.colour
    with pytest.raises(UnsupportedOperationError, match=r"torch\.Tensor\.is_cuda"):
        assert box.is_cuda
    assert F.relu(box).function is F.relu
