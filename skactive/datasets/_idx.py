"""MNIST's IDX files, read straight from the .gz: torchvision would unpack them beside it."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._source import Part, Source, find, reading

_MOST_PACKED = 1040  # bytes that one byte of a .gz can hold


def read_idx_dataset(root: Path, folder: str, class_names: tuple[str, ...]) -> Source:
    """MNIST or a data set in its format, from ``<root>/<folder>/raw``."""
    parts = []
    for stem in ("train", "t10k"):
        images_path, labels_path = (
            # The .gz first: it carries a checksum.
            find(folder, root, (folder, "raw", f"{name}.gz"), (folder, "raw", name))
            for name in (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
        )
        images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
        with reading(labels_path):
            if labels.max(initial=0) >= len(class_names):
                raise ValueError(f"label {labels.max()}, expected 0 to {len(class_names) - 1}")
            parts.append(Part.of(images[:, None], labels))
    return Source(parts[0], parts[1], class_names)


def read_idx(path: Path, n_dims: int) -> NDArray:
    """Bytes of an IDX file: magic number 00 00 08 `n_dims`, big-endian sizes, then the values."""
    with reading(path):
        packed = path.suffix == ".gz"
        most = path.stat().st_size * (_MOST_PACKED if packed else 1)
        with gzip.open(path) if packed else path.open("rb") as file:
            magic, found = bytes([0, 0, 8, n_dims]), file.read(4)
            if found != magic:
                raise ValueError(f"magic number {found.hex()}, expected {magic.hex()}")
            sizes = file.read(4 * n_dims)
            shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
            n = math.prod(shape)
            if len(shape) != n_dims or n > most:
                raise ValueError(f"it is too small to hold an array of shape {shape}")
            content = np.empty(n, np.uint8)
            got = file.readinto(content.data) if n else 0
            # One byte more, and not all there may be: a small file can unpack to gigabytes.
            if got != n or file.read(1):
                raise ValueError(f"its bytes do not hold an array of shape {shape}")
        return content.reshape(shape)
