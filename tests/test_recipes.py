"""Weight perturbation, averaging, warm-up, smoothing and the guard against closed forms."""

import contextlib
import copy
import pickle
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, PrintLog
from torch import nn
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, AutoAttack, TorchAttack
from skactive.callbacks import (
    AWP,
    EMA,
    SWA,
    BestEpoch,
    CosineDecay,
    EpsWarmup,
    OverfittingGuard,
    Recipe,
)
from skactive.losses import IBP, MART, TRADES, Loss, divergence, trades_loss
from skactive.nets._samples import Samples
from skactive.nets.recipes._awp import perturbed_weights
from tests.models import SmallCNN


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:120], y[:120]


def cnn(**params):
    attack = FGSM(eps=0.05)
    params = {"attack": attack, "max_epochs": 3, "lr": 0.01, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, batch_size=40, **params)


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def same(first, second):
    return torch.equal(weights(first.module_), weights(second.module_))


# -- adversarial weight perturbation -------------------------------------------------------


def test_awp_moves_each_tensor_by_gamma_norms_up_the_gradient_and_back():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)).train()
    X, y = torch.randn(20, 4), torch.randint(3, (20,))
    before = copy.deepcopy(module.state_dict())

    def loss():
        return F.cross_entropy(module(X), y)

    first, last = module[0].weight, module[2].weight
    gradients = torch.autograd.grad(loss(), [first, last])
    module.load_state_dict(before)
    expected = [
        w.detach() + 0.1 * w.detach().norm() * g / g.norm()
        for w, g in zip((first, last), gradients, strict=True)
    ]
    clean = float(loss().detach())
    module.load_state_dict(before)
    with pytest.raises(RuntimeError, match="inside"), perturbed_weights(module, loss, 0.1):
        torch.testing.assert_close(first.detach(), expected[0])
        torch.testing.assert_close(last.detach(), expected[1])
        for name in ("0.bias", "1.weight", "1.running_mean", "1.num_batches_tracked"):
            assert torch.equal(module.state_dict()[name], before[name])
        assert float(loss().detach()) > clean
        raise RuntimeError("inside")
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        assert torch.equal(module.state_dict()[name], before[name])
    assert all(p.grad is None for p in module.parameters())


def test_awp_trains_another_net_and_batchnorm_still_sees_each_batch_once(images):
    plain, none, perturbed = cnn().fit(*images), cnn(callbacks=[AWP(0)]), cnn(callbacks=[AWP(0.02)])
    assert same(plain, none.fit(*images))
    assert not same(plain, perturbed.fit(*images))
    assert int(perturbed.module_[1].num_batches_tracked) == 9
    assert same(perturbed, cnn(callbacks=[AWP(0.02)]).fit(*images))


# -- averaging -----------------------------------------------------------------------------


NO_GUARD = {"callbacks__overfitting_guard": None}


class Note(Callback):
    """Weights after each update and each epoch."""

    def __init__(self):
        self.updates, self.epochs = [], []

    def on_batch_end(self, net, training=True, **kwargs):
        if training:
            self.updates.append(weights(net.module_))

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(weights(net.module_))


def test_ema_is_its_recursion_over_the_updates(images):
    note = Note()
    net = cnn(callbacks=[EMA(0.6), ("note", note)]).fit(*images)
    seen = net.callbacks_[[name for name, _ in net.callbacks_].index("note")][1].updates
    average = seen[0].clone()
    for count, now in enumerate(seen[1:], start=1):
        rate = min(0.6, (1 + count) / (10 + count))
        average = average + (1 - rate) * (now - average)
    torch.testing.assert_close(weights(net.module_), average)
    assert not torch.allclose(average, seen[-1])


def test_swa_is_the_mean_of_the_last_epochs_with_statistics_of_its_own(images):
    net = cnn(callbacks=[SWA(0.5), ("note", Note())], max_epochs=4)
    net.fit(*images)
    seen = dict(net.callbacks_)["note"].epochs
    torch.testing.assert_close(weights(net.module_), (seen[2] + seen[3]) / 2)
    plain = cnn(max_epochs=4).fit(*images)
    torch.testing.assert_close(weights(plain.module_), seen[3])
    statistics = [n.module_[1].running_mean for n in (net, plain)]
    assert not torch.allclose(*statistics)
    # Three batches, each counted once and equally: far from the initial zeros.
    assert int(net.module_[1].num_batches_tracked) == 3
    assert net.score(*images) > 0.5


