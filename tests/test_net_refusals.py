"""What a net cannot use is refused in words before training, and weights never make it NaN."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import EarlyStopping, EpochScoring
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.losses import IBP

RNG = np.random.default_rng(0)
X = RNG.random((60, 4), dtype=np.float32)
Y = np.arange(60) % 3


def linear(**params):
    params = {"attack": None, "max_epochs": 2, "random_state": 0, "batch_size": 10, **params}
    return AdversarialNetClassifier(
        nn.Linear, module__in_features=4, module__out_features=3, **params
    )


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).numpy()


@pytest.mark.parametrize("params", [{}, {"attack": PGD(eps=0.1, steps=1)}, {"unlabeled": "rst"}])
def test_a_batch_of_zero_weights_makes_no_nan(params):
    weights = np.zeros(60)
    weights[:5] = 1  # most batches of ten are weightless
    extra = {"X_unlabeled": X} if "unlabeled" in params else {}
    net = linear(**params).fit(X, Y, sample_weight=weights, **extra)
    assert np.isfinite(flat(net)).all()


def test_a_weight_of_zero_leaves_a_sample_out():
    weights = (np.arange(60) < 30).astype(float)
    assert_array_equal(
        flat(linear().fit(X, Y, sample_weight=weights)),
        flat(linear().fit(X[:30], Y[:30], sample_weight=weights[:30])),
    )


@pytest.mark.parametrize(
    ("weight", "words"),
    [(-1.0, "non-negative"), (np.nan, "finite"), (np.inf, "finite"), (1e38, "overflow")],
)
def test_weights_that_cannot_be_used_are_refused(weight, words):
    weights = np.ones(60)
    weights[3] = weight
    with pytest.raises(ValueError, match=words):
        linear().fit(X, Y, sample_weight=weights)
    with pytest.raises(ValueError, match="zero for all"):
        linear().fit(X, Y, sample_weight=np.full(60, 1e-60))


@pytest.mark.parametrize("device", ["auto", "gpu", 3.5])
def test_an_unknown_device_is_refused_with_the_way_out(device):
    with pytest.raises(ValueError, match=r"device=.*torch\.cuda\.is_available"):
        linear(device=device).fit(X, Y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named():
    with pytest.raises(ValueError, match="sees no GPU"):
        linear(device="cuda").fit(X, Y)


def test_workers_need_a_loader():
    with pytest.raises(ValueError, match=r"iterator_train__num_workers.*DataLoader"):
        linear(iterator_train__num_workers=2).fit(X, Y)
    loader = torch.utils.data.DataLoader
    linear(iterator_train=loader, iterator_train__num_workers=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"iterator_valid__pin_memory"):
        linear().set_params(iterator_valid__pin_memory=True).fit(X, Y)


def test_early_stopping_of_skorch_needs_something_to_watch():
    for callbacks in ([EarlyStopping()], [("stop", EarlyStopping(monitor="valid_acc_best"))]):
        with pytest.raises(ValueError, match="EarlyStopping monitors 'valid_.*BestEpoch"):
            linear(callbacks=callbacks).fit(X, Y)
    linear(callbacks=[EarlyStopping(monitor="train_loss")]).fit(X, Y)
    own = EpochScoring("accuracy", name="valid_acc_own", on_train=True)
    linear(callbacks=[own]).fit(X, Y)


PGD_ = PGD(eps=0.1, steps=1)
SKEWED = torch.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("criterion", [nn.NLLLoss, nn.NLLLoss(), nn.NLLLoss2d])
def test_a_criterion_that_takes_the_logarithm_once_more_is_refused(criterion):
    with pytest.raises(ValueError, match=r"criterion=NLLLoss.*CrossEntropyLoss.*LogSoftmax"):
        linear(criterion=criterion).fit(X, Y)


@pytest.mark.parametrize("loss", ["trades", "mart"])
@pytest.mark.parametrize(
    "params",
    [
        {"criterion": nn.MultiMarginLoss},
        {"criterion__weight": SKEWED},
        {"criterion": nn.CrossEntropyLoss(weight=SKEWED)},
        {"criterion__reduction": "sum"},
        {"criterion__ignore_index": 1},
    ],
)
def test_a_criterion_that_a_loss_would_not_read_is_refused(loss, params):
    with pytest.raises(ValueError, match=f"loss='{loss}' has a cross-entropy of its own"):
        linear(attack=PGD_, loss=loss, **params).fit(X, Y)
    with pytest.raises(ValueError, match="the loss of each sample"):
        linear(unlabeled="rst", **params).fit(X, Y, X_unlabeled=X)
    linear(attack=PGD_, **params).fit(X, Y)
    linear(attack=PGD_, loss=loss, criterion=nn.CrossEntropyLoss()).fit(X, Y)


def test_label_smoothing_is_refused_where_the_loss_has_none():
    smooth = {"attack": PGD_, "criterion__label_smoothing": 0.1}
    with pytest.raises(ValueError, match="loss='mart' takes no label smoothing"):
        linear(loss="mart", **smooth).fit(X, Y)
    linear(loss="trades", **smooth).fit(X, Y)


def test_cross_entropy_is_reduced_as_it_says():
    """In one step on the whole set: sixty times the mean, or the mean over the other labels."""
    sgd = {"optimizer": torch.optim.SGD, "batch_size": 60, "max_epochs": 1}
    summed = linear(criterion__reduction="sum", lr=0.01, **sgd).fit(X, Y)
    np.testing.assert_allclose(flat(summed), flat(linear(lr=0.6, **sgd).fit(X, Y)), rtol=1e-5)
    others = Y != 1
    without = linear(classes=[0, 1, 2], **sgd).fit(X[others], Y[others])
    np.testing.assert_allclose(
        flat(linear(criterion__ignore_index=1, **sgd).fit(X, Y)), flat(without), rtol=1e-5
    )


@pytest.mark.parametrize("params", [{"loss": IBP(eps=0.1, warm_up=0)}, {"attack": PGD_}])
def test_samples_as_they_are_need_the_loss_of_each(params):
    net, as_is = linear(criterion__weight=SKEWED, **params), np.arange(60) < 30
    with pytest.raises(ValueError, match="as_is need the loss of each sample"):
        net.fit(X, Y, as_is=as_is)
    net.set_params(criterion__reduction="none").fit(X, Y, as_is=as_is)


def test_weights_of_samples_serve_a_compiled_net():
    compiled = linear(compile=True, compile__backend="eager")
    weights = np.where(Y == 1, 2.0, 1.0)
    np.testing.assert_allclose(
        flat(compiled.fit(X, Y, sample_weight=weights)),
        flat(linear().fit(X, Y, sample_weight=weights)), rtol=1e-5,
    )  # fmt: skip


class Diverging(nn.CrossEntropyLoss):
    def forward(self, logits, y):
        return super().forward(logits, y) * torch.nan


def test_a_training_that_ends_in_nan_is_refused_and_leaves_the_net_as_it_was():
    net = linear().fit(X, Y)
    before = flat(net)
    net.set_params(criterion=Diverging)
    with pytest.raises(ValueError, match=r"diverged: weight of Linear is NaN.*lr=0\.001"):
        net.partial_fit(X, Y)
    assert_array_equal(flat(net), before)


def test_a_single_class_is_refused_unless_others_are_declared():
    with pytest.raises(ValueError, match=r"only one class, \[0\].*classes="):
        linear().fit(X, np.zeros(60, int))
    assert linear(classes=[0, 1, 2]).fit(X, np.zeros(60, int)).classes_.tolist() == [0, 1, 2]
