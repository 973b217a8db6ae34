"""SVHN's cropped digits, from its MATLAB files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ._source import Part, Source, check_unpacked, find, reading

_COMPRESSED = 15  # kind of an element of a .mat file
_CHUNK = 2**12  # of input: a thousandfold at most
_N_KEPT = {"train": 50_000, "test": 10_000}


def read_svhn(root: Path) -> Source:
    """First 50,000 training and 10,000 test images, as in the DRE study."""
    parts = {split: _read_part(root, split) for split in _N_KEPT}
    return Source(parts["train"], parts["test"], tuple("0123456789"))


def _read_part(root: Path, split: str) -> Part:
    from scipy.io import loadmat

    path = find("SVHN", root, (f"{split}_32x32.mat",))
    with reading(path), path.open("rb") as file:
        _check_elements(file)
        content = loadmat(file, variable_names=["X", "y"])
        images = content["X"].transpose(3, 2, 0, 1)
        # The files label the digit 0 as 10.
        labels = content["y"].ravel().astype(np.int64) % 10
        if images.shape[1:] != (3, 32, 32) or images.dtype != np.uint8:
            raise ValueError(f"X holds {images.dtype} of shape {content['X'].shape}")
        part = Part.of(images, labels)
    return part.take(np.arange(min(_N_KEPT[split], len(labels))))


def _check_elements(file: BinaryIO) -> None:
    """Refuse compressed elements that unpack to gigabytes: SciPy would unpack them whole."""
    order = "<" if file.read(128).endswith(b"IM") else ">"
    total = 0
    while len(tag := file.read(8)) == 8:
        kind, n = struct.unpack(f"{order}II", tag)
        content, unpacker = memoryview(file.read(n)), zlib.decompressobj()
        for start in range(0, len(content), _CHUNK) if kind == _COMPRESSED else ():
            total += len(unpacker.decompress(content[start : start + _CHUNK]))
            check_unpacked(total)
    file.seek(0)
