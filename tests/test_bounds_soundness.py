"""What is proved is true: thousands of points, corners, exact answers, and code that deceives."""

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp
from torch import nn
from torch.nn import functional as F

from skactive.attacks import PGD
from skactive.attacks._counterexamples import counterexamples
from skactive.bounds import METHODS, Box, certified_margins, margin_bounds
from skactive.exceptions import UnsupportedOperationError
from tests.models import SmallCNN
from tests.test_bounds import LAYERS

N_POINTS = 2000


class Block(nn.Module):
    """A residual sum, constants and a concatenation around two convolutions."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.register_buffer("mean", torch.tensor([0.2, -0.1, 0.4]).reshape(1, 3, 1, 1))

    def forward(self, X):
        X = (X - self.mean) / 0.7
        return torch.cat([X + self.two(torch.relu(self.one(X))), 1 - X], dim=1)[:, 1:4]


KINDS = {**LAYERS, "residual": Block()}
del KINDS["relu in place"]  # which torch itself refuses after another layer, with gradients


def random_net(kinds, seed):
    """Those layers between a convolution, with three maps each, and a linear one."""
    torch.manual_seed(seed)
    layers, X = [nn.Conv2d(1, 3, 2)], torch.rand(2, 1, 6, 6)
    for kind in kinds:
        layer = copy.deepcopy(KINDS[kind])
        for part in layer.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
            if isinstance(part, nn.BatchNorm2d):
                part.weight.data.normal_()
                part.running_mean.normal_()
        try:
            shape = nn.Sequential(*layers, layer).eval()(X).shape
        except RuntimeError:  # the image has become too small for it
            continue
        layers += [layer, nn.Conv2d(shape[1], 3, 1)] if shape[1] != 3 else [layer]
    width = nn.Sequential(*layers, nn.Flatten()).eval()(X).shape[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 4)).eval()


def points_of(X, eps, n):
    """Corners and inner points of the boxes around samples, shape (n, *X.shape)."""
    steps = torch.rand(n, *X.shape, dtype=X.dtype) * 2 - 1
    steps[::2] = steps[::2].sign()
    return (X + eps * steps).clamp(0, 1)


def worst_margins(logits, y):
    """Smallest gap between class y and another one over the points, for each sample."""
    y = y.expand(logits.shape[:2])[..., None]
    gaps = logits.gather(2, y) - logits
    return gaps.scatter(2, y, torch.inf).amin(dim=2).amin(dim=0)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3),
    eps=st.floats(1e-3, 0.4),
)
def test_thousands_of_points_and_attacks_stay_within_the_bounds(seed, kinds, eps):
    module = random_net(kinds, seed)
    X = torch.rand(2, 1, 6, 6)
    exact = copy.deepcopy(module).double()
    box = exact(Box.around(X.double(), eps, (0, 1)))
    attack = PGD(eps=eps, alpha=eps / 4, steps=8, random_start=False)
    tried = [points_of(X.double(), eps, N_POINTS)]
    for k, sign in itertools.product(range(4), (1, -1)):  # each logit up, and down
        y = torch.zeros(2, dtype=torch.long)
        moved = attack(exact, X.double(), y, loss=lambda z, k=k, sign=sign: sign * z[:, k].sum())
        tried.append(moved[None])
    tried = torch.cat(tried)
    with torch.no_grad():
        logits = exact(tried.flatten(0, 1)).reshape(len(tried), 2, 4)
        single = module(tried.flatten(0, 1).float()).reshape(len(tried), 2, 4)
    slack = 1e-9 * (1 + box.upper.abs() + box.lower.abs())
    assert (logits >= box.lower - slack).all()
    assert (logits <= box.upper + slack).all()
    y = module(X).argmax(1)
    proved = {m: certified_margins(module, X, y, eps, method=m) for m in METHODS}
    for margins in proved.values():  # in float64, and as the net runs
        assert (margins <= worst_margins(logits, y)).all()
        assert (margins <= worst_margins(single.double(), y)).all()
    assert (proved["crown"] >= proved["ibp"] - 1e-4 * (1 + box.upper.abs().amax())).all()


ONE_LAYER = {
    "convolution": nn.Conv2d(1, 2, 2),
    "strided and padded": nn.Conv2d(1, 2, 3, stride=2, padding=1),
    "normalised": nn.BatchNorm2d(1),
    "average": nn.AvgPool2d(2, stride=1),
    "adaptive average": nn.AdaptiveAvgPool2d(2),
    "max": nn.MaxPool2d(2, stride=1),
    "padded max": nn.MaxPool2d(2, padding=1),
    "adaptive max": nn.AdaptiveMaxPool2d(2),
    "constant padding": nn.ConstantPad2d(1, 0.4),
    "reflected": nn.ReflectionPad2d(1),
    "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "leaky": nn.LeakyReLU(0.2),
    "leaky, steep": nn.LeakyReLU(2.0),
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(0.5),
}


@pytest.mark.parametrize("name", ONE_LAYER)
def test_intervals_of_one_layer_are_those_of_all_corners(name):
    torch.manual_seed(0)
    layer = copy.deepcopy(ONE_LAYER[name])
    if isinstance(layer, nn.BatchNorm2d):
        layer.weight.data.fill_(-1.5)
        layer.running_mean.fill_(0.3)
    layer = layer.double().eval()
    X = torch.rand(1, 1, 3, 3).double()
    box = Box.around(X, 0.3, (0, 1))
    corners = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9))).double()
    vertices = box.lower + corners.reshape(-1, 1, 3, 3) * (box.upper - box.lower)
    with torch.no_grad():
        made, values = layer(box), layer(vertices)
    torch.testing.assert_close(made.lower[0], values.amin(dim=0))
    torch.testing.assert_close(made.upper[0], values.amax(dim=0))


# -- the exact answer ---------------------------------------------------------------------------


def exact_margin(layers, x, eps, label, other):
    """Smallest z_label − z_other of linear layers and ReLUs, as a mixed integer program."""
    weights = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in layers]
    sizes = [len(x), *(len(b) for _, b in weights[:-1])]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    n_values, n_hidden, big = starts[-1], sum(sizes[1:]), 50.0
    rows, low, high = [], [], []
    for number, (W, b) in enumerate(weights[:-1]):
        before = slice(starts[number], starts[number + 1])
        for unit in range(len(b)):
            value, side = starts[number + 1] + unit, n_values + starts[number + 1] + unit - len(x)
            for fired, bounds in ((0, (b[unit], np.inf)), (big, (-np.inf, b[unit] + big))):
                row = np.zeros(n_values + n_hidden)
                row[before], row[value], row[side] = -W[unit], 1, fired
                rows, low, high = [*rows, row], [*low, bounds[0]], [*high, bounds[1]]
            row = np.zeros(n_values + n_hidden)
            row[value], row[side] = 1, -big
            rows, low, high = [*rows, row], [*low, -np.inf], [*high, 0]
    V, c = weights[-1]
    cost = np.zeros(n_values + n_hidden)
    cost[starts[-2] : starts[-1]] = V[label] - V[other]
    limits = (
        np.r_[np.clip(x - eps, 0, 1), np.zeros(2 * n_hidden)],
        np.r_[np.clip(x + eps, 0, 1), np.full(n_hidden, np.inf), np.ones(n_hidden)],
    )
    whole = np.r_[np.zeros(n_values), np.ones(n_hidden)]
    found = milp(
        cost, constraints=LinearConstraint(np.array(rows), low, high), bounds=limits,
        integrality=whole,
    )  # fmt: skip
    assert found.success
    return found.fun + c[label] - c[other]


def test_deep_relu_nets_against_the_exact_answer():
    """Nothing is proved that is not so, nor a counterexample found where there is none."""
    torch.manual_seed(1)
    layers = [nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)]
    module = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]).double()
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(2)
        layers[-1].bias.zero_()
    X = torch.rand(6, 4, dtype=torch.float64)
    y = module(X).argmax(1)
    answers = []
    for eps in (0.02, 0.1, 0.4):
        exact = torch.tensor(
            [
                min(exact_margin(layers, X[i].numpy(), eps, y[i], k) for k in range(3) if k != y[i])
                for i in range(len(X))
            ]
        )
        ibp, crown = (certified_margins(module, X, y, eps, method=method) for method in METHODS)
        assert (ibp <= exact + 1e-7).all()
        assert (crown <= exact + 1e-7).all()
        assert ((exact - crown) <= (exact - ibp) + 1e-4).all()
        found = counterexamples(module, module, X, eps, bounds=(0, 1)).distance
        assert (exact[torch.isfinite(found)] < 0).all()
        assert torch.isfinite(found[exact < -0.01]).all()
        answers += [exact > 0, ibp > 0]
    assert 0 < torch.cat(answers[::2]).double().mean() < 1
    assert 0 < torch.cat(answers[1::2]).double().mean() < 1


# -- code that means something else for a box than for a tensor -----------------------------------


class Wrapped(nn.Module):
    """Two linear layers with a function of the hidden values between them."""

    def __init__(self, function):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 3)
        self.function = function

    def forward(self, X):
        return self.last(self.function(self.first(X)))


WEIGHT = torch.linspace(-2, 2, 36).reshape(6, 6).sin()


def overwritten(hidden):
    changed = F.relu(hidden, inplace=True)
    return hidden - 0.3 * changed


class Remembering(nn.Module):
    """Takes off the mean of what it has seen so far, in evaluation, too."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(6))

    def forward(self, X):
        self.seen = 0.9 * self.seen + 0.1 * X.mean(0)
        return X - self.seen


