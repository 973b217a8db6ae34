"""Losses against formulas written out sample by sample."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skactive.losses import divergence, mart_loss, trades_loss


def draw(seed, n=4, n_classes=5):
    generator = torch.Generator().manual_seed(seed)
    logits, attacked = torch.randn(2, n, n_classes, generator=generator, dtype=torch.float64) * 3
    return logits, attacked, torch.randint(n_classes, (n,), generator=generator)


def kl(p, q):
    return sum(pi * math.log(pi / qi) for pi, qi in zip(p.tolist(), q.tolist(), strict=True))


@given(seed=st.integers(0, 1000), beta=st.floats(0, 10))
@settings(max_examples=30, deadline=None)
def test_trades_is_cross_entropy_and_weighted_divergence(seed, beta):
    logits, attacked, y = draw(seed)
    p, q = logits.softmax(1), attacked.softmax(1)
    expected = [-math.log(p[i, y[i]]) + beta * kl(p[i], q[i]) for i in range(4)]
    assert trades_loss(logits, attacked, y, beta).tolist() == pytest.approx(expected)


@given(seed=st.integers(0, 1000), beta=st.floats(0, 10))
@settings(max_examples=30, deadline=None)
def test_mart_is_boosted_cross_entropy_and_doubted_divergence(seed, beta):
    logits, attacked, y = draw(seed)
    p, q = logits.softmax(1), attacked.softmax(1)
    expected = []
    for i in range(4):
        rival = max(q[i, k].item() for k in range(5) if k != y[i])
        boosted = -math.log(q[i, y[i]]) - math.log(1 - rival)
        expected.append(boosted + beta * kl(p[i], q[i]) * (1 - p[i, y[i]].item()))
    assert mart_loss(logits, attacked, y, beta).tolist() == pytest.approx(expected, rel=1e-5)


def test_saturated_logits_give_finite_losses_and_gradients():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    attacked = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    for loss in (trades_loss, mart_loss):
        value = loss(logits, attacked, torch.tensor([0])).sum()
        assert torch.isfinite(value)
        for gradient in torch.autograd.grad(value, (logits, attacked)):
            assert torch.isfinite(gradient).all()


def test_divergence_of_a_distribution_with_itself_is_zero():
    logits, *_ = draw(0)
    assert divergence(logits, logits + 3).abs().max() < 1e-12
