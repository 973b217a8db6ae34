"""What goes wrong with torchattacks by itself must not go wrong through the adapter.

Each defect of torchattacks 3.5.1 that is known to bite users has its test here. The installed
release is asked which attacks there are: 3.3.0 lacks some.
"""

import copy
import inspect

import numpy as np
import pytest
import torch
import torchattacks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, AutoAttack, DeepFool, TorchAttack, resolve_attack
from skactive.metrics import robustness_report

# Settings that make slow attacks quick; everything else is left at its default.
QUICK = {
    "steps": 2, "n_queries": 8, "n_restarts": 1, "restarts": 2, "popsize": 4, "nb_sample": 4,
    "max_batch_size": 4, "inf_batch": 8, "binary_search_steps": 2, "max_iterations": 10,
    "kernel_name": "gaussian",
}  # fmt: skip
EVERY = sorted(name for name, value in vars(torchattacks).items() if inspect.isclass(value))
COLOR_ONLY = {"TIFGSM", "PIFGSM", "PIFGSMPP"}
if torchattacks.__version__.startswith("3.3."):
    COLOR_ONLY.add("Pixle")
NOT_ALONE = {"MultiAttack", "LGV"}
SLOW = {"AutoAttack", "EADEN", "EADL1", "JSMA", "SparseFool"}
RUNNING = [name for name in EVERY if name not in NOT_ALONE]
WITH_EPS = [
    name
    for name in RUNNING
    if name not in COLOR_ONLY | {"VANILA"}
    and name != "AutoAttack"
    and "eps" in inspect.signature(getattr(torchattacks, name)).parameters
]


def quick(name, **params):
    known = inspect.signature(getattr(torchattacks, name).__init__).parameters
    settings = {key: value for key, value in QUICK.items() if key in known}
    return TorchAttack(name, **{**settings, **params})


class Net(nn.Sequential):
    """A convolution with BatchNorm and dropout, then one linear layer."""

    def __init__(self, channels=1, n_classes=10, size=6):
        torch.manual_seed(0)
        super().__init__(
            nn.Conv2d(channels, 3, 3, padding=1),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(3 * size * size, n_classes),
        )


def batch(channels=1, n=4, size=6, seed=1):
    X = torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return X, Net(channels, size=size).eval()(X).argmax(1)


def state(module):
    return (
        [sub.training for sub in module.modules()],
        [
            (p.requires_grad, None if p.grad is None else p.grad.clone())
            for p in module.parameters()
        ],
        {key: value.clone() for key, value in module.state_dict().items()},
        (torch.random.get_rng_state(), np.random.get_state()[1].copy()),
    )


def assert_as_found(before, after):
    assert before[0] == after[0]
    for (flag, grad), (flag_now, grad_now) in zip(before[1], after[1], strict=True):
        assert flag == flag_now
        assert (grad is None) == (grad_now is None)
        assert grad is None or torch.equal(grad, grad_now)
    assert all(torch.equal(before[2][key], after[2][key]) for key in before[2])
    assert torch.equal(before[3][0], after[3][0])
    assert (before[3][1] == after[3][1]).all()


# -- every attack that there is ------------------------------------------------------------


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_attack_of_torchattacks_runs_or_says_why_not(name, channels):
    X, y = batch(channels)
    module = Net(channels).train()
    module[1].eval()  # a BatchNorm its owner froze
    module[0].weight.grad = torch.ones_like(module[0].weight)  # a step half done
    kept, before = X.clone(), state(module)
    if name in COLOR_ONLY and channels == 1:
        with pytest.raises(ValueError, match="three channels"):
            quick(name)(module, X, y)
        return
    with torch.no_grad():
        attacked = quick(name, random_state=0)(module, X, y)
    assert_as_found(before, state(module))
    assert torch.equal(X, kept)
    assert not attacked.requires_grad
    assert attacked.is_contiguous()
    assert attacked.shape == X.shape
    assert attacked.dtype == X.dtype
    assert 0 <= attacked.min() <= attacked.max() <= 1
    assert torch.equal(attacked, quick(name, random_state=0)(module, X, y))


