"""Rows that the parts of a pool propose, and a random sample of it, merged in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NEVER = np.inf  # the key of a row that is not in the sample


@dataclass(frozen=True)
class Piece:
    """Rows of one part: where they are, which are proposed, and their keys in the sample."""

    part: int
    at: NDArray[np.intp]
    proposed: NDArray[np.bool_]
    keys: NDArray[np.float64]
    rows: Any

    def below(self, cut: float, take: Callable[[Any, NDArray], Any]) -> Piece | None:
        """What is proposed, or has a key up to `cut`; None if nothing is."""
        sampled = self.keys <= cut
        keys = np.where(sampled, self.keys, _NEVER)
        keep = np.flatnonzero(self.proposed | (sampled & (keys < _NEVER)))
        if len(keep) == len(self.at):
            return Piece(self.part, self.at, self.proposed, keys, self.rows)
        if not len(keep):
            return None
        rows = take(self.rows, keep)
        return Piece(self.part, self.at[keep], self.proposed[keep], keys[keep], rows)


@dataclass(frozen=True)
class Proposals:
    """Proposed rows of some parts, and a uniform random sample of all their rows.

    Parts may be merged in any order and any tree: all proposals stay, and of the sample the
    `size` rows of smallest key.

    Attributes
    ----------
    size : int
        Rows of the sample.
    pieces : tuple of Piece

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.proposals import Proposals
    >>> X, rng = np.arange(10.0), np.random.default_rng(0)
    >>> one = Proposals.of(0, np.array([3]), 5, 2, rng, X[:5].__getitem__)
    >>> other = Proposals.of(1, np.array([0]), 5, 2, rng, X[5:].__getitem__)
    >>> merged = one.merged(other, take=np.take)
    >>> parts, at = merged.where()
    >>> {(0, 3), (1, 0)} <= set(zip(parts.tolist(), at.tolist()))
    True
    >>> 2 <= len(parts) <= 4
    True
    """

    size: int
    pieces: tuple[Piece, ...]

    @classmethod
    def of(
        cls,
        part: int,
        chosen: NDArray[np.intp],
        n: int,
        size: int,
        rng: np.random.Generator,
        rows: Callable[[NDArray[np.intp]], Any],
        at: NDArray[np.intp] | None = None,
    ) -> Proposals:
        """What one part proposes, and its share of the sample.

        Parameters
        ----------
        part : int
        chosen : ndarray of int
            Proposed rows, among the `n` of the part.
        n : int
        size : int
            Rows of the whole sample.
        rng : numpy.random.Generator
            Of this part.
        rows : callable
            Gives rows at positions in the part.
        at : ndarray of int, ascending, or None, default=None
            Where the `n` rows are in the part; ``None``: they are all of it.
        """
        keys = np.full(n, _NEVER)
        if size:
            drawn = rng.random(n)
            kept = np.argpartition(drawn, size)[:size] if size < n else np.arange(n)
            keys[kept] = drawn[kept]
        proposed = np.zeros(n, dtype=bool)
        proposed[chosen] = True
        keep = np.flatnonzero(proposed | (keys < _NEVER))
        where = keep if at is None else at[keep]
        return cls(size, (Piece(part, where, proposed[keep], keys[keep], rows(where)),))

    def merged(self, *others: Proposals, take: Callable[[Any, NDArray], Any]) -> Proposals:
        """What all these parts propose.

        Parameters
        ----------
        *others : Proposals
            Of other parts.
        take : callable
            Takes positions of rows.
        """
        pieces = [piece for each in (self, *others) for piece in each.pieces]
        keys = np.concatenate([piece.keys for piece in pieces])
        cut = 1.0 if self.size else -np.inf  # keys lie below 1
        if 0 < self.size <= len(keys):
            cut = min(cut, np.partition(keys, self.size - 1)[self.size - 1])
        kept = [piece.below(cut, take) for piece in pieces]
        return Proposals(self.size, tuple(piece for piece in kept if piece is not None))

    def where(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Parts, and positions in them, of all rows that are left."""
        parts = [np.full(len(piece.at), piece.part, dtype=np.intp) for piece in self.pieces]
        return np.concatenate(parts), np.concatenate([piece.at for piece in self.pieces])