SCHEDULES = {
    "radius": {"callbacks": [EpsWarmup(0.5)]},
    "average": {"callbacks": [SWA(0.5)]},
    "rate": {"callbacks": [CosineDecay()]},
    "bounds": {"attack": None, "loss": IBP(eps=0.05, warm_up=0, ramp=0.5)},
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_are_of_the_epochs_that_are_trained(images, schedule):
    """Also where ``fit`` is told another number of them than the net has, as skorch's is."""
    params = SCHEDULES[schedule]
    expected = cnn(max_epochs=2, **params).fit(*images)
    told = cnn(max_epochs=9, **params).fit(*images, epochs=2)
    assert same(told, expected)
    assert told.max_epochs == 9
    assert same(told.partial_fit(*images, epochs=2), expected.partial_fit(*images))


@pytest.mark.parametrize("averaging", [EMA(), SWA(0.0)])
def test_averages_repeat_go_on_and_are_what_is_validated(images, averaging):
    net = cnn(callbacks=[averaging, BestEpoch("robust")])
    net.fit(*images).partial_fit(*images)
    again = cnn(callbacks=[averaging, BestEpoch("robust")])
    assert same(net, again.fit(*images).partial_fit(*images))
    assert len(net.history) == 6
    plain = cnn(callbacks=[BestEpoch("robust")]).fit(*images)
    trained, validated = ("train_loss", "valid_robust_acc")
    assert net.history[:3, trained] == plain.history[:, trained]
    assert net.history[:3, validated] != plain.history[:, validated]


# -- warm-up and smoothing -----------------------------------------------------------------


class Noted(FGSM):
    """Notes the radius of each call."""

    seen: list = []  # noqa: RUF012

    def _perturb(self, *args):
        self.seen.append(self.eps)
        return super()._perturb(*args)


def test_the_radius_grows_linearly_over_the_first_updates(images):
    Noted.seen.clear()
    attack = Noted(eps=0.09)
    net = cnn(attack=attack, callbacks=[EpsWarmup(2 / 3)], **NO_GUARD).fit(*images)
    np.testing.assert_allclose(Noted.seen, 0.09 * np.minimum(np.arange(1, 10) / 6, 1))
    assert net.attack.eps == net.attack_.eps == 0.09
    assert not same(net, cnn(attack=attack, **NO_GUARD).fit(*images))


def test_label_smoothing_reaches_trades_and_the_plain_loss(images):
    logits, other = torch.randn(2, 6, 4)
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    expected = F.cross_entropy(logits, y, reduction="none", label_smoothing=0.2)
    found = trades_loss(logits, other, y, 2.0, label_smoothing=0.2)
    torch.testing.assert_close(found, expected + 2 * divergence(logits, other))
    for loss in ("adversarial", "trades"):
        smooth = cnn(loss=loss, criterion__label_smoothing=0.2).fit(*images)
        assert not same(smooth, cnn(loss=loss).fit(*images))


def test_recipes_are_searched_and_cloned(images):
    grid = {
        "callbacks__awp__gamma": [0.0, 0.01],
        "callbacks__ema": [None, EMA(0.9)],
        "callbacks__eps_warmup": [EpsWarmup(0.5)],
        "optimizer__weight_decay": [5e-4],
        "criterion__label_smoothing": [0.1],
    }
    net = cnn(max_epochs=1, callbacks=[AWP(), EMA(), EpsWarmup()])
    search = GridSearchCV(net, grid, cv=2).fit(*images)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_recipes_are_parameters_before_and_after_a_fit(images):
    given = EMA(0.9)
    net = cnn(callbacks=[given, ("late", SWA(0.5))], max_epochs=1)
    for state in (net, clone(net), pickle.loads(pickle.dumps(net)), clone(net).fit(*images)):
        params = state.get_params()
        assert params["callbacks__ema__decay"] == 0.9
        assert params["callbacks__late__start"] == 0.5
        assert params["callbacks__overfitting_guard__action"] == "warn"
    net.set_params(callbacks__ema__decay=0.8, callbacks__late=None)
    assert net.get_params()["callbacks__ema__decay"] == 0.8
    assert clone(net).get_params()["callbacks__late"] is None
    assert given.decay == 0.9
    net.fit(*images)
    assert same(net, cnn(callbacks=[EMA(0.8)], max_epochs=1).fit(*images))
    net.set_params(callbacks__ema=EMA(0.7)).partial_fit(*images)
    assert net.get_params()["callbacks__ema__decay"] == 0.7
    net.set_params(callbacks=[EMA(0.6)])
    assert net.get_params()["callbacks__ema__decay"] == 0.6
    before = net.get_params()
    with pytest.raises(ValueError, match="no callback 'emma'. Did you mean 'ema'"):
        net.set_params(callbacks__emma__decay=0.5)
    assert net.get_params().keys() == before.keys()


def test_recipes_given_to_two_nets_are_shared_by_neither(images):
    recipes = [EMA(0.9), BestEpoch("clean"), EpsWarmup()]
    first, second = (cnn(callbacks=recipes, max_epochs=2) for _ in range(2))
    assert same(first.fit(*images), second.fit(*images))
    assert not {id(cb) for _, cb in first.callbacks_} & {id(cb) for _, cb in second.callbacks_}
    for recipe in [*recipes, *dict(first.callbacks_).values()]:
        if isinstance(recipe, Recipe):
            assert not [name for name in vars(recipe) if name.endswith("_")]
    assert first.run is None
    search = GridSearchCV(first, {"callbacks__ema__decay": [0.5, 0.9]}, cv=2).fit(*images)
    assert dict(search.best_estimator_.callbacks_)["ema"].decay in (0.5, 0.9)
    assert recipes[0].decay == 0.9


def test_the_order_of_recipes_in_the_list_does_not_count(images):
    one, other = ([EMA(0.9), BestEpoch("clean"), AWP()][::step] for step in (1, -1))
    assert same(cnn(callbacks=one).fit(*images), cnn(callbacks=other).fit(*images))


def test_several_of_a_kind_are_numbered_and_the_log_comes_last():
    named = cnn(callbacks=[EMA(), Note(), PrintLog(), ("own", EMA(0.5)), EMA(0.9), Note, Note()])
    names = [name for name, _ in named.initialize_callbacks().callbacks_]
    assert names[3:-2] == [
        "overfitting_guard",
        "ema_1",
        "Note_1",
        "own",
        "ema_2",
        "Note_2",
        "Note_3",
    ]
    assert sorted(names[-2:]) == ["PrintLog", "print_log"]
    assert cnn(callbacks="disable").initialize_callbacks().callbacks_ == []


def test_a_guard_of_the_users_takes_the_place_of_the_default():
    net = cnn(callbacks=[OverfittingGuard("restore")])
    assert net.get_params()["callbacks__overfitting_guard__action"] == "restore"
    net.initialize_callbacks()
    assert [name for name, _ in net.callbacks_].count("overfitting_guard") == 1
    assert "overfitting_guard" not in dict(cnn(**NO_GUARD).initialize_callbacks().callbacks_)


def test_a_learner_that_goes_on_takes_recipes_that_were_changed(images):
    X, y = images
    learner = ActiveLearner(cnn(callbacks=[EMA(0.9)]), warm_start=True, random_state=0).fit(X, y)
    learner.set_params(estimator__callbacks__ema__decay=0.5).teach(X[:10], y[:10])
    assert dict(learner.estimator_.callbacks_)["ema"].decay == 0.5
    recipes = [EMA(0.8), BestEpoch("clean")]
    learner.set_params(estimator__callbacks=recipes, estimator__callbacks__best_epoch__patience=3)
    learner.teach(X[:10], y[:10])
    assert dict(learner.estimator_.callbacks_)["ema"].decay == 0.8
    assert dict(learner.estimator_.callbacks_)["best_epoch"].patience == 3
    assert learner.history_[-1]["validation"] == 14
    assert [row["training"] for row in learner.history_] == ["cold", "warm", "warm"]


class Clipped(Recipe):
    """A recipe of a user's own: gradients no longer than `norm`, and how many were."""

    def __init__(self, norm=1.0):
        self.norm = norm

    def on_train_begin(self, net, **kwargs):
        self.n_ = 0

    def on_grad_computed(self, net, named_parameters, **kwargs):
        weights = [weight for _, weight in named_parameters]
        self.n_ += int(nn.utils.clip_grad_norm_(weights, self.norm) > self.norm)

    def on_epoch_end(self, net, **kwargs):
        net.history.record("clipped", self.n_)


def test_a_recipe_of_ones_own_is_a_class_in_a_file(images):
    net = cnn(callbacks=[Clipped(1e-3)]).fit(*images)
    assert net.history[:, "clipped"] == [3, 6, 9]
    assert net.get_params()["callbacks__clipped__norm"] == 1e-3
    assert not same(net, cnn().fit(*images))


# -- the guard -----------------------------------------------------------------------------


class FakeNet:
    """A net whose weights the test sets."""

    def __init__(self):
        self.module_ = nn.Linear(2, 2, bias=False)
        self.attack_ = FGSM(eps=0.1)
        self.run = SimpleNamespace(
            samples=Samples(X_GUARD, Y_GUARD), seed=0, tensors=lambda *pair: pair
        )
        self.history = self
        self.rows = []

    def __len__(self):
        return len(self.rows)

    def set(self, scale):
        self.rows.append({})
        with torch.no_grad():
            self.module_.weight.copy_(scale * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))

    def record(self, name, value):
        self.rows[-1][name] = value


