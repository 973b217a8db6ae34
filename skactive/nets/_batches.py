"""Batches sliced out of arrays: no work per sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ArrayDataset(torch.utils.data.Dataset):
    """Arrays of equal length; a sample is one row of each."""

    def __init__(self, *arrays: Any) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, i: Any) -> tuple:
        return tuple(array[i] for array in self.arrays)


class BatchIterator:
    """Batches of an `ArrayDataset` (or a part of one) by slicing, in place of a DataLoader.

    Parameters
    ----------
    dataset : ArrayDataset or Subset of one
    batch_size : int
    shuffle : bool, default=False
        Draw a new order each epoch, from torch's global generator.
    drop_last : bool, default=False
        Leave a last, smaller batch out. Otherwise one of a single sample joins the batch
        before it: BatchNorm cannot train on one sample.
    """

    def __init__(
        self, dataset: Any, batch_size: int = 100, shuffle: bool = False, drop_last: bool = False
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[list[Tensor]]:
        samples_at = sampler(self.dataset)
        order = self._order()
        starts = self._starts()
        for start, stop in zip(starts, [*starts[1:], self._end()], strict=True):
            yield samples_at(order[start:stop])

    def _order(self) -> np.ndarray:
        n = len(self.dataset)
        return torch.randperm(n).numpy() if self.shuffle else np.arange(n)

    def _end(self) -> int:
        n = len(self.dataset)
        return n - n % self.batch_size if self.drop_last else n

    def _starts(self) -> list[int]:
        starts = list(range(0, self._end(), self.batch_size))
        if len(starts) > 1 and self._end() - starts[-1] == 1:
            starts.pop()
        return starts


class RepeatedBatches(BatchIterator):
    """So many batches of one size, from as many passes over the data as that takes.

    Parameters
    ----------
    dataset : ArrayDataset or Subset of one
    batch_size : int
        Where there are fewer samples, some come more than once in a batch.
    shuffle : bool, default=True
        Draw a new order in each pass, from torch's global generator.
    n_batches : int, default=100
    """

    def __init__(
        self, dataset: Any, batch_size: int = 50, shuffle: bool = True, n_batches: int = 100
    ) -> None:
        super().__init__(dataset, batch_size, shuffle)
        self.n_batches = n_batches

    def _order(self) -> np.ndarray:
        passes = math.ceil(self._end() / len(self.dataset))
        return np.concatenate([BatchIterator._order(self) for _ in range(passes)])

    def _starts(self) -> list[int]:
        return list(range(0, self._end(), self._size))

    def _end(self) -> int:
        return self.n_batches * self._size

    @property
    def _size(self) -> int:
        return len(self.dataset) if self.batch_size == -1 else self.batch_size


def sampler(dataset: Any) -> Callable[[np.ndarray], list[Tensor]]:
    """What gives samples of an `ArrayDataset`, or of a Subset of one, by position as a batch."""
    arrays, rows = _resolve(dataset)
    return lambda positions: [torch.as_tensor(array[rows[positions]]) for array in arrays]


def holds_arrays(dataset: Any) -> bool:
    """Whether it is an `ArrayDataset`, or a Subset of one."""
    while isinstance(dataset, torch.utils.data.Subset):
        dataset = dataset.dataset
    return isinstance(dataset, ArrayDataset)


def _resolve(dataset: Any) -> tuple[tuple, np.ndarray]:
    """Arrays under nested Subsets, and the rows that are meant."""
    if isinstance(dataset, torch.utils.data.Subset):
        arrays, rows = _resolve(dataset.dataset)
        return arrays, rows[np.asarray(dataset.indices)]
    return dataset.arrays, np.arange(len(dataset))
