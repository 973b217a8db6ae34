"""Select 1 % of 10,000 test images by each strategy, one shot: CPU seconds and peak memory.

Each strategy runs in a process of its own, forked from one that has LeNet-5 and the images (32×32),
on one thread. Memory is the peak of anonymous pages beyond what it holds before it selects.

    python -m benchmarks.bench_test_selection                  # against limits
    python -m benchmarks.bench_test_selection --out costs.csv  # goes on where it stopped
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import multiprocessing
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from skactive.strategies import all_strategies, resolve_strategy

from .bench_memory import anonymous_mb
from .subject import images, pool, train
from .timing import Row, show, within

SECONDS, MEGABYTES, LIMIT = 60.0, 512.0, 300  # per strategy; killed after LIMIT seconds


@lru_cache(maxsize=1)
def subject(n_tests: int) -> tuple[Any, Any, Any]:
    """A net, the tests and the first labelled samples."""
    data = images(n_tests)
    return train(data, epochs=2), pool(data, n_tests), data.X_train[:1000]


@lru_cache(maxsize=1)
def warm(name: str, n_tests: int) -> Any:
    """A strategy that has selected some tests."""
    net, X, known = subject(n_tests)
    strategy = resolve_strategy(name).set_params(random_state=0)
    if name.startswith("certified"):
        strategy.set_params(eps=0.1)  # others take the net's, which was trained without one
    strategy.select_tests(net, X[:200], 2, X_labeled=known)
    return strategy


def select(name: str, n_tests: int, results: Any) -> None:
    """In a process of its own: put CPU seconds and peak MB."""
    (net, X, known), strategy = subject(n_tests), warm(name, n_tests)
    ctypes.CDLL(None).malloc_trim(0)  # what selecting before left free would be taken again
    before, peak, done = anonymous_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.process_time()
    picked = strategy.select_tests(net, X, 0.01, X_labeled=known)
    seconds = time.process_time() - start
    done.set()
    thread.join()
    assert len(set(picked.tolist())) == n_tests // 100
    results.put((max(seconds, 1e-3), max(peak - before, 1.0)))


def names() -> list[str]:
    """Strategies that need no Committee."""
    found = all_strategies().items()
    return [name for name, strategy in found if "votes" not in strategy()._capabilities()]


def measured(name: str, n_tests: int) -> tuple[float, float] | None:
    """CPU seconds and peak MB of a strategy; None if it was killed for the time it took."""
    warm(name, n_tests)  # before the fork, where it is seen what ran
    fork = multiprocessing.get_context("fork")
    results = fork.SimpleQueue()
    process = fork.Process(target=select, args=(name, n_tests, results))
    process.start()
    process.join(LIMIT)
    if process.is_alive():
        process.kill()
        return None
    if process.exitcode:
        raise RuntimeError(f"{name} failed, see above.")
    return results.get()


def rows(quick: bool) -> Iterator[Row]:
    n_tests = 1000 if quick else 10_000
    for name in names():
        label = f"{name}: {n_tests // 100} of {n_tests:,} tests"
        found = measured(name, n_tests)
        if found is None:
            yield within(label, f"{SECONDS:g} s", SECONDS, float(LIMIT), "s, then killed")
            continue
        seconds, memory = found
        yield within(label, f"{SECONDS:g} s", SECONDS, seconds, "CPU s")
        yield within(label, f"{MEGABYTES:g} MB", MEGABYTES, memory, "MB")


def write(path: Path) -> None:
    """A line for each strategy that the file lacks, as soon as it is measured."""
    done = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {row["strategy"] for row in csv.DictReader(file)}
    for name in names():
        found = None if name in done else measured(name, 10_000)
        if found is None:
            continue
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(["strategy", "n_tests", "cpu_s", "peak_mb"])
            writer.writerow([name, 10_000, f"{found[0]:.3f}", f"{found[1]:.0f}"])
        print(f"{name}: {found[0]:.3f} CPU s, {found[1]:.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, help="write what was measured to this CSV file")
    args = parser.parse_args()
    if args.out:
        return write(args.out)
    for row in rows(args.quick):
        show(row)
    return None


if __name__ == "__main__":
    main()
