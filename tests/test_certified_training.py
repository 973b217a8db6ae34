"""Losses on bounds: closed forms, schedules, what they cost, and bad input before training."""

import copy
import pickle
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler
from torch import nn
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM, PGD
from skactive.bounds import Box, certified_margins, margin_bounds
from skactive.callbacks import AWP, EMA, SWA, BestEpoch, EpsWarmup, IBPInit, IBPRegularizer
from skactive.datasets import load_mnist
from skactive.exceptions import UnsupportedOperationError
from skactive.losses import CROWNIBP, IBP, MTLIBP, SABR, Loss
from skactive.losses._base import Batch
from skactive.networks import ConvSmall
from tests.models import SmallCNN, SmallMLP

CERTIFIED = ["ibp", "crown-ibp", "sabr", "mtl-ibp"]


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:200], y[:200], X[200:600]


def cnn(**params):
    given = {"attack": None, "loss": IBP(eps=0.05), "max_epochs": 3, "lr": 0.01, "random_state": 0}
    return AdversarialNetClassifier(SmallCNN, batch_size=40, **{**given, **params})


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


def same(first, second):
    return torch.equal(weights(first), weights(second))


def batch_of(module, X, y, progress=1.0, loss=None, X_adv=None):
    """What a net gives to a loss."""

    def criterion(logits, y):
        return F.cross_entropy(logits, y, reduction="none")

    X_adv = X if X_adv is None else X_adv
    box = loss.box(X, X_adv, (0.0, 1.0), progress)
    output = None if box is None else module(box)
    return Batch(X, X_adv, y, module(X), module(X), module, criterion, 0.0, progress, output)


class Attacked(Exception):
    """An attack was run."""


class NeverRun(FGSM):
    """An attack that must not be run."""

    def _perturb(self, *args, **kwargs):
        raise Attacked


# -- the loss ------------------------------------------------------------------------------


def test_ibp_of_a_linear_module_is_the_exact_worst_case():
    torch.manual_seed(0)
    module, X, y = nn.Linear(6, 4).double(), torch.rand(5, 6).double(), torch.arange(5) % 4
    loss = IBP(eps=0.2, kappa=0.25)
    got = loss(batch_of(module, X, y, loss=loss))
    low, high = (X - 0.2).clamp(0, 1), (X + 0.2).clamp(0, 1)
    for i in range(5):
        worst = torch.zeros(4).double()
        for k in range(4):
            w, b = (module.weight[k] - module.weight[y[i]]), module.bias[k] - module.bias[y[i]]
            worst[k] = torch.where(w > 0, w * high[i], w * low[i]).sum() + b
        expected = [-torch.log_softmax(z, 0)[y[i]] for z in (module(X[i]), worst)]
        torch.testing.assert_close(got[i], 0.25 * expected[0] + 0.75 * expected[1])


def test_crown_ibp_goes_from_lines_to_intervals():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 4))
    X, y = torch.rand(5, 6), torch.arange(5) % 4
    loss = CROWNIBP(eps=0.2, warm_up=0.0, ramp=0.5, kappa=0.0, beta=0.2)
    assert_allclose([loss.relaxed_share(p) for p in (0, 0.25, 0.5, 1)], [1, 0.6, 0.2, 0.2])
    box = module(Box.around(X, 0.1, (0, 1)))  # half of the radius, half of the schedule
    margins = 0.6 * margin_bounds(box, y, "crown") + 0.4 * margin_bounds(box, y)
    clean, worst = (F.cross_entropy(z, y, reduction="none") for z in (module(X), -margins))
    got = loss(batch_of(module, X, y, progress=0.25, loss=loss))
    torch.testing.assert_close(got, 0.5 * clean + 0.5 * worst)
    at_once = {"eps": 0.2, "warm_up": 0, "ramp": 0, "kappa": 0}
    last, ibp = CROWNIBP(**at_once), IBP(**at_once)
    assert torch.equal(*(each(batch_of(module, X, y, loss=each)) for each in (last, ibp)))


