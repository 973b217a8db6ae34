"""SHA-256 of much data, by several threads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

BLOCK = 1 << 22  # bytes hashed on their own
_AHEAD = 4  # blocks under way at once


class ParallelHash:
    """SHA-256 of the SHA-256 of each `BLOCK` bytes: hashed while the next are read or written.

    Of data up to one block it is plain SHA-256. What is passed must not change until `wait` or
    `hexdigest`; little memory is held beside it.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._blocks: list[bytes] = []
        self._under_way: list[Future[bytes]] = []
        self._pool: ThreadPoolExecutor | None = None

    def update(self, data: Any) -> None:
        """Add bytes."""
        view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        if self._rest:
            n = min(BLOCK - len(self._rest), len(view))
            self._rest += view[:n]
            view = view[n:]
            if len(self._rest) == BLOCK:
                self._hash(bytes(self._rest))
                self._rest.clear()
        whole = len(view) - len(view) % BLOCK
        for at in range(0, whole, BLOCK):
            self._hash(view[at : at + BLOCK])
        self._rest += view[whole:]

    def windows(self, data: memoryview) -> Iterator[memoryview]:
        """Parts of bytes that are to come, cut so that `update` need not copy them together."""
        at = 0
        while at < len(data):
            end = at + BLOCK - len(self._rest)
            yield data[at:end]
            at = end

    def _hash(self, block: Any) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AHEAD)
        self._under_way.append(self._pool.submit(_sha256, block))
        if len(self._under_way) > _AHEAD:
            self._blocks.append(self._under_way.pop(0).result())

    def wait(self) -> None:
        """Return when all that was passed may change."""
        self._blocks += [future.result() for future in self._under_way]
        self._under_way = []

    def hexdigest(self) -> str:
        """The digest, in hexadecimal digits."""
        self.wait()
        if self._pool is not None:
            self._pool.shutdown()
        if not self._blocks:
            return hashlib.sha256(self._rest).hexdigest()
        blocks = [*self._blocks, _sha256(self._rest)] if self._rest else self._blocks
        return blocks[0].hex() if len(blocks) == 1 else _sha256(b"".join(blocks)).hex()


def _sha256(block: Any) -> bytes:
    return hashlib.sha256(block).digest()
