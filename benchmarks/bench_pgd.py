"""PGD against torchattacks: the same steps, and evaluation that lets broken samples go.

    python benchmarks/bench_pgd.py            # half a minute

One thread, CPU seconds, interleaved rounds, median of the paired ratios.
"""

from __future__ import annotations

import argparse

import torch
import torchattacks
from subject import images, train
from timing import paired

from skactive.attacks import PGD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200, help="images")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    X, y = torch.as_tensor(data.X_test[: args.n]), torch.as_tensor(data.y_test[: args.n])
    settings = {"eps": 0.3, "alpha": 0.01, "random_start": False}
    for name, robust in (("weak net", False), ("robust net", True)):
        module = train(data, robust).module_.eval()

        def same(peer: str, ours, theirs) -> None:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)

        paired(
            f"PGD-10, a training batch of 100, {name}",
            lambda module=module: PGD(steps=10, **settings)(module, X[:100], y[:100]),
            {
                "torchattacks": lambda module=module: torchattacks.PGD(
                    module, steps=10, **settings
                )(X[:100], y[:100])
            },
            same,
            args.rounds,
        )

        def robust_accuracy(attacked, module=module):
            with torch.no_grad():
                return float((module(attacked).argmax(dim=1) == y).double().mean())

        def lets_go(module=module):
            attack = PGD(steps=args.steps, stop_when_fooled=True, **settings)
            return robust_accuracy(attack(module, X, y), module)

        def fixed(module=module):
            attack = torchattacks.PGD(module, steps=args.steps, **settings)
            return robust_accuracy(attack(X, y), module)

        def nearly(peer: str, ours: float, theirs: float) -> None:
            # any misclassified iterate counts here, the last one there
            assert theirs - 0.03 <= ours <= theirs, f"robust accuracy {ours} against {theirs}"
            print(f"  robust accuracy {ours:.3f}, with fixed steps {theirs:.3f}")

        paired(
            f"PGD-{args.steps} evaluation, {args.n} images, {name}",
            lets_go,
            {"torchattacks": fixed},
            nearly,
            args.rounds,
        )


if __name__ == "__main__":
    main()
