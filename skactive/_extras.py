"""What a query hands to the next `teach` beside the indices: twins and pseudo-labels."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .strategies import Selection
from .utils.indexing import n_rows, take_rows


class PendingExtras:
    """Twins and pseudo-labels of the queries since the last `teach`.

    Twins are kept by the content of the row they belong to, so that answers may come in any
    order, in part, or mixed with rows that were never queried. Pseudo-labels are those of the
    latest query alone: each query recomputes them.
    """

    def __init__(self) -> None:
        self._twins: dict[bytes, NDArray] = {}
        self._pseudo: tuple[Any, NDArray, NDArray] | None = None

    def remember(self, X_pool: Any, selection: Selection) -> None:
        """Note what a query found."""
        if selection.twins is not None:
            rows = np.asarray(take_rows(X_pool, selection.indices))
            self._twins.update(zip(row_digests(rows), selection.twins, strict=True))
        self._pseudo = None
        if selection.pseudo_indices is not None and selection.pseudo_labels is not None:
            self._pseudo = (X_pool, selection.pseudo_indices, selection.pseudo_labels)

    def twins_of(self, X: Any, y: NDArray) -> tuple[NDArray, NDArray] | None:
        """Twins of the rows of `X` that have one, with the labels of those rows."""
        if not self._twins:
            return None
        digests = row_digests(np.asarray(X))
        known = [i for i, digest in enumerate(digests) if digest in self._twins]
        if not known:
            return None
        return np.stack([self._twins[digests[i]] for i in known]), y[known]

    def pseudo_labelled(self) -> tuple[Any, NDArray] | None:
        """Rows of the pool taught under the model's own labels this round."""
        if self._pseudo is None or n_rows(self._pseudo[1]) == 0:
            return None
        X_pool, indices, labels = self._pseudo
        return take_rows(X_pool, indices), labels


def row_digests(rows: NDArray) -> list[bytes]:
    """One digest a row, the same for any numeric dtype and memory layout."""
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
