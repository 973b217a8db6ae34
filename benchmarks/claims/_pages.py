"""Pages and their marks: ``<!-- claim: QUESTION -->what stands there<!-- /claim -->``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from . import ROOT, tables
from ._records import load
from ._results import ClaimError, answer

_MARK = re.compile(r"<!-- claim: (?P<question>.*?) -->(?P<text>.*?)<!-- /claim -->", re.DOTALL)
_TABLE = re.compile(r"(?P<name>\w+)\(\)")
_MADE = re.compile(r"made (?P<name>\S+)")
_OPEN, _CLOSE = re.compile(r"<!-- claim:"), re.compile(r"<!-- /claim -->")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a claim, and where."""

    page: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.what}"


def pages(root: Path = ROOT) -> list[Path]:
    """README, CHANGELOG and the pages of the documentation that people write."""
    found = [root / "README.md", root / "CHANGELOG.md", *sorted((root / "docs").glob("*.md"))]
    return [page for page in found if page.name != "evidence.md" and page.exists()]


def check_page(path: Path, root: Path = ROOT) -> list[Fault]:
    """Numbers that differ from their files, conditions that do not hold, marks out of place."""
    return [fault for fault, _ in _read(path, root) if fault is not None]


def write_page(path: Path, root: Path = ROOT) -> bool:
    """Put the numbers of the files into a page; whether that changed it."""
    before = path.read_text(encoding="utf-8")
    answers = iter([text for _, text in _read(path, root)])
    after = _MARK.sub(lambda mark: _filled(mark, next(answers, None)), before)
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def _filled(mark: re.Match, text: str | None) -> str:
    if text is None:
        return mark[0]
    return f"<!-- claim: {mark['question']} -->{text}<!-- /claim -->"


def _read(path: Path, root: Path) -> Iterator[tuple[Fault | None, str | None]]:
    """What is wrong with each claim, if anything, and what should stand there."""
    page, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
    if len(_OPEN.findall(page)) != len(_CLOSE.findall(page)):
        yield Fault(name, 1, "some claim is not closed: <!-- claim: … -->…<!-- /claim -->"), None
        return
    for mark in _MARK.finditer(page):
        line = page.count("\n", 0, mark.start()) + 1
        try:
            wanted = _answer(root, mark["question"], block=_begins_line(page, mark))
        except ClaimError as error:
            yield Fault(name, line, f"{mark['question']}: {error}"), None
            continue
        said = None
        if wanted is not None and wanted != mark["text"]:
            said = _difference(mark["text"], wanted)
        elif _starts_a_line(page, mark):
            said = "Markdown is not read on a line that starts with a mark"
        yield (Fault(name, line, f"{mark['question']}: {said}") if said else None), wanted


def _answer(root: Path, question: str, *, block: bool) -> str | None:
    """What should stand there; a table of its own paragraph where its mark begins a line."""
    table, made = _TABLE.fullmatch(question), _MADE.fullmatch(question)
    if made:
        return _made(root, made["name"])
    if table is None:
        return answer(root, question)
    function = getattr(tables, table["name"], None)
    if function is None:
        raise ClaimError(f"there is no table {table['name']} in benchmarks/claims/tables.py")
    try:
        text = function(root).strip()
    except (KeyError, ValueError, OSError) as error:
        raise ClaimError(f"{type(error).__name__}: {error}") from error
    return f"\n\n{text}\n\n" if block else text


def _made(root: Path, name: str) -> str:
    """When a result was made, and at which commit."""
    record = load(name, root)
    if record is None:
        raise ClaimError(f"there is no record {name!r} in docs/results/made")
    return f"{record.runs[-1].date[:10]}, commit {record.runs[-1].commit}"


def _starts_a_line(page: str, mark: re.Match) -> bool:
    """CommonMark takes a line that begins with a comment as HTML, to its end."""
    return not mark["text"].startswith("\n") and _begins_line(page, mark)


def _begins_line(page: str, mark: re.Match) -> bool:
    before = page[page.rfind("\n", 0, mark.start()) + 1 : mark.start()]
    return not before.strip(" -*")


def _difference(found: str, wanted: str) -> str:
    """The first line that differs."""
    lines = zip_longest(found.strip().splitlines(), wanted.strip().splitlines(), fillvalue="")
    old, new = next((pair for pair in lines if pair[0] != pair[1]), (found, wanted))
    return f"the page says {old!r}, the file {new!r}"


def without_claims(page: str) -> str:
    """A page with each claim blanked, its lines kept."""
    return _MARK.sub(lambda mark: "\n" * mark[0].count("\n"), page)
