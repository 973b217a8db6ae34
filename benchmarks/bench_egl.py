"""Expected gradient length against one backward pass per sample and class, and vmap(grad).

    python benchmarks/bench_egl.py            # half a minute

One thread, CPU seconds, interleaved rounds, median of the paired ratios; equality to a relative
1e-5 is asserted. Also shown: the closed form for the last layer, which is another score.
"""

from __future__ import annotations

import argparse

import torch
from scipy.stats import spearmanr
from subject import images, train
from timing import paired
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from skactive.kernels.gradient_norms import expected_gradient_length


def one_by_one(module, X, wrt):
    params = list(module.parameters())
    lengths = []
    for x in X:
        x = x[None].clone().requires_grad_(True)
        logits = module(x)
        proba = logits.detach().softmax(1)[0]
        total = 0.0
        for c in range(len(proba)):
            loss = F.cross_entropy(logits, torch.tensor([c]))
            gradients = torch.autograd.grad(
                loss, [x] if wrt == "input" else params, retain_graph=True
            )
            total += proba[c] * torch.sqrt(sum(g.square().sum() for g in gradients))
        lengths.append(total)
    return torch.stack(lengths).detach()


def by_vmap(module, X):
    params = {name: p.detach() for name, p in module.named_parameters()}

    def loss(params, x, c):
        return F.cross_entropy(functional_call(module, params, (x[None],)), c[None])

    with torch.no_grad():
        proba = module(X).softmax(1)
    each = vmap(vmap(grad(loss), (None, None, 0)), (None, 0, None), chunk_size=50)
    gradients = each(params, X, torch.arange(proba.shape[1]))
    squared = sum(g.flatten(2).square().sum(dim=2) for g in gradients.values())
    return (proba * squared.sqrt()).sum(dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    module = train(data).module_.eval()
    X = torch.as_tensor(data.X_test[: args.n])

    def check(peer: str, ours, theirs) -> None:
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)

    paired(
        f"EGL in parameters, {args.n} images",
        lambda: expected_gradient_length(module, X, "parameters"),
        {
            "per-sample autograd": lambda: one_by_one(module, X, "parameters"),
            "vmap(grad)": lambda: by_vmap(module, X),
        },
        check,
        args.rounds,
    )
    paired(
        f"EGL in the input, {args.n} images",
        lambda: expected_gradient_length(module, X, "input"),
        {"per-sample autograd": lambda: one_by_one(module, X, "input")},
        check,
        args.rounds,
    )
    whole = expected_gradient_length(module, X, "parameters")
    paired(
        f"EGL in the last layer, {args.n} images",
        lambda: expected_gradient_length(module, X, "last_layer"),
        {"EGL in parameters": lambda: expected_gradient_length(module, X, "parameters")},
        lambda *results: torch.testing.assert_close(results[2], whole),
        args.rounds,
    )
    rank = spearmanr(whole, expected_gradient_length(module, X, "last_layer")).statistic
    print(f"  Spearman of the two scores: {rank:.3f}")


if __name__ == "__main__":
    main()
