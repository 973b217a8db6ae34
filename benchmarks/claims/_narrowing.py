"""Digests of whole files, narrowed to the functions that make a result; no number is made again.

Today's code runs a part of the command, to say which functions make the result. Where these, and
what stands outside of functions in their files, were the same when the result was made, the same
code ran then, whatever else has changed beside them: git has the files of that day.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from . import ROOT
from ._digests import code_digest, digest_of_functions, functions_of
from ._recording import timed_run
from ._records import Record, known
from ._rerun import elsewhere


def narrow(name: str, words: list[str]) -> Record:
    """Run a command that runs all kinds of code that made a result, and note which functions.

    Parameters
    ----------
    name : str
        Of the record.
    words : list of str
        As `record` takes them; what it says of `docs/results` goes elsewhere. What it does not
        run has no part in the result.

    Raises
    ------
    SystemExit
        If there is no such record, or nobody noted which functions ran.
    """
    record = known(name)
    with TemporaryDirectory() as folder:
        run = timed_run(elsewhere(words, folder))
    if run.stopped:
        raise KeyboardInterrupt
    if not any(map(functions_of, run.code.values())):
        raise SystemExit(
            "Which functions ran is not known: the command started other processes, in which "
            "nobody notes. Let it work in one."
        )
    for past in (*record.runs, *record.confirmed):
        past.code = {
            path: _narrowed(path, said, run.code[path])
            for path, said in past.code.items()
            if path in run.code
        }
    record.save()
    return record


def _narrowed(path: str, said: str, today: str) -> str:
    """The digest of the functions that run today, in the file as it was."""
    names = functions_of(today)
    if "|" in said or not names:
        return said
    for source in _versions(path):
        if code_digest(source) == said:
            return digest_of_functions(source, names)
    return said


def _versions(path: str) -> Iterator[bytes]:
    """A file as it was, the latest first."""
    found = subprocess.run(
        ["git", "log", "--format=%H", "--", path],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    for commit in found.stdout.split():
        shown = subprocess.run(
            ["git", "show", f"{commit}:{path}"], capture_output=True, cwd=ROOT, check=False
        )
        if not shown.returncode:  # else it was removed in that commit
            yield shown.stdout
