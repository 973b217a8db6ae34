"""Paired timing: one thread, CPU seconds, variants interleaved in random order."""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

_SHORT = 0.02  # seconds: what is faster is run several times in a round
Rows = Callable[[bool], "Iterator[Row]"]


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` is the peer's time over ours, or allowed over used."""

    kernel: str
    peer: str
    bar: float | None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    ours: float | None = None
    theirs: float | None = None
    rounds: int = 0
    results: str = ""
    unit: str = "CPU s"

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, ``absent``, ``failed``, or nothing where there is no bar."""
        if self.ratio is None:
            return self.results.split(":")[0]
        if self.results.startswith("differ"):
            return "missed"
        if self.bar is None:
            return ""
        return "met" if self.ratio >= self.bar else "missed"


@dataclass(frozen=True)
class Peer:
    """What ours is compared with.

    ``check(ours, theirs)`` raises when the results differ and returns how they agree.
    ``scale``: how many times the work that is timed the row is about; it is then a sample of it.
    """

    name: str
    run: Callable[[], Any]
    bar: float | None
    check: Callable[[Any, Any], str]
    scale: float = 1.0


def installed(module: str) -> bool:
    """Whether a peer can be imported."""
    return importlib.util.find_spec(module) is not None


def absent(kernel: str, peer: str, bar: float | None) -> Row:
    """The row of a peer that is not installed."""
    return Row(kernel, peer, bar, results="absent: not installed")


def within(kernel: str, limit: str, allowed: float, used: float, unit: str) -> Row:
    """The row of something that must not exceed a limit."""
    return Row(kernel, limit, 1.0, allowed / used, ours=used, theirs=allowed, rounds=1, unit=unit)


def paired(
    kernel: str,
    ours: Callable[[], Any],
    peers: list[Peer],
    rounds: int = 5,
    budget: float = 60.0,
) -> Iterator[Row]:
    """Time `ours` and `peers` in every round; one row per peer, medians over the rounds.

    There are `rounds` of them, or fewer once they took `budget` CPU seconds together.
    """
    variants = {"": ours, **{peer.name: peer.run for peer in peers}}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    agreement: dict[str, str] = {}
    rng = np.random.default_rng(0)
    begin = time.process_time()
    with threadpool_limits(1):
        first = {name: _timed(run, 1) for name, run in variants.items()}
        repeats = {name: max(1, math.ceil(_SHORT / max(s, 2e-5))) for name, (s, _) in first.items()}
        cold = {name: spent for name, (spent, _) in first.items() if spent > budget / 4}
        while len(seconds[""]) < rounds:
            results = {}
            for name in rng.permutation(list(variants)):
                if name in cold:  # too long to be warmed up: the first time counts
                    seconds[name].append(cold.pop(name))
                    results[name] = first[name][1]
                else:
                    spent, results[name] = _timed(variants[name], repeats[name])
                    seconds[name].append(spent)
            for peer in peers:
                agreement[peer.name] = _agreement(peer, results[""], results[peer.name])
            if time.process_time() - begin > budget:
                break
    for peer in peers:
        theirs = np.array(seconds[peer.name]) * peer.scale
        ratios = theirs / np.array(seconds[""])
        yield Row(
            kernel,
            peer.name,
            peer.bar,
            float(np.median(ratios)),
            float(ratios.min()),
            float(ratios.max()),
            float(np.median(seconds[""])),
            float(np.median(theirs)),
            len(ratios),
            agreement[peer.name],
        )


def _timed(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    start = time.process_time()
    for _ in range(repeats):
        result = run()
    return (time.process_time() - start) / repeats, result


def _agreement(peer: Peer, ours: Any, theirs: Any) -> str:
    try:
        return peer.check(ours, theirs)
    except AssertionError as error:
        return f"differ: {' '.join(str(error).split())[:200]}"


def same_picks(ours: Any, theirs: Any) -> str:
    """Equal sets of picks; says so if the order is equal too."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    common = len(np.intersect1d(ours, theirs))
    assert common == len(ours) == len(theirs), f"{common} of {len(ours)} picks in common"
    return "equal picks, in order" if np.array_equal(ours, theirs) else "equal picks"


def close(rtol: float, atol: float = 0.0) -> Callable[[Any, Any], str]:
    """Check that values agree to a tolerance."""

    def check(ours: Any, theirs: Any) -> str:
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)
        return f"equal to {max(rtol, atol):g}"

    return check


_HEADER = ("kernel", "peer", "bar", "ratio", "spread", "skactive", "peer's", "results", "")


def cells(row: Row) -> tuple[str, ...]:
    """A row as the table shows it."""
    spread = f"{row.low:.3g}–{row.high:.3g}" if row.rounds > 1 and row.low is not None else ""
    return (
        row.kernel,
        row.peer,
        "" if row.bar is None else f"{row.bar:g}×",
        "" if row.ratio is None else f"{row.ratio:.3g}×",
        spread,
        "" if row.ours is None else f"{row.ours:.3g} {row.unit}",
        "" if row.theirs is None else f"{row.theirs:.3g} {row.unit}",
        row.results,
        row.verdict,
    )


def markdown(rows: list[Row]) -> str:
    """The table in Markdown."""
    from skactive.utils.reports import markdown_table  # not before what peers take is measured

    return markdown_table(_HEADER, map(cells, rows)) + "\n"


def show(row: Row) -> None:
    """Print a row as soon as it is known."""
    kernel, peer, bar, ratio, spread, ours, theirs, results, verdict = cells(row)
    print(
        f"{kernel:<44} {peer:<26} bar {bar or '–':>6} {ratio:>8} {spread:>13} "
        f"{ours:>14} {theirs:>14}  {verdict:<7} {results}",
        flush=True,
    )


def run_alone(rows: Rows) -> None:
    """Run one script: ``python -m benchmarks.bench_…``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds")
    quick = parser.parse_args().quick
    for row in rows(quick):
        show(row)
