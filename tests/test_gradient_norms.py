"""Expected gradient length against one backward pass per sample and class."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skactive.networks import LeNet5, PreActResNet18
from skactive.passes import gradient_norms
from skactive.passes.gradient_norms import expected_gradient_length
from skactive.utils.random_state import seeded_torch
from tests.models import SmallCNN, SmallMLP


class Shared(nn.Module):
    """One layer executed twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, X):
        return self.head(self.layer(self.layer(X).tanh()))


class Exotic(nn.Module):
    """Layers that ghost norms do not cover."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, X):
        return self.head(self.norm(X) * self.scale)


class Strided(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 4, 3, stride=2, padding=1, dilation=1, bias=False),
            nn.BatchNorm2d(4, affine=False),
            nn.ReLU(),
            nn.Conv2d(4, 6, (3, 1), dilation=(1, 2)),
            nn.Flatten(),
            nn.Linear(6 * 2 * 4, 3, bias=False),
        )


class Tied(Shared):
    """The weight of a layer used again by a function."""

    def forward(self, X):
        return self.head(F.linear(self.layer(X).tanh(), self.layer.weight))


class Tokens(nn.Module):
    """Linear layers on sequences; LayerNorm, GroupNorm and a grouped convolution."""

    def __init__(self):
        super().__init__()
        self.conv, self.groups = nn.Conv2d(4, 6, 3, groups=2), nn.GroupNorm(3, 6)
        self.norm, self.mix, self.head = nn.LayerNorm(6), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, X):
        tokens = self.groups(self.conv(X)).flatten(2).transpose(1, 2)
        return self.head(self.mix(self.norm(tokens)).tanh().mean(dim=1))


class InPlace(nn.Sequential):
    """ReLUs that overwrite the outputs of the layers before them."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(4 * 36, 3),
        )


class Overwriting(SmallMLP):
    """Overwrites what it reads."""

    def forward(self, X):
        X -= 0.5
        return super().forward(X)


class OverwritingExotic(Exotic):
    def forward(self, X):
        X *= 2
        return super().forward(X)


class Recurrent(nn.Module):
    """What vmap cannot batch."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(2, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, X):
        return self.head(self.layer(X.view(len(X), 3, 2))[0][:, -1])


class Frozen(SmallCNN):
    """Some parameters do not count, and one layer is never executed."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)
        for p in (*self[0].parameters(), self[1].bias, self[8].weight):
            p.requires_grad_(False)

    def forward(self, X):
        for sub in list(self)[:-1]:
            X = sub(X)
        return X


CASES = {
    "mlp": (SmallMLP, (64,), {}),
    "cnn": (SmallCNN, (1, 8, 8), {}),
    "lenet": (LeNet5, (1, 28, 28), {}),
    "strided": (Strided, (2, 8, 8), {}),
    "shared layer": (Shared, (6,), {}),
    "exotic layers": (Exotic, (6,), {}),
    "tied weights": (Tied, (6,), {}),
    "tokens": (Tokens, (4, 5, 5), {}),
    "in place": (InPlace, (1, 8, 8), {}),
    "overwriting": (Overwriting, (64,), {}),
    "overwriting, exotic layers": (OverwritingExotic, (6,), {}),
    "recurrent": (Recurrent, (6,), {}),
    "frozen": (Frozen, (1, 8, 8), {}),
}


def build(name):
    make, shape, params = CASES[name]
    with seeded_torch(0):
        module = make(**params).double()
        for sub in module.modules():
            if isinstance(sub, nn.BatchNorm2d):
                sub.running_mean.uniform_(-0.5, 0.5)
                sub.running_var.uniform_(0.5, 2.0)
        return module, torch.rand(4, *shape).double()


