"""Monte-Carlo dropout against ten passes of a net whose nn.Dropout layers are in train mode.

    python benchmarks/bench_dropout.py        # half a minute

One thread, CPU seconds, interleaved rounds, median of the paired ratios. The masks differ, so what
is asserted is that BALD scores correlate as well with the peer's as two runs of the peer do.
"""

from __future__ import annotations

import argparse

import torch
from scipy.stats import spearmanr
from subject import images, pool, train
from timing import paired
from torch import nn

from skactive.kernels.mc_dropout import mc_dropout_proba
from skactive.kernels.uncertainty import mutual_information


def with_dropout(module: nn.Module, rate: float) -> nn.Sequential:
    """The layers of LeNet-5 with nn.Dropout after every ReLU of the convolutional part."""
    layers: list[nn.Module] = []
    convolutional = True
    for sub in (*module.features, module.head):
        convolutional &= not isinstance(sub, nn.Flatten)
        layers.append(sub)
        if isinstance(sub, nn.ReLU) and convolutional:
            layers.append(nn.Dropout(rate))
    return nn.Sequential(*layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    module = train(data).module_.eval()
    X = pool(data, args.n)
    stochastic = with_dropout(module, 0.1).eval()

    def passes(seed: int = 0):
        torch.manual_seed(seed)
        for sub in stochastic.modules():
            sub.train(isinstance(sub, nn.Dropout))
        with torch.no_grad():
            proba = [
                torch.cat([stochastic(batch).softmax(1) for batch in torch.as_tensor(X).split(256)])
                for _ in range(args.passes)
            ]
        return mutual_information(torch.stack(proba).numpy())

    again = spearmanr(passes(0), passes(1)).statistic

    def check(peer: str, ours, theirs) -> None:
        rank = spearmanr(ours, theirs).statistic
        assert rank > again - 0.15, f"Spearman {rank:.3f}; two runs of the peer: {again:.3f}"
        print(f"  Spearman {rank:.3f}; two runs of the peer: {again:.3f}")

    paired(
        f"BALD, {args.passes} passes, {args.n} images",
        lambda: mutual_information(
            mc_dropout_proba(module, X, torch.as_tensor, n_passes=args.passes, batch_size=256)
        ),
        {"nn.Dropout passes": passes},
        check,
        args.rounds,
    )


if __name__ == "__main__":
    main()