def test_sabr_bounds_a_small_box_where_the_attack_ends():
    torch.manual_seed(0)
    module, X, y = nn.Linear(6, 4), torch.rand(5, 6), torch.arange(5) % 4
    loss = SABR(eps=0.2, warm_up=0, ramp=0, ratio=0.4)
    attack = loss.attack_at(PGD(eps=0.9, alpha=0.3, steps=5, random_state=0), 1.0)
    assert attack.eps == pytest.approx(0.12)
    assert attack.alpha == pytest.approx(0.04)
    X_adv = attack(module, X, y)
    box = loss.box(X, X_adv, (0.0, 1.0), 1.0)
    ball = Box.around(X, 0.2, (0, 1))
    assert (box.lower >= ball.lower - 1e-6).all()
    assert (box.upper <= ball.upper + 1e-6).all()
    got = loss(batch_of(module, X, y, loss=loss, X_adv=X_adv))
    bounds = module(Box(box.lower, box.upper, X))
    torch.testing.assert_close(got, F.cross_entropy(-margin_bounds(bounds, y), y, reduction="none"))
    whole = SABR(eps=0.2, warm_up=0, ramp=0, ratio=1.0)
    assert whole.attack_at(attack, 1.0) is None
    ibp = IBP(eps=0.2, warm_up=0, ramp=0, kappa=0)
    assert torch.equal(*(each(batch_of(module, X, y, loss=each)) for each in (whole, ibp)))


@pytest.mark.parametrize("mix", ["losses", "logits"])
def test_mtl_ibp_is_between_attack_and_proof(mix):
    torch.manual_seed(0)
    module, X, y = SmallCNN().train(), torch.rand(6, 1, 8, 8), torch.arange(6)
    X_adv = (X + 0.02).clamp(0, 1)
    settings = {"eps": 0.05, "warm_up": 0, "ramp": 0, "kappa": 0}
    statistics = [buffer.clone() for buffer in module.buffers()]

    def losses(loss):
        found = loss(batch_of(copy.deepcopy(module), X, y, loss=loss, X_adv=X_adv))
        assert all(map(torch.equal, module.buffers(), statistics))
        return found

    attack, middle, proof = (
        losses(MTLIBP(**settings, alpha=alpha, mix=mix)) for alpha in (0, 0.3, 1)
    )
    expected = F.cross_entropy(copy.deepcopy(module)(X_adv), y, reduction="none")
    torch.testing.assert_close(attack, expected)
    torch.testing.assert_close(proof, losses(IBP(**settings)))
    if mix == "losses":
        torch.testing.assert_close(middle, 0.7 * attack + 0.3 * proof)
    else:  # a convex loss of mixed margins
        assert (middle <= 0.7 * attack + 0.3 * proof + 1e-6).all()
        assert not torch.allclose(middle, 0.7 * attack + 0.3 * proof)
    loss = MTLIBP(warm_up=0.0, ramp=0.5)
    assert loss.attack_at(PGD(eps=0.3), 0.25).eps == pytest.approx(0.15)
    assert loss.attack_at(PGD(eps=0.3), 0.0) is None


class Counted(FGSM):
    """An attack that notes its radii."""

    seen: ClassVar[list] = []

    def _perturb(self, *args, **kwargs):
        self.seen.append(self.eps)
        return super()._perturb(*args, **kwargs)


@pytest.mark.parametrize(("loss", "share"), [("sabr", 0.4), ("mtl-ibp", 1.0)])
def test_the_attack_grows_with_the_box(images, loss, share):
    X, y, _ = images
    Counted.seen.clear()
    net = cnn(attack=Counted(eps=0.1), loss=loss, callbacks__overfitting_guard=None)
    net.fit(X, y)
    grown = [IBP(eps=1).grown(update / 15) for update in range(15)]
    assert_allclose(Counted.seen, [0.1 * share * g for g in grown if g > 0])


def test_the_schedule_is_flat_then_linear_then_flat():
    loss = IBP(eps=0.4, warm_up=0.1, ramp=0.5, kappa=0.2)
    radii = [loss.radius(p) for p in (0, 0.1, 0.35, 0.6, 1)]
    assert_allclose(radii, [0, 0, 0.2, 0.4, 0.4], atol=1e-12)
    shares = [loss.clean_share(p) for p in (0, 0.1, 0.35, 0.6, 1)]
    assert_allclose(shares, [1, 1, 0.6, 0.2, 0.2])
    at_once = IBP(eps=0.4, warm_up=0, ramp=0)
    assert at_once.radius(0) == 0.4
    assert at_once.clean_share(0) == 0.5


