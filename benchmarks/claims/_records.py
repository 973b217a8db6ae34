"""Records: which command made a results file, when, where, and with which code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import ROOT
from ._digests import file_digest, functions_in, functions_of, is_code

RESULTS = Path("docs/results")
MADE = RESULTS / "made"
CHEAP = 60.0  # CPU seconds
NOT_RESULTS = re.compile(r"/made/|\.new$|\.sha256$")


@dataclass
class Run:
    """One run of a record's command.

    ``code`` has, for each file of the repository of which a function ran, the digest of those
    that did, see `digest_of_functions`, or of the whole file; ``unknown`` says what of a run, made
    before records were kept, is not known; ``stopped``, that it was before its end.
    """

    date: str
    commit: str
    code: dict[str, str]
    seconds: float | None = None
    cpu_seconds: float | None = None
    threads: int | None = None
    machine: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    unknown: str = ""
    stopped: bool = False

    def changed(self, root: Path = ROOT) -> dict[str, str]:
        """Digests of the code that ran and is another today, by path."""
        return {path: said for path, said in self.code.items() if not _is_today(root, path, said)}


@dataclass
class Sample(Run):
    """A run that made some rows of a result again, the same ones.

    ``rows`` of the ``of`` rows that stand in the files were made by ``command``; ``tables`` are the
    files that were compared, none for all tables of the record. ``covers`` says
    that it ran all that the record's command runs, for fewer seeds or less data: what it did not
    run has no part in the result. ``beside`` is the commit whose code was run beside it and made
    the same rows, instead of those that stand; ``then``, which of the record's digests are of that
    commit's code and not of today's: it stands for those only.
    """

    command: str = ""
    tables: list[str] = field(default_factory=list)
    rows: int = 0
    of: int = 0
    covers: bool = False
    beside: str = ""
    then: dict[str, list[str]] = field(default_factory=dict)

    def stands_for(self, root: Path, path: str, said: str) -> bool:
        """Whether it ran, as it is today, what another run had run of a file and is still there."""
        if path not in self.code or (self.beside and said not in self.then.get(path, [])):
            return False
        mine = self.code[path]
        if not _is_today(root, path, mine):
            return False
        not_run = {*functions_of(said)} - {*functions_of(mine)}
        return self.covers or "|" not in mine or not_run.isdisjoint(functions_in(root / path))


@dataclass
class Record:
    """What is known of results files that one command made.

    Attributes
    ----------
    name : str
    command : str
        From the root of the repository; ``docs/results/…`` in it is where it writes.
    files : dict of str to str
        Digests of the files in ``docs/results``, by path there; empty for one that is still being
        measured, whose rows say themselves what they were made with.
    seeds : list of int
    rerun : {"cheap", "dear", "timed"}
        ``"cheap"``: under a minute of CPU time; ``"timed"``: its figures are times, which no other
        run repeats.
    tolerance : float
        By how much another run's numbers may differ; columns of times are never compared.
    runs : list of Run
        More than one where a run went on with what an earlier one had left.
    confirmed : list of Sample
        Later runs of a part, whose rows were those that stand.
    """

    name: str
    command: str
    files: dict[str, str]
    seeds: list[int] = field(default_factory=list)
    rerun: str = "dear"
    tolerance: float = 0.0
    runs: list[Run] = field(default_factory=list)
    confirmed: list[Sample] = field(default_factory=list)

    def save(self, root: Path = ROOT) -> None:
        """Write it to ``docs/results/made``."""
        path = root / MADE / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def edited(self, root: Path = ROOT) -> list[str]:
        """Files that are not as the command left them."""
        paths = {name: root / RESULTS / name for name in self.files}
        return [
            name
            for name, digest in self.files.items()
            if not paths[name].is_file() or (digest and file_digest(paths[name]) != digest)
        ]

    def changed(self, root: Path = ROOT) -> list[str]:
        """Files whose code is another today than when it made these numbers, or confirmed them."""
        return sorted({path for run in self.runs for path in self.unconfirmed(run, root)})

    def unconfirmed(self, run: Run, root: Path = ROOT) -> list[str]:
        """Files of a run whose code is another today than it had, and that no sample ran since."""
        covering = [sample.code for sample in self.confirmed if sample.covers]
        return [
            path
            for path, said in run.changed(root).items()
            if not any(sample.stands_for(root, path, said) for sample in self.confirmed)
            and (not covering or any(path in code for code in covering))
        ]


@lru_cache(maxsize=16384)
def _is_today(root: Path, path: str, said: str) -> bool:
    return is_code(root / path, said)


def load(name: str, root: Path = ROOT) -> Record | None:
    """The record of that name, if there is one."""
    path = root / MADE / f"{name}.json"
    return _read(path) if path.exists() else None


def known(name: str) -> Record:
    """The record of that name; the command ends where there is none."""
    record = load(name)
    if record is None:
        raise SystemExit(f"There is no record {name!r}: see docs/results/made.")
    return record


def records(root: Path = ROOT) -> Iterator[Record]:
    """All of them, by name."""
    for path in sorted((root / MADE).glob("*.json")):
        yield _read(path)


def _read(path: Path) -> Record:
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    runs = [Run(**run) for run in stored["runs"]]
    confirmed = [Sample(**sample) for sample in stored.get("confirmed", [])]
    return Record(**{**stored, "runs": runs, "confirmed": confirmed})


def unrecorded(root: Path = ROOT) -> list[str]:
    """Results files that no record has."""
    known = {name for record in records(root) for name in record.files}
    here = (path for path in (root / RESULTS).rglob("*") if path.is_file())
    return sorted(
        path.relative_to(root / RESULTS).as_posix()
        for path in here
        if not NOT_RESULTS.search(path.as_posix())
        and path.relative_to(root / RESULTS).as_posix() not in known
    )
