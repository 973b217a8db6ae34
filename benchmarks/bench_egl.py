"""Expected gradient length: against backward passes per class, per sample, and vmap(grad)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from skactive.passes.gradient_norms import expected_gradient_length
from skactive.strategies import EGL

from .subject import images, pool, train
from .timing import Peer, Row, close, paired, run_alone, same_picks


def by_class(module, X: np.ndarray, batch_size: int = 100) -> np.ndarray:
    """EGL in the input as the DRE authors compute it, but for its mean over the batch."""
    lengths = []
    for batch in torch.as_tensor(X).split(batch_size):
        x = batch.clone().requires_grad_(True)
        logits = module(x)
        proba = logits.detach().softmax(dim=1)
        total = torch.zeros(len(x))
        for c in range(proba.shape[1]):
            target = torch.full((len(x),), c)
            loss = F.cross_entropy(logits, target, reduction="sum")
            loss.backward(retain_graph=True)
            total += proba[:, c] * x.grad.flatten(1).norm(dim=1)
            x.grad = None
        module.zero_grad()
        lengths.append(total)
    return torch.cat(lengths).numpy()


def by_sample(module, X: torch.Tensor) -> torch.Tensor:
    """EGL in the parameters, one backward pass per sample and class."""
    params = list(module.parameters())
    lengths = []
    for x in X:
        logits = module(x[None])
        proba = logits.detach().softmax(1)[0]
        total = 0.0
        for c in range(len(proba)):
            loss = F.cross_entropy(logits, torch.tensor([c]))
            gradients = torch.autograd.grad(loss, params, retain_graph=True)
            total += proba[c] * torch.sqrt(sum(g.square().sum() for g in gradients))
        lengths.append(total)
    return torch.stack(lengths).detach()


def by_vmap(module, X: torch.Tensor) -> torch.Tensor:
    """EGL in the parameters by ``vmap(vmap(grad))``."""
    params = {name: p.detach() for name, p in module.named_parameters()}

    def loss(params, x, c):
        return F.cross_entropy(functional_call(module, params, (x[None],)), c[None])

    with torch.no_grad():
        proba = module(X).softmax(1)
    each = vmap(vmap(grad(loss), (None, None, 0)), (None, 0, None), chunk_size=50)
    gradients = each(params, X, torch.arange(proba.shape[1]))
    squared = sum(g.flatten(2).square().sum(dim=2) for g in gradients.values())
    return (proba * squared.sqrt()).sum(dim=1)


def rows(quick: bool) -> Iterator[Row]:
    n_pool, n, few = (1000, 20, 20) if quick else (20_000, 200, 200)
    data = images(n_pool)
    net = train(data)
    module = net.module_.eval()
    X = pool(data, n_pool)
    yield from paired(
        f"EGL in the input, {n} of {n_pool:,}",
        lambda: EGL("input", random_state=0).query(net, X, n),
        [Peer("backward passes per class", lambda: np.argsort(-by_class(module, X))[:n], 3,
              same_picks)],
        rounds=3,
        budget=50,
    )  # fmt: skip
    some = torch.as_tensor(data.X_test[:few])
    yield from paired(
        f"EGL in parameters, {few} images",
        lambda: expected_gradient_length(module, some, "parameters"),
        [
            Peer("autograd per sample", lambda: by_sample(module, some), 8, close(1e-5)),
            Peer("vmap(grad)", lambda: by_vmap(module, some), 5, close(1e-5)),
        ],
        rounds=3,
        budget=40,
    )


if __name__ == "__main__":
    run_alone(rows)