class Halved(nn.Module):
    """A module of inputs in [0, 2] that is another one of inputs in [0, 1]: no digit is lost."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, X):
        return self.module(X / 2)


LENGTHS = {
    "GN": ["std"],
    "JSMA": ["theta"],
    "PGDRS": ["eps", "alpha", "noise_sd"],
    "PGDRSL2": ["eps", "alpha", "noise_sd"],
    "PIFGSM": ["max_epsilon"],
    "PIFGSMPP": ["max_epsilon"],
    "SPSA": ["eps", "delta", "lr"],
}


@pytest.mark.parametrize("name", [name for name in LENGTHS if name in EVERY])
def test_lengths_are_in_input_units_whatever_their_name(name):
    X, y = batch(3)
    lengths = {key: 0.04 + 0.03 * at for at, key in enumerate(LENGTHS[name])}
    attack = quick(name, random_state=0, **lengths)
    attacked = attack(Net(3), X, y)
    assert not torch.equal(attacked, X)
    wide = {key: 2 * value for key, value in lengths.items()}
    twice = quick(name, random_state=0, bounds=(0, 2), **wide)
    assert torch.equal(twice(Halved(Net(3)), 2 * X, y), 2 * attacked)
    defaults = quick(name, random_state=0)(Net(3), X, y)  # which are shares of the range
    of_range = quick(name, random_state=0, bounds=(0, 2))(Halved(Net(3)), 2 * X, y)
    assert torch.equal(of_range, 2 * defaults)


def test_jitter_has_a_deviation_of_outputs():
    X, y = batch(3)
    attacked = quick("Jitter", eps=0.1, alpha=0.05, std=0.3, random_state=0)(Net(3), X, y)
    twice = quick("Jitter", eps=0.2, alpha=0.1, std=0.3, random_state=0, bounds=(0, 2))
    moved = twice(Halved(Net(3)), 2 * X, y)
    assert ((moved == 2 * attacked).double().mean() > 0.9).all()


@pytest.mark.parametrize("name", [name for name in ("PIFGSM", "PIFGSMPP") if name in EVERY])
def test_a_radius_that_is_called_otherwise_is_one(name):
    X, y = batch(3)
    attack = TorchAttack(name, max_epsilon=0.1, random_state=0)
    assert attack.eps == 0.1
    assert "ε = 0.1" in attack.in_words
    assert TorchAttack(name, bounds=(-1, 1)).eps == 2 * 16 / 255
    assert (attack(Net(3), X, y) - X).abs().max() <= 0.1 + 1e-6
    smaller = resolve_attack(attack, eps=0.05)
    assert smaller.get_params()["max_epsilon"] == smaller.eps == 0.05
    with pytest.raises(ValueError, match="no parameter eps"):  # which of the two?
        smaller.set_params(eps=0.1, max_epsilon=0.2)
    with pytest.raises(ValueError, match="eps=8"):
        TorchAttack(name, max_epsilon=8)(Net(3), X, y)


@pytest.mark.parametrize("name", sorted(NOT_ALONE))
def test_what_cannot_be_run_alone_says_so(name):
    X, y = batch()
    with pytest.raises(ValueError, match=f"{name} cannot be run here"):
        TorchAttack(name)(Net(), X, y)


@pytest.mark.parametrize("name", ["EADEN", "EADL1", "JSMA", "PIFGSM", "PIFGSMPP", "SPSA"])
def test_what_an_older_torchattacks_lacks_names_the_release_that_has_it(name, monkeypatch):
    X, y = batch()
    monkeypatch.delattr(torchattacks, name, raising=False)
    monkeypatch.setattr(torchattacks, "__version__", "3.3.0")
    with pytest.raises(ValueError, match=f"{name} needs torchattacks 3.5.1; installed is 3.3.0"):
        TorchAttack(name)(Net(), X, y)


def test_an_older_pixle_refuses_gray_images(monkeypatch):
    X, y = batch()
    monkeypatch.setattr(torchattacks, "__version__", "3.3.0")
    with pytest.raises(ValueError, match=r"Pixle of torchattacks 3.3.0 .* three channels"):
        quick("Pixle")(Net(), X, y)


@pytest.mark.parametrize("name", ["DIFGSM", "Pixle", "TIFGSM"])
@pytest.mark.parametrize(
    "shape", [(1,), (36,), (3, 12), (1, 4, 9), (3, 4, 9), (1, 1, 36), (1, 1, 1)]
)
def test_attacks_of_square_images_refuse_others(name, shape):
    X, y = torch.rand(4, *shape), torch.randint(5, (4,))
    module = nn.Sequential(nn.Flatten(), nn.Linear(X[0].numel(), 5))
    with pytest.raises(ValueError, match=rf"{name} .* square images, .* have shape \(4, .*MIFGSM"):
        quick(name)(module, X, y)


@pytest.mark.parametrize("name", WITH_EPS)
def test_radius_and_range_are_kept_in_other_bounds(name):
    X, y = batch()
    attacked = quick(name, eps=0.2, bounds=(-1, 3))(Net(), 4 * X - 1, y)
    delta = (attacked - (4 * X - 1)).flatten(1)
    norm = quick(name).norm
    size = delta.norm(dim=1) if norm == "L2" else delta.abs().amax(dim=1)
    assert size.max() <= 0.2 + 1e-4
    assert -1 <= attacked.min() <= attacked.max() <= 3


SHAPES = ["PGD", "PGDL2", "Square", "APGD", "APGDT", "FAB", "DeepFool", "CW", "TPGD"]


@pytest.mark.parametrize("name", SHAPES)
def test_tables_double_precision_and_foreign_memory_formats(name):
    X, y = batch()
    wide = nn.Sequential(nn.Unflatten(1, (1, 6, 6)), Net())
    table = quick(name, random_state=0)(wide, X.flatten(1), y)
    assert table.shape == (4, 36)
    double = quick(name, random_state=0)(Net().double(), X.double(), y)
    assert double.dtype == torch.float64
    X, y = batch(3)
    for strided in (
        X.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
        X.contiguous(memory_format=torch.channels_last),
    ):
        plain = quick(name, random_state=0)(Net(3), X, y)
        found = quick(name, random_state=0)(Net(3), strided, y)
        assert found.is_contiguous()
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int16])
@pytest.mark.parametrize("name", ["PGD", "FAB", "Square"])
def test_labels_of_any_integer_type_and_arrays(name, dtype):
    X, y = batch()
    attack = quick(name, random_state=0)
    expected = attack(Net(), X, y)
    assert torch.equal(attack(Net(), X, y.to(dtype)), expected)
    assert torch.equal(attack(Net(), X, y.numpy()), expected)


@pytest.mark.parametrize("name", SHAPES)
def test_single_samples_empty_batches_and_inference_mode(name):
    X, y = batch()
    attack, module = quick(name), Net()
    assert attack(module, X[:1], y[:1]).shape == (1, 1, 6, 6)
    assert attack(module, X[:0], y[:0]).shape == (0, 1, 6, 6)
    with torch.inference_mode():
        assert attack(module, X.clone(), y.clone()).shape == X.shape


@pytest.mark.parametrize("name", ["APGD", "APGDT", "FAB", "Square", "DeepFool"])
def test_samples_that_are_wrong_already_are_not_moved(name):
    X, y = batch()
    attacked = quick(name)(Net(), X, (y + 1) % 10)
    assert torch.equal(attacked, X)


def test_the_number_of_classes_is_the_modules():
    X, _ = batch()
    module = Net(n_classes=5)
    for name in ("APGDT", "FAB"):
        quick(name)(module, X, torch.zeros(4, dtype=torch.long))
    with pytest.raises(ValueError, match="only 4 other classes"):
        quick("APGDT", n_classes=10)(module, X, torch.zeros(4, dtype=torch.long))
    for n_classes in (2, 3):
        small = Net(n_classes=n_classes)
        for name in ("APGDT", "AutoAttack"):
            with pytest.raises(ValueError, match=f"not defined for {n_classes} classes"):
                quick(name)(small, X, torch.zeros(4, dtype=torch.long))
        AutoAttack(eps=0.1, version="fast")(small, X, torch.zeros(4, dtype=torch.long))
    with pytest.raises(ValueError, match="not defined for 2 classes"):
        quick("APGD", loss="dlr")(Net(n_classes=2), X, torch.zeros(4, dtype=torch.long))


# -- heads ---------------------------------------------------------------------------------

HEADED = ["FGSM", "PGD", "PGDL2", "TPGD", "Square", "APGD", "APGDT", "FAB", "CW"]


@pytest.fixture(scope="module")
def trained(digits):
    """A net that classifies digits, and 60 of them that it gets right."""
    X, y = torch.from_numpy(digits[0][:700]), torch.from_numpy(digits[1][:700])
    module = Net(size=8)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(X[:600]), y[:600]).backward()
        optimizer.step()
    module.zero_grad(set_to_none=True)
    right = (module.eval()(X).argmax(1) == y).nonzero()[-60:, 0]
    return module, X[right], y[right]


def broken(attack, module, X, y):
    attacked = attack(module, X, y)
    with torch.no_grad():
        return float((module(attacked).argmax(1) != y).double().mean())


@pytest.mark.parametrize("head", [nn.LogSoftmax(1), nn.Softmax(1)], ids=["log", "softmax"])
@pytest.mark.parametrize("name", HEADED)
def test_heads_do_not_weaken_an_attack(trained, name, head):
    module, X, y = trained
    params = {
        "CW": {"steps": 60, "c": 10},
        "PGDL2": {"eps": 1.0, "steps": 5},
        "FGSM": {"eps": 0.1},
        "Square": {"eps": 0.1, "n_queries": 50},
    }.get(name, {"eps": 0.1, "steps": 5})
    attack = TorchAttack(name, random_state=0, **params)
    plain = broken(attack, module, X, y)
    headed = broken(attack, nn.Sequential(module, head), X, y)
    assert plain > 0
    assert headed >= plain - 0.04


def test_deepfool_measures_the_same_distance_through_a_head(trained):
    module, X, _ = trained
    plain = DeepFool()(module, X).distance
    for head in (nn.LogSoftmax(1), nn.Softmax(1)):
        found = DeepFool()(nn.Sequential(module, head), X).distance
        torch.testing.assert_close(found, plain, rtol=2e-2, atol=1e-3)


class Scaled(nn.Module):
    """Logits times a thousand: the softmax saturates and its gradient underflows."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, X):
        return 1000 * self.module(X)


