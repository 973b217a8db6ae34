"""Rows of a torch Dataset that are read anew for every batch, so that its randomness is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..attacks import check_bounds
from ..utils.inputs import as_float_tensor, label_of, stacked


class FreshRows(torch.utils.data.Dataset):
    """Inputs of a Dataset, each read when it is asked for and checked then.

    Parameters
    ----------
    dataset : torch Dataset
    rows : ndarray of int or None, default=None
        Items that are meant; ``None`` is all.
    bounds : (float, float) or None, default=None
        Range that inputs must keep.
    shape : tuple of int or None, default=None
        Shape that inputs must have; ``None`` takes that of the first one.
    """

    def __init__(
        self,
        dataset: Any,
        rows: NDArray | None = None,
        bounds: tuple[float, float] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.dataset = dataset
        self.rows = np.arange(len(dataset)) if rows is None else rows
        self.bounds = bounds
        self.input_shape = shape if shape is not None else tuple(self[0].shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Tensor:
        """One input, or for a slice or an array of positions a batch, float32."""
        if isinstance(index, (int, np.integer)):
            return self._read(int(self.rows[index]))
        if len(self.rows[index]) == 0:
            return torch.empty((0, *self.input_shape))
        return torch.stack([self._read(int(row)) for row in self.rows[index]])

    def subset(self, positions: NDArray) -> FreshRows:
        """Some of these rows, nothing read."""
        return FreshRows(self.dataset, self.rows[positions], self.bounds, self.input_shape)

    def _read(self, row: int) -> Tensor:
        inputs = as_float_tensor(stacked([self.dataset[row]]), "cpu")[0]
        expected = getattr(self, "input_shape", tuple(inputs.shape))
        if tuple(inputs.shape) != expected:
            raise ValueError(
                f"Item {row} of the Dataset has shape {tuple(inputs.shape)}, the first one "
                f"{expected}. Resize or crop the items, for instance with "
                "torchvision.transforms.Resize((32, 32))."
            )
        if not torch.isfinite(inputs).all():
            raise ValueError(f"Item {row} of the Dataset holds NaN or infinite values.")
        if self.bounds is not None:
            check_bounds(inputs, self.bounds, f"Item {row} of the Dataset")
        return inputs


def select(X: Any, positions: NDArray) -> Any:
    """Some rows of an array, or of `FreshRows` without reading them."""
    return X.subset(positions) if isinstance(X, FreshRows) else X[positions]


def labels_of_items(dataset: Any) -> NDArray:
    """Labels of all items of a Dataset, which reads each once."""
    return np.asarray([label_of(dataset[i]) for i in range(len(dataset))])
