"""Cheap results, made once more beside the old ones and compared."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import ROOT
from ._records import RESULTS, Record

# Columns that no second run repeats.
TIMES = re.compile(r"(_s|_ms|_mb|seconds|time|minutes|machine|commit|date|load)$|_time_")


def differences(record: Record, root: Path = ROOT, *, limit: float = 600) -> list[str]:
    """Run the record's command into another folder; what differs by more than its tolerance."""
    with TemporaryDirectory() as folder:
        words = elsewhere(shlex.split(record.command), folder)
        threads = {"OMP_NUM_THREADS": str(record.runs[-1].threads or 1), "PYTHONPATH": str(root)}
        try:
            done = subprocess.run(
                [sys.executable, *words[1:]],
                cwd=root,
                env={**os.environ, **threads},
                capture_output=True,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [f"took longer than {limit:.0f} seconds; it was {record.runs[-1].seconds:.0f}"]
        if done.returncode:
            return [f"its command fails: {done.stderr.strip().splitlines()[-1:]}"]
        return [
            f"{name}: {what}"
            for name in record.files
            for what in compare(root / RESULTS / name, Path(folder) / name, record.tolerance)
        ]


def elsewhere(words: list[str], folder: str) -> list[str]:
    """The command, writing to ``folder`` instead of `docs/results`."""
    return [
        word.replace(str(RESULTS), folder, 1) if word.startswith(str(RESULTS)) else word
        for word in words
    ]


def compare(old: Path, new: Path, tolerance: float) -> Iterator[str]:
    """What differs between two results files, times left out; pictures are not looked at."""
    if old.suffix not in (".csv", ".json"):
        return
    if not new.exists():
        yield "was not written"
        return
    before, after = _cells(old), _cells(new)
    for key in sorted({*before, *after}):
        if not close(before.get(key), after.get(key), tolerance):
            yield f"{key} was {before.get(key)}, is {after.get(key)}"


def _cells(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(text.splitlines()))
    return dict(_flat(found, ""))


def _flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if not TIMES.search(name):
                yield from _flat(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _flat(item, f"{key}[{i}]")
    else:
        yield key, value


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two cells say the same, as numbers by no more than ``tolerance`` apart."""
    if a == b:
        return True
    try:
        return abs(float(a) - float(b)) <= tolerance
    except (TypeError, ValueError):
        return False