class Radii(Callback):
    """The share of the training at each update."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []

    def on_batch_begin(self, net, training=True, **kwargs):
        self.seen_.append(net.run.progress)


def test_the_schedule_follows_the_updates_of_each_fit(images):
    X, y, _ = images
    net = cnn(callbacks=[("radii", Radii())]).fit(X, y)
    assert_allclose(dict(net.callbacks_)["radii"].seen_, np.arange(15) / 15)
    net.partial_fit(X, y)
    assert_allclose(dict(net.callbacks_)["radii"].seen_, np.arange(15) / 15)


def test_warm_up_alone_is_plain_training(images):
    X, y, _ = images
    warm = cnn(loss=IBP(eps=0.05, warm_up=0.99, ramp=0.01)).fit(X, y)
    assert same(warm, cnn(loss="adversarial").fit(X, y))
    assert not same(warm, cnn().fit(X, y))


@pytest.mark.parametrize("loss", CERTIFIED)
def test_certified_training_repeats_and_sees_each_batch_once(images, loss):
    X, y, _ = images
    attack = PGD(eps=0.05, steps=2)
    nets = [cnn(loss=loss, attack=attack).fit(X, y) for _ in range(2)]
    assert same(*nets)
    assert int(nets[0].module_[1].num_batches_tracked) == 15
    assert all(np.isfinite(nets[0].history[:, "train_loss"]))


def test_ibp_certifies_what_plain_training_does_not(images):
    X, y, rest = images
    settings = {"max_epochs": 20}
    X_test, y_test = torch.from_numpy(rest[:200]), None
    certified = []
    for loss in ("adversarial", IBP(eps=0.1, kappa=0.5)):
        net = cnn(loss=loss, **settings).fit(X, y)
        y_test = torch.from_numpy(net.predict(X_test))
        certified.append((certified_margins(net.module_, X_test, y_test, 0.05) > 0).float().mean())
    assert certified[1] > certified[0] + 0.3


def test_no_attack_is_run_that_the_loss_does_not_read(images):
    X, y, _ = images
    attack = NeverRun(eps=0.05)
    with pytest.raises(Attacked):
        cnn(loss="adversarial", attack=attack).fit(X, y)
    guard = {"callbacks__overfitting_guard": None}
    net = cnn(attack=attack, loss="ibp", unlabeled="rst", **guard).fit(X, y, X_unlabeled=images[2])
    assert same(net, cnn(unlabeled="rst").fit(X, y, X_unlabeled=images[2]))  # eps is the attack's


def test_the_radius_may_be_larger_than_the_attacks(images):
    X, y, _ = images
    net = cnn(attack=PGD(eps=0.05), loss=IBP(eps=0.08)).fit(X, y)
    assert same(net, cnn(loss=IBP(eps=0.08)).fit(X, y))
    assert not same(net, cnn().fit(X, y))


def test_samples_as_they_are_take_the_clean_criterion(images):
    X, y, _ = images
    everything = np.ones(len(X), dtype=bool)
    assert same(cnn().fit(X, y, as_is=everything), cnn(loss="adversarial").fit(X, y))
    assert not same(cnn().fit(X, y, as_is=everything), cnn().fit(X, y))


def test_weights_count_and_of_zero_leave_out(images):
    X, y, _ = images
    half = np.arange(len(X)) % 2 == 0
    weighted = cnn().fit(X, y, sample_weight=half.astype(float))
    assert same(weighted, cnn().fit(X[half], y[half], sample_weight=np.ones(half.sum())))
    assert not same(cnn().fit(X, y), cnn().fit(X, y, sample_weight=np.linspace(0.1, 2, len(X))))


def test_with_the_pool_and_a_teacher(images):
    X, y, pool = images
    flat, flat_pool = X.reshape(200, -1), pool.reshape(400, -1)
    net = AdversarialNetClassifier(
        SmallMLP, attack=None, loss=IBP(eps=0.05), unlabeled="rst", max_epochs=2,
        teacher=LogisticRegression(), random_state=0,
    ).fit(flat, y, X_unlabeled=flat_pool)  # fmt: skip
    assert net.n_pseudo_labels_ == 400
    cleanly = cnn(unlabeled="rst").fit(X, y, X_unlabeled=pool)
    assert cleanly.teacher_.loss == "adversarial"
    assert same(cleanly.teacher_, cnn(unlabeled=None, loss="adversarial").set_params(
        random_state=cleanly.teacher_.random_state).fit(X, y))  # fmt: skip


@pytest.mark.parametrize(
    "recipe", [EMA(0.9), SWA(0.4), AWP(0.01), BestEpoch("robust"), GradientNormClipping(1.0)]
)
def test_recipes_and_gradient_clipping_work_beside_it(images, recipe):
    X, y, _ = images
    settings = {"attack": PGD(eps=0.05, steps=2), "max_epochs": 6}
    net = cnn(**settings, callbacks=[recipe]).fit(X, y)
    assert net.score(X, y) > 0.4
    assert not same(net, cnn(**settings).fit(X, y))


@pytest.mark.parametrize("loss", CERTIFIED)
def test_several_recipes_at_once_work_beside_every_loss(images, loss):
    X, y, pool = images
    callbacks = [EMA(0.9), AWP(0.01), EpsWarmup(0.5), GradientNormClipping(10)]
    params = {"loss": loss, "attack": PGD(eps=0.05, steps=2), "unlabeled": "rst"}
    net = cnn(**params, callbacks=callbacks, lr=0.003).fit(X, y, X_unlabeled=pool)
    assert np.isfinite(net.history[:, "train_loss"]).all()
    assert net.teacher_.score(X, y) > 0.5


@pytest.mark.parametrize("loss", CERTIFIED)
def test_search_clone_pickle_and_from_module(images, loss):
    X, y, _ = images
    net = cnn(loss=loss, attack=FGSM(eps=0.05))
    grid = GridSearchCV(net, {"loss__eps": [0.01, 0.1], "loss__kappa": [0.3]}, cv=2).fit(X, y)
    assert grid.best_params_["loss__kappa"] == 0.3
    assert grid.best_estimator_.loss.eps in (0.01, 0.1)
    fitted = net.fit(X, y)
    assert same(pickle.loads(pickle.dumps(fitted)), fitted)
    assert same(clone(fitted).fit(X, y), fitted)
    module = SmallCNN().eval()
    around = AdversarialNetClassifier.from_module(module, classes=range(10), X=X, loss="ibp")
    assert same(around.fit(X, y), around.fit(X, y))
    learner = ActiveLearner(net, "margin", random_state=0).fit(X[:50], y[:50])
    assert len(learner.query(X[50:], n=3)[0]) == 3


def test_a_loss_of_ones_own_reads_bounds_by_saying_so(images):
    X, y, _ = images

    class Width(Loss):
        """Only the width of the logits' bounds."""

        reads_bounds, reads_clean, reads_attacked, needs_attack = True, True, False, False

        def box(self, X, X_adv, bounds, progress):
            return Box.around(X, 0.1, bounds)

        def __call__(self, batch):
            return (batch.output.upper - batch.output.lower).sum(1)

    net = cnn(loss=Width(), max_epochs=10).fit(X, y)
    assert net.history[-1]["train_loss"] < 0.1 * net.history[0]["train_loss"]


