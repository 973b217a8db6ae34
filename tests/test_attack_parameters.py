"""Attack parameters that cannot be meant are refused in words, never used silently."""

import numpy as np
import pytest
import torch
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, AutoAttack, DeepFool, TorchAttack
from skactive.metrics import robust_accuracy_score
from skactive.retraining import adversarial_examples

MODULE = nn.Linear(4, 3)
X = torch.full((6, 4), 0.5)
Y = torch.arange(6) % 3
NET = {"module__in_features": 4, "module__out_features": 3, "max_epochs": 1, "random_state": 0}

WITH_EPS = [
    PGD,
    FGSM,
    lambda **given: AutoAttack(version="fast", **given),
    lambda **given: TorchAttack("FFGSM", alpha=0.1, **given),
    lambda **given: TorchAttack("Square", **given),
]


@pytest.mark.parametrize("make", WITH_EPS)
def test_a_radius_in_quotes_is_refused_with_the_number_it_should_be(make):
    with pytest.raises(ValueError, match=r"eps.*'8/255'.*eps=8/255, without quotes"):
        make(eps="8/255")(MODULE, X, Y)


@pytest.mark.parametrize("make", WITH_EPS)
def test_a_radius_wider_than_the_range_is_refused(make):
    with pytest.raises(ValueError, match=r"eps=8 .*\[0, 1\].*8/255"):
        make(eps=8)(MODULE, X, Y)
    assert make(eps=8, bounds=(0, 255))(MODULE, X, Y).shape == X.shape


@pytest.mark.parametrize("make", WITH_EPS[:2])
def test_a_step_wider_than_the_range_is_refused(make):
    with pytest.raises(ValueError, match=r"alpha=2 .*\[0, 1\].*2/255"):
        make(eps=0.1, alpha=2)(MODULE, X, Y)


@pytest.mark.parametrize("make", WITH_EPS[:2])
@pytest.mark.parametrize("wrong", [True, np.nan, "0.1"])
def test_steps_sizes_are_numbers(make, wrong):
    with pytest.raises(ValueError, match="'alpha' parameter of .* must be a positive"):
        make(eps=0.1, alpha=wrong)(MODULE, X, Y)
    with pytest.raises(ValueError, match="eps"):
        make(eps=wrong)(MODULE, X, Y)


def test_an_l2_radius_is_measured_by_the_diagonal():
    PGD(eps=1.9, norm="L2", steps=1)(MODULE, X, Y)  # the diagonal of [0, 1]^4 is 2
    with pytest.raises(ValueError, match="eps=2.1"):
        PGD(eps=2.1, norm="L2", steps=1)(MODULE, X, Y)


@pytest.mark.parametrize("name", ["overshoot", "tol"])
@pytest.mark.parametrize("wrong", ["0.02", True, np.nan])
def test_deepfool_refuses_what_is_no_number(name, wrong):
    with pytest.raises(ValueError, match=f"'{name}' parameter of DeepFool must be a number"):
        DeepFool(**{name: wrong})(MODULE, X)


def test_settings_of_torchattacks_are_numbers_where_its_own_are():
    with pytest.raises(
        ValueError, match="'alpha' parameter of FFGSM must be a number.*Write alpha=10/255, without"
    ):
        TorchAttack("FFGSM", eps=0.1, alpha="10/255")(MODULE, X, Y)
    with pytest.raises(ValueError, match="'n_queries' parameter of Square must be a number"):
        TorchAttack("Square", eps=0.1, n_queries="10")(MODULE, X, Y)


@pytest.mark.parametrize("bounds", [("0", "1"), (0, np.nan), (0, None), "01"])
def test_bounds_are_numbers(bounds):
    with pytest.raises(ValueError, match="'bounds' parameter of PGD must be a pair"):
        PGD(bounds=bounds)(MODULE, X, Y)


def test_everyone_who_takes_a_radius_refuses():
    inputs, labels = X.numpy(), Y.numpy()
    for wrong in ("8/255", 8):
        with pytest.raises(ValueError, match="8/255"):
            AdversarialNetClassifier(nn.Linear, attack=PGD(eps=wrong), **NET).fit(inputs, labels)
        net = AdversarialNetClassifier(nn.Linear, attack=None, **NET).fit(inputs, labels)
        with pytest.raises(ValueError, match="8/255"):
            robust_accuracy_score(net, inputs, labels, "pgd", eps=wrong)
        with pytest.raises(ValueError, match="8/255"):
            adversarial_examples(net, inputs, labels, "pgd", eps=wrong)