def divided(hidden, divisor):
    image = hidden[:, None, :, None].expand(-1, -1, -1, 2)
    return F.avg_pool2d(image, 2, divisor_override=divisor).flatten(1).repeat(1, 2)


def scaled_by_itself(hidden):
    constant = WEIGHT[0].to(hidden.dtype)
    return F.batch_norm(hidden, constant, constant.abs(), weight=hidden[0])


def turned_and_kept(hidden):
    both = torch.relu(torch.cat([hidden, -hidden]))  # as code does that averages over views
    return both[: len(hidden)] - 2 * both[len(hidden) :]


def copied_along_the_front(hidden):
    copies = torch.relu(hidden.expand(2, -1, -1) * WEIGHT[:2, None].to(hidden.dtype))
    return copies.sum(0)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (overwritten, UnsupportedOperationError, "overwritten"),
        (
            lambda h: torch.relu(h) if isinstance(h, torch.Tensor) else h,
            UnsupportedOperationError,
            "is a tensor",
        ),
        (nn.ELU(-1.0), UnsupportedOperationError, "elu with a negative alpha"),
        (nn.LeakyReLU(-0.5), UnsupportedOperationError, "negative slope"),
        (lambda h: F.dropout(h, 0.5), ValueError, "random numbers in eval mode"),
        (nn.BatchNorm1d(6, track_running_stats=False), ValueError, "the batch"),
        (lambda h: h - h.mean(0), ValueError, "the batch"),
        (Remembering(), ValueError, "depends on nothing else"),
        (lambda h: F.embedding(h.long(), torch.eye(6)), UnsupportedOperationError, "long"),
        (lambda h: h.float(), ValueError, r"float64.*X\.float\(\)"),
        (lambda h: h.to(torch.int32).to(h.dtype), UnsupportedOperationError, "to torch.int32"),
        (lambda h: h.to(torch.bfloat16).to(h.dtype), UnsupportedOperationError, "torch.bfloat16"),
        (lambda h: divided(h, -3), UnsupportedOperationError, "negative divisor_override"),
        (lambda h: F.softplus(h, -1.0), UnsupportedOperationError, "softplus with beta <= 0"),
        (lambda h: torch.clamp(h, min=-h), UnsupportedOperationError, "clamp of two values"),
        (lambda h: torch.clamp(0 * WEIGHT[0], min=h), UnsupportedOperationError, "of two values"),
        (scaled_by_itself, UnsupportedOperationError, "batch_norm of two values"),
        (lambda h: torch.add(h, h, out=h.clone()), UnsupportedOperationError, "add with out="),
        (
            lambda h: torch.div(h, 2, rounding_mode="floor"),
            UnsupportedOperationError,
            "div with rounding_mode",
        ),
        (lambda h: torch.relu(h.T).T, UnsupportedOperationError, "torch.Tensor.T"),
        (
            lambda h: F.softmax(h, 1, dtype=torch.float32),
            UnsupportedOperationError,
            "softmax with dtype=torch.float32",
        ),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_no_certificate_would_be_true_of_is_refused(function, error, message, method):
    torch.manual_seed(0)
    module, X = Wrapped(function).eval(), torch.rand(5, 6)
    y = torch.tensor([0, 1, 2, 0, 1])
    state = torch.random.get_rng_state()
    with pytest.raises(error, match=message):
        certified_margins(module, X, y, 0.02, method=method)
    if "random" not in message:
        assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "function",
    [
        nn.LeakyReLU(2.0),
        lambda h: torch.relu(h.reshape(-1, 2)).reshape(-1, 6),  # three patches of each sample
        lambda h: F.leaky_relu(h.reshape(-1, 3) - 0.1, 0.5).reshape(-1, 6),
        lambda h: F.relu(h, inplace=True),
        lambda h: F.max_pool1d(h[:, None], 2).repeat(1, 1, 2).flatten(1),
        lambda h: F.max_pool2d(h.reshape(-1, 2, 3), (1, 2), 1).flatten(1).repeat(1, 2)[:, :6],
        lambda h: torch.relu(h.transpose(0, 1)).transpose(0, 1),
        lambda h: torch.tanh(h.reshape(-1, 2, 3).permute(1, 0, 2)).permute(1, 0, 2).flatten(1),
        turned_and_kept,
        copied_along_the_front,
        lambda h: torch.relu(h.repeat(2, 1)).reshape(2, -1, 6).mean(0),
        lambda h: torch.cat([torch.relu(h[:1]), torch.relu(h[1:])]),
        lambda h: divided(h, 5),
        lambda h: np.float64(2.0) * h - np.float32(0.5),
        lambda h: torch.relu(input=torch.add(h, other=torch.mul(input=h, other=-0.5))),
        lambda h: torch.flatten(input=torch.cat(tensors=[h, 1 - h], dim=1), start_dim=1)[:, 3:9],
        lambda h: F.linear(input=h, weight=WEIGHT.to(h.dtype)),
        lambda h: F.linear(torch.relu(h), bias=WEIGHT[0].to(h.dtype), weight=WEIGHT.to(h.dtype)),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_unusual_is_bounded_soundly(function, method):
    torch.manual_seed(0)
    module, X = Wrapped(function).eval(), torch.rand(5, 6)
    y = module(X).argmax(1)
    for eps in (0.02, 0.3):
        margins = certified_margins(module, X, y, eps, method=method)
        tried = points_of(X, eps, N_POINTS)
        with torch.no_grad():
            logits = module(tried.flatten(0, 1)).reshape(N_POINTS, 5, 3)
        assert (margins <= worst_margins(logits.double(), y)).all()
        if method == "crown":
            assert (margins >= certified_margins(module, X, y, eps) - 1e-4).all()
        alone = [
            certified_margins(module, X[i : i + 1], y[i : i + 1], eps, method=method)
            for i in range(len(X))
        ]
        torch.testing.assert_close(torch.cat(alone), margins, atol=1e-4, rtol=0)
    assert (certified_margins(module, X, y, 1e-6, method=method) > 0).any()


class Ensemble(nn.Module):
    """Two members, of one hidden layer but for a gain per feature, by a constant of higher rank."""

    def __init__(self, operation, n_classes=3):
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, n_classes)
        self.gain = nn.Parameter(torch.randn(2, 1, 6))
        self.operation = operation

    def forward(self, X):
        return self.last(torch.relu(self.operation(self.first(X), self.gain))).mean(0)