# -- bad input, before any training --------------------------------------------------------


class Cubed(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, X):
        return self.last(torch.erf(X.flatten(1)))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, X, mask):
        return self.last(X.flatten(1) * mask)


class OfTheBatch(nn.Module):
    """Each output depends on the other samples of the batch."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1, track_running_stats=False)
        self.last = nn.Linear(64, 10)

    def forward(self, X):
        return self.last(self.norm(X).flatten(1))


class ReadAgain(Cubed):
    """Reads the hidden value again that its activation has overwritten."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 1)
        self.last = nn.Linear(1, 10)

    def forward(self, X):
        hidden = self.first(X.flatten(1))
        return self.last(torch.nn.functional.relu(hidden, inplace=True)) + hidden


class Unwrapped(Cubed):
    """Leaves torch on the way."""

    def forward(self, X):
        return self.last(torch.as_tensor(X.nominal if isinstance(X, Box) else X).flatten(1))


class Half(Cubed):
    def __init__(self):
        super().__init__()
        self.bfloat16()

    def forward(self, X):
        return self.last(X.flatten(1))


class Probabilities(Cubed):
    def forward(self, X):
        return self.last(X.flatten(1)).softmax(1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"loss": IBP(eps=0.0)},
            "IBP must be a positive, finite radius .* Got 0.0",
        ),
        ({"loss": IBP(eps=-0.1)}, "'eps' parameter of IBP must be a positive, finite radius"),
        ({"loss": IBP(eps=True)}, "'eps' parameter of IBP"),
        ({"loss": IBP(eps="0.3")}, r"Write eps=0.3, without quotes"),
        ({"loss": IBP(eps=8)}, r"loss__eps=8 is longer than the range .* loss__eps=8/255"),
        ({"loss": IBP(eps=1.2), "attack": PGD(eps=0.1)}, "loss__eps=1.2 is longer"),
        ({"loss": "ibp"}, r"takes its radius from the attack, but attack is None.*IBP\(eps=…\)"),
        ({"loss": "ibp", "attack": PGD(eps=0.1, norm="L2")}, "has no L∞ radius"),
        ({"loss": IBP(eps=0.1, kappa=1.5)}, "'kappa' parameter of IBP"),
        ({"loss": IBP(eps=0.1, warm_up=-0.1)}, "'warm_up' parameter of IBP"),
        ({"loss": IBP(eps=0.1, ramp=2)}, "'ramp' parameter of IBP"),
        ({"loss": IBP(eps=0.1, warm_up=0.3, ramp=0.8)}, "1.1 together: .* never be eps=0.1"),
        ({"loss": IBP(eps=0.1, warm_up=1, ramp=0)}, "would never be eps=0.1"),
        ({"unlabeled": "uat-ft", "attack": FGSM(eps=0.1)}, "Use unlabeled='rst'"),
        ({"loss": "ipb"}, "Did you mean 'ibp'"),
        ({"loss": CROWNIBP(eps=0.1, beta=-1)}, "'beta' parameter of CROWNIBP"),
        ({"loss": SABR(eps=0.1)}, "needs an attack, but attack is None"),
        ({"loss": SABR(eps=0.1, ratio=0), "attack": PGD()}, "'ratio' parameter of SABR"),
        ({"loss": SABR(eps=0.1), "attack": PGD(eps=0.1, norm="L2")}, "has no L∞ radius"),
        ({"loss": "mtl-ibp"}, "needs an attack, but attack is None"),
        ({"loss": MTLIBP(alpha=1.1), "attack": PGD()}, "'alpha' parameter of MTLIBP"),
        ({"loss": MTLIBP(mix="both"), "attack": PGD()}, "'mix' parameter of MTLIBP"),
        ({"bounds": (1, 0)}, "bounds"),
    ],
)
def test_wrong_parameters_are_named_before_training(images, params, message):
    X, y, pool = images
    net = cnn(**params)
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, **({"X_unlabeled": pool} if "unlabeled" in params else {}))
    assert not net.initialized_


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (Cubed, UnsupportedOperationError, "No bounds are known for .*erf"),
        (TwoInputs, ValueError, "missing 1 required positional argument: 'mask'.* of one input"),
        (OfTheBatch, ValueError, "depends on the other samples of its batch"),
        (ReadAgain, UnsupportedOperationError, "read again after an operation has overwritten it"),
        (Unwrapped, ValueError, "Unwrapped returned Tensor: its forward must be a function"),
        (Probabilities, ValueError, "returns probabilities"),
        (Half, ValueError, "needs a module that runs in float32"),
    ],
)
def test_wrong_modules_are_named_before_training(images, module, error, message):
    X, y, _ = images
    net = AdversarialNetClassifier(module, attack=None, loss=IBP(eps=0.1), random_state=0)
    with pytest.raises(error, match=message):
        net.fit(X, y)
    assert not net.initialized_


