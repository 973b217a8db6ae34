"""FixMatch: its loss against plain torch, its views, alone and as a teacher, and bad input."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn
from torch.nn import functional as F
from torchvision import transforms

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier, FixMatch
from skactive.attacks import FGSM
from skactive.callbacks import CosineDecay
from skactive.datasets import load_mnist
from skactive.nets import RandomAffine
from skactive.nets._views import affine_grid
from skactive.networks import LeNet5
from tests.models import SmallCNN, SmallMLP
from tests.test_classifier import IMPOSSIBLE

SHORT = {"max_epochs": 2, "updates_per_epoch": 3, "batch_size": 40, "random_state": 0}


def fixmatch(module=SmallCNN, **params):
    return FixMatch(module, **{**SHORT, **params})


def student(**params):
    given = {"module": SmallCNN, "attack": FGSM(eps=0.05), "max_epochs": 1, "unlabeled": "rst"}
    return AdversarialNetClassifier(**{**given, "random_state": 0, **params})


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:40], y[:40], X[40:340], y[40:340]


def flat(net):
    return torch.cat(
        [value.detach().flatten().double() for value in net.module_.state_dict().values()]
    )


@parametrize_with_checks(
    [FixMatch(SmallMLP, max_epochs=1, batch_size=100, lr=0.02, random_state=0)],
    expected_failed_checks=lambda estimator: {
        **IMPOSSIBLE,
        "check_classifiers_classes": "of the labels -1 and 1, -1 marks a sample without one",
    },
)
def test_sklearn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FixMatch was given no unlabelled points")
        check(estimator)


# -- the loss --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_an_update_is_the_papers(images, weighted):
    X, y, pool, _ = images
    X, y, pool = X[:10], np.arange(10), pool[:30]
    torch.manual_seed(0)
    start = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    start[1].weight.data *= 20  # sure of some points and not of others
    weight = np.linspace(0.5, 2, 10) if weighted else None
    net = fixmatch(
        start, threshold=0.7, augment=lambda X: X / 2, weak=lambda X: X * 0.9,
        strong=lambda X: 1 - X,
        optimizer=torch.optim.SGD, lr=0.1, max_epochs=1, updates_per_epoch=1, unlabeled_weight=3.0,
        callbacks__ema=None,
    )  # fmt: skip
    net.fit(X, y, sample_weight=weight, X_unlabeled=pool)

    plain = copy.deepcopy(start)
    labelled, unlabelled = torch.from_numpy(X), torch.from_numpy(pool)
    of_label = F.cross_entropy(plain(labelled / 2), torch.from_numpy(y), reduction="none")
    if weighted:
        of_label = of_label * torch.from_numpy(weight / weight.mean())
    probability = torch.softmax(plain(unlabelled * 0.9).detach(), dim=1)
    total, n_sure = 0.0, 0
    for i in range(30):  # one by one, as the paper's equation 4 writes it
        if probability[i].max() >= 0.7:
            n_sure += 1
            target = probability[i].argmax()[None]
            total = total + F.cross_entropy(plain(1 - unlabelled[i : i + 1]), target)
    assert 0 < n_sure < 30
    loss = of_label.mean() + 3.0 * total / 30
    loss.backward()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter -= 0.1 * parameter.grad
    for found, expected in zip(net.module_.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected)
    assert net.history[-1]["train_loss"] == pytest.approx(float(loss.detach()), rel=1e-5)


def test_without_views_the_pool_goes_through_the_net_once(images):
    X, y, pool, _ = images
    sizes = []

    class Counting(SmallCNN):
        def forward(self, X):
            if self.training:
                sizes.append(len(X))
            return super().forward(X)

    fixmatch(Counting).fit(X, y, X_unlabeled=pool)
    assert sizes == [10 + 30 + 30] * 6
    sizes.clear()
    fixmatch(Counting, weak=None, strong=None).fit(X, y, X_unlabeled=pool)
    assert sizes == [10 + 30] * 6


def test_the_learning_rate_falls_and_is_whole_again(images):
    X, y, pool, _ = images
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(self.param_groups[0]["lr"])
            return super().step(closure)

    net = fixmatch(optimizer=Watched, lr=0.1).fit(X, y, X_unlabeled=pool)
    expected = [0.1 * math.cos(7 * math.pi / 16 * k / 6) for k in range(6)]
    assert seen == pytest.approx(expected)
    net.partial_fit(X, y, X_unlabeled=pool)
    assert seen[6:] == pytest.approx(expected)
    assert net.optimizer_.param_groups[0]["lr"] == 0.1


# -- batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_labelled", [4, 10, 37])
def test_every_label_comes_equally_often_however_few_there_are(images, n_labelled):
    X, _, pool, _ = images
    X = X[:n_labelled].copy()
    X[:, 0, 0, 0] = np.linspace(0, 1, n_labelled, dtype=np.float32)
    seen = []

    def note(batch):
        seen.append(batch[:, 0, 0, 0].clone())
        return batch

    net = fixmatch(augment=note, updates_per_epoch=20)
    net.fit(X, np.arange(n_labelled) % 2, X_unlabeled=pool)
    assert {len(batch) for batch in seen} == {10}
    assert len(seen) == 40
    for epoch in (seen[:20], seen[20:]):
        counts = torch.unique(torch.cat(epoch), return_counts=True)[1]
        assert len(counts) == n_labelled
        assert counts.max() - counts.min() <= 1


def test_points_to_train_on_as_they_are_are_not_moved(images):
    X, y, pool, _ = images
    as_is = np.zeros(len(X), dtype=bool)
    as_is[:10] = True
    moved = np.unique(X[as_is], axis=0)
    seen = []

    class Seeing(SmallCNN):
        def forward(self, X):
            if self.training:
                seen.append(X[:10].numpy().copy())
            return super().forward(X)

    fixmatch(Seeing).fit(X, y, X_unlabeled=pool, as_is=as_is)
    rows = np.concatenate(seen)
    plain = [row for row in rows if (row == X).all(axis=(1, 2, 3)).any()]
    assert 0 < len(plain) < len(rows)
    assert all((moved == row).all(axis=(1, 2, 3)).any() for row in plain)


def test_datasets_bytes_and_memory_maps(images, tmp_path):
    X, y, pool, _ = images
    base = fixmatch().fit(X, y, X_unlabeled=pool)
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    assert torch.equal(flat(fixmatch().fit(data, X_unlabeled=pool)), flat(base))
    np.save(tmp_path / "pool.npy", pool)
    mapped = np.load(tmp_path / "pool.npy", mmap_mode="r")
    assert torch.equal(flat(fixmatch().fit(X, y, X_unlabeled=mapped)), flat(base))
    as_bytes = np.round(pool * 255).astype(np.uint8)
    assert fixmatch().fit(X, y, X_unlabeled=as_bytes).n_pseudo_labels_ == len(pool)


# -- views -----------------------------------------------------------------------------------


def test_the_map_is_the_one_that_is_drawn():
    image = torch.zeros(1, 1, 41, 41)
    image[0, 0, 20, 32] = 1  # 12 pixels right of the middle
    ends = set()
    for seed in range(20):
        view = RandomAffine(1.0, rotation=0.5, scale=0, shear=0, shift=0)
        found = view(image, generator=torch.Generator().manual_seed(seed))[0, 0]
        row, column = divmod(int(found.argmax()), 41)
        assert math.hypot(row - 20, column - 20) == pytest.approx(12, abs=1)  # a rotation
        angle = math.atan2(row - 20, column - 20)
        assert abs(angle) < 0.5 + 0.1
        ends.add(round(angle, 1))
    assert len(ends) > 4
    image = torch.zeros(1, 1, 41, 41)
    image[0, 0, 20, 20] = 1
    shifted = RandomAffine(1.0, rotation=0, scale=0, shear=0, shift=0.5)
    moved = [
        divmod(int(shifted(image, torch.Generator().manual_seed(seed)).argmax()), 41)
        for seed in range(20)
    ]
    offsets = np.array(moved) - [20, 20]
    assert np.abs(offsets).max() <= 0.5 * 20.5 + 1
    assert (offsets.max(axis=0) - offsets.min(axis=0)).min() > 8


def test_views_of_strength_zero_change_nothing_and_others_stay_in_range():
    X = torch.rand(30, 2, 8, 12)
    torch.testing.assert_close(RandomAffine(0)(X), X)
    for padding in ("zeros", "border", "reflection"):
        moved = RandomAffine(2.0, padding=padding)(X)
        assert moved.shape == X.shape
        assert moved.min() >= 0
        assert moved.max() <= 1
        assert len(moved.unique(dim=0)) == 30
    with pytest.raises(ValueError, match="RandomAffine moves images"):
        RandomAffine()(torch.rand(3, 5))
    with pytest.raises(ValueError, match="padding"):
        RandomAffine(padding="wrap")(X)
    assert clone(RandomAffine(0.3, shear=0.1)).get_params()["shear"] == 0.1


def test_the_grid_is_torchs_own():
    maps = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = F.affine_grid(maps, [4, 1, 5, 7], align_corners=False)
    torch.testing.assert_close(affine_grid(maps, 5, 7), expected)


def test_rotations_keep_angles_in_images_that_are_no_squares():
    image = torch.zeros(1, 1, 31, 61)
    image[0, 0, 15, 40] = 1
    view = RandomAffine(rotation=0.7, scale=0, shear=0, shift=0)
    for seed in range(10):
        found = view(image, torch.Generator().manual_seed(seed))[0, 0]
        row, column = divmod(int(found.argmax()), 61)
        assert math.hypot(row - 15, column - 30) == pytest.approx(10, abs=1)


def test_a_number_of_the_net_of_all_is_a_view_too(images):
    X, y, _, _ = images
    params = {"attack": None, "max_epochs": 2, "random_state": 0}
    nets = [
        AdversarialNetClassifier(SmallCNN, augment=augment, **params).fit(X, y)
        for augment in (0.4, RandomAffine(0.4), None)
    ]
    assert torch.equal(flat(nets[0]), flat(nets[1]))
    assert not torch.equal(flat(nets[0]), flat(nets[2]))


def test_views_are_clipped_to_the_bounds(images):
    X, y, pool, _ = images
    highest = []

    class Seeing(SmallCNN):
        def forward(self, X):
            highest.append(float(X.max()))
            return super().forward(X)

    views = {"augment": None, "weak": None, "strong": lambda X: X + 5}
    fixmatch(Seeing, bounds=(0, 1), **views).fit(X, y, X_unlabeled=pool)
    assert max(highest) <= 1
    highest.clear()
    fixmatch(Seeing, **views).fit(X, y, X_unlabeled=pool)
    assert max(highest) > 5


# -- repeats, copies, searches ---------------------------------------------------------------


def test_two_fits_are_equal_and_no_global_generator_is_touched(images):
    X, y, pool, _ = images
    crop = transforms.RandomCrop(8, padding=1)
    for views in ({}, {"weak": crop, "strong": lambda X: X + torch.rand_like(X)}):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        nets = [fixmatch(**views).fit(X, y, X_unlabeled=pool) for _ in range(2)]
        assert torch.equal(flat(nets[0]), flat(nets[1]))
        assert torch.equal(before[0], torch.get_rng_state())
        assert_array_equal(before[1], np.random.get_state()[1])
        other = fixmatch(**{**views, "random_state": 1}).fit(X, y, X_unlabeled=pool)
        assert not torch.equal(flat(nets[0]), flat(other))


def test_clone_pickle_marked_rows_and_search(images):
    X, y, pool, _ = images
    net = fixmatch(threshold=0.8, strong=RandomAffine(0.7)).fit(X, y, X_unlabeled=pool)
    twin = clone(net)
    assert (twin.threshold, twin.strong.strength) == (0.8, 0.7)
    assert not hasattr(twin, "classes_")
    again = pickle.loads(pickle.dumps(net))
    assert_array_equal(again.predict_proba(pool), net.predict_proba(pool))
    both, marked = np.concatenate([X, pool]), np.concatenate([y, np.full(len(pool), -1)])
    assert torch.equal(flat(clone(net).fit(both, marked)), flat(net))
    search = GridSearchCV(fixmatch(), {"strong": [0.5, 1.0], "threshold": [0.9]}, cv=2)
    search.fit(X, y, X_unlabeled=pool)
    assert search.best_params_["strong"] in (0.5, 1.0)
    with pytest.raises(ValueError, match="attack"):
        fixmatch().set_params(attack="pgd")
    with pytest.raises(ValueError, match="attack"):
        fixmatch(attack="pgd").fit(X, y, X_unlabeled=pool)


def test_its_callbacks_are_set_by_name(images):
    X, y, pool, _ = images
    base = flat(fixmatch().fit(X, y, X_unlabeled=pool))
    for change in (
        {"callbacks__ema__decay": 0.1},
        {"callbacks__ema": None},
        {"callbacks": [CosineDecay(0.0)]},
        {"callbacks__cosine_decay__cycles": 0.1},
    ):
        changed = fixmatch().set_params(**change).fit(X, y, X_unlabeled=pool)
        assert not torch.equal(flat(changed), base), change
    assert fixmatch().get_params()["callbacks__ema__decay"] == 0.995


# -- as a teacher ----------------------------------------------------------------------------


def test_a_teacher_takes_module_classes_and_pool_of_the_net(images):
    X, y, pool, _ = images
    kept = y < 9
    given = FixMatch(**SHORT)
    net = student(teacher=given, classes=np.arange(10), attack=FGSM(eps=0.05, bounds=(0, 2)))
    net.fit(X[kept], y[kept], X_unlabeled=pool)
    assert isinstance(net.teacher_.module_, SmallCNN)
    assert net.teacher_.n_pseudo_labels_ == len(pool)
    assert net.teacher_.predict_proba(pool[:3]).shape == (3, 10)
    assert net.teacher_.bounds == (0, 2)
    assert given.module is None
    assert not hasattr(given, "classes_")
    assert net.set_params(teacher__threshold=0.8).get_params()["teacher__threshold"] == 0.8
    own = student(teacher=FixMatch(LeNet5, **SHORT)).fit(X, y, X_unlabeled=pool)
    assert isinstance(own.teacher_.module_, LeNet5)


def test_the_teacher_makes_the_pseudo_labels(images):
    X, y, pool, _ = images
    net = student(teacher=FixMatch(**SHORT)).fit(X, y, X_unlabeled=pool)
    alone = clone(net.teacher_).fit(X, y, X_unlabeled=pool)
    assert_array_equal(alone.predict(pool), net.teacher_.predict(pool))
    again = student(teacher=FixMatch(**SHORT)).fit(X, y, X_unlabeled=pool)
    assert torch.equal(flat(net), flat(again))


def test_a_learner_hands_its_pool_on(images):
    X, y, pool, y_pool = images
    learner = ActiveLearner(fixmatch(), "margin", use_pool=True, random_state=0)
    with pytest.warns(UserWarning, match="no unlabelled points"):
        learner.fit(X, y)
    idx, rows = learner.query(pool, 5)
    learner.teach(rows, y_pool[idx])
    assert learner.history_[-1]["pseudo"] == len(pool) - 5


def test_a_saved_net_goes_on_with_its_teacher(images, tmp_path):
    pytest.importorskip("safetensors")
    X, y, pool, y_pool = images
    teacher = FixMatch(strong=RandomAffine(0.5), **SHORT)
    net = student(module=LeNet5, teacher=teacher, unlabeled_fraction="data")
    learner = ActiveLearner(net, "margin", use_pool=True, random_state=0).fit(X, y)
    learner.save(tmp_path / "learner.skactive")
    for each in (learner, skactive.load(tmp_path / "learner.skactive")):
        idx, rows = each.query(pool, 5)
        each.teach(rows, y_pool[idx])
        each.save(tmp_path / f"taught-{each is learner}.skactive")
    kept = [skactive.load(tmp_path / f"taught-{first}.skactive") for first in (True, False)]
    assert torch.equal(*(flat(each.estimator_) for each in kept))
    assert torch.equal(*(flat(each.estimator_.teacher_) for each in kept))
    assert kept[0].estimator_.teacher.strong.strength == 0.5


def test_few_labels_of_mnist_go_further_than_with_a_plain_teacher(data_root):
    data = load_mnist(root=data_root, n_train=800, n_test=100, random_state=0)
    X, y = data.X_train[:60], data.y_train[:60]
    pool, hidden = data.X_train[60:], data.y_train[60:]
    plain = AdversarialNetClassifier(
        LeNet5, attack=None, max_epochs=60, batch_size=20, random_state=0
    )
    better = FixMatch(LeNet5, max_epochs=2, batch_size=80, random_state=0)
    right = [
        (plain.fit(X, y).predict(pool) == hidden).mean(),
        (better.fit(X, y, X_unlabeled=pool).predict(pool) == hidden).mean(),
    ]
    assert right[1] > right[0] + 0.05


# -- bad input -------------------------------------------------------------------------------


def square(X):
    return X[:, :, 1:]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 1.0}, "threshold"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": "0.9"}, "without quotes"),
        ({"unlabeled_fraction": 1.0}, "unlabeled_fraction"),
        ({"unlabeled_weight": 0}, "unlabeled_weight"),
        ({"updates_per_epoch": 0}, "updates_per_epoch"),
        ({"strong": -1.0}, "strength"),
        ({"strong": True}, "strong must be None or a function"),
        ({"weak": "affine"}, "weak must be None or a function .*'auto'"),
        ({"strong": transforms.RandomCrop}, "strong must be None or a function"),
        ({"strong": square}, "strong must return .* shape"),
        ({"weak": lambda X: X / 0 * 0}, "weak returned NaN"),
        ({"module": None}, "module is None"),
        ({"criterion": nn.MultiMarginLoss}, "loss of each sample"),
        ({"callbacks__ema__decay": 1.0}, "decay"),
        ({"callbacks__cosine_decay__cycles": 0.6}, "cycles"),
    ],
)
def test_bad_input_is_refused(images, params, message):
    X, y, pool, _ = images
    net = fixmatch(**{"module": SmallCNN, **params})
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, X_unlabeled=pool)
    assert not net.__sklearn_is_fitted__()


def test_views_of_images_are_refused_for_tables_and_auto_is_none(images):
    X, y, pool, _ = images
    X, pool = X.reshape(len(X), -1), pool.reshape(len(pool), -1)
    fixmatch(SmallMLP).fit(X, y, X_unlabeled=pool)
    with pytest.raises(ValueError, match="strong=1.0 moves images"):
        fixmatch(SmallMLP, strong=1.0).fit(X, y, X_unlabeled=pool)


def test_labels_of_the_pool_are_its_own_to_make(images):
    X, y, pool, y_pool = images
    with pytest.raises(ValueError, match="leave y_unlabeled out"):
        fixmatch().fit(X, y, X_unlabeled=pool, y_unlabeled=y_pool)


def test_a_pool_of_another_shape_or_no_pool_at_all(images):
    X, y, pool, _ = images
    with pytest.raises(ValueError, match="shape"):
        fixmatch().fit(X, y, X_unlabeled=pool[:, :, :5])
    with pytest.warns(UserWarning, match="no unlabelled points"):
        fixmatch().fit(X, y)