def one_by_one(module, X, wrt):
    module.eval()
    params = [p for p in module.parameters() if p.requires_grad]
    lengths = []
    for x in X:
        x = x[None].clone().requires_grad_(True)
        proba = module(x.clone()).softmax(1).detach()[0]
        total = 0.0
        for c in range(len(proba)):
            loss = F.cross_entropy(module(x.clone()), torch.tensor([c]), reduction="sum")
            gradients = torch.autograd.grad(
                loss, [x] if wrt == "input" else params, allow_unused=True
            )
            squared = sum(g.square().sum() for g in gradients if g is not None)
            total += proba[c] * torch.sqrt(squared)
        lengths.append(total)
    return torch.stack(lengths)


@pytest.mark.parametrize("wrt", ["parameters", "input"])
@pytest.mark.parametrize("name", list(CASES))
def test_equals_one_backward_pass_per_sample_and_class(name, wrt):
    module, X = build(name)
    expected, before = one_by_one(module, X, wrt), X.clone()
    module.train()
    torch.testing.assert_close(
        expected_gradient_length(module, X, wrt), expected, rtol=1e-8, atol=1e-10
    )
    assert all(sub.training for sub in module.modules())
    assert not any(sub._forward_hooks for sub in module.modules())
    assert all(p.grad is None for p in module.parameters())
    assert torch.equal(X, before)


@pytest.mark.parametrize("name", ["mlp", "cnn", "lenet", "strided", "tokens", "in place", "frozen"])
def test_ghost_norms_cover_the_usual_layers(name, monkeypatch):
    def not_needed(*args):
        raise AssertionError("differentiated sample by sample")

    monkeypatch.setattr(gradient_norms, "_by_sample", not_needed)
    module, X = build(name)
    assert (expected_gradient_length(module, X) > 0).all()


def test_flags_of_parameters_come_back():
    module, X = build("frozen")
    before = [p.requires_grad for p in module.parameters()]
    with torch.inference_mode():
        expected_gradient_length(module, X.clone())
    assert [p.requires_grad for p in module.parameters()] == before
    with pytest.raises(ValueError, match=r"wrt must be one of.*'weights'"):
        expected_gradient_length(module, X, "weights")


def test_sure_samples_have_no_gradient_and_no_nan():
    module = nn.Linear(2, 3, bias=False).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, -1]]))
    X = torch.tensor([[1e4, 0.0], [0.0, 0.0], [0.0, 1e3]]).double()
    for wrt in ("parameters", "last_layer", "input"):
        lengths = expected_gradient_length(module, X, wrt)
        assert torch.isfinite(lengths).all()
        assert lengths[0] == lengths[2] == 0


def test_single_precision_is_within_1e_5():
    module, X = build("lenet")
    expected = one_by_one(module, X, "parameters")
    found = expected_gradient_length(module.float(), X.float(), "parameters")
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["mlp", "cnn", "lenet", "strided"])
def test_last_layer_is_the_closed_form(name):
    module, X = build(name)
    for p in module.parameters():
        p.requires_grad_(False)
    last = [sub for sub in module.modules() if isinstance(sub, nn.Linear)][-1]
    for p in last.parameters():
        p.requires_grad_(True)
    expected = one_by_one(module, X, "parameters")
    found = expected_gradient_length(module, X, "last_layer")
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    # and with everything but the last layer frozen, "parameters" says the same
    torch.testing.assert_close(expected_gradient_length(module, X, "parameters"), expected)


def test_residual_networks_are_covered():
    with seeded_torch(0):
        module = PreActResNet18(n_classes=2).eval()
        X = torch.rand(2, 3, 32, 32)
    expected = one_by_one(module, X, "parameters")
    torch.testing.assert_close(
        expected_gradient_length(module, X, "parameters"), expected, rtol=1e-3, atol=1e-5
    )


def test_scores_do_not_depend_on_the_batch():
    module, X = build("cnn")
    whole = expected_gradient_length(module, X, "parameters")
    single = torch.cat([expected_gradient_length(module, x[None], "parameters") for x in X])
    torch.testing.assert_close(whole, single)
