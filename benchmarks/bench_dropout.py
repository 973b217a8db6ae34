"""Monte-Carlo dropout against ten passes of a net whose nn.Dropout layers are in train mode.

    python benchmarks/bench_dropout.py        # half a minute

One thread, CPU seconds, interleaved rounds, median of the paired ratios. The masks differ, so what
is asserted is that BALD scores correlate as well with the peer's as two runs of the peer do, and
that ours do not depend on the batch size.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.stats import spearmanr
from subject import images, pool, train
from timing import paired
from torch import nn

from skactive.kernels.mc_dropout import mc_dropout_proba
from skactive.kernels.uncertainty import mutual_information


def with_dropout(module: nn.Module, rate: float, dense: bool) -> nn.Sequential:
    """The layers of LeNet-5 with nn.Dropout after the ReLUs of its convolutional or dense part."""
    layers: list[nn.Module] = []
    in_dense_part = False
    for sub in (*module.features, module.head):
        in_dense_part |= isinstance(sub, nn.Flatten)
        layers.append(sub)
        if isinstance(sub, nn.ReLU) and in_dense_part == dense:
            layers.append(nn.Dropout(rate))
    return nn.Sequential(*layers).eval()


def passes(module: nn.Sequential, X: torch.Tensor, n_passes: int, seed: int = 0):
    """BALD from forward passes over the pool with the dropout layers in train mode."""
    torch.manual_seed(seed)
    for sub in module.modules():
        sub.train(isinstance(sub, nn.Dropout))
    with torch.no_grad():
        proba = [
            torch.cat([module(batch).softmax(1) for batch in X.split(256)]) for _ in range(n_passes)
        ]
    return mutual_information(torch.stack(proba).numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    module = train(data).module_.eval()
    X = torch.as_tensor(pool(data, args.n))

    for dense in (False, True):
        stochastic = with_dropout(module, 0.1, dense)
        own = stochastic if dense else module  # injected into the module as it is

        def ours(batch_size: int = 256, own: nn.Module = own):
            return mutual_information(
                mc_dropout_proba(
                    own, X, torch.as_tensor, n_passes=args.passes, batch_size=batch_size
                )
            )

        def peer(stochastic: nn.Sequential = stochastic):
            return passes(stochastic, X, args.passes)

        again = spearmanr(peer(), passes(stochastic, X, args.passes, seed=1)).statistic

        def check(_: str, mine, theirs, again: float = again) -> None:
            rank = spearmanr(mine, theirs).statistic
            assert rank > again - 0.15, f"Spearman {rank:.3f}; two runs of the peer: {again:.3f}"

        np.testing.assert_allclose(ours(), ours(batch_size=100), atol=1e-5)
        place = "dense" if dense else "convolutional"
        paired(
            f"BALD, {args.passes} passes, {place} dropout",
            ours,
            {"nn.Dropout passes": peer},
            check,
            args.rounds,
        )
        print(f"  Spearman {spearmanr(ours(), peer()).statistic:.3f}; peer with peer {again:.3f}")


if __name__ == "__main__":
    main()
