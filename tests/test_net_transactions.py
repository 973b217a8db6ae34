"""A training that is refused, fails or is interrupted, and the net afterwards."""

import copy
import signal
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.callbacks import EMA, BestEpoch
from skactive.utils.alone import ALONE
from skactive.utils.random_state import other_states, torch_states
from tests.models import SmallCNN, SmallMLP
from tests.test_interrupts import interrupted_at, sampled_lines


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:120], y[:120]


class At(Callback):
    """Does something at one moment of a training."""

    def __init__(self, moment, act):
        self.moment, self.act = moment, act


for name in ("on_train_begin", "on_epoch_end", "on_batch_end", "on_grad_computed", "on_train_end"):

    def _moment(self, net, *args, _name=name, **kwargs):
        if self.moment == _name:
            self.act(net)

    setattr(At, name, _moment)


class Breaks(SmallCNN):
    """Breaks in the first batch that it is trained on, while `broken` is set."""

    broken = False

    def forward(self, X):
        if self.training and Breaks.broken:
            raise RuntimeError("module broke")
        return super().forward(X)


RECIPES = [EMA(), BestEpoch("clean")]


def cnn(module=Breaks, **params):
    params = {"attack": FGSM(eps=0.05), "max_epochs": 2, "lr": 0.01, "random_state": 0, **params}
    params = {"callbacks": RECIPES, "unlabeled": "rst", **params}
    return AdversarialNetClassifier(module, **params)


LEARNED = ("attack_", "seed_", "n_fits_", "callbacks_", "teacher_", "n_validation_labels_")
LEARNED += ("module_", "optimizer_", "criterion_", "history_", "input_shape_", "n_features_in_")


def learned(net):
    """All that a fitted net has learned, and what it is made of."""
    optimizer = net.optimizer_.state_dict()
    return {
        **{name: getattr(net, name) for name in LEARNED},
        "callbacks": list(net.callbacks_),
        "classes": net.classes_.tolist(),
        "epochs": len(net.history_),
        "parts": [id(sub) for sub in net.module_.modules()],
        "flags": [(id(p), p.requires_grad) for p in net.module_.parameters()],
        "modes": [sub.training for sub in net.module_.modules()],
        "hooks": [len(sub._forward_hooks) for sub in net.module_.modules()],
        "weights": {k: v.clone() for k, v in net.module_.state_dict().items()},
        "momenta": copy.deepcopy(optimizer["state"]),
        "groups": copy.deepcopy(optimizer["param_groups"]),
        "names": sorted(net.__dict__),
    }


def assert_as_before(net, before):
    after = learned(net)
    for key, value in before.items():
        if key == "weights":
            assert all(torch.equal(value[k], after[key][k]) for k in value)
        elif key == "momenta":
            for i, values in value.items():
                assert all(torch.equal(values[k], after[key][i][k]) for k in values)
        elif key in LEARNED and not isinstance(value, int | str | tuple):
            assert after[key] is value, key
        else:
            assert after[key] == value, key


def fail():
    def act(net):
        net.module_[0].requires_grad_(False)
        net.module_.register_forward_hook(lambda *_: None)
        net.optimizer_.param_groups[0]["lr"] = 1.0
        raise RuntimeError("callback broke")

    return act


MOMENTS = ["on_train_begin", "on_grad_computed", "on_batch_end", "on_epoch_end", "on_train_end"]


