"""One scoring pass over an image pool against skorch and a plain DataLoader loop.

    python benchmarks/bench_scoring.py                # 10,000 images, half a minute
    python benchmarks/bench_scoring.py --n 60000

One thread, CPU seconds, interleaved rounds, median of the paired ratios; equal entropies and the
memory the pass adds are asserted and shown.
"""

from __future__ import annotations

import argparse
import tracemalloc

import numpy as np
import torch
from subject import images, pool, train
from timing import paired
from torch.utils.data import DataLoader, TensorDataset

from skactive.kernels.uncertainty import entropy
from skactive.model_view import ModelView


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    net, X = train(data), pool(data, args.n)

    def ours():
        return entropy(ModelView.of(net).predict_proba(X))

    def skorch_proba():
        from skorch import NeuralNetClassifier
        from skorch.dataset import Dataset

        plain = NeuralNetClassifier(
            net.module_, criterion=torch.nn.CrossEntropyLoss, batch_size=128, dataset=Dataset
        ).initialize()
        return entropy(plain.predict_proba(X))

    def loader_loop():
        scores: list[float] = []
        module = net.module_.eval()
        with torch.no_grad():
            for (batch,) in DataLoader(TensorDataset(torch.as_tensor(X)), batch_size=100):
                proba = torch.softmax(module(batch), dim=1).numpy()
                scores = np.concatenate([scores, [entropy(row) for row in proba]])
        return np.asarray(scores)

    def check(peer: str, mine, theirs) -> None:
        np.testing.assert_allclose(mine, theirs, atol=1e-4, err_msg=peer)

    paired(
        f"entropy of {args.n} images",
        ours,
        {"skorch predict_proba": skorch_proba, "DataLoader loop": loader_loop},
        check,
        args.rounds,
    )
    tracemalloc.start()
    ours()
    print(
        f"  peak of NumPy memory beyond the pool: {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
