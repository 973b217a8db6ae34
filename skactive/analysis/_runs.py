"""Runs of a report of curves, each by the labels it bought itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._curves import area_under_budget_curve


class Run:
    """Scores of one strategy with one seed, by labels bought; of several with as many, the last.

    Parameters
    ----------
    points : list of CurvePoint
        One or more with a score.
    """

    def __init__(self, points: list[Any]) -> None:
        scored = sorted((p for p in points if not p.error), key=lambda p: p.n_labels)
        last = {p.n_labels: p for p in scored}
        self.failed = len(scored) < len(points)
        self.n_labels = np.array(list(last))
        self.scores = np.array([p.score for p in last.values()], dtype=float)
        self.cpu_s = np.array([p.cpu_s for p in last.values()], dtype=float)
        self.repeated = [n for n, times in Counter(p.n_labels for p in scored).items() if times > 1]

    @property
    def area(self) -> float:
        """Under its own points."""
        return area_under_budget_curve(self.n_labels, self.scores)

    def at(self, n_labels: NDArray) -> NDArray:
        """Scores at these numbers of labels, on straight lines; NaN outside of its own."""
        nan = float("nan")
        return np.interp(n_labels, self.n_labels, self.scores, left=nan, right=nan)


class Runs:
    """All runs of a report that have a score.

    A run is complete if it did not fail, has all its scores, starts with the fewest labels of its
    seed and buys the most of the report.

    Parameters
    ----------
    points : iterable of CurvePoint

    Attributes
    ----------
    budget : int
        The most labels that a run bought; 0 without runs.
    """

    def __init__(self, points: Iterable[Any]) -> None:
        of: dict[tuple[str, int], list[Any]] = {}
        for point in points:
            of.setdefault((point.strategy, point.seed), []).append(point)
        self._runs = {key: Run(own) for key, own in of.items() if not all(p.error for p in own)}
        self.budget = int(max((run.n_labels[-1] for run in self._runs.values()), default=0))
        self._starts: dict[int, int] = {}
        for (_, seed), run in self._runs.items():
            first = int(run.n_labels[0])
            self._starts[seed] = min(first, self._starts.get(seed, first))

    @property
    def stages(self) -> NDArray:
        """Labels of most runs that spent the budget; of as many, those of more stages."""
        grids = Counter(
            tuple(run.n_labels) for run in self._runs.values() if run.n_labels[-1] == self.budget
        )
        common = max(grids, key=lambda grid: (grids[grid], len(grid)), default=())
        return np.array(common, dtype=int)

    def start(self, seeds: Iterable[int]) -> int:
        """Labels with which the last of these seeds starts."""
        return max(self._starts[seed] for seed in seeds)

    def curve(self, strategy: str, seed: int, n_labels: NDArray) -> NDArray:
        """Scores at these numbers of labels; NaN where the run has none."""
        run = self._runs.get((strategy, seed))
        return np.full(len(n_labels), np.nan) if run is None else run.at(n_labels)

    def area(self, strategy: str, seed: int) -> float:
        """Area of a complete run, else NaN."""
        run = self._runs.get((strategy, seed))
        return float("nan") if run is None or self._lack(seed, run) else run.area

    def last(self, strategy: str, seed: int, field: str) -> float:
        """What a run that spent the budget has there, else NaN."""
        run = self._runs.get((strategy, seed))
        spent = run is not None and run.n_labels[-1] == self.budget
        return float(getattr(run, field)[-1]) if spent else float("nan")

    def notes(self) -> Iterator[str]:
        """Which runs have no area although they did not fail, and which scores count for one."""
        for (strategy, seed), run in self._runs.items():
            lack = self._lack(seed, run)
            if lack and not run.failed:
                yield f"{strategy}, seed {seed}: {lack}; it has no area."
            for n in run.repeated:
                yield f"{strategy}, seed {seed}: several scores with {n} labels; the last is taken."

    def _lack(self, seed: int, run: Run) -> str:
        """What keeps a run from being complete."""
        first, last, start = run.n_labels[0], run.n_labels[-1], self._starts[seed]
        missing = run.n_labels[~np.isfinite(run.scores)]
        if run.failed:
            return "it failed"
        if last < self.budget:
            return f"{last} of {self.budget} labels"
        if first > start:
            return f"starts with {first} labels, others of its seed with {start}"
        return f"no score with {missing[0]} labels" if len(missing) else ""
