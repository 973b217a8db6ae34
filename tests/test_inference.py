"""The pass over a pool, the twin that makes it faster, and what replays a part of it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn import functional as F

from skactive.networks import VGG8, LeNet5, ResNet18
from skactive.passes.inference import NoSuchLayer, forward_in_batches, last_linear_input
from skactive.passes.shortcuts.pooling import SliceMax, is_sliceable, optimized_for_inference
from skactive.utils.indexing import Rows
from skactive.utils.inputs import as_float_tensor
from skactive.utils.random_state import seeded_torch
from tests.models import SmallCNN, SmallMLP


def prepare(X):
    return as_float_tensor(X, "cpu")


def build(make, **params):
    """A network whose BatchNorm has statistics and weights that matter."""
    with seeded_torch(0):
        module = make(**params)
        for sub in module.modules():
            if isinstance(sub, (nn.BatchNorm1d, nn.BatchNorm2d)):
                sub.running_mean.uniform_(-0.5, 0.5)
                sub.running_var.uniform_(0.5, 2.0)
                sub.weight.data.uniform_(-1.5, 1.5)
                sub.bias.data.uniform_(-0.5, 0.5)
    return module


def by_hand(module, X):
    module = module.eval()
    with torch.no_grad():
        return module(prepare(X)).numpy()


@pytest.fixture
def X():
    return np.random.default_rng(0).random((50, 1, 8, 8), dtype=np.float32)


def snapshot(module):
    """Everything that a pass must leave as it was."""
    return {
        "state": {key: value.clone() for key, value in module.state_dict().items()},
        "modes": [sub.training for sub in module.modules()],
        "flags": [p.requires_grad for p in module.parameters()],
        "grads": [p.grad for p in module.parameters()],
        "hooks": [
            (len(sub._forward_hooks), len(sub._forward_pre_hooks), "forward" in vars(sub))
            for sub in module.modules()
        ],
        "torch": torch.random.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),
    }


def assert_untouched(module, before):
    after = snapshot(module)
    for key in ("modes", "flags", "grads", "hooks"):
        assert before[key] == after[key], key
    assert all(torch.equal(before["state"][key], after["state"][key]) for key in after["state"])
    assert torch.equal(before["torch"], after["torch"])
    assert_array_equal(before["numpy"], after["numpy"])


@pytest.mark.parametrize("batch_size", [1, 7, 50, 512])
def test_logits_and_embeddings_in_batches(X, batch_size):
    module = build(SmallCNN)
    logits, embedding = forward_in_batches(
        module, X, prepare, batch_size=batch_size, embedding=True
    )
    assert_allclose(logits, by_hand(module, X), rtol=1e-4, atol=1e-5)
    hidden = nn.Sequential(*list(module)[:-1])
    assert_allclose(embedding, by_hand(hidden, X), rtol=1e-4, atol=1e-5)
    assert logits.dtype == embedding.dtype == np.float32
    assert forward_in_batches(module, X, prepare)[1] is None


@pytest.mark.parametrize("embedding", [False, True])
@pytest.mark.parametrize("repeats", [1, 30])  # with and without the faster twin
def test_the_module_is_left_as_it_was(X, embedding, repeats):
    module = build(SmallCNN).train()
    module[1].eval()
    module[0].weight.requires_grad_(False)
    module[4].weight.grad = torch.ones_like(module[4].weight)
    before = snapshot(module)
    pool = Rows(X, np.tile(np.arange(50), repeats))
    forward_in_batches(module, pool, prepare, embedding=embedding)
    assert_untouched(module, before)


def test_hooks_and_mode_come_back_after_an_error(X):
    module = build(SmallCNN).train()
    before = snapshot(module)
    with pytest.raises(RuntimeError):
        forward_in_batches(module, X[:, :, :4], prepare, embedding=True)
    assert_untouched(module, before)


@pytest.mark.parametrize("kind", ["rows", "tensor", "list", "memmap", "bytes", "empty"])
def test_containers(X, kind, tmp_path):
    module = build(SmallCNN)
    np.save(tmp_path / "pool.npy", X)
    expected = by_hand(module, X)
    order = np.array([4, 2, 2, 30])
    pools = {
        "rows": (Rows(X, order), expected[order]),
        "tensor": (torch.as_tensor(X), expected),
        "list": (X.tolist(), expected),
        "memmap": (np.load(tmp_path / "pool.npy", mmap_mode="r"), expected),
        "bytes": (
            (X * 255).round().astype(np.uint8),
            by_hand(module, np.float32((X * 255).round()) / 255),
        ),
        "empty": (X[:0], np.empty((0, 0))),
    }
    pool, logits = pools[kind]
    assert_allclose(forward_in_batches(module, pool, prepare)[0], logits, rtol=1e-4, atol=1e-5)


class Spare(SmallMLP):
    """A linear layer that is declared first and executed last, and one that never is."""

    def __init__(self):
        nn.Module.__init__(self)
        self.last, self.first, self.spare = nn.Linear(5, 3), nn.Linear(64, 5), nn.Linear(9, 9)

    def forward(self, X):
        return self.last(self.first(X.flatten(1)).relu())


def test_the_embedding_is_the_input_of_the_linear_layer_executed_last(X):
    module = build(Spare)
    _, embedding = forward_in_batches(module, X, prepare, embedding=True)
    assert_allclose(embedding, by_hand(nn.Sequential(nn.Flatten(), module.first, nn.ReLU()), X))


@pytest.mark.parametrize("make", [LeNet5, ResNet18])
def test_the_networks_agree_on_their_embedding(make):
    module = build(make).eval()
    images = torch.rand(2, module.in_channels, 32, 32)
    with torch.no_grad(), last_linear_input(module) as seen:
        module(images)
    assert seen.layer is module.head
    torch.testing.assert_close(seen.value, module.embed(images))


class NeverLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)

    def forward(self, X):
        return X.flatten(1)[:, :3]


def test_no_linear_layer_no_embedding(X):
    for module in (nn.Flatten(), NeverLinear()):
        with pytest.raises(NoSuchLayer, match=r"executes no nn.Linear layer.*another embedding"):
            forward_in_batches(module, X, prepare, embedding=True)


def test_outputs_that_are_no_logits_are_refused(X):
    class Two(nn.Module):
        def forward(self, X):
            return X, X

    with pytest.raises(TypeError, match=r"must return a tensor of logits.*tuple"):
        forward_in_batches(Two(), X, prepare)
    with pytest.raises(ValueError, match=r"NaN for 1 of 50 samples.*diverged"):
        forward_in_batches(nn.Flatten(), np.where(np.arange(50)[:, None] == 3, np.nan, 1), prepare)


# -- the faster twin ---------------------------------------------------------------------


class Reused(nn.Module):
    """What one run shows as a ReLU and its pooling, but read elsewhere as well."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(4, 3)

    def forward(self, X):
        first = self.conv(X)
        second = self.relu(self.norm(first))
        pooled = self.pool(second) + F.avg_pool2d(first + second, 2)
        return self.head(pooled.mean(dim=(2, 3)))