def test_autocast_is_refused_before_training(images):
    X, y, _ = images
    refused = pytest.raises(ValueError, match=r"float32.*outside torch.autocast")
    with torch.autocast("cpu", dtype=torch.bfloat16), refused:
        cnn().fit(X, y)


def test_inputs_outside_the_range_of_the_boxes_are_refused(images):
    X, y, pool = images
    with pytest.raises(ValueError, match=r"values in \[0, 16\]"):
        cnn().fit(16 * X, y)
    with pytest.raises(ValueError, match=r"values in \[0, 16\]"):
        cnn(unlabeled="rst").fit(X, y, X_unlabeled=16 * pool)
    net = cnn(bounds=(0, 16), loss=IBP(eps=1.0)).fit(16 * X, y)
    with pytest.raises(ValueError, match=r"works in \[0, 16\]"):
        net.predict(X - 1)


def test_a_fitted_net_is_checked_again_when_its_loss_changes(images):
    X, y, _ = images
    net = AdversarialNetClassifier(Cubed, attack=None, max_epochs=1, random_state=0).fit(X, y)
    before = weights(net)
    with pytest.raises(UnsupportedOperationError, match="erf"):
        net.set_params(loss=IBP(eps=0.1)).partial_fit(X, y)
    assert torch.equal(weights(net), before)


