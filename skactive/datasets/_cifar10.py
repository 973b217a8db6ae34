"""CIFAR-10: the pickled batches that torchvision downloads, or packed JPEGs."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._source import Part, Source, find, open_npz, reading

_CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}


def read_cifar10(root: Path) -> Source:
    """CIFAR-10, lossless if there is a choice."""
    path = find("CIFAR-10", root, ("cifar-10-batches-py",), ("cifar10", "cifar10_jpeg.npz"))
    read = _read_batches if path.is_dir() else _read_packed_jpegs
    return Source(read(path, "train"), read(path, "test"), _CLASS_NAMES)


def _read_batches(folder: Path, split: str) -> Part:
    images, labels = [], []
    for name in _BATCHES[split]:
        path = find("CIFAR-10", folder, (name,))
        with reading(path), path.open("rb") as file:
            batch = _ArrayUnpickler(file, encoding="latin1").load()
            images.append(np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32))
            labels.append(np.asarray(batch["labels"], dtype=np.int64))
            if len(images[-1]) != len(labels[-1]):
                raise ValueError(f"{len(images[-1])} images but {len(labels[-1])} labels")
    return Part.of(np.concatenate(images), np.concatenate(labels))


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickle arrays and containers only: a pickle from elsewhere must not run code."""

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        # The same function under its name before and since NumPy 2.
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("_codecs", "encode"): str.encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"refers to {module}.{name}, expected arrays only")
        return self._ALLOWED[module, name]


def _read_packed_jpegs(path: Path, split: str) -> Part:
    """JPEG files that share one header, stored once, and lack the end marker FF D9."""
    with reading(path), path.open("rb") as file, open_npz(file) as archive:
        header = archive["jpeg_header"].tobytes()
        scan, offsets = archive[f"{split}_scan"], archive[f"{split}_offsets"]
        labels = archive[f"{split}_labels"].astype(np.int64)
        if len(offsets) != len(labels) + 1 or offsets[0] != 0 or offsets[-1] != len(scan):
            raise ValueError(f"{split}_offsets do not fit {split}_scan and {split}_labels")

    def read(rows: NDArray) -> NDArray:
        with reading(path):
            files = (
                header + scan[offsets[row] : offsets[row + 1]].tobytes() + b"\xff\xd9"
                for row in rows
            )
            return _decode_jpegs(files, len(rows))

    return Part(labels, read)


def _decode_jpegs(files: Iterable[bytes], n: int) -> NDArray:
    """Decode with Pillow: torchvision's own decoder is deprecated and gives the same pixels."""
    from PIL import Image

    images = np.empty((n, 32, 32, 3), np.uint8)
    for i, content in enumerate(files):
        image = Image.open(io.BytesIO(content))
        if image.size != (32, 32):  # before it is decoded
            raise ValueError(f"image {i} is of {image.width} by {image.height} pixels")
        images[i] = np.asarray(image.convert("RGB"))
    return images.transpose(0, 3, 1, 2)