class Asking(SmallCNN):
    """Asks its pooling for something that no other layer has."""

    def forward(self, X):
        return super().forward(X) * self[3].kernel_size


class Odd(nn.Sequential):
    """Pooling of other kinds, odd sizes and strides, and a ReLU that works in place."""

    def __init__(self):
        super().__init__(
            nn.BatchNorm2d(1),
            nn.Conv2d(1, 4, 2, bias=False),
            nn.BatchNorm2d(4, affine=True),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Upsample(scale_factor=3.5),
            nn.MaxPool2d((2, 2), (2, 2)),
            nn.Flatten(),
            nn.Linear(36, 6),
            nn.BatchNorm1d(6),
            nn.ReLU(),
            nn.Linear(6, 3),
        )


@pytest.mark.parametrize("make", [SmallCNN, LeNet5, Odd])
def test_the_twin_computes_the_same(make):
    module = build(make).train()
    channels = getattr(module, "in_channels", 1)
    size = 8 if make in (SmallCNN, Odd) else 32
    images = torch.rand(6, channels, size, size)
    before = snapshot(module)
    twin = optimized_for_inference(module, images[:2])
    assert_untouched(module, before)
    assert twin is not module
    assert any(isinstance(sub, SliceMax) for sub in twin.modules())
    with torch.inference_mode():
        torch.testing.assert_close(twin(images), module.eval()(images), rtol=0, atol=0)


def test_layers_that_cannot_be_replaced_stay():
    module, images = build(Reused).eval(), torch.rand(6, 1, 8, 8)
    twin = optimized_for_inference(module, images[:2])
    kinds = [type(sub).__name__ for sub in twin.children()]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "SliceMax", "Linear"]
    with torch.inference_mode():
        torch.testing.assert_close(twin(images), module(images), rtol=1e-4, atol=1e-5)
    asking = build(Asking).eval()
    assert optimized_for_inference(asking, images[:2]) is asking


class Compiled(nn.Sequential):
    _orig_mod = None  # as torch.compile leaves it


class Uncopyable(SmallCNN):
    def __deepcopy__(self, memo):
        raise TypeError("no copies")


@pytest.mark.parametrize(
    "make", [SmallMLP, VGG8, ResNet18, Uncopyable, lambda: Compiled(SmallCNN())]
)
def test_no_twin_where_nothing_is_gained_or_no_copy_can_be_had(make, X):
    module = build(make)
    inputs = torch.as_tensor(X[:2])
    assert optimized_for_inference(module, inputs) is module


def test_layers_with_hooks_stay(X):
    module = build(SmallCNN).eval()
    module[2].register_forward_hook(lambda sub, inputs, output: output + 1)
    twin = optimized_for_inference(module, torch.as_tensor(X[:2]))
    assert [type(sub).__name__ for sub in list(twin)[2:4]] == ["ReLU", "SliceMax"]
    module[3].register_forward_hook(lambda sub, inputs, output: output + 1)
    assert optimized_for_inference(module, torch.as_tensor(X[:2])) is module


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, dilation=2),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
    ],
    ids=str,
)
def test_other_pooling_stays(pool):
    assert not is_sliceable(pool)


@pytest.mark.parametrize("size", [(6, 6), (7, 5), (2, 3)])
def test_sliced_pooling_is_pooling(size):
    X = torch.randn(3, 2, *size)
    X[0, 0, 0, 0] = torch.nan
    torch.testing.assert_close(SliceMax()(X), F.max_pool2d(X, 2), equal_nan=True)
    torch.testing.assert_close(SliceMax(relu=True)(X), F.max_pool2d(X.relu(), 2), equal_nan=True)


def test_large_and_small_pools_agree_and_changed_weights_are_seen(X):
    module = build(SmallCNN)
    large = Rows(X, np.tile(np.arange(50), 30))
    for _ in range(2):
        small = forward_in_batches(module, X, prepare, embedding=True)
        many = forward_in_batches(module, large, prepare, embedding=True)
        for few, all_of_them in zip(small, many, strict=True):
            assert_allclose(all_of_them, np.tile(few, (30, 1)), rtol=1e-3, atol=1e-4)
        with torch.no_grad():
            module[0].weight.mul_(-1)  # nothing of the first pass may be left