X_GUARD = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7]])
Y_GUARD = torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize("action", ["warn", "restore"])
def test_the_guard_sees_a_collapse_once_and_returns_to_the_last_good(action):
    net = FakeNet()
    guard = OverfittingGuard(action)
    guard.on_train_begin(net)
    for scale in (-1.0, 1.0, 2.0):
        net.set(scale)
        guard.on_epoch_end(net)
    assert [row["guard_robust_acc"] for row in net.rows] == [0.0, 1.0, 1.0]
    net.set(-3.0)
    ends = pytest.raises(KeyboardInterrupt) if action == "restore" else contextlib.nullcontext()
    with ends, pytest.warns(UserWarning, match="overfitting: in epoch 4.*100.0% to 0.0%"):
        guard.on_epoch_end(net)
    if action == "warn":
        guard.on_epoch_end(net)  # a second warning would be an error
    guard.restore(net)
    assert net.module_.weight[0, 0].item() == (2.0 if action == "restore" else -3.0)


def test_the_guard_watches_single_step_attacks_only(images):
    watched = cnn().fit(*images)
    assert len(watched.history[:, "guard_robust_acc"]) == 3
    for params in ({"attack": PGD(eps=0.05, steps=2)}, NO_GUARD):
        assert "guard_robust_acc" not in cnn(**params).fit(*images).history[-1]
    assert same(watched, cnn(**NO_GUARD).fit(*images))
    assert TorchAttack("FFGSM", eps=0.1).single_step
    assert not TorchAttack("PGD", eps=0.1).single_step
    assert TorchAttack("PGD", eps=0.1, steps=1).single_step
    assert PGD(steps=1).single_step
    assert not PGD(steps=2).single_step
    assert not AutoAttack().single_step


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"callbacks": [AWP(-0.1)]}, "'gamma' parameter of AWP"),
        ({"callbacks": [EMA(1.0)]}, "'decay' parameter of EMA"),
        ({"callbacks": [SWA(1.0)]}, "'start' parameter of SWA"),
        ({"callbacks": [EpsWarmup(1.5)]}, "'share' parameter of EpsWarmup"),
        ({"callbacks": [EpsWarmup("slow")]}, "'share' parameter of EpsWarmup"),
        ({"callbacks": [EpsWarmup(0.5)], "attack": TorchAttack("CW")}, "radius"),
        ({"callbacks": [OverfittingGuard("stop")]}, "'action' parameter of OverfittingGuard"),
        (
            {"callbacks": [EMA()], "callbacks__emma__decay": 0.9},
            "no callback 'emma'. Did you mean",
        ),
    ],
)
def test_bad_settings_are_refused_before_training(images, params, message):
    net = cnn(**params)
    with pytest.raises(ValueError, match=message):
        net.fit(*images)
    assert not net.__sklearn_is_fitted__()


