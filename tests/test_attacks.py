"""Attacks: closed forms, torchattacks step by step, and nets left as they were."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torchattacks
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.base import clone
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import (
    FGSM,
    PGD,
    PRESETS,
    Attack,
    AutoAttack,
    DeepFool,
    TorchAttack,
    check_bounds,
    resolve_attack,
)
from skactive.attacks._pgd import pgd
from skactive.metrics import robustness_report
from tests.models import SmallCNN, SmallMLP


@pytest.fixture(scope="module")
def trained(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=6, lr=0.01, random_state=0)
    net.fit(X[:300], y[:300])
    return net.module_.eval(), torch.as_tensor(X[300:340]), torch.as_tensor(y[300:340])


def affine(n_features=5, n_classes=3, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    module = nn.Linear(n_features, n_classes)
    with torch.no_grad():
        module.weight.copy_(scale * torch.randn(n_classes, n_features, generator=generator))
        module.bias.copy_(torch.randn(n_classes, generator=generator))
    return module


# -- PGD and FGSM ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_pgd_equals_torchattacks_from_the_same_start(trained, steps):
    module, X, y = trained
    theirs = torchattacks.PGD(module, eps=0.1, alpha=0.03, steps=steps, random_start=False)(X, y)
    ours = PGD(eps=0.1, alpha=0.03, steps=steps, random_start=False)(module, X, y)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_pgd_l2_equals_torchattacks_from_the_same_start(trained, steps):
    module, X, y = trained
    theirs = torchattacks.PGDL2(module, eps=1.0, alpha=0.3, steps=steps, random_start=False)(X, y)
    ours = PGD(eps=1.0, alpha=0.3, steps=steps, random_start=False, norm="L2")(module, X, y)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_pgd_equals_torchattacks_from_the_same_random_start(trained):
    module, X, y = trained
    torch.manual_seed(0)
    with torch.random.fork_rng():
        theirs = torchattacks.PGD(module, eps=0.1, alpha=0.03, steps=4, random_start=True)(X, y)
    start = (X + torch.empty_like(X).uniform_(-0.1, 0.1)).clamp(0, 1)
    ours = pgd(module, X, y, eps=0.1, alpha=0.03, steps=4, start=start)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_fgsm_is_the_closed_form_of_a_linear_module():
    module = affine(n_classes=2)
    X, y = torch.full((6, 5), 0.5), torch.tensor([0, 1, 0, 1, 0, 1])
    w = (module.weight[1] - module.weight[0]).detach()
    expected = X + 0.1 * w.sign() * (1 - 2 * y[:, None])
    torch.testing.assert_close(FGSM(eps=0.1)(module, X, y), expected)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@given(
    eps=st.floats(0.01, 2.0),
    steps=st.integers(1, 4),
    random_start=st.booleans(),
    low=st.floats(-2.0, 0.0),
    width=st.floats(0.1, 3.0),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_pgd_stays_in_the_ball_and_the_box(norm, eps, steps, random_start, low, width, seed):
    generator = torch.Generator().manual_seed(seed)
    X = low + width * torch.rand(4, 5, generator=generator)
    y = torch.randint(3, (4,), generator=generator)
    bounds = (low - 1e-6, low + width + 1e-6)
    eps = min(eps, width)  # a radius beyond the range is refused
    attack = PGD(eps, steps=steps, random_start=random_start, norm=norm, bounds=bounds)
    delta = attack(affine(seed=seed), X, y) - X
    size = delta.norm(dim=1) if norm == "L2" else delta.abs().amax(dim=1)
    assert (size <= eps * (1 + 1e-4) + 1e-5).all()


def test_stop_when_fooled_breaks_what_any_iterate_breaks(trained):
    module, X, y = trained
    settings = {"eps": 0.1, "alpha": 0.02, "steps": 10, "random_start": False}
    fixed = [
        module(PGD(**{**settings, "steps": k})(module, X, y)).argmax(1) != y for k in range(1, 11)
    ]
    # steps only sets how often, as alpha is given: each shorter run is a prefix of the longest
    ever = torch.stack([module(X).argmax(1) != y, *fixed]).any(dim=0)
    stopped = PGD(**settings, stop_when_fooled=True)(module, X, y)
    assert torch.equal(module(stopped).argmax(1) != y, ever)


def test_the_generator_decides_the_random_start(trained):
    module, X, y = trained
    attack = PGD(eps=0.1, steps=1, random_state=3)
    assert torch.equal(attack(module, X, y), attack(module, X, y))
    streams = [torch.Generator().manual_seed(5) for _ in range(2)]
    assert torch.equal(*(attack(module, X, y, generator=stream) for stream in streams))
    fresh = PGD(eps=0.1, steps=1)
    assert not torch.equal(fresh(module, X, y), fresh(module, X, y))


def test_another_loss_can_be_maximised(trained):
    module, X, y = trained
    attacked = PGD(eps=0.1, steps=3, random_start=False)(
        module, X, y, loss=lambda logits: -logits[:, 0].sum()
    )
    assert (module(attacked)[:, 0] < module(X)[:, 0]).all()


# -- DeepFool -------------------------------------------------------------------------------------


@given(
    n_classes=st.integers(2, 6),
    n_features=st.integers(1, 8),
    seed=st.integers(0, 10_000),
    exhaustive=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_deepfool_is_the_closed_form_on_affine_modules(n_classes, n_features, seed, exhaustive):
    module = affine(n_features, n_classes, seed).double()
    X = torch.rand(7, n_features, generator=torch.Generator().manual_seed(seed)).double()
    found = DeepFool(bounds=(-1e6, 1e6), exhaustive=exhaustive)(module, X)
    logits, weight = module(X).detach(), module.weight.detach()
    label = logits.argmax(1)
    gaps = logits.gather(1, label[:, None]) - logits
    norms = (weight[label][:, None] - weight[None]).norm(dim=2)
    expected = (gaps / norms).scatter(1, label[:, None], float("inf")).amin(dim=1)
    between = norms[norms > 0]
    if exhaustive or between.max() <= 2 * between.min():  # what the shortcut takes for granted
        torch.testing.assert_close(found.distance, expected, rtol=1e-4, atol=1e-9)
    assert (found.distance >= expected * (1 - 1e-4)).all()
    crossed = module(X + found.perturbation).argmax(1) != label
    assert crossed.all()


def test_deepfool_agrees_with_torchattacks(trained):
    module, X, _ = trained
    X = X[:20]
    label = module(X).argmax(1)
    theirs = torchattacks.DeepFool(module, steps=50, overshoot=0.02)(X, label) - X
    ours = DeepFool()(module, X)
    assert torch.isfinite(ours.distance).all()
    norms = theirs.flatten(1).norm(dim=1)
    assert spearmanr(norms, ours.distance).statistic > 0.998
    torch.testing.assert_close(ours.distance, norms, rtol=0.03, atol=1e-4)


def test_deepfool_shortcut_equals_the_exhaustive_run_and_any_batching(trained):
    module, X, _ = trained
    whole = DeepFool()(module, X)
    exhaustive = DeepFool(exhaustive=True)(module, X)
    small = DeepFool(batch_size=3)(module, X)
    torch.testing.assert_close(whole.distance, exhaustive.distance, rtol=2e-3, atol=1e-5)
    torch.testing.assert_close(whole.distance, small.distance, rtol=2e-3, atol=1e-5)
    assert (module(X + whole.perturbation).argmax(1) != module(X).argmax(1)).all()


def test_fewer_candidates_never_find_a_nearer_boundary(trained):
    module, X, _ = trained
    first = DeepFool(n_candidates=1)(module, X).distance
    assert (first >= DeepFool(exhaustive=True)(module, X).distance * 0.99).all()


def test_deepfool_without_a_boundary_is_infinite_never_nan():
    flat = affine(scale=0.0)
    found = DeepFool()(flat, torch.rand(4, 5))
    assert torch.isinf(found.distance).all()
    assert torch.equal(found.perturbation, torch.zeros(4, 5))
    walled = DeepFool(bounds=(0, 1))(affine(seed=1, scale=1e-3), torch.rand(20, 5))
    assert not torch.isnan(walled.distance).any()
    assert len(DeepFool()(flat, torch.rand(0, 5)).distance) == 0


# -- what every attack promises -------------------------------------------------------------------

ATTACKS = [
    PGD(eps=0.1, steps=2),
    PGD(eps=0.5, steps=2, norm="L2"),
    FGSM(eps=0.1, random_start=True),
    AutoAttack(eps=0.3, version="fast"),
    TorchAttack("PGD", eps=0.1, steps=2),
    TorchAttack("PGDL2", eps=0.5, steps=2),
    TorchAttack("FFGSM", eps=0.1, alpha=0.1),
    TorchAttack("TPGD", eps=0.1, steps=2),
    TorchAttack("Square", eps=0.1, n_queries=20),
    TorchAttack("APGD", eps=0.1, steps=3),
    TorchAttack("APGDT", eps=0.1, steps=3),
    TorchAttack("FAB", eps=0.1, steps=2),
    TorchAttack("AutoAttack", eps=0.5),
    TorchAttack("CW", steps=3),
    TorchAttack("DeepFool", steps=2),
    TorchAttack("MIFGSM", eps=0.1, steps=2),
    TorchAttack("VANILA"),
]
IDS = [f"{type(a).__name__}-{getattr(a, 'attack', '')}{getattr(a, 'norm', '')}" for a in ATTACKS]


def state(module):
    return (
        [sub.training for sub in module.modules()],
        [(p.requires_grad, p.grad is None) for p in module.parameters()],
        {key: value.clone() for key, value in module.state_dict().items()},
        torch.random.get_rng_state(),
    )


def assert_untouched(before, after):
    assert before[:2] == after[:2]
    assert all(torch.equal(before[2][key], after[2][key]) for key in before[2])
    assert torch.equal(before[3], after[3])


class Failing(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module, self.left = module, np.full((), 3)  # an array, which copies share

    def forward(self, X):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("broke in the middle")
        return self.module(X)


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_the_module_is_left_as_it_was(trained, attack):
    module, X, y = trained
    module = copy.deepcopy(module).train()
    module[1].eval()
    module[0].weight.requires_grad_(False)
    before = state(module)
    with torch.no_grad():
        attacked = attack(module, X[:8], y[:8])
    assert_untouched(before, state(module))
    assert not attacked.requires_grad
    assert attacked.shape == X[:8].shape
    assert 0 <= attacked.min() <= attacked.max() <= 1
    failing = Failing(module)
    before = state(failing)
    with pytest.raises(RuntimeError, match="broke in the middle"):
        for _ in range(4):
            attack(failing, X[:8], y[:8])
    assert_untouched(before, state(failing))


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_same_seed_same_attack_and_inputs_unchanged(trained, attack):
    module, X, y = trained
    kept = X[:8].clone()
    first = attack(module, X[:8], y[:8], generator=torch.Generator().manual_seed(1))
    again = attack(module, X[:8], y[:8], generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    assert torch.equal(kept, X[:8])


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
def test_clone_pickle_and_parameters(attack):
    for other in (clone(attack), pickle.loads(pickle.dumps(attack))):
        assert other.get_params() == attack.get_params()
    if "eps" in attack.get_params():
        assert clone(attack).set_params(eps=0.2).eps == 0.2
    with pytest.raises(ValueError, match="epss"):
        clone(attack).set_params(epss=0.2)


@pytest.mark.parametrize("attack", ATTACKS, ids=IDS)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_tables_few_classes_double_precision_and_other_bounds(attack, n_classes):
    name = getattr(attack, "attack", "")
    if name in ("APGDT", "AutoAttack") and n_classes < 4:
        with pytest.raises(ValueError, match="not defined for"):
            attack(affine(6, n_classes), torch.rand(4, 6), torch.zeros(4, dtype=torch.long))
        return
    module = affine(6, n_classes).double()
    X = (4 * torch.rand(5, 6) - 2).double()
    y = module(X).argmax(1)
    moved = clone(attack).set_params(bounds=(-2, 2))
    attacked = moved(module, X, y)
    assert attacked.dtype == torch.float64
    assert attacked.shape == X.shape
    assert -2 <= attacked.min() <= attacked.max() <= 2


def test_the_adapter_does_what_torchattacks_does_on_images(trained):
    module, X, y = trained
    for name, extra in (("PGD", {"random_start": False}), ("MIFGSM", {}), ("APGD", {"seed": 3})):
        theirs = getattr(torchattacks, name)(module, eps=0.1, steps=3, **extra)(X, y).detach()
        ours = TorchAttack(name, eps=0.1, steps=3, **extra)(module, X, y)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_the_adapter_translates_radius_and_bounds(trained):
    module, X, y = trained

    class Shifted(nn.Module):
        def forward(self, X):
            return module((X + 1) / 2)

    plain = TorchAttack("PGD", eps=0.1, alpha=0.05, steps=3, random_start=False)(module, X, y)
    wide = TorchAttack("PGD", eps=0.2, alpha=0.1, steps=3, random_start=False, bounds=(-1, 1))
    shifted = wide(Shifted(), 2 * X - 1, y)
    torch.testing.assert_close((shifted + 1) / 2, plain, rtol=0, atol=1e-4)


def test_autoattack_passes_survivors_on_and_reports_them(trained):
    module, X, y = trained
    attack = AutoAttack(eps=0.05, version="fast", random_state=0)
    net = AdversarialNetClassifier.from_module(module, classes=range(10), attack=None)
    report = robustness_report(net, X.numpy(), y.numpy(), attack)
    shares = list(report.survivors.values())
    assert list(report.survivors) == ["clean", *dict(attack.parts(10))]
    assert list(report.survivors) == ["clean", "apgd-ce", "apgd-t", "square"]
    assert shares == sorted(shares, reverse=True)
    alone = (module(attack(module, X, y)).argmax(1) == y).double().mean()
    assert abs(float(alone) - shares[-1]) <= 1.001 / len(y)  # other random starts
    pgd_only = (module(PGD(eps=0.05, steps=20)(module, X, y)).argmax(1) == y).double().mean()
    assert shares[-1] <= float(pgd_only) + 1e-9


def test_autoattack_standard_has_the_published_settings():
    parts = dict(AutoAttack(eps=0.3).parts())
    assert list(parts) == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert [parts[name].settings.get("steps") for name in list(parts)[:3]] == [100] * 3
    assert parts["square"].settings["n_queries"] == 5000
    assert parts["square"].settings["resc_schedule"] is False
    assert dict(AutoAttack().parts(100))["apgd-t"].settings["n_classes"] == 10  # nine targets
    assert list(dict(AutoAttack().parts(3))) == ["apgd-ce", "apgd-dlr", "fab", "square"]
    assert list(dict(AutoAttack().parts(2))) == ["apgd-ce", "fab", "square"]


def test_an_attack_that_is_not_made_of_others_is_its_own_part():
    for attack, name in (
        (PGD(eps=0.1), "pgd"),
        (TorchAttack("FFGSM"), "ffgsm"),
        (TorchAttack(torchattacks.FFGSM), "ffgsm"),
    ):
        assert attack.parts() == [(name, attack)]


def test_names_presets_and_classes_are_resolved():
    assert resolve_attack("pgd", eps=0.3).eps == 0.3
    assert isinstance(resolve_attack(torchattacks.FFGSM), TorchAttack)
    attack = PGD(eps=0.1)
    assert resolve_attack(attack, eps=0.2).eps == 0.2
    assert attack.eps == 0.1
    for name in PRESETS:
        assert isinstance(resolve_attack(name), Attack)
    train = resolve_attack("dre-mnist-train")
    assert (train.eps, train.alpha, train.steps, train.random_start) == (0.3, 0.01, 40, False)
    assert resolve_attack("dre-cifar10-pgd").eps == pytest.approx(8 / 255)
    with pytest.raises(ValueError, match="Did you mean 'square'"):
        resolve_attack("sqare")
    with pytest.raises(TypeError, match="attack must be"):
        resolve_attack(3)


@pytest.mark.parametrize(
    ("attack", "change", "message"),
    [
        (PGD(eps=0), {}, "'eps' parameter of PGD must be a positive"),
        (PGD(eps=0.1, norm="L1"), {}, "'norm' parameter of PGD must be a str among"),
        (PGD(eps=0.1, bounds=(1, 0)), {}, "'bounds' parameter of PGD must be a pair"),
        (PGD(eps=0.1, alpha=-1), {}, "'alpha' parameter of PGD must be"),
        (PGD(eps=0.1), {"X": torch.full((2, 5), 1.5)}, r"values in \[1.5, 1.5\].*\[0, 1\]"),
        (PGD(eps=0.1), {"X": torch.full((2, 5), torch.nan)}, "NaN"),
        (PGD(eps=0.1), {"X": torch.zeros(2, 5, dtype=torch.long)}, "floating point"),
        (PGD(eps=0.1), {"y": torch.zeros(3, dtype=torch.long)}, "one class index per sample"),
        (PGD(eps=0.1), {"y": torch.zeros(2)}, "one class index per sample"),
        (TorchAttack("PGDD"), {}, "torchattacks has no attack 'PGDD'"),
        (AutoAttack(version="slow"), {}, "'version' parameter of AutoAttack must be"),
    ],
)
def test_bad_input_says_what_was_wrong(attack, change, message):
    arguments = {"X": torch.rand(2, 5), "y": torch.zeros(2, dtype=torch.long), **change}
    with pytest.raises(ValueError, match=message):
        attack(affine(), arguments["X"], arguments["y"])


def test_a_diverged_module_is_named(trained):
    module, X, y = trained
    broken = copy.deepcopy(module)
    with torch.no_grad():
        broken[0].weight.fill_(torch.nan)
    with pytest.raises(ValueError, match="diverged"):
        PGD(eps=0.1)(broken, X, y)
    with pytest.raises(ValueError, match="NaN"):
        DeepFool()(broken, X)


def test_an_attack_that_goes_too_far_is_caught(trained):
    module, X, y = trained

    class Cheat(PGD):
        def _perturb(self, module, X, y, loss, generator):
            return (X + 2 * self.eps).clamp(*self.bounds)

    with pytest.raises(ValueError, match="Cheat returned a perturbation of size"):
        Cheat(eps=0.1)(module, X, y)


def test_bounds_are_checked_with_a_way_out():
    with pytest.raises(ValueError, match=r"pool has values in .*bounds="):
        check_bounds(np.array([[3.0]]), (0, 1), "pool")
    check_bounds(np.zeros((0, 3)), (0, 1))


def test_empty_batches_and_inference_mode(trained):
    module, X, y = trained
    assert len(PGD(eps=0.1)(module, X[:0], y[:0])) == 0
    with torch.inference_mode():
        attacked = PGD(eps=0.1, steps=2)(module, X.clone()[:4], y.clone()[:4])
    assert attacked.shape == (4, 1, 8, 8)


def test_a_tabular_net_is_attacked(digits):
    X, y = digits
    module = SmallMLP()
    flat = torch.as_tensor(X[:20].reshape(20, -1))
    assert PGD(eps=0.1)(module, flat, torch.as_tensor(y[:20])).shape == (20, 64)
