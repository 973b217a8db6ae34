"""PGD evaluation that lets broken samples go, against torchattacks' fixed steps.

The same definition of broken for both: a sample is broken if the attack's result is misclassified.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torchattacks

from skactive.attacks import PGD

from .subject import images, train
from .timing import Peer, Row, paired, run_alone

SETTINGS = {"eps": 0.3, "alpha": 0.01, "random_start": False}


def rows(quick: bool) -> Iterator[Row]:
    n, steps = (40, 10) if quick else (200, 50)
    data = images(n)
    X, y = torch.as_tensor(data.X_test[:n]), torch.as_tensor(data.y_test[:n])
    for name, robust, bar in (("weak net", False, 5), ("robust net", True, None)):
        module = train(data, robust).module_.eval()

        def broken(attacked, module=module) -> torch.Tensor:
            with torch.no_grad():
                return module(attacked).argmax(dim=1) != y

        def lets_go(module=module, broken=broken):
            return broken(PGD(steps=steps, stop_when_fooled=True, **SETTINGS)(module, X, y))

        def fixed(module=module, broken=broken):
            return broken(torchattacks.PGD(module, steps=steps, **SETTINGS)(X, y))

        def same_steps(module=module):
            return PGD(steps=steps, **SETTINGS)(module, X, y)

        def theirs(module=module):
            return torchattacks.PGD(module, steps=steps, **SETTINGS)(X, y)

        def agree(ours, other) -> str:
            # What is misclassified at some step counts as broken; fixed steps look at the last.
            assert not (other & ~ours).any(), f"{(other & ~ours).sum()} broken only by fixed steps"
            return f"broken: {ours.sum()} and {other.sum()} of {n}"

        def same(ours, other, broken=broken) -> str:
            differ = (ours - other).abs().flatten(1).amax(dim=1) > 1e-4
            assert torch.equal(broken(ours), broken(other)), "not the same samples are broken"
            return f"same broken; {int((~differ).sum())} of {n} results equal to 1e-4"

        label = f"PGD-{steps} evaluation, {n} images, {name}"
        yield from paired(label, lets_go, [Peer("torchattacks", fixed, bar, agree)], budget=40)
        label = f"PGD-{steps}, the same steps, {name}"
        yield from paired(label, same_steps, [Peer("torchattacks", theirs, None, same)], budget=30)


if __name__ == "__main__":
    run_alone(rows)
