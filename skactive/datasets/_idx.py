"""MNIST's IDX files, read straight from the .gz: torchvision would unpack them beside it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._source import Part, Source, find, reading


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
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read()
        magic = bytes([0, 0, 8, n_dims])
        if content[:4] != magic:
            raise ValueError(f"magic number {content[:4].hex()}, expected {magic.hex()}")
        start = 4 + 4 * n_dims
        shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
        if len(shape) != n_dims or len(content) - start != np.prod(shape, dtype=np.int64):
            raise ValueError(f"{len(content)} bytes do not hold an array of shape {shape}")
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