def test_autoattack_sees_through_confidence_that_fools_pgd(trained):
    module, X, y = trained
    masked = Scaled(module)
    pgd = PGD(eps=0.1, steps=20, random_start=False)
    honest, fooled = broken(pgd, module, X, y), broken(pgd, masked, X, y)
    assert fooled < honest - 0.2
    net = AdversarialNetClassifier.from_module(masked, classes=range(10), attack=None)
    with pytest.warns(UserWarning, match="gradient of exactly zero"):
        report = robustness_report(net, X.numpy(), y.numpy(), "autoattack-fast", eps=0.1)
    assert report.zero_gradients > 0.2
    assert 1 - report.survivors["square"] >= honest - 0.05


# -- what is refused -----------------------------------------------------------------------


class TooFar(torchattacks.PGD):
    """Returns more than it was allowed."""

    def forward(self, images, labels):
        return (images + 2 * self.eps).clamp(0, 1)


class Returns(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, X):
        return self.value(X) * self.weight


@pytest.mark.parametrize("attack", [PGD(eps=0.1), quick("APGD"), AutoAttack(version="fast")])
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Returns(lambda X: X.flatten(1)[:, :4] * torch.nan), "returned NaN"),
        (Returns(lambda X: X.flatten(1)[:, 0]), "logits of shape"),
        (Returns(lambda X: X.flatten(1)[:, :1]), "at least two classes"),
        (Returns(lambda X: X), "logits of shape"),
    ],
)
def test_modules_without_logits_are_named(attack, module, message):
    X, _ = batch()
    module.train()
    before = state(module)
    with pytest.raises(ValueError, match=message):
        attack(module, X, torch.zeros(4, dtype=torch.long))
    assert_as_found(before, state(module))