# -- recipes of certified training ---------------------------------------------------------


class Plain(nn.Sequential):
    """Images of 8×8 through two layers and no BatchNorm."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 4, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 200), nn.ReLU(),
            nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10),
        )  # fmt: skip


def plain(**params):
    given = {"attack": None, "loss": IBP(eps=0.05), "max_epochs": 3, "random_state": 0}
    return AdversarialNetClassifier(Plain, batch_size=40, **{**given, **params})


def test_ibp_init_draws_weights_that_keep_bounds_as_wide(images):
    X, y, _ = images
    nothing = {"max_epochs": 1, "lr": 1e-12, "optimizer": torch.optim.SGD}
    usual = plain(**nothing).fit(X, y).module_
    net = plain(**nothing, callbacks=[IBPInit()]).fit(X, y)
    for i in (0, 3, 5, 7):
        fan_in = net.module_[i].weight[0].numel()
        ratio = float(net.module_[i].weight.detach().std() * fan_in / np.sqrt(2 * np.pi))
        assert 0.85 < ratio < 1.15
        assert not torch.equal(net.module_[i].bias, torch.zeros_like(net.module_[i].bias))
    assert same(net, plain(**nothing, callbacks=[IBPInit()]).fit(X, y))
    growth = []
    for module in (usual, net.module_):
        with torch.no_grad():
            box = module(Box.around(torch.from_numpy(X), 1e-3, (0, 1)))
        growth.append(float(box.args[0].radius.mean() / 1e-3))
    assert growth[0] > 5 * growth[1]
    assert 0.2 < growth[1] < 1.5


def test_ibp_init_leaves_trained_weights_alone(images):
    X, y, _ = images
    net = plain(callbacks=[IBPInit()]).fit(X, y)
    before = weights(net)
    nothing = {"lr": 1e-12, "max_epochs": 1}
    net.set_params(**nothing).partial_fit(X, y)
    torch.testing.assert_close(weights(net), before)
    around = AdversarialNetClassifier.from_module(
        net.module_, classes=range(10), callbacks=[IBPInit()], attack=None, **nothing
    )
    torch.testing.assert_close(weights(around.partial_fit(X, y)), before)
    assert not torch.allclose(weights(around.fit(X, y)), before, atol=0.01)


def slow_penalty(module, X, eps, tolerance):
    """Sample by sample, neuron by neuron, layer by layer."""
    layers, values = list(module), Box.around(X, eps, (0, 1))
    width = (values.upper - values.lower).mean() / 2
    terms = []
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            low, high = values.lower.flatten().tolist(), values.upper.flatten().tolist()
            centres = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
            mean = sum(centres) / len(centres)
            on = [c for c, a in zip(centres, low, strict=True) if a > 0]
            off = [c for c, b in zip(centres, high, strict=True) if b < 0]
            ratios = [width / (sum(high) - sum(low)) * 2 * len(low)]
            for of in (abs, lambda c: (c - mean) ** 2):
                one, two = sum(map(of, on)), sum(map(of, off))
                ratios.append(min(one / two, two / one))
            terms.append(sum(max(0, tolerance - r) / tolerance for r in ratios))
        values = layer(values)
    return sum(terms) / len(terms)


def test_the_regularizer_is_its_formula_and_fades(images):
    torch.manual_seed(0)
    X, module = torch.from_numpy(images[0][:20]), Plain()
    recipe = IBPRegularizer(strength=0.8, tolerance=0.6)
    net = SimpleNamespace(loss=IBP(eps=0.05, warm_up=0, ramp=0.5), run=SimpleNamespace(progress=0))
    with torch.no_grad():
        output = module(Box.around(X, 0.005, (0, 1)))
        expected = slow_penalty(module, X, 0.005, 0.6)
    assert float(recipe.penalty(net, output)) == pytest.approx(0.8 * float(expected), rel=1e-4)
    net.run.progress = 0.25
    assert float(recipe.penalty(net, output)) == pytest.approx(0.4 * float(expected), rel=1e-4)
    net.run.progress = 0.5
    assert recipe.penalty(net, output) is None
    net.run.progress = 0
    assert recipe.penalty(net, None) is None  # the warm-up has no bounds


def test_the_regularizer_lowers_its_penalty_and_is_refused_without_bounds(images):
    X, y, _ = images
    recipe, left = IBPRegularizer(strength=5.0), []
    for callbacks in ([], [recipe]):
        net = plain(callbacks=callbacks, loss=IBP(eps=0.05, warm_up=0, ramp=1.0)).fit(X, y)
        net._run = SimpleNamespace(progress=0)
        with torch.no_grad():
            box = net.module_(Box.around(torch.from_numpy(X), 0.01, (0, 1)))
            left.append(float(recipe.penalty(net, box)))
    assert left[1] < 0.7 * left[0]
    with pytest.raises(ValueError, match="IBPRegularizer needs a certified loss"):
        plain(callbacks=[IBPRegularizer()], loss="adversarial").fit(X, y)
    for wrong in (IBPRegularizer(strength=-1), IBPRegularizer(tolerance=0)):
        with pytest.raises(ValueError, match="parameter of IBPRegularizer"):
            plain(callbacks=[wrong]).fit(X, y)


class Rates(Callback):
    """The learning rate of each update."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []

    def on_batch_begin(self, net, training=True, **kwargs):
        self.seen_.append(net.optimizer_.param_groups[0]["lr"])


