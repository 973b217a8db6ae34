"""SVHN's cropped digits, from its MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ._source import Part, Source, find, reading

_N_KEPT = {"train": 50_000, "test": 10_000}


def read_svhn(root: Path) -> Source:
    """First 50,000 training and 10,000 test images, as in the DRE study."""
    parts = {split: _read_part(root, split) for split in _N_KEPT}
    return Source(parts["train"], parts["test"], tuple("0123456789"))


def _read_part(root: Path, split: str) -> Part:
    from scipy.io import loadmat

    path = find("SVHN", root, (f"{split}_32x32.mat",))
    with reading(path), path.open("rb") as file:
        content = loadmat(file, variable_names=["X", "y"])
        images = content["X"].transpose(3, 2, 0, 1)
        # The files label the digit 0 as 10.
        labels = content["y"].ravel().astype(np.int64) % 10
        if images.shape[1:] != (3, 32, 32) or images.dtype != np.uint8:
            raise ValueError(f"X holds {images.dtype} of shape {content['X'].shape}")
        part = Part.of(images, labels)
    return part.take(np.arange(min(_N_KEPT[split], len(labels))))
