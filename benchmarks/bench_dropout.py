"""BALD by Monte-Carlo dropout against Baal and against passes as modAL makes them.

The masks differ, so what is asserted is that scores correlate as well with the peer's as two runs
of the peer do, and that ours do not depend on the batch size. modAL does not run beside a current
scikit-learn: its row is a literal version of its loop (skorch's module, dropout in train mode).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.utils.data import TensorDataset

from skactive.kernels.uncertainty import mutual_information
from skactive.passes.mc_dropout import mc_dropout_proba

from .subject import images, pool, train
from .timing import Peer, Row, absent, installed, paired, run_alone

RATE, PASSES = 0.1, 10
PLACES = {"all": ("after every ReLU", 4), "dense": ("in the dense layers", 10)}


def with_dropout(module: nn.Module, place: str) -> nn.Sequential:
    """The layers of LeNet-5 with nn.Dropout after its ReLUs."""
    layers: list[nn.Module] = []
    in_dense_part = False
    for sub in (*module.features, module.head):
        in_dense_part |= isinstance(sub, nn.Flatten)
        layers.append(sub)
        if isinstance(sub, nn.ReLU) and (in_dense_part or place == "all"):
            layers.append(nn.Dropout(RATE))
    return nn.Sequential(*layers).eval()


def by_passes(module: nn.Sequential, X: torch.Tensor, seed: int = 0) -> np.ndarray:
    """As modAL: forward passes over the pool with the dropout layers in train mode."""
    torch.manual_seed(seed)
    for sub in module.modules():
        sub.train(isinstance(sub, nn.Dropout))
    with torch.no_grad():
        proba = [
            torch.cat([module(batch).softmax(1) for batch in X.split(256)]) for _ in range(PASSES)
        ]
    return mutual_information(torch.stack(proba).numpy())


def by_baal(module: nn.Sequential, X: torch.Tensor) -> np.ndarray:
    """Baal's wrapper: each batch repeated for all passes."""
    import structlog
    from baal.active.heuristics import BALD
    from baal.bayesian.dropout import patch_module
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # errors only
    torch.manual_seed(0)
    settings = TrainingArgs(batch_size=256, use_cuda=False, workers=0, replicate_in_memory=True)
    wrapper = ModelWrapper(patch_module(module, inplace=False), settings)
    wrapper.eval()
    dataset = TensorDataset(X, torch.zeros(len(X), dtype=torch.long))
    logits = wrapper.predict_on_dataset(dataset, iterations=PASSES, verbose=False)
    return BALD().get_uncertainties(logits)


def rows(quick: bool) -> Iterator[Row]:
    n = 300 if quick else 4000
    data = images(n)
    module = train(data).module_.eval()
    X = torch.as_tensor(pool(data, n))
    for place, (name, bar) in PLACES.items():
        stochastic = with_dropout(module, place)

        def ours(batch_size: int = 256, net: nn.Module = stochastic) -> np.ndarray:
            return mutual_information(
                mc_dropout_proba(net, X, torch.as_tensor, n_passes=PASSES, batch_size=batch_size)
            )

        again = spearmanr(by_passes(stochastic, X), by_passes(stochastic, X, seed=1)).statistic

        def agree(mine, theirs, again: float = again) -> str:
            rank = spearmanr(mine, theirs).statistic
            assert rank > again - 0.15, f"Spearman {rank:.3f}; two runs of the peer: {again:.3f}"
            return f"Spearman {rank:.3f}; of two such runs {again:.3f}"

        np.testing.assert_allclose(ours(), ours(batch_size=100), atol=1e-5)
        label = f"BALD, {PASSES} passes, {n:,} images, dropout {name}"
        peers = [Peer("modAL's loop", lambda net=stochastic: by_passes(net, X), bar, agree)]
        if installed("baal"):
            peers.append(Peer("Baal", lambda net=stochastic: by_baal(net, X), bar, agree))
        else:
            yield absent(label, "Baal", bar)
        yield from paired(label, ours, peers, rounds=3, budget=50)


if __name__ == "__main__":
    run_alone(rows)
