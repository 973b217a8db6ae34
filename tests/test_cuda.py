"""The torch kernels on a GPU against the same on the CPU. Skipped where there is none."""

import copy

import numpy as np
import pytest
import torch

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD, DeepFool
from skactive.attacks._nearest_boundary import nearest_boundaries
from skactive.bounds import METHODS, certified_margins
from skactive.losses import CROWNIBP, IBP
from skactive.nets._objective import Objective
from skactive.networks import LeNet5
from skactive.passes.gradient_norms import expected_gradient_length, lengths_and_slopes
from skactive.passes.inference import forward_in_batches
from skactive.passes.longest_gradients import longest_gradients
from skactive.passes.mc_dropout import mc_dropout_proba
from skactive.strategies import DFAL, EGL, CertifiedMargin, MaxEntropy

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def pair():
    """A net on both devices, and images."""
    torch.manual_seed(0)
    module = LeNet5().eval()
    X = torch.rand(40, 1, 32, 32)
    return module, copy.deepcopy(module).cuda(), X


@pytest.fixture(autouse=True)
def exact_convolutions():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def test_passes(pair):
    module, on_gpu, X = pair
    cpu = forward_in_batches(module, X, torch.as_tensor, embedding=True)
    gpu = forward_in_batches(on_gpu, X, lambda rows: rows.cuda(), embedding=True)
    for mine, reference in zip(gpu, cpu, strict=True):
        np.testing.assert_allclose(mine, reference, atol=1e-4)


@pytest.mark.parametrize("wrt", ["input", "parameters", "last_layer"])
def test_gradient_lengths(pair, wrt):
    module, on_gpu, X = pair
    mine = expected_gradient_length(on_gpu, X.cuda(), wrt)
    assert mine.is_cuda
    torch.testing.assert_close(
        mine.cpu(), expected_gradient_length(module, X, wrt), rtol=1e-3, atol=1e-5
    )
    _, slopes = lengths_and_slopes(on_gpu, X.cuda(), wrt)
    torch.testing.assert_close(
        slopes.cpu(), lengths_and_slopes(module, X, wrt)[1], rtol=1e-3, atol=1e-4
    )


def test_attacks(pair):
    module, on_gpu, X = pair
    y = module(X).argmax(dim=1)
    attack = PGD(eps=0.05, steps=3, random_start=False)
    gap = (attack(on_gpu, X.cuda(), y.cuda()).cpu() - attack(module, X, y)).abs()
    assert (gap > 1e-4).float().mean() < 0.01  # signs of gradients that are nearly zero
    distance = DeepFool()(on_gpu, X.cuda()).distance
    assert distance.is_cuda
    torch.testing.assert_close(distance.cpu(), DeepFool()(module, X).distance, rtol=0.02, atol=1e-4)


def test_races(pair):
    _, on_gpu, X = pair
    logits, _ = forward_in_batches(on_gpu, X, lambda rows: rows.cuda())
    proba = torch.softmax(torch.as_tensor(logits), dim=1).numpy()

    def load(rows):
        return X[rows].cuda()

    nearest = nearest_boundaries(on_gpu, logits, load, 5, DeepFool(), np.random.default_rng(0))
    every = DeepFool()(on_gpu, X.cuda()).distance.cpu().numpy()
    assert set(np.argsort(nearest)[:5]) == set(np.argsort(every)[:5])
    longest = longest_gradients(on_gpu, proba, load, 5, "input")
    every = expected_gradient_length(on_gpu, X.cuda(), "input").cpu().numpy()
    assert set(np.argsort(-longest)[:5]) == set(np.argsort(-every)[:5])


def test_dropout_does_not_depend_on_the_batches(pair):
    _, on_gpu, X = pair
    found = [
        mc_dropout_proba(on_gpu, X, lambda rows: rows.cuda(), n_passes=3, batch_size=size)
        for size in (7, 40)
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_a_net_on_the_gpu_is_trained_and_queried():
    rng = np.random.default_rng(0)
    X = rng.random((60, 1, 32, 32), dtype=np.float32)
    net = AdversarialNetClassifier(
        LeNet5, attack=PGD(eps=0.05, steps=2), max_epochs=1, device="cuda", random_state=0
    ).fit(X[:30], np.arange(30) % 10)
    verified = DFAL("all", "verified", eps=0.05)
    for strategy in (MaxEntropy(), DFAL("all"), EGL("input"), CertifiedMargin(0.01), verified):
        picks = strategy.set_params(random_state=0).query(net, X[30:], 4)
        assert len(set(picks.tolist())) == 4


@pytest.mark.parametrize("method", METHODS)
def test_certified_margins(pair, method):
    module, on_gpu, X = pair
    X = X[:6]
    mine = certified_margins(on_gpu, X.cuda(), None, 1e-4, method=method)
    assert mine.is_cuda
    reference = certified_margins(module, X, None, 1e-4, method=method)
    torch.testing.assert_close(mine.cpu(), reference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", [IBP(eps=0.05), CROWNIBP(eps=0.05, beta=1.0)])
def test_an_update_on_bounds_equals_the_cpus_and_waits_for_nothing(pair, loss):
    """Gradients; no value is brought to the host on the way."""
    X, y, gradients = pair[2], torch.arange(40) % 10, []
    for device in ("cpu", "cuda"):
        net = AdversarialNetClassifier(LeNet5, attack=None, loss=loss, device=device).initialize()
        net.attack_ = None
        net.module_.load_state_dict(pair[0].state_dict())
        net.module_.train()
        rows, labels = X.to(device), y.to(device)
        torch.cuda.set_sync_debug_mode("error" if device == "cuda" else "default")
        try:
            Objective(net, 0).losses(rows, rows, labels)[1].mean().backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        gradients.append([p.grad.cpu() for p in net.module_.parameters()])
    for on_gpu, expected in zip(*gradients[::-1], strict=True):
        assert (on_gpu - expected).norm() <= 1e-3 * expected.norm() + 1e-3