# -- losses as objects ---------------------------------------------------------------------


class Fading(Loss):
    """From the clean loss to the attacked one, with a penalty on the module's weights."""

    reads_clean = True
    seen: ClassVar[list] = []

    def __init__(self, decay=0.0):
        self.decay = decay

    def __call__(self, batch):
        self.seen.append(batch.progress)
        clean = batch.criterion(batch.logits, batch.y)
        attacked = batch.criterion(batch.logits_adv, batch.y)
        penalty = sum(weight.square().sum() for weight in batch.module.parameters())
        mixed = (1 - batch.progress) * clean + batch.progress * attacked
        return mixed + self.decay * penalty


def test_a_loss_of_ones_own_sees_the_module_and_how_far_it_is(images):
    X, y = images
    Fading.seen.clear()
    net = cnn(loss=Fading()).fit(X, y)
    np.testing.assert_allclose(Fading.seen, np.arange(9) / 9)
    assert not same(net, cnn(loss=Fading(decay=0.1)).fit(X, y))
    pooled = cnn(loss=Fading(), unlabeled="rst", max_epochs=1).fit(X, y, X_unlabeled=X)
    assert torch.isfinite(weights(pooled.module_)).all()
    assert pooled.teacher_.loss == "adversarial"


def test_losses_are_searched_by_object_and_by_name(images):
    for loss in ("trades", TRADES(beta=6.0)):
        search = GridSearchCV(cnn(loss=loss, max_epochs=1), {"loss__beta": [0.5, 5.0]}, cv=2)
        search.fit(*images)
        assert search.best_estimator_.loss.beta in (0.5, 5.0)
    assert loss.beta == 6.0  # the user's own object
    assert clone(search.best_estimator_).get_params()["loss__beta"] in (0.5, 5.0)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"loss": TRADES(beta=-1)}, ValueError, "'beta' parameter of TRADES"),
        ({"loss": 6.0}, TypeError, "or an object such as"),
        ({"loss": TRADES}, TypeError, "or an object such as"),
        ({"loss": MART(), "attack": None}, ValueError, "needs an attack"),
        ({"loss__beta": 2.0}, ValueError, "loss__beta is no constructor argument"),
    ],
)
def test_losses_that_cannot_be_are_refused(images, params, error, message):
    with pytest.raises(error, match=message):
        cnn(**params).fit(*images)
