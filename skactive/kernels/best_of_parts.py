"""The highest scores of a pool that comes in parts, merged in any order: the picks of `top_k`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Marked:
    """Ascending positions among n rows, as a list where they are few and as bits where not.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.best_of_parts import Marked
    >>> marked = Marked(np.array([False, True, True]))
    >>> len(marked), marked.positions()
    (2, array([1, 2]))
    """

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        self._n, self._count = len(mask), int(np.count_nonzero(mask))
        packed = 64 * self._count > len(mask)  # an int64 for each is more than a bit for all
        self._held: NDArray = np.packbits(mask) if packed else np.flatnonzero(mask)
        self._packed = packed

    @classmethod
    def at(cls, positions: NDArray[np.intp]) -> Marked:
        """These positions, ascending; at least one."""
        mask = np.zeros(int(positions[-1]) + 1, dtype=bool)
        mask[positions] = True
        return cls(mask)

    def __len__(self) -> int:
        return self._count

    def positions(self) -> NDArray[np.intp]:
        """All of them, ascending."""
        if not self._packed:
            return self._held
        return np.flatnonzero(np.unpackbits(self._held, count=self._n))


@dataclass(frozen=True)
class Entries:
    """Some rows of one part: where they are in it, their scores and, if wanted, what they hold."""

    part: int
    at: NDArray[np.intp]
    scores: NDArray
    rows: Any = None

    def where(self, keep: NDArray[np.bool_], take: Callable[[Any, NDArray], Any]) -> Entries:
        """Those that are kept."""
        if keep.all():
            return self
        at = np.flatnonzero(keep)
        rows = None if self.rows is None else take(self.rows, at)
        return Entries(self.part, self.at[at], self.scores[at], rows)


@dataclass(frozen=True)
class Crowd:
    """Many rows of one part that share one score."""

    part: int
    score: Any
    marked: Marked


@dataclass(frozen=True)
class Best:
    """The k highest scores of some parts of a pool, and all that tie with the lowest of them.

    Parts may be merged in any order and any tree: `picked` is then what `top_k` picks of all
    scores at once, by the same draws.

    Attributes
    ----------
    k : int
    n : int
        How many rows were looked at.
    entries : tuple of Entries
        Rows above the cut, and those at it unless they are many.
    crowds : tuple of Crowd
        Rows at the cut, where they are many.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.best_of_parts import Best
    >>> from skactive.kernels.selection import top_k
    >>> scores = np.array([0.1, 0.9, 0.5, 0.9, 0.2])
    >>> merged = Best.of(scores[:2], 2, part=0).merged(Best.of(scores[2:], 2, part=1))
    >>> parts, at, values = merged.picked(np.random.default_rng(0))
    >>> (parts * 2 + at).tolist() == top_k(scores, 2, np.random.default_rng(0)).tolist()
    True
    """

    k: int
    n: int
    entries: tuple[Entries, ...] = ()
    crowds: tuple[Crowd, ...] = ()

    @classmethod
    def of(
        cls,
        scores: NDArray,
        k: int,
        part: int,
        at: NDArray[np.intp] | None = None,
        rows: Callable[[NDArray[np.intp]], Any] | None = None,
    ) -> Best:
        """The best of one part.

        Parameters
        ----------
        scores : ndarray of shape (n,)
            No NaN.
        k : int
        part : int
            Number of the part.
        at : ndarray of int, ascending, or None, default=None
            Where the rows scored are in the part; ``None``: they are all of it.
        rows : callable or None, default=None
            Gives the rows at some of these positions, to be carried along.
        """
        at = np.arange(len(scores)) if at is None else at
        keep = np.ones(len(scores), dtype=bool)
        crowds: tuple[Crowd, ...] = ()
        if 0 < k <= len(scores):
            cut = np.partition(scores, len(scores) - k)[len(scores) - k]
            keep, tied = scores >= cut, scores == cut
            if np.count_nonzero(tied) > k:
                crowds = (Crowd(part, cut, Marked.at(at[tied])),)
                keep = scores > cut
        held = rows(at[keep]) if rows is not None and keep.any() else None
        return cls(k, len(scores), (Entries(part, at[keep], scores[keep], held),), crowds)

    def merged(self, *others: Best, take: Callable[[Any, NDArray], Any] | None = None) -> Best:
        """The best of all these parts.

        Parameters
        ----------
        *others : Best
            Of other parts.
        take : callable or None, default=None
            Takes positions of what is carried along; needed if rows are.
        """
        every = (self, *others)
        entries = tuple(entry for best in every for entry in best.entries if len(entry.at))
        crowds = tuple(crowd for best in every for crowd in best.crowds)
        whole = Best(self.k, sum(best.n for best in every), entries, crowds)
        return whole._pruned(take or _no_rows)

    def _cut(self) -> Any:
        """The k-th highest score; None where there are fewer."""
        scores = [entry.scores for entry in self.entries]
        scores += [np.repeat(crowd.score, min(self.k, len(crowd.marked))) for crowd in self.crowds]
        values = np.concatenate(scores) if scores else np.empty(0)
        if not 0 < self.k <= len(values):
            return None
        return np.partition(values, len(values) - self.k)[len(values) - self.k]

    def _pruned(self, take: Callable[[Any, NDArray], Any]) -> Best:
        cut = self._cut()
        if cut is None:
            return self
        entries = [entry.where(entry.scores >= cut, take) for entry in self.entries]
        crowds = [crowd for crowd in self.crowds if crowd.score == cut]
        n_tied = sum(int((entry.scores == cut).sum()) for entry in entries)
        if n_tied > self.k:
            for entry in entries:
                tied = entry.at[entry.scores == cut]
                if len(tied):
                    crowds.append(Crowd(entry.part, cut, Marked.at(tied)))
            entries = [entry.where(entry.scores > cut, take) for entry in entries]
        return Best(self.k, self.n, tuple(e for e in entries if len(e.at)), tuple(crowds))

    def picked(
        self,
        rng: np.random.Generator,
        order: Callable[[NDArray, NDArray], NDArray] | None = None,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray]:
        """What `top_k` picks of all scores, best first.

        Parameters
        ----------
        rng : numpy.random.Generator
            Decides between equal scores, by the draws of `top_k`.
        order : callable or None, default=None
            Where a row comes among all, of its part and its position there; ``None``: by part, then
            by position.

        Returns
        -------
        parts, at : ndarray of shape (k,), dtype intp
        scores : ndarray of shape (k,)
        """
        cut = self._cut()
        scores = np.concatenate([entry.scores for entry in self.entries] or [np.empty(0)])
        parts = _repeated([(entry.part, len(entry.at)) for entry in self.entries])
        at = np.concatenate([entry.at for entry in self.entries] or [np.empty(0, np.intp)])
        if not len(scores) and self.crowds:
            scores = scores.astype(np.asarray(self.crowds[0].score).dtype)
        above = scores > cut
        winners = _sorted(parts[above], at[above], scores[above], order)
        tied = self._tied(parts[~above], at[~above], cut, order)
        ordinals = rng.choice(len(tied), self.k - len(winners[0]), replace=False, shuffle=False)
        turn = rng.permutation(self.k)
        drawn = tied.at(ordinals)
        parts, at = (np.concatenate(both) for both in zip(winners, drawn, strict=False))
        scores = np.concatenate(
            [winners[2], np.repeat(np.asarray(cut, scores.dtype), len(ordinals))]
        )
        by_score = np.lexsort((turn, scores))[::-1]
        return parts[by_score], at[by_score], scores[by_score]

    def _tied(self, parts: NDArray, at: NDArray, cut: Any, order: Any) -> _Ties:
        lists = [(int(part), at[parts == part]) for part in np.unique(parts)]
        lists += [(crowd.part, crowd.marked) for crowd in self.crowds]
        return _Ties(lists, order)


class _Ties:
    """Rows with one score, in the order of the pool, looked up by their number in it."""

    def __init__(self, lists: Sequence[tuple[int, Any]], order: Any) -> None:
        self._lists = sorted(lists, key=lambda item: item[0])
        self._ends = np.cumsum([len(found) for _, found in self._lists], dtype=np.intp)
        self._sorted: tuple[NDArray, ...] | None = None
        if order is not None:
            parts = _repeated([(part, len(found)) for part, found in self._lists])
            at = np.concatenate([_positions(f) for _, f in self._lists] or [np.empty(0, np.intp)])
            self._sorted = _sorted(parts, at, at, order)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def at(self, ordinals: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Parts, and positions within them, of those that come at some places among all."""
        if self._sorted is not None:
            return self._sorted[0][ordinals], self._sorted[1][ordinals]
        which = np.searchsorted(self._ends, ordinals, side="right")
        parts, at = np.empty((2, len(ordinals)), dtype=np.intp)
        for i in np.unique(which):
            part, found = self._lists[i]
            chosen = which == i
            parts[chosen] = part
            start = self._ends[i] - len(found)
            at[chosen] = _positions(found)[ordinals[chosen] - start]
        return parts, at


def _positions(found: Any) -> NDArray[np.intp]:
    return found.positions() if isinstance(found, Marked) else found


def _repeated(counts: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    numbers = np.array(counts, dtype=np.intp).reshape(-1, 2)
    return np.repeat(numbers[:, 0], numbers[:, 1])


def _sorted(parts: NDArray, at: NDArray, scores: NDArray, order: Any) -> tuple[NDArray, ...]:
    """Rows in the order of the pool."""
    by = np.lexsort((at, parts)) if order is None else np.argsort(order(parts, at), kind="stable")
    return parts[by], at[by], scores[by]


def _no_rows(rows: Any, at: NDArray) -> Any:
    raise TypeError("Rows are carried along: pass take=.")
