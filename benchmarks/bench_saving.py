"""Saving and loading a labelled set of a gigabyte, beside joblib: seconds, and memory beyond it.

    python -m benchmarks.bench_saving    # writes docs/results/saving.csv; minutes, 3 GB of disk
    python -m benchmarks.bench_saving --megabytes 64 --out /tmp/saving.csv

Each pair of save and load is a process of its own, `--repeats` of each in random order; times are
medians of the wall clock, the disk's writing included (``save`` waits for the disk, and joblib is
made to). Memory is the peak of resident anonymous pages beyond what there was before, for ``load``
beyond the data that was loaded.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

import skactive
from skactive import ActiveLearner

_RESULTS = Path(__file__).parents[1] / "docs" / "results" / "saving.csv"
_COLUMNS = ("what", "program", "data_mb", "seconds", "memory_beyond_mb", "file_mb", "repeats")
_FEATURES = 1024


def anonymous_mb() -> float:
    """Resident memory that belongs to no file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell RssAnon")


def watched(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, its seconds, and the peak of memory while it ran."""
    peak, done = [anonymous_mb()], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak.append(anonymous_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    started = time.perf_counter()
    try:
        value = work()
    finally:
        seconds = time.perf_counter() - started
        done.set()
        thread.join()
    return value, seconds, max(peak)


def learner_of(megabytes: int) -> Any:
    """A learner whose labelled set is that large, trained on a few rows of it."""
    rng = np.random.default_rng(0)
    X = rng.random((megabytes * 2**20 // 4 // _FEATURES, _FEATURES), dtype=np.float32)
    y = np.arange(len(X)) % 2
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:50], y[:50])
    learner.labeled_ = replace(learner.labeled_, X=X, y=y)
    return learner


def _joblib_dump(learner: Any, path: Path) -> None:
    with path.open("wb") as file:
        joblib.dump(learner, file)
        file.flush()
        os.fsync(file.fileno())


def once(program: str, megabytes: int, path: Path) -> None:
    """Save and load once, in this process; prints the numbers."""
    small = path.with_suffix(".small")
    write = {"skactive": lambda obj, to: obj.save(to), "joblib": _joblib_dump}[program]
    read = {"skactive": skactive.load, "joblib": joblib.load}[program]
    write(learner_of(1), small)
    read(small)  # imports, and what the first time alone costs
    learner = learner_of(megabytes)
    before = anonymous_mb()
    _, save_seconds, peak = watched(lambda: write(learner, path))
    save_memory = peak - before
    expected, learner = learner.X_labeled_[-1].copy(), None
    before = anonymous_mb()
    loaded, load_seconds, peak = watched(lambda: read(path))
    assert np.array_equal(loaded.X_labeled_[-1], expected)
    data = loaded.X_labeled_.nbytes / 2**20
    print(save_seconds, save_memory, load_seconds, peak - before - data,
          path.stat().st_size / 2**20)  # fmt: skip


def run(megabytes: int, repeats: int, folder: Path) -> list[dict[str, Any]]:
    """Rows of the table."""
    order = ["skactive", "joblib"] * repeats
    random.Random(0).shuffle(order)
    found: dict[str, list[list[float]]] = {"skactive": [], "joblib": []}
    for program in order:
        path = folder / f"{program}.file"
        command = [sys.executable, "-m", "benchmarks.bench_saving", "--once", program]
        command += ["--megabytes", str(megabytes), "--path", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[program].append([float(number) for number in said.split()])
        path.unlink()
    rows = []
    for program, runs in found.items():
        save_s, save_mb, load_s, load_mb, file_mb = (
            statistics.median(of) for of in zip(*runs, strict=True)
        )
        for what, seconds, beyond in (("save", save_s, save_mb), ("load", load_s, load_mb)):
            values = (what, program, megabytes, round(seconds, 2), round(max(beyond, 0), 1),
                      round(file_mb, 1), repeats)  # fmt: skip
            rows.append(dict(zip(_COLUMNS, values, strict=True)))
    return rows


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--megabytes", type=int, default=1024)
    add("--repeats", type=int, default=3)
    add("--out", type=Path, default=_RESULTS)
    add("--once", choices=["skactive", "joblib"], help=argparse.SUPPRESS)
    add("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        return once(args.once, args.megabytes, args.path)
    with tempfile.TemporaryDirectory() as folder:
        rows = run(args.megabytes, args.repeats, Path(folder))
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(row)
    seconds = {(row["what"], row["program"]): row["seconds"] for row in rows}
    for what in ("save", "load"):
        ratio = seconds[what, "skactive"] / seconds[what, "joblib"]
        print(f"{what}: {ratio:.2f} of joblib's time")


if __name__ == "__main__":
    main()