@pytest.mark.parametrize("method", ["fit", "warm fit", "partial_fit"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_callback_that_raises_leaves_the_net_as_it_was(images, method, moment):
    X, y = images
    net = cnn(warm_start=method == "warm fit").fit(X, y, X_unlabeled=X)
    at = ("at", At(moment, fail()))
    net.callbacks = [*RECIPES, at]
    if method != "fit":  # a net that goes on keeps the callbacks that it was initialised with
        net.callbacks_.append(at)
    before = learned(net)
    with pytest.raises(RuntimeError, match="callback broke"):
        (net.partial_fit if method == "partial_fit" else net.fit)(X, y, X_unlabeled=X)
    assert_as_before(net, before)


REFUSALS = {
    "another shape": lambda net, X, y: net.partial_fit(X[:, :, :4], y),
    "a refit of another shape": lambda net, X, y: net.fit(X[:, :, :4, :4].reshape(-1, 16), y),
    "an unknown label": lambda net, X, y: net.partial_fit(X, y + 100),
    "a setting": lambda net, X, y: net.fit(X, y),
    "weights": lambda net, X, y: net.partial_fit(X, y, sample_weight=np.ones(3)),
    "values": lambda net, X, y: net.fit(X * np.nan, y),
    "a pool": lambda net, X, y: net.partial_fit(X, y, X_unlabeled=X[:, :, :4]),
    "a pool and a refit": lambda net, X, y: net.fit(X, y, X_unlabeled=X[:, :, :4]),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refused_training_leaves_the_net_as_it_was(images, what):
    X, y = images
    net = cnn(callbacks=None, module=nn.Sequential(nn.Flatten(), nn.Linear(64, 10))).fit(X, y)
    if what == "a setting":
        net.callbacks = [BestEpoch("clean", patience=0)]
    before = learned(net)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        REFUSALS[what](net, X, y)
    assert_as_before(net, before)
    assert_array_equal(net.set_params(callbacks=None, lr=0.01).predict(X), net.predict(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_module_that_breaks_leaves_the_net_as_it_was(images, method, monkeypatch):
    X, y = images
    net = cnn().fit(X, y)
    before = learned(net)
    monkeypatch.setattr(Breaks, "broken", True)
    with pytest.raises(RuntimeError, match="module broke"):
        getattr(net, method)(X, y)
    assert_as_before(net, before)


def test_a_failed_partial_fit_does_not_advance_the_seed(images, monkeypatch):
    X, y = images
    plain, failed = cnn().fit(X, y), cnn().fit(X, y)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(Breaks, "broken", True)
        failed.partial_fit(X, y)
    assert_array_equal(
        plain.partial_fit(X, y).predict_proba(X), failed.partial_fit(X, y).predict_proba(X)
    )


def test_a_first_fit_that_fails_leaves_no_trace(images, monkeypatch):
    X, y = images
    net = cnn()
    before = set(net.__dict__)
    monkeypatch.setattr(Breaks, "broken", True)
    with pytest.raises(RuntimeError, match="module broke"):
        net.fit(X, y)
    assert set(net.__dict__) == before
    assert not net.__sklearn_is_fitted__()


def test_an_instance_is_a_start_and_is_never_trained(images):
    X, y = images
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    net = AdversarialNetClassifier(module, attack=None, max_epochs=2, random_state=0)
    first = net.fit(X, y).predict_proba(X)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert net.module is module
    assert_array_equal(net.fit(X, y).predict_proba(X), first)
    net.set_params(max_epochs=1, lr=0.0).fit(X, y)
    assert all(torch.equal(before[k], v) for k, v in net.module_.state_dict().items())


def test_a_fitted_net_is_in_eval_mode(images):
    X, y = images
    net = cnn().fit(X, y)
    assert not any(sub.training for sub in net.module_.modules())
    net.partial_fit(X, y)
    assert not any(sub.training for sub in net.module_.modules())


# -- interrupts ----------------------------------------------------------------------------


def ctrl_c(net):
    signal.raise_signal(signal.SIGINT)


def stop(net):
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["on_batch_end", "on_epoch_end"])
def test_a_callback_ends_the_training_quietly_and_ctrl_c_inside_it_does_not(images, moment):
    X, y = images
    handler = signal.getsignal(signal.SIGINT)
    quiet = cnn(callbacks=[*RECIPES, ("at", At(moment, stop))], max_epochs=5).fit(X, y)
    assert len(quiet.history_) == 1
    loud = cnn(callbacks=[*RECIPES, ("at", At(moment, ctrl_c))], max_epochs=5)
    with pytest.raises(KeyboardInterrupt):
        loud.fit(X, y)
    assert_array_equal(quiet.predict_proba(X), loud.predict_proba(X))
    assert not any(sub.training for sub in loud.module_.modules())
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_callback_ends_the_training_of_another_thread(images):
    X, y = images
    net = cnn(callbacks=[*RECIPES, ("at", At("on_epoch_end", stop))], max_epochs=5)
    thread = threading.Thread(target=net.fit, args=(X, y))
    thread.start()
    thread.join()
    assert len(net.history_) == 1


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_anywhere_in_a_training_leaves_a_usable_net(digits, method):
    X, y = digits[0][:40].reshape(40, -1), digits[1][:40]
    settings = {"module": SmallMLP, "max_epochs": 1, "unlabeled": None, "callbacks": None}
    fitted = cnn(**settings).fit(X, y)
    old = fitted.predict_proba(X)
    lines = sampled_lines(lambda: getattr(copy.deepcopy(fitted), method)(X, y), 60)
    drawn = repr((torch_states(), other_states()))
    for line in lines:
        net = copy.deepcopy(fitted)
        interrupted_at(line, lambda net=net: getattr(net, method)(X, y))
        assert np.isfinite(net.predict_proba(X)).all(), line
        assert not any(sub.training for sub in net.module_.modules()), line
        assert all(p.requires_grad for p in net.module_.parameters()), line
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, line
        assert not ALONE._is_owned(), line
        assert torch.is_grad_enabled(), line
        assert repr((torch_states(), other_states())) == drawn, line
        if net.n_fits_ == fitted.n_fits_ and method == "partial_fit":
            assert_array_equal(net.predict_proba(X), old)
