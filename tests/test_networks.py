"""Networks: shapes, published sizes, the embedding, and what hooks and pickles ask of them."""

import copy
import pickle

import pytest
import torch
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.bounds import Box
from skactive.networks import (
    VGG8,
    VGG16,
    ConvMedium,
    ConvSmall,
    LeNet5,
    MadryMNIST,
    PreActResNet18,
    ResNet18,
    Threshold,
)
from skactive.utils.random_state import seeded_torch

ONE_SIZE = [ConvMedium, ConvSmall, MadryMNIST]
NETWORKS = [LeNet5, VGG8, VGG16, ResNet18, PreActResNet18, *ONE_SIZE]
IMAGES = {LeNet5: (1, 32, 32), **dict.fromkeys(ONE_SIZE, (1, 28, 28))}


def build(network, seed=0, **kwargs):
    with seeded_torch(seed):
        return network(**kwargs)


def images(network, n=2, shape=None):
    shape = shape or IMAGES.get(network, (3, 32, 32))
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "n_parameters"),
    [
        (LeNet5, 61_706 + 284),  # the classic LeNet-5 and three BatchNorm layers
        (VGG8, 3_965_028 - 513 * 90),  # published for 100 classes
        (VGG16, 14_728_266),
        (ResNet18, 11_173_962),
        (PreActResNet18, 11_171_146 + 2 * 512),  # published without the last BatchNorm
        (ConvMedium, 157_290),
        (ConvSmall, 166_406),
        (MadryMNIST, 3_274_634),
    ],
)
def test_number_of_parameters_is_the_published_one(network, n_parameters):
    assert sum(p.numel() for p in network().parameters()) == n_parameters


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_logits_are_the_head_of_the_embedding(network, n_classes):
    module = build(network, n_classes=n_classes).eval()
    X = images(network)
    with torch.no_grad():
        embedding, logits = module.embed(X), module(X)
    assert logits.shape == (2, n_classes)
    assert embedding.shape == (2, module.head.in_features)
    torch.testing.assert_close(module.head(embedding), logits, rtol=0, atol=0)
    for total in (logits.sum(1), logits.exp().sum(1)):  # neither softmax nor log-softmax inside
        assert not torch.allclose(total, torch.ones(2))


@pytest.mark.parametrize("network", NETWORKS)
def test_embedding_is_the_input_of_the_last_linear_layer(network):
    module = build(network).eval()
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    seen = []
    last.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    module(images(network))
    assert last is module.head
    assert torch.equal(seen[0], module.embed(images(network)))


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32), (3, 28, 28)])
@pytest.mark.parametrize("network", NETWORKS)
def test_accepts_gray_and_color_at_both_sizes(network, shape):
    size = {"input_size": shape[1]} if network in ONE_SIZE else {}
    module = build(network, in_channels=shape[0], **size).eval()
    assert module(images(network, shape=shape)).shape == (2, 10)


@pytest.mark.parametrize("network", [VGG8, VGG16, ResNet18, PreActResNet18])
def test_convolutional_networks_accept_8x8(network):
    assert build(network).eval()(images(network, shape=(3, 8, 8))).shape == (2, 10)


def test_vgg_pooling_of_28x28_is_as_usual_at_32x32():
    with_ceil, usual = build(VGG16).eval(), build(VGG16).eval()
    for layer in usual.modules():
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = False
    X = images(VGG16)
    assert torch.equal(with_ceil(X), usual(X))


def test_lenet_pads_28x28_by_two():
    module = build(LeNet5).eval()
    X = images(LeNet5, shape=(1, 28, 28))
    assert torch.equal(module(X), module(nn.functional.pad(X, (2, 2, 2, 2))))


@pytest.mark.parametrize("size", [8, 16])
def test_lenet_repeats_the_pixels_of_small_images(size):
    module = build(LeNet5).eval()
    X = images(LeNet5, shape=(1, size, size))
    enlarged = nn.functional.interpolate(X, (32, 32), mode="nearest")
    assert torch.equal(module(X), module(enlarged))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_relu_is_a_module_of_its_own_called_once(network):
    """Dropout is injected after ReLU modules by hooks: none may be shared or functional."""
    module = build(network).eval()
    calls: dict[nn.Module, int] = {}

    def count(layer, args, output):
        calls[layer] = calls.get(layer, 0) + 1
        assert not layer.inplace
        assert output.min() >= 0

    relus = [layer for layer in module.modules() if isinstance(layer, nn.ReLU)]
    for relu in relus:
        relu.register_forward_hook(count)
    module(images(network))
    n_relus = {LeNet5: 4, VGG8: 5, VGG16: 13, ResNet18: 17, PreActResNet18: 17, ConvMedium: 5}
    assert len(relus) == n_relus.get(network, 3)
    assert calls == dict.fromkeys(relus, 1)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_hook_that_changes_relu_outputs_changes_the_logits(network):
    module = build(network).eval()
    X = images(network)
    before = module(X)
    relus = [layer for layer in module.modules() if isinstance(layer, nn.ReLU)]
    for relu in relus:
        handle = relu.register_forward_hook(lambda _, args, output: output * 0.5 + 1)
        assert not torch.equal(module(X), before)
        handle.remove()
    assert torch.equal(module(X), before)


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_reach_every_parameter_and_the_input(network):
    module = build(network)
    X = images(network, n=4).requires_grad_()
    nn.functional.cross_entropy(module(X), torch.tensor([0, 1, 2, 3])).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert X.grad.abs().sum() > 0


