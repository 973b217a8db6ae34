"""Datasets, images and augmentation on their way into a net."""

import pickle
import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision import transforms

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.callbacks import BestEpoch
from tests.models import SmallCNN, SmallMLP

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 8, 8), dtype=np.uint8)
FLOATS = np.ascontiguousarray(BYTES / np.float32(255)).reshape(40, 1, 8, 8)
Y = np.arange(40) % 4


class Noisy(Dataset):
    """Rows that differ each time they are read, by the global generators of three libraries."""

    def __init__(self, n=200, pairs=True):
        self.n, self.pairs, self.reads, self.seen = n, pairs, 0, set()

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.reads += 1
        noise = torch.rand(4) + random.random() + np.random.random()
        x = 0.3 * (i % 2) + 0.2 * noise
        self.seen.add(float(x.sum()))
        return (x, i % 2) if self.pairs else x


class Items(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return len(BYTES)

    def __getitem__(self, i):
        return self.make(i)


def mlp(**params):
    params = {"attack": None, "max_epochs": 5, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


def cnn(**params):
    params = {"attack": None, "max_epochs": 1, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


def flat(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).numpy()


def test_training_batches_are_drawn_anew_each_epoch():
    data = Noisy(pairs=False)
    mlp().fit(data, np.arange(200) % 2)
    assert 1000 <= data.reads <= 1000 + 16
    assert len(data.seen) >= 1000


def test_pairs_are_read_once_more_for_their_labels():
    data = Noisy()
    net = mlp().fit(data)
    assert 1200 <= data.reads <= 1200 + 16
    assert net.classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"attack": PGD(eps=0.05, steps=2), "bounds": (0, 2)},
        {"callbacks": [BestEpoch("clean")]},
        {"iterator_train": DataLoader},
        {"iterator_train": DataLoader, "iterator_train__num_workers": 1, "max_epochs": 1},
    ],
)
def test_two_fits_are_equal_and_no_global_generator_is_touched(params):
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    nets = [mlp(**params).fit(Noisy()) for _ in range(2)]
    assert_array_equal(flat(nets[0]), flat(nets[1]))
    assert not np.array_equal(
        flat(nets[0]), flat(mlp(**{**params, "random_state": 1}).fit(Noisy()))
    )
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()


def test_a_dataset_that_stands_still_trains_as_its_array():
    data = Items(lambda i: (FLOATS[i], int(Y[i])))
    for params in ({}, {"callbacks": [BestEpoch("clean")]}):
        expected = cnn(**params).fit(FLOATS, Y)
        assert_array_equal(flat(cnn(**params).fit(data)), flat(expected))
        rows = np.arange(0, 40, 3)
        weights = (np.arange(14) % 4 > 0).astype(float)
        assert_array_equal(
            flat(cnn(**params).fit(Subset(data, rows.tolist()), Y[rows], sample_weight=weights)),
            flat(cnn(**params).fit(FLOATS[rows], Y[rows], sample_weight=weights)),
        )


@pytest.mark.parametrize("unlabeled", ["rst", "uat-kl"])
def test_the_pool_goes_with_a_dataset(unlabeled):
    data = Items(lambda i: (FLOATS[i], int(Y[i])))
    params = {"unlabeled": unlabeled, "attack": PGD(eps=0.05, steps=1)}
    assert_array_equal(
        flat(cnn(**params).fit(data, X_unlabeled=FLOATS)),
        flat(cnn(**params).fit(FLOATS, Y, X_unlabeled=FLOATS)),
    )
    marked = Items(lambda i: (FLOATS[i], int(Y[i]) if i < 20 else -1))
    assert cnn(**params).fit(marked).classes_.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "make",
    [
        lambda i: {"image": FLOATS[i], "label": int(Y[i])},
        lambda i: {"img": Image.fromarray(BYTES[i]), "target": int(Y[i])},
        lambda i: {"id": i, "image": FLOATS[i], "label": int(Y[i])},
        lambda i: {"scan": torch.from_numpy(FLOATS[i]), "label": int(Y[i])},
        lambda i: (Image.fromarray(BYTES[i]), int(Y[i])),
        lambda i: (transforms.ToTensor()(Image.fromarray(BYTES[i])), int(Y[i])),
        lambda i: (BYTES[i][None], int(Y[i])),
    ],
)
def test_items_of_many_kinds_are_the_same_images(make):
    net = cnn().fit(Items(make))
    expected = cnn().fit(FLOATS, Y)
    assert_array_equal(flat(net), flat(expected))
    assert_array_equal(net.predict_proba(Items(make)), expected.predict_proba(FLOATS))


