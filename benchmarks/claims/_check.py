"""All that can be wrong with figures: what fails, and what is only said."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from . import ROOT
from ._numbers import uncovered
from ._pages import check_page, pages
from ._records import RESULTS, Record, records, unrecorded
from ._rerun import differences

# Other versions of these may move a number.
_MATTER = ("torch", "numpy", "scipy", "scikit-learn", "skorch", "torchvision")


@dataclass
class Findings:
    """What `check` found.

    Attributes
    ----------
    wrong : list of str
        Fails: edited or uncovered numbers, edited or unrecorded results, cheap results that differ.
    stale : list of str
        Results of code that has changed, and what became of it; no failure.
    """

    wrong: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)


def check(root: Path = ROOT, *, budget: float = 60, everything: bool = False) -> Findings:
    """Look at all pages and results.

    Parameters
    ----------
    root : Path
    budget : float, default=60
        CPU seconds for cheap results: those whose code or versions changed are run again, shortest
        first, as long as they fit by what they took.
    everything : bool, default=False
        Run all cheap results again, changed or not.
    """
    found = Findings()
    for page in pages(root):
        found.wrong += map(str, check_page(page, root))
        found.wrong += map(str, uncovered(page, root))
    found.wrong += [f"{RESULTS}/{name} has no record" for name in unrecorded(root)]
    todo = []
    for record in records(root):
        found.wrong += [f"{RESULTS}/{name} was edited" for name in record.edited(root)]
        why = _why(record, root)
        if record.rerun == "cheap" and (why or everything):
            todo.append((record, why))
        elif why:
            found.stale.append(f"{record.name} ({record.rerun}): {why}")
    for record, why in sorted(todo, key=lambda pair: pair[0].runs[-1].cpu_seconds or 0.0):
        budget -= record.runs[-1].cpu_seconds or 0.0
        _again(record, why, root, found, run=budget >= 0 or everything)
    return found


def _again(record: Record, why: str, root: Path, found: Findings, *, run: bool) -> None:
    if not run:
        found.stale.append(f"{record.name} (cheap, not run again for want of time): {why}")
    elif differs := differences(record, root):
        found.wrong += [f"{record.name}: {what}; {why}" for what in differs[:5]]
    elif why:
        found.stale.append(f"{record.name} (cheap, run again: the same numbers): {why}")


def _why(record: Record, root: Path) -> str:
    changed = record.changed(root)
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return f"changed since {record.runs[-1].commit}: {', '.join(changed[:3])}{more}"
    return _other_versions(record)


def _other_versions(record: Record) -> str:
    from importlib import metadata

    was = [*record.runs, *record.confirmed][-1].versions
    now = {name: metadata.version(name) for name in _MATTER if name in was}
    return ", ".join(f"{n} {was[n]}, now {v}" for n, v in now.items() if was[n] != v)