WIDENING = {
    "product": lambda hidden, gain: hidden * gain,
    "quotient": lambda hidden, gain: hidden / (2 + gain**2),
    "sum": lambda hidden, gain: hidden + gain,
    "difference": lambda hidden, gain: gain - 2 * hidden,
    "two boxes": lambda hidden, gain: hidden + torch.relu(hidden * gain),
}


@pytest.mark.parametrize("n_classes", [2, 3, 4])  # of which three has as many rivals as members
@pytest.mark.parametrize("name", WIDENING)
def test_broadcasting_to_a_higher_rank_is_bounded_soundly(name, n_classes):
    torch.manual_seed(0)
    proved = 0
    for eps in (0.02, 0.1, 0.3):
        module, X = Ensemble(WIDENING[name], n_classes).eval(), torch.rand(4, 6)
        y = module(X).argmax(1)
        tried = points_of(X, eps, N_POINTS)
        with torch.no_grad():
            logits = module(tried.flatten(0, 1)).reshape(N_POINTS, 4, n_classes)
        for rows in (slice(None), slice(1)):  # of one sample, too
            margins = certified_margins(module, X[rows], y[rows], eps, method="crown")
            assert (margins <= worst_margins(logits.double(), y)[rows]).all()
            assert (margins >= certified_margins(module, X[rows], y[rows], eps) - 1e-4).all()
        proved += (margins > 0).sum()
    assert proved


