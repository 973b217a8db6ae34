"""The shortcut of a backward pass against autograd's own; pooling's is in test_inference.py."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from skactive.attacks import PGD
from skactive.networks import LeNet5
from skactive.passes.modules import untouched
from skactive.passes.shortcuts.convolution import _Convolution, quick_input_gradients


def gradients(module, x, weights=None):
    """Gradient of a random function of the outputs in the input, plainly and by shortcuts."""
    found = []
    for quick in (False, True):
        x = x.detach().requires_grad_(True)
        if quick:
            with quick_input_gradients(module):
                out = module(x)
                (gradient,) = torch.autograd.grad((out * weights).sum(), x)
        else:
            out = module(x)
            weights = torch.randn(out.shape, dtype=out.dtype) if weights is None else weights
            (gradient,) = torch.autograd.grad((out * weights).sum(), x)
        found.append((out.detach(), gradient))
    return found


@pytest.fixture
def shortcuts_taken(monkeypatch):
    """What ran each time that the shortcut's backward pass did."""
    taken, backward = [], _Convolution.backward

    def noted(*args):
        taken.append("_Convolution")
        return backward(*args)

    monkeypatch.setattr(_Convolution, "backward", staticmethod(noted))
    return taken


@settings(max_examples=60, deadline=None)
@given(
    n_inputs=st.integers(1, 3),
    n_outputs=st.integers(1, 7),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    extra=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    bias=st.booleans(),
)
def test_convolution(n_inputs, n_outputs, kernel, padding, extra, bias):
    padding = tuple(min(p, k - 1) for p, k in zip(padding, kernel, strict=True))
    torch.manual_seed(0)
    conv = nn.Conv2d(n_inputs, n_outputs, kernel, padding=padding, bias=bias, dtype=torch.float64)
    conv.requires_grad_(False)
    size = [k + e for k, e in zip(kernel, extra, strict=True)]
    plain, quick = gradients(conv, torch.randn(2, n_inputs, *size, dtype=torch.float64))
    torch.testing.assert_close(quick, plain, rtol=1e-10, atol=1e-10)


def test_the_shortcut_is_taken_in_a_net_and_by_attacks(shortcuts_taken):
    torch.manual_seed(0)
    module = LeNet5().eval()
    x, y = torch.rand(6, 1, 32, 32), torch.arange(6)
    with untouched(module) as net:
        quick, _ = gradients(net, x, weights=1.0)
    plain, _ = gradients(module, x, weights=1.0)
    torch.testing.assert_close(quick, plain, rtol=1e-5, atol=1e-6)
    assert shortcuts_taken
    shortcuts_taken.clear()
    PGD(eps=0.1, steps=1, random_start=False)(module, x, y)
    assert shortcuts_taken


def test_second_derivatives():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten())
    module.double().requires_grad_(False)
    x = torch.randn(2, 1, 7, 6, dtype=torch.float64, requires_grad=True)
    with quick_input_gradients(module):
        assert torch.autograd.gradgradcheck(lambda x: module(x).square(), x)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 2, 3),
        nn.Conv2d(1, 17, 3),
        nn.Conv2d(1, 2, 3, stride=2),
        nn.Conv2d(1, 2, 3, dilation=2),
        nn.Conv2d(2, 2, 3, groups=2),
        nn.Conv2d(1, 2, 3, padding=3),
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"),
    ],
    ids=str,
)
def test_other_layers_are_left_alone(layer):
    with quick_input_gradients(layer):
        assert "forward" not in layer.__dict__


def test_weights_that_learn_and_function_transforms_take_the_ordinary_way(shortcuts_taken):
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 2, 3)
    x = torch.rand(3, 1, 5, 5, requires_grad=True)
    with quick_input_gradients(conv):
        conv(x).sum().backward()
    assert conv.weight.grad is not None
    conv.requires_grad_(False)
    with quick_input_gradients(conv):
        found = torch.func.vmap(torch.func.grad(lambda x: conv(x[None]).sum()))(x.detach())
        unbatched = conv(x[0])
        assert not conv(x.detach()).requires_grad
    torch.testing.assert_close(found, x.grad)
    torch.testing.assert_close(unbatched, F.conv2d(x[0], conv.weight, conv.bias))
    assert not shortcuts_taken


def test_the_module_is_as_it_was_and_blocks_nest():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2))
    before = [dict(sub.__dict__) for sub in module.modules()]
    with pytest.raises(RuntimeError, match="stop"), quick_input_gradients(module):
        with quick_input_gradients(module):
            pass
        assert "forward" in module[0].__dict__
        raise RuntimeError("stop")
    assert [dict(sub.__dict__) for sub in module.modules()] == before


def test_a_copy_made_meanwhile_uses_its_own_weights():
    module = nn.Conv2d(1, 2, 3).requires_grad_(False)
    x = torch.rand(1, 1, 4, 4, requires_grad=True)
    with quick_input_gradients(module):
        twin = copy.deepcopy(module)
    twin.weight.zero_()
    twin.bias.zero_()
    assert twin(x).abs().max() == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_nothing_changes():
    module = LeNet5().eval().cuda().requires_grad_(False)
    plain, quick = gradients(module, torch.rand(3, 1, 32, 32, device="cuda"), weights=1.0)
    torch.testing.assert_close(quick, plain, rtol=0, atol=0)