@pytest.mark.parametrize("network", NETWORKS)
def test_copies_are_equal_and_independent(network):
    module = build(network).eval()
    X = images(network)
    expected = module(X).detach()
    other = build(network, seed=1).eval()
    assert not torch.equal(other(X), expected)
    other.load_state_dict(module.state_dict())
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), other):
        assert torch.equal(twin(X), expected)
        with torch.no_grad():
            twin.head.bias += 1
    assert torch.equal(module(X), expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_channels_last_gives_the_same_logits(network):
    module = build(network).eval()
    X = images(network)
    expected = module(X)
    module = module.to(memory_format=torch.channels_last)
    got = module(X.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_exported_graph_gives_the_same_logits():
    """`torch.compile` traces the same way; exporting needs no compiler."""
    module = build(LeNet5).eval()
    X = images(LeNet5)
    exported = torch.export.export(module, (X,)).module()
    torch.testing.assert_close(exported(X), module(X))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[:, 0], r"channel axis is missing: use X\[:, None\]"),
        (lambda X: X.flatten(1), r"must be images of shape .* got shape \(2, "),
        (lambda X: X[:, :, :5, :5], r"got shape \(2, \d, 5, 5\)"),
        (lambda X: X.repeat(1, 5, 1, 1), r"must be images of shape \(n, \d, h, w\)"),
        (lambda X: (X * 255).byte(), r"floating point images, got torch.uint8.* / 255"),
        (lambda X: X.long(), r"floating point images, got torch.int64"),
    ],
)
def test_wrong_images_are_refused(network, change, message):
    module = build(network)
    for method in (module, module.embed):
        with pytest.raises(ValueError, match=message):
            method(change(images(network)))


def test_wrong_number_of_channels_names_the_parameter():
    with pytest.raises(ValueError, match=r"in_channels=1\?"):
        VGG8()(images(VGG8, shape=(1, 32, 32)))


@pytest.mark.parametrize(("height", "width"), [(10, 10), (30, 30), (64, 64), (28, 32)])
def test_lenet_names_the_sizes_it_takes(height, width):
    with pytest.raises(ValueError, match=r"h = w = 8, 16, 28 or 32 for this LeNet5"):
        LeNet5()(images(LeNet5, shape=(1, height, width)))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("wrong", [{"n_classes": 1}, {"in_channels": 0}])
def test_wrong_parameters_are_refused(network, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        network(**wrong)


@pytest.mark.parametrize("network", ONE_SIZE)
def test_networks_of_one_size_take_it_from_the_data_and_name_it(network, digits):
    X, y = digits
    net = AdversarialNetClassifier(network, attack=None, max_epochs=1).fit(X[:50], y[:50])
    assert net.module_.input_size == 8
    with pytest.raises(ValueError, match=r"h = w = 28 \(input_size\) for this"):
        network()(images(network, shape=(1, 32, 32)))
    with pytest.raises(ValueError, match="input_size must be at least 4, got 3"):
        network(input_size=3)
    assert network(input_size=5)(images(network, shape=(1, 5, 5))).shape == (2, 10)


def test_conv_small_has_batchnorm_before_each_relu_if_asked():
    layers = list(ConvSmall(batch_norm=True).features)
    before = [layers[i - 1] for i, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    assert [type(layer) for layer in before] == [nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm1d]


def test_a_threshold_tells_ink_from_paper_and_its_bounds_are_exact():
    X = torch.linspace(0, 1, 101)
    layer = Threshold(at=0.4, slope=8.0)
    expected = [min(1.0, max(0.0, 8 * (x - 0.4) + 0.5)) for x in X.tolist()]
    torch.testing.assert_close(layer(X), torch.tensor(expected))
    box = layer(Box.around(X, 0.3, (0, 1)))
    torch.testing.assert_close(box.lower, layer((X - 0.3).clamp(0, 1)))
    torch.testing.assert_close(box.upper, layer((X + 0.3).clamp(0, 1)))
    assert (box.upper == box.lower)[:4].all()  # paper: no perturbation is left
    with pytest.raises(ValueError, match="slope must be positive, got 0"):
        Threshold(slope=0)


def test_conv_small_has_a_threshold_before_all_else_if_asked():
    first, *others = ConvSmall(threshold=0.3).features
    assert isinstance(first, Threshold)
    assert first.at == 0.3
    assert [type(layer) for layer in others] == [type(layer) for layer in ConvSmall().features]


def test_lenet_learns_digits_in_seconds(digits):
    X, y = (torch.from_numpy(array) for array in digits)
    with seeded_torch(0):
        module = LeNet5()
        optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
        for _ in range(3):
            for batch in torch.randperm(1200).split(50):
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(X[batch]), y[batch]).backward()
                optimizer.step()
    accuracy = (module.eval()(X[1200:]).argmax(1) == y[1200:]).float().mean()
    assert accuracy > 0.9