@pytest.mark.parametrize("name", WIDENING)
def test_crown_of_a_higher_rank_is_that_of_members_written_out(name):
    """In training, too: the margins and their gradients."""
    torch.manual_seed(0)
    module = Ensemble(WIDENING[name])
    X, y = torch.rand(4, 6), torch.tensor([0, 1, 2, 0])
    found = []
    for copies in (1, 2):
        box = Box.around(X, 0.1, (0, 1))
        output = module(box) if copies == 1 else module(box.expand(2, -1, -1))
        margins = margin_bounds(output, y, "crown")
        gradients = torch.autograd.grad(
            (margins * torch.arange(12).reshape(4, 3)).sum(), list(module.parameters())
        )
        found.append((margins, *gradients))
    torch.testing.assert_close(*found)


def test_crown_is_the_same_wherever_code_puts_the_samples():
    """In training, too: the margins and their gradients."""
    torch.manual_seed(0)
    plain = Wrapped(torch.relu)
    turned = copy.deepcopy(plain)
    turned.function = lambda h: torch.relu(h.transpose(0, 1)).transpose(0, 1)
    X, y = torch.rand(3, 6), torch.tensor([0, 1, 2])  # as many values as two samples, or six
    found = []
    for module in (plain, turned):
        margins = margin_bounds(module(Box.around(X, 0.1, (0, 1))), y, "crown")
        gradients = torch.autograd.grad((margins * torch.arange(9).reshape(3, 3)).sum(),
                                        list(module.parameters()))  # fmt: skip
        found.append((margins, *gradients))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("threshold", [0.1, 3.0, 20.0])
