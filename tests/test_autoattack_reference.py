"""AutoAttack's parts against loops written from the papers, on a committed robust net."""

import pathlib

import numpy as np
import pytest
import torch

from skactive.attacks import AutoAttack, TorchAttack
from tests import reference_attacks
from tests.models import SmallCNN

EPS, N = 0.15, 100


@pytest.fixture(scope="module")
def robust(digits):
    """A net trained with PGD by ``benchmarks/bench_autoattack.py --train``; images it never saw."""
    module = SmallCNN()
    with np.load(pathlib.Path(__file__).parent / "weights" / "digits_cnn.npz") as stored:
        module.load_state_dict({name: torch.as_tensor(stored[name]) for name in stored.files})
    X, y = digits
    return module.eval(), torch.from_numpy(X[1200 : 1200 + N]), torch.from_numpy(y[1200 : 1200 + N])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def survivors(robust, attacked):
    module, X, y = robust
    assert float((attacked - X).abs().max()) <= EPS + 1e-5
    return int(reference_attacks.correct(module, attacked, y).sum())


@pytest.mark.parametrize(
    ("ours", "literal", "settings", "luck"),
    [
        (TorchAttack("APGD", eps=EPS, loss="ce", steps=100), "apgd_ce", (100,), 2),
        (TorchAttack("APGDT", eps=EPS, steps=50, n_classes=4), "apgd_t", (50, 3), 2),
        (TorchAttack("Square", eps=EPS, n_queries=1000, resc_schedule=False), "square", (1000,), 5),
    ],
    ids=["apgd-ce", "apgd-t", "square"],
)
def test_each_part_leaves_as_many_as_the_papers_loop(robust, ours, literal, settings, luck):
    module, X, y = robust
    found = survivors(robust, ours(module, X, y, generator=generator()))
    reference = getattr(reference_attacks, literal)
    expected = survivors(robust, reference(module, X, y, EPS, *settings, generator()))
    clean = int(reference_attacks.correct(module, X, y).sum())
    assert expected < clean - 10
    assert abs(found - expected) <= luck  # other random starts, or a random search


def test_fab_leaves_as_many_as_the_papers_loop(robust):
    module, X, y = robust
    ours = TorchAttack("FAB", eps=EPS, steps=40, multi_targeted=True, n_classes=4)
    found = survivors(robust, ours(module, X, y, generator=generator()))
    expected = survivors(robust, reference_attacks.fab_t(module, X, y, EPS, 40, 3))
    assert abs(found - expected) <= 2


def test_ten_steps_are_not_a_hundred_settings_of_ours_are(robust):
    parts = dict(AutoAttack(EPS).parts())
    assert {name: part.settings.get("steps") for name, part in parts.items()} == {
        "apgd-ce": 100,
        "apgd-t": 100,
        "fab-t": 100,
        "square": None,
    }
    module, X, y = robust
    whole = survivors(robust, AutoAttack(EPS, version="fast", random_state=0)(module, X, y))
    alone = survivors(robust, parts["apgd-ce"](module, X, y, generator=generator()))
    assert whole <= alone
