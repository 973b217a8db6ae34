"""Training on one process, or on several that stay alike: what a run asks them for."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..utils.optional import optional_import
from ..utils.random_state import derive_seed
from ._fresh_rows import FreshRows

_LEAST = 2  # samples of a batch that each process gets: BatchNorm cannot train on one
_LOOKED_AT = 256  # rows by which processes tell whether they were given the same data


class OneProcess:
    """The only process that trains: nothing to share.

    Attributes
    ----------
    rank : int
        Which process this is.
    count : int
        How many train together.
    """

    rank: int = 0
    count: int = 1

    def agreed(self, value: Any) -> Any:
        """The first process's value."""
        return value

    def own(self, seed: int) -> int:
        """A seed of this process's own; the first process's is `seed` itself."""
        return seed if self.rank == 0 else derive_seed(seed, self.rank)

    def check_alike(self, X: Any, y: Any) -> None:
        """Raise unless all processes were given the same data."""

    def parts(self, batches: Any) -> Any:
        """What of each batch is this process's."""
        return batches

    def backward(self, module: nn.Module, loss: Tensor, share: Any) -> Tensor:
        """Compute the gradients of the whole batch's loss; return that loss.

        Parameters
        ----------
        module : torch.nn.Module
            With gradients, and statistics of BatchNorm, of this process's part.
        loss : Tensor, a scalar
            Mean over this process's part.
        share : float or Tensor
            Weight of this part: of its samples in all, or how many they are.
        """
        loss.backward()
        return loss

    def level(self, module: nn.Module) -> None:
        """Bring the statistics that each process found by itself to their mean."""

    def share(self, module: nn.Module) -> None:
        """Give all processes the first one's weights."""