def test_softplus_falls_where_it_becomes_the_identity(threshold):
    layer, X = (
        nn.Softplus(threshold=threshold).double(),
        torch.full((1, 1), 0.1, dtype=torch.float64),
    )
    box = layer(Box.around(X, 0.05, (0, 1)))
    values = layer(torch.linspace(0.05, 0.15, 1001, dtype=torch.float64))
    assert box.lower <= values.amin() + 1e-12
    assert values.amax() <= box.upper + 1e-12


def test_values_that_cancel_inside_are_not_proved_beyond_what_float32_can_tell():
    """Two values of ten million whose difference decides: exact for CROWN, noise in float32."""
    torch.manual_seed(0)
    X, y = torch.rand(200, 1), torch.zeros(200, dtype=torch.long)
    broken, kept = [], []
    for size in (1.0, 1e5, 1e6, 1e7):
        module = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 2))
        values = ([[size], [size]], [0.0, 0.3], [[-1.0, 1.0], [0.0, 0.0]], [0.0, 0.29])
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), values, strict=True):
                parameter.copy_(torch.tensor(value))
            turned = torch.zeros(200, dtype=torch.bool)
            for Z in points_of(X, 1e-5, 100):
                turned |= module(Z).argmax(1) != 0
        for method in METHODS:
            certified = certified_margins(module, X, y, 1e-5, method=method) > 0
            assert not (certified & turned).any()
            kept.append(certified.any())
        broken.append(turned.any())
    assert broken[-1]
    assert not broken[0]
    assert all(kept[:2])  # where nothing cancels it is proved


def test_a_box_without_width_says_what_the_module_says():
    torch.manual_seed(0)
    module, X = SmallCNN().double().eval(), torch.rand(4, 1, 8, 8).double()
    with torch.no_grad():
        box, logits = module(Box(X, X, X)), module(X)
    for bound in (box.lower, box.upper, box.nominal):
        torch.testing.assert_close(bound, logits)
