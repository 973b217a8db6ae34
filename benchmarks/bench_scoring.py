"""One scoring pass over an image pool against skorch and DataLoader loops.

    python benchmarks/bench_scoring.py                # 10,000 images, half a minute
    python benchmarks/bench_scoring.py --n 60000

The pool is bytes, resized once. skorch and the tensor loop get it as floats made beforehand; the
loop over PIL images is how the DRE authors write it (each image resized from 28×28 in each pass,
batches of 100, entropy per sample). One thread, CPU seconds, interleaved rounds, median of the
paired ratios; equal entropies are asserted, and the memory that the pass adds is shown.
"""

from __future__ import annotations

import argparse
import tracemalloc

import numpy as np
import torch
from PIL import Image
from subject import images, pool, train
from timing import paired
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

from skactive.kernels.uncertainty import entropy
from skactive.model_view import ModelView


class Images(torch.utils.data.Dataset):
    """Gray images through PIL, as torchvision's MNIST hands them out."""

    def __init__(self, files: np.ndarray, resize: transforms.Resize) -> None:
        self.files = files
        self.transform = transforms.Compose([resize, transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.files[index])), 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    data = images(args.n)
    net = train(data)
    files = (pool(data, args.n)[:, 0] * 255).round().astype(np.uint8)
    size = files.shape[-1]
    if size == 32:
        files = files[:, 2:30, 2:30]
    resize = transforms.Resize((size, size))
    pixels = np.stack([np.asarray(resize(Image.fromarray(file))) for file in files])[:, None]
    X = np.float32(pixels) / np.float32(255)

    def ours():
        return entropy(ModelView.of(net).predict_proba(pixels))

    def skorch_proba():
        from skorch import NeuralNetClassifier
        from skorch.dataset import Dataset

        plain = NeuralNetClassifier(
            net.module_, criterion=torch.nn.CrossEntropyLoss, batch_size=128, dataset=Dataset
        ).initialize()
        return entropy(plain.predict_proba(X))

    def loop(dataset):
        scores = np.empty(0)
        module = net.module_.eval()
        with torch.no_grad():
            for batch in DataLoader(dataset, batch_size=100):
                proba = torch.softmax(module(batch[0]), dim=1).numpy()
                scores = np.concatenate([scores, [entropy(row) for row in proba]])
        return scores

    def check(peer: str, mine, theirs) -> None:
        np.testing.assert_allclose(mine, theirs, atol=1e-4, err_msg=peer)

    paired(
        f"entropy of {args.n} images",
        ours,
        {
            "skorch predict_proba": skorch_proba,
            "loop over tensors": lambda: loop(TensorDataset(torch.as_tensor(X))),
            "loop over PIL images": lambda: loop(Images(files, resize)),
        },
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
