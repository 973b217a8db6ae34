"""DFAL over a whole pool of 20,000, against torchattacks on a random 10·n subset of it.

torchattacks works on one sample after another, so that a sample of the subset is timed and scaled.
The picks of a part of the pool are checked against the exhaustive search.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torchattacks

from skactive.strategies import DFAL

from .subject import images, pool, train
from .timing import Peer, Row, paired, run_alone, same_picks


def rows(quick: bool) -> Iterator[Row]:
    n_pool, n, timed = (1000, 10, 4) if quick else (20_000, 200, 20)
    data = images(n_pool)
    X = pool(data, n_pool)
    for name, robust in (("weak net", False), ("robust net", True)):
        net = train(data, robust)
        module = net.module_.eval()
        subset = np.random.default_rng(0).choice(n_pool, timed, replace=False)

        def ours(X=X, net=net, n=n) -> np.ndarray:
            return DFAL("all", random_state=0).query(net, X, n)

        def exhaustive(X=X, net=net, n=n) -> np.ndarray:
            return DFAL("all", exhaustive=True, random_state=0).query(net, X, n)

        def theirs(module=module, subset=subset) -> torch.Tensor:
            part = torch.as_tensor(X[subset])
            return torchattacks.DeepFool(module, steps=50)(part, module(part).argmax(dim=1))

        def forward(module=module) -> None:
            with torch.no_grad():
                for batch in torch.as_tensor(X).split(256):
                    module(batch)

        def other_search(*_: object) -> str:
            return "a search ten times larger"

        def nothing(*_: object) -> str:
            return "five forward passes: 0.2×"

        label = f"DFAL, {n} nearest of {n_pool:,}, {name}"
        yield from paired(
            label,
            ours,
            [
                Peer(f"torchattacks, {10 * n:,} of them", theirs, 200, other_search,
                     10 * n / timed),
                Peer("one plain forward pass", forward, 0.2, nothing),
            ],
            rounds=3,
            budget=60,
        )  # fmt: skip
        part = X[: n_pool // 5]
        yield from paired(
            f"DFAL, {n // 2} nearest of {len(part):,}, {name}",
            lambda part=part, ours=ours: ours(part, n=n // 2),
            [
                Peer(
                    "exhaustive=True",
                    lambda part=part, exhaustive=exhaustive: exhaustive(part, n=n // 2),
                    None,
                    same_picks,
                )
            ],
            rounds=1,
        )


if __name__ == "__main__":
    run_alone(rows)