@pytest.mark.parametrize("attack", [FGSM(eps=0.1), quick("PGD"), AutoAttack(version="fast")])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (lambda X: 2 * X - 1, lambda y: y, r"works in \[0, 1\]"),
        (lambda X: X * torch.inf, lambda y: y, "NaN or infinite"),
        (lambda X: (255 * X).byte(), lambda y: y, "floating point"),
        (lambda X: X, lambda y: y + 10, "the module has 10 classes"),
        (lambda X: X, lambda y: y - 10, "the module has 10 classes"),
        (lambda X: X, lambda y: y[:2], "one class index per sample"),
        (lambda X: X, lambda y: y.float(), "one class index per sample"),
    ],
)
def test_bad_batches_are_named(attack, X, y, message):
    inputs, labels = batch()
    with pytest.raises(ValueError, match=message):
        attack(Net(), X(0.8 * inputs + 0.1), y(labels))


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (TorchAttack(TooFar, eps=0.05), "returned a perturbation of size 0.1"),
        (TorchAttack("PGD", eps=0), "'eps' parameter of .* must be a positive"),
        (TorchAttack("PGD", eps=-1), "'eps' parameter of .* must be a positive"),
        (TorchAttack("PGD", eps=float("nan")), "'eps' parameter of .* must be a positive"),
        (TorchAttack("FAB", norm="L1"), "'norm' parameter of TorchAttack must be"),
        (TorchAttack("AutoAttack", version="double"), "Not valid version"),
        (TorchAttack("PGD", stepps=3), "has no parameter stepps"),
        (TorchAttack("APGDT"), "not defined for 3 classes"),
        pytest.param(
            TorchAttack("JSMA"),
            "not defined for 5 classes",
            marks=pytest.mark.skipif("JSMA" not in EVERY, reason="torchattacks 3.3 has no JSMA"),
        ),
    ],
)
def test_bad_settings_are_named(attack, message):
    X, _ = batch()
    module = Net(n_classes={"JSMA": 5, "APGDT": 3}.get(attack.attack, 10)).train()
    before = state(module)
    with pytest.raises(ValueError, match=message):
        attack(module, 0.8 * X, torch.zeros(4, dtype=torch.long))
    assert_as_found(before, state(module))