def test_lists_of_images_are_read():
    images = [Image.fromarray(rows) for rows in BYTES]
    net = cnn().fit(images, Y)
    assert_array_equal(net.predict(images), net.predict(FLOATS))
    learner = ActiveLearner(cnn(), "entropy", random_state=0).fit(images[:20], Y[:20])
    picked, rows = learner.query(images[20:], n=3)
    learner.teach(rows, Y[20:][picked])
    assert len(learner.X_labeled_) == 23
    color = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(8)]
    assert AdversarialNetClassifier(Channels, attack=None).fit(color, Y[:8]).input_shape_ == (
        3,
        8,
        8,
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda i: {"image": FLOATS[i], "img": FLOATS[i], "label": 0}, "several may be the input"),
        (lambda i: {"a": FLOATS[i], "b": 0, "label": 0}, r"'a', 'b', 'label'.*none may be the inp"),
        (lambda i: {"image": FLOATS[i]}, "none may be the label"),
        (lambda i: (Image.fromarray(BYTES[i]).convert("P"), i % 2), r"mode 'P'.*convert\('RGB'\)"),
        (lambda i: (FLOATS[i][:, : 8 - i % 2], i % 2), "Item 1 of the Dataset has shape.*Resize"),
        (lambda i: (FLOATS[i] + np.nan * (i == 7), i % 2), "NaN"),
        (lambda i: (FLOATS[i] * (1 + (i == 7)), i % 2), "Item 7 .*bounds"),
        (lambda i: (FLOATS[i].transpose(1, 2, 0), i % 2), "channels first.*transpose"),
        (lambda i: FLOATS[i], "requires y to be passed"),
    ],
)
def test_items_that_cannot_be_read_are_refused_in_words(make, words):
    net = cnn(attack=PGD(eps=0.1, steps=1))
    with pytest.raises(ValueError, match=words):
        net.fit(Items(make))
    assert not net.__sklearn_is_fitted__()


class Channels(nn.Module):
    """A net that would take any number of channels for what it is told."""

    def __init__(self, n_classes, in_channels=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(4, n_classes)

    def forward(self, X):
        return self.head(self.layers(X))


@pytest.mark.parametrize("module", [SmallCNN, Channels])
def test_channels_last_is_refused(module):
    last = FLOATS.transpose(0, 2, 3, 1)
    net = AdversarialNetClassifier(module, attack=None, max_epochs=1, random_state=0)
    for X in (last, torch.from_numpy(last.copy())):
        with pytest.raises(ValueError, match=r"channels first.*transpose\(0, 3, 1, 2\)"):
            net.fit(X, Y)
    net.fit(FLOATS, Y)
    with pytest.raises(ValueError, match=r"channels first.*transpose\(0, 3, 1, 2\)"):
        net.predict(last)


@pytest.mark.parametrize("attack", [None, PGD(eps=0.1, steps=2)])
def test_augmentation_is_for_training_batches_alone(attack):
    seen = []

    def augment(X):
        seen.append(len(X))
        return X + torch.rand_like(X)

    class Bounded(PGD):
        def __call__(self, module, X, y, **given):
            assert float(X.min()) >= 0
            assert float(X.max()) <= 1
            return super().__call__(module, X, y, **given)

    attack = attack if attack is None else Bounded(eps=0.1, steps=2)
    net = cnn(augment=augment, max_epochs=3, attack=attack).fit(FLOATS, Y)
    assert seen == [40] * 3
    net.predict(FLOATS)
    assert len(seen) == 3
    again = cnn(augment=augment, max_epochs=3, attack=attack).fit(FLOATS, Y)
    assert_array_equal(flat(net), flat(again))
    assert not np.array_equal(flat(net), flat(cnn(max_epochs=3, attack=attack).fit(FLOATS, Y)))


def test_augmentation_reaches_the_pool_and_not_the_validation_samples():
    seen = []

    def augment(X):
        seen.append(len(X))
        return X

    params = {"unlabeled": "uat-kl", "attack": PGD(eps=0.1, steps=1)}
    params["callbacks"] = [BestEpoch("robust")]
    cnn(augment=augment, **params).fit(FLOATS, Y, X_unlabeled=FLOATS)
    assert sum(seen) >= 2 * 36  # 4 are held out
    assert set(seen) == {36 * 2} or max(seen) > 36


def test_transforms_of_torchvision_draw_for_each_sample():
    crop = transforms.RandomCrop(8, padding=2)
    net = cnn(augment=crop)
    again = pickle.loads(pickle.dumps(clone(net).fit(FLOATS, Y)))
    assert again.get_params()["augment"].padding == 2
    assert_array_equal(flat(again), flat(net.fit(FLOATS, Y)))
    from skactive.nets._augmentation import augmented

    same = torch.from_numpy(np.repeat(FLOATS[:1], 30, axis=0))
    assert len(augmented(crop, same, (0, 1)).unique(dim=0)) > 5


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (transforms.RandomCrop, "augment must be None or a function"),
        ("crop", "augment must be None or a function"),
        (lambda X: X[:, :, 1:], "shape"),
        (lambda X: X.numpy(), "floating point tensor"),
        (lambda X: X / 0 * 0, "NaN"),
    ],
)
def test_augmentation_that_cannot_be_used_is_refused(augment, words):
    with pytest.raises(ValueError, match=words):
        cnn(augment=augment).fit(FLOATS, Y)
