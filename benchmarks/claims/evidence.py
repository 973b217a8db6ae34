"""The page that says what was measured when, on which code, and what changed since."""

from __future__ import annotations

from pathlib import Path

from skactive.utils.reports import markdown_table

from . import ROOT
from ._records import Record, Sample, records, unrecorded

PAGE = Path("docs/evidence.md")
_SHOWN = 12  # files of changed code that are named
_HEAD = """# Evidence

What was measured when, on which code, and what changed since. This page is made when the
documentation is built, by `python -m benchmarks.claims evidence`, from the records beside the
results (`docs/results/made`) and today's code.

Numbers on pages are not typed: they are taken from results files. The tests fail when one differs
from its file, when a results file differs from its record, and when a cheap result (under a minute)
can no longer be repeated. Dear results are not repeated by the tests. Where code that made one has
changed, it is listed here as it is: "changed" says that functions that ran for it, or what stands
outside of functions in their files, are not the same today, comments and docstrings apart; of
results made before functions were told apart, that the files are not. It does not say that the
numbers moved. "Confirmed" says that changed code made some of the rows again, in another folder,
and that they were those that stand, times left out: a sample, not all. "Beside" a commit: the code
that had made the result and today's ran the same command, on less data and on one machine, and
wrote the same rows, to the last digit."""


def write(root: Path = ROOT) -> Path:
    """Write the page, if that changes it."""
    path, text = root / PAGE, page(root)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def page(root: Path = ROOT) -> str:
    """The page's Markdown."""
    found = list(records(root))
    stale = [record for record in found if record.changed(root)]
    results = ["## Results", _table(found, root), _total(found)]
    parts = [_HEAD, *results, "## Changed since", _changes(stale, root)]
    if left := unrecorded(root):
        parts += ["## Without a record", "\n".join(f"- `{name}`" for name in left)]
    return "\n\n".join(parts) + "\n"


def status(record: Record, root: Path = ROOT) -> str:
    """Whether the code is still that which made it, in a few words."""
    if record.edited(root):
        return "edited by hand"
    if changed := record.changed(root):
        return f"changed ({len(changed)} files)"
    return "; ".join(map(_sample, record.confirmed)) or "same code"


def _sample(sample: Sample) -> str:
    rows = f"{sample.rows} of {sample.of} rows"
    if sample.beside:
        rows = f"{sample.rows} rows beside `{sample.beside}`"
    return f"confirmed {sample.date[:10]} at `{sample.commit}`: {rows}"


def _table(found: list[Record], root: Path) -> str:
    head = ["result", "made by", "when", "commit", "seeds", "threads", "took", "status"]
    return markdown_table(head, [_line(record, root) for record in found])


def _total(found: list[Record]) -> str:
    runs = [run for record in found for run in record.runs]
    again = [run for record in found for run in record.confirmed]
    made, confirmed = (_duration(sum(run.cpu_seconds or 0.0 for run in of)) for of in (runs, again))
    unknown = sum(run.cpu_seconds is None for run in runs)
    said = f", {unknown} runs left out of which nobody noted it" if unknown else ""
    return f"CPU time of all together: {made} to make them{said}, and {confirmed} to confirm them."


def _line(record: Record, root: Path) -> list[str]:
    last = record.runs[-1]
    seconds = sum_of(record)
    return [
        f"`{record.name}`",
        f"`{record.command}`",
        last.date,
        f"`{last.commit}`",
        ", ".join(map(str, record.seeds)) or "–",
        str(last.threads or "not recorded"),
        _duration(seconds) if seconds else "not recorded",
        status(record, root),
    ]


def sum_of(record: Record) -> float:
    """Seconds of all runs of which they are known: of CPU time where no others are."""
    return sum(run.seconds or run.cpu_seconds or 0.0 for run in record.runs)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _changes(stale: list[Record], root: Path) -> str:
    if not stale:
        return "Nothing: every result was made by the code as it is."
    return "\n\n".join(_change(record, root) for record in stale)


def _change(record: Record, root: Path) -> str:
    cost = {"cheap": "cheap", "dear": "dear", "timed": "times, repeated by hand"}[record.rerun]
    last = record.runs[-1]
    about = f"{last.machine or 'machine not recorded'}; " + (
        ", ".join(f"{k} {v}" for k, v in last.versions.items()) or "versions not recorded"
    )
    said = f" {last.unknown}." if last.unknown else ""
    said += " Stopped before its end." if last.stopped else ""
    changed = record.changed(root)
    files = ", ".join(f"`{path}`" for path in changed[:_SHOWN])
    files += f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return f"**{record.name}** ({cost}). {about}.{said} Changed: {files}."