# -- the net is left as found, whatever happens --------------------------------------------


class Stumbling(nn.Module):
    """Passes calls on until one fails."""

    def __init__(self, module, calls):
        super().__init__()
        self.module, self.calls = module, calls

    def forward(self, X):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt if self.calls % 2 else RuntimeError
        return self.module(X)


PROPERTY_ATTACKS = [
    PGD(eps=0.1, steps=2),
    PGD(eps=0.5, steps=2, norm="L2", stop_when_fooled=True),
    FGSM(eps=0.1, random_start=True),
    *(quick(name) for name in RUNNING if name not in COLOR_ONLY | SLOW),
]


@given(
    attack=st.sampled_from(PROPERTY_ATTACKS),
    modes=st.lists(st.booleans(), min_size=8, max_size=8),
    trainable=st.lists(st.booleans(), min_size=6, max_size=6),
    gradients=st.lists(st.booleans(), min_size=6, max_size=6),
    double=st.booleans(),
    calls=st.one_of(st.none(), st.integers(0, 6)),
    grad_enabled=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_attack_leaves_any_net_as_found(
    attack, modes, trainable, gradients, double, calls, grad_enabled
):
    X, y = batch()
    module = Stumbling(Net(), 10**9 if calls is None else calls)
    if double:
        module, X = module.double(), X.double()
    for sub, mode in zip(module.modules(), modes, strict=True):
        sub.training = mode
    for parameter, flag, grad in zip(module.parameters(), trainable, gradients, strict=True):
        parameter.requires_grad_(flag)
        parameter.grad = torch.ones_like(parameter) if grad else None
    before, kept = state(module), X.clone()
    hooks = [len(sub._forward_hooks) for sub in module.modules()]
    try:
        with torch.set_grad_enabled(grad_enabled):
            attacked = copy.copy(attack)(module, X, y)
            assert attacked.dtype == X.dtype
            assert not attacked.requires_grad
    except (RuntimeError, KeyboardInterrupt):
        assert calls is not None
    assert_as_found(before, state(module))
    assert torch.equal(X, kept)
    assert hooks == [len(sub._forward_hooks) for sub in module.modules()]
