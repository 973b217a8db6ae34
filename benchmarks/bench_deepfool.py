"""DeepFool's distances against torchattacks'; Spearman correlation asserted.

    python benchmarks/bench_deepfool.py            # half a minute

One thread, CPU seconds, interleaved rounds, median of the paired ratios.
"""

from __future__ import annotations

import argparse

import torch
import torchattacks
from scipy.stats import spearmanr
from subject import images, train
from timing import paired

from skactive.attacks import DeepFool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=64, help="images")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--robust", action="store_true", help="an adversarially trained net too")
    args = parser.parse_args()
    data = images(args.n)
    for robust in (False, True) if args.robust else (False,):
        module = train(data, robust).module_.eval()
        X = torch.as_tensor(data.X_test[: args.n])
        label = module(X).argmax(dim=1)

        def theirs(module=module, X=X, label=label):
            moved = torchattacks.DeepFool(module, steps=50, overshoot=0.02)(X, label)
            fooled = module(moved).argmax(dim=1) != label
            return (moved - X).flatten(1).norm(dim=1), fooled

        def check(peer: str, ours, result) -> None:
            norms, _ = result
            finite = torch.isfinite(ours)
            assert finite.all(), f"{(~finite).sum()} samples without a boundary"
            rank = spearmanr(ours, norms).statistic
            assert rank > 0.998, f"Spearman {rank:.4f}"
            print(f"  Spearman {rank:.5f}, not crossed: {(~result[1]).sum()} of theirs, 0 of ours")

        paired(
            f"DeepFool norms, {args.n} images{', robust' if robust else ''}",
            lambda module=module, X=X: DeepFool()(module, X).distance,
            {"torchattacks": theirs},
            check,
            args.rounds,
        )


if __name__ == "__main__":
    main()
