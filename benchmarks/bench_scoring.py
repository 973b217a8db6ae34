"""One scoring pass over an image pool against skorch and the loop that the DRE authors write.

The pool is bytes, resized once. skorch gets it as floats made beforehand; the loop over PIL images
resizes each image from 28×28 in each pass, in batches of 100, with the entropy per sample. The pass
yields entropy, Gini impurity, least confidence and margin, and the embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from scipy.stats import entropy as scipy_entropy
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

from skactive.kernels.uncertainty import CHARACTERISTICS
from skactive.model_view import ModelView

from .subject import images, pool, train
from .timing import Peer, Row, close, paired, run_alone


class Images(torch.utils.data.Dataset):
    """Gray images through PIL, as torchvision's MNIST hands them out."""

    def __init__(self, files: np.ndarray, resize: transforms.Resize) -> None:
        self.files = files
        self.transform = transforms.Compose([resize, transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.files[index])), 0


def rows(quick: bool) -> Iterator[Row]:
    n = 2000 if quick else 60_000
    data = images(n)
    net = train(data)
    files = (pool(data, n)[:, 0] * 255).round().astype(np.uint8)
    size = files.shape[-1]
    if size == 32:
        files = files[:, 2:30, 2:30]
    resize = transforms.Resize((size, size))
    pixels = np.stack([np.asarray(resize(Image.fromarray(file))) for file in files])[:, None]
    X = np.float32(pixels) / np.float32(255)

    def ours() -> np.ndarray:
        proba, _ = ModelView.of(net).predict_proba_and_embed(pixels)
        return {name: score(proba) for name, score in CHARACTERISTICS.items()}["entropy"]

    def by_skorch() -> np.ndarray:
        plain = NeuralNetClassifier(
            net.module_, criterion=torch.nn.CrossEntropyLoss, batch_size=128, dataset=Dataset
        ).initialize()
        return CHARACTERISTICS["entropy"](plain.predict_proba(X))

    def loop(dataset) -> np.ndarray:
        scores = np.empty(0)
        module = net.module_.eval()
        with torch.no_grad():
            for batch in DataLoader(dataset, batch_size=100):
                proba = torch.softmax(module(batch[0]), dim=1).numpy()
                scores = np.concatenate([scores, [scipy_entropy(row) for row in proba]])
        return scores

    peers = [
        Peer("loop over PIL images", lambda: loop(Images(files, resize)), 5, close(0, 1e-4)),
        Peer("skorch predict_proba", by_skorch, 2, close(0, 1e-4)),
        Peer("loop over tensors", lambda: loop(TensorDataset(torch.as_tensor(X))), None,
             close(0, 1e-4)),
    ]  # fmt: skip
    yield from paired(f"scoring pass, {n:,} images", ours, peers, rounds=3, budget=90)


if __name__ == "__main__":
    run_alone(rows)