class SeveralProcesses(OneProcess):
    """Processes of an `accelerate.Accelerator`, each with a copy of the net.

    Parameters
    ----------
    accelerator : accelerate.Accelerator
    """

    def __init__(self, accelerator: Any) -> None:
        self.accelerator = accelerator
        self.rank = int(accelerator.process_index)
        self.count = int(accelerator.num_processes)

    def agreed(self, value: Any) -> Any:
        """The first process's value."""
        if self.count == 1:
            return value
        return _accelerate().broadcast_object_list([value])[0]

    def check_alike(self, X: Any, y: Any) -> None:
        """Raise, on all processes, unless they were given the same data."""
        if self.count == 1:
            return
        found = _accelerate().gather_object([_digest(X, y)])
        if any(digest != found[0] for digest in found):
            raise ValueError(
                f"The {self.count} processes were given different training data (shape of X, "
                f"checksums of y and X: {found}). Each takes its part of every batch by itself: "
                "pass all of them the same X and y, in the same order. A learner that "
                "picks samples needs an integer random_state for that."
            )

    def parts(self, batches: Any) -> Any:
        """What of each batch is this process's."""
        return batches if self.count == 1 else Parts(batches, self)

    def backward(self, module: nn.Module, loss: Tensor, share: Any) -> Tensor:
        """Compute the gradients of the whole batch's loss; return that loss."""
        if self.count == 1:
            self.accelerator.backward(loss)
            return loss
        mine = torch.as_tensor(share, dtype=torch.float32, device=loss.device)
        part = mine / self._summed([mine])[0]
        self.accelerator.backward(loss * part)
        summed = [loss.detach() * part]
        gradients: list[Tensor] = []
        if self.accelerator.sync_gradients:  # else more batches come before the update
            gradients = [_gradient(p) for p in module.parameters() if p.requires_grad]
        statistics = _statistics(module)
        found = self._summed([*summed, *gradients, *(value / self.count for value in statistics)])
        for own, found_of_all in zip([*gradients, *statistics], found[1:], strict=True):
            own.copy_(found_of_all)
        return found[0]

    def level(self, module: nn.Module) -> None:
        """Bring the statistics that each process found by itself to their mean."""
        statistics = _statistics(module)
        if self.count == 1 or not statistics:
            return
        found = self._summed([value / self.count for value in statistics])
        for mine, mean in zip(statistics, found, strict=True):
            mine.copy_(mean)

    def share(self, module: nn.Module) -> None:
        """Give all processes the first one's weights."""
        if self.count > 1:
            with torch.no_grad():
                for tensor in (*module.parameters(), *module.buffers()):
                    tensor.copy_(_accelerate().broadcast(tensor.detach().clone()))

    def _summed(self, tensors: list[Tensor]) -> list[Tensor]:
        """Sums over the processes, in one exchange."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        flat = self.accelerator.reduce(flat, reduction="sum")
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


class Parts:
    """A process's part of each batch, every so many rows of it, labelled ones and the pool's.

    Parameters
    ----------
    batches : iterable of lists
        Whole batches, as each process draws them.
    processes : SeveralProcesses

    Notes
    -----
    Their order is the first process's. A last batch of fewer than two samples a process joins
    the one before.

    Attributes
    ----------
    n_rows : int
        Of the whole batch that the present part is of.
    """

    def __init__(self, batches: Any, processes: SeveralProcesses) -> None:
        self.batches = batches
        self.processes = processes
        self.n_rows = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list]:
        """Parts of batches, in lists as the batches are."""
        rank, count = self.processes.rank, self.processes.count
        for batch in _joined_at_the_end(self._drawn_alike(), _LEAST * count):
            self.n_rows = len(batch[0])
            if self.n_rows < _LEAST * count:
                raise ValueError(
                    f"A batch of {self.n_rows} samples cannot be shared by {count} processes: "
                    f"each needs {_LEAST}. Train on fewer processes, or on more samples."
                )
            yield _part(batch, rank, count)

    def _drawn_alike(self) -> Iterator[list]:
        """Batches in the order that the first process draws, before anything else is drawn."""
        before = torch.get_rng_state()
        torch.set_rng_state(self.processes.agreed(before))
        batches = iter(self.batches)
        first = next(batches, None)
        if self.processes.rank:
            torch.set_rng_state(before)
        if first is not None:
            yield first
            yield from batches


def _joined_at_the_end(batches: Iterable[list], least: int) -> Iterator[list]:
    held: list | None = None
    for held, batch in pairwise(_and_none(batches)):
        if batch is not None and len(batch[0]) < least:
            yield _joined(held, batch)
            return
        yield held


def _and_none(batches: Iterable[list]) -> Iterator[Any]:
    yield from batches
    yield None


def _joined(batch: list, last: list) -> list:
    """Two batches as one, the pool's points of both at its end."""
    parts = [torch.as_tensor(part) for part in batch if not isinstance(part, int)]
    more = [torch.as_tensor(part) for part in last if not isinstance(part, int)]
    n_first, n_more = _n_pool(batch), _n_pool(last)
    joined = [
        torch.cat(
            [
                one[: len(one) - n_first],
                other[: len(other) - n_more],
                one[len(one) - n_first :],
                other[len(other) - n_more :],
            ]
        )
        for one, other in zip(parts, more, strict=True)
    ]
    return [*joined, n_first + n_more] if n_first + n_more else joined


def _part(batch: list, rank: int, count: int) -> list:
    n_pool = _n_pool(batch)
    cut = len(batch[0]) - n_pool
    # Odd samples go to other processes in the pool than among the labelled ones.
    pooled = np.arange(cut + (rank + cut) % count, cut + n_pool, count)
    rows = torch.from_numpy(np.concatenate([np.arange(rank, cut, count), pooled]))
    parts = [torch.as_tensor(part)[rows] for part in batch if not isinstance(part, int)]
    return [*parts, len(pooled)] if isinstance(batch[-1], int) else parts


def _n_pool(batch: list) -> int:
    return batch[-1] if isinstance(batch[-1], int) else 0


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _statistics(module: nn.Module) -> list[Tensor]:
    return [buffer for buffer in module.buffers() if buffer.is_floating_point()]


def _digest(X: Any, y: Any) -> tuple:
    shape = tuple(getattr(X, "shape", (len(y),)))
    checksum = 0
    if not isinstance(X, FreshRows):  # whose rows are read, and drawn, when it is their turn
        some = np.asarray(X[:: max(1, len(y) // _LOOKED_AT)])
        checksum = zlib.crc32(np.ascontiguousarray(some).tobytes())
    return shape, zlib.crc32(np.ascontiguousarray(y).tobytes()), checksum


def _accelerate() -> Any:
    return optional_import(
        "accelerate.utils", what="Training on several processes", extra="accelerate"
    )