def test_learning_rates_warm_up_and_fall_in_steps_by_skorch(images):
    X, y, _ = images

    def rate(update):
        return min(1, (update + 1) / 5) * (0.2 if update >= 10 else 1)

    scheduler = LRScheduler("LambdaLR", lr_lambda=rate, step_every="batch")
    net = cnn(callbacks=[("lr", scheduler), ("rates", Rates())]).fit(X, y)
    seen = dict(net.callbacks_)["rates"].seen_
    assert_allclose(seen, [0.01 * rate(update) for update in range(15)])


# -- real images ---------------------------------------------------------------------------


def test_ibp_is_certified_where_a_standard_net_is_not(data_root):
    data = load_mnist(root=data_root, n_train=600, n_test=500)
    X, y = torch.from_numpy(data.X_test), torch.from_numpy(data.y_test)
    certified, accuracy = {}, {}
    for name, loss in (("standard", "adversarial"), ("ibp", IBP(eps=0.1))):
        net = AdversarialNetClassifier(
            ConvSmall, attack=None, loss=loss, max_epochs=25, lr=2e-3, batch_size=50,
            callbacks=[GradientNormClipping(10), IBPInit()], random_state=0,
        ).fit(data.X_train, data.y_train)  # fmt: skip
        accuracy[name] = net.score(data.X_test, data.y_test)
        certified[name] = float((certified_margins(net.module_, X, y, 0.1) > 0).float().mean())
        assert certified[name] <= accuracy[name]
    assert certified["standard"] < 0.1
    assert certified["ibp"] > 0.5
    assert accuracy["ibp"] > 0.8
