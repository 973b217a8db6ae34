"""One update of certified training against one of standard training, batches of 100.

The ratio is a standard update's time over ours: .29 is the bar of 3.5 standard updates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.losses import CROWNIBP, IBP, MTLIBP, SABR
from skactive.networks import ConvSmall, LeNet5

from .timing import Peer, Row, paired, run_alone

EPS = 0.3
BAR = 1 / 3.5
AT_ONCE = {"eps": EPS, "warm_up": 0.0, "ramp": 0.0}  # what updates cost after the ramp
LOSSES = {
    "IBP": (IBP(**AT_ONCE), None, BAR),
    "CROWN-IBP, β = 1": (CROWNIBP(**AT_ONCE, beta=1.0), None, None),
    "SABR, PGD-8": (SABR(**AT_ONCE), PGD(eps=EPS, steps=8), None),
    "MTL-IBP, PGD-8": (MTLIBP(**AT_ONCE), PGD(eps=EPS, steps=8), None),
}
NETWORKS = {
    "LeNet-5": (LeNet5, {}),
    "ConvSmall": (ConvSmall, {}),
    "ConvSmall with BatchNorm": (ConvSmall, {"module__batch_norm": True}),
}


def rows(quick: bool) -> Iterator[Row]:
    n_updates = 2 if quick else 20
    rng = np.random.default_rng(0)
    X = rng.random((100 * n_updates, 1, 28, 28), dtype=np.float32)
    y = rng.integers(0, 10, len(X))
    for network, (module, params) in NETWORKS.items():
        standard = _updates(module, params, "adversarial", None, X, y)
        for name, (loss, attack, bar) in LOSSES.items():
            if name != "IBP" and network not in ("LeNet-5", "ConvSmall"):
                continue
            few = 2 if name.startswith("CROWN") and not quick else n_updates
            ours = _updates(module, params, loss, attack, X[: 100 * few], y[: 100 * few])
            yield from paired(
                f"{few} updates of {name}, {network}",
                ours,
                [Peer("standard training", standard, bar, _finite, few / n_updates)],
                rounds=7,
                budget=40,
            )


def _updates(
    module: Any, params: dict[str, Any], loss: Any, attack: Any, X: Any, y: Any
) -> Callable[[], float]:
    """One epoch of a net that goes on training; its mean loss."""
    net = AdversarialNetClassifier(
        module, loss=loss, attack=attack, max_epochs=1, random_state=0,
        callbacks__overfitting_guard=None, **params,
    ).fit(X[:200], y[:200])  # fmt: skip
    return lambda: float(net.partial_fit(X, y).history[-1]["train_loss"])


def _finite(ours: float, theirs: float) -> str:
    assert np.isfinite([ours, theirs]).all(), f"losses of {ours} and {theirs}"
    return "losses are finite"


if __name__ == "__main__":
    run_alone(rows)
