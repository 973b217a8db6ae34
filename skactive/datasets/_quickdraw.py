"""Four classes of Quick, Draw! in one npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from ._source import Part, Source, find, open_npz, reading


def read_quickdraw(root: Path) -> Source:
    """Drawings of ``quickdraw/quickdraw4.npz``; a fixed fifth of each class is the test data."""
    path = find("Quick, Draw!", root, ("quickdraw", "quickdraw4.npz"), downloadable=False)
    with reading(path), path.open("rb") as file, open_npz(file) as archive:
        whole = Part.of(archive["images"][:, None], archive["labels"])
        class_names = tuple(str(name) for name in archive["class_names"])
    # Fixed: the test data must not depend on the caller's seed.
    train, test = train_test_split(
        np.arange(len(whole.labels)), test_size=0.2, stratify=whole.labels, random_state=0
    )
    return Source(whole.take(train), whole.take(test), class_names)
