"""Select 1 % of 10,000 test images by each strategy, one shot: CPU seconds and peak memory.

Each strategy runs in a process of its own on LeNet-5 (32×32 images, one thread). Memory is the peak
of anonymous pages beyond what the process holds before it selects.

    python -m benchmarks.bench_test_selection                  # against limits
    python -m benchmarks.bench_test_selection --out costs.csv  # goes on where it stopped
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from skactive.strategies import all_strategies, resolve_strategy

from .bench_memory import anonymous_mb
from .subject import images, pool, train
from .timing import Row, show, within

SECONDS, MEGABYTES, LIMIT = 60.0, 512.0, 300  # per strategy; killed after LIMIT seconds


def select(name: str, n_tests: int) -> None:
    """In a process of its own: print CPU seconds, peak MB and how many were selected."""
    data = images(n_tests)
    net, X = train(data, epochs=2), pool(data, n_tests)
    strategy = resolve_strategy(name).set_params(random_state=0)
    known = data.X_train[:1000]
    strategy.select_tests(net, X[:200], 2, X_labeled=known)
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
    print(seconds, max(peak - before, 1.0), len(set(picked.tolist())))


def names() -> list[str]:
    """Strategies that need no Committee."""
    found = all_strategies().items()
    return [name for name, strategy in found if "votes" not in strategy()._capabilities()]


def measured(name: str, n_tests: int) -> tuple[float, float]:
    """CPU seconds and peak MB of a strategy."""
    command = [sys.executable, "-m", __spec__.name, "--select", name, str(n_tests)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT).stdout
    seconds, memory, n_picked = (float(part) for part in out.split()[-3:])
    assert n_picked == n_tests // 100
    return seconds, memory


def rows(quick: bool) -> Iterator[Row]:
    n_tests = 1000 if quick else 10_000
    for name in names():
        label = f"{name}: {n_tests // 100} of {n_tests:,} tests"
        try:
            seconds, memory = measured(name, n_tests)
        except subprocess.TimeoutExpired:
            yield within(label, f"{SECONDS:g} s", SECONDS, float(LIMIT), "s, then killed")
            continue
        yield within(label, f"{SECONDS:g} s", SECONDS, max(seconds, 1e-3), "CPU s")
        yield within(label, f"{MEGABYTES:g} MB", MEGABYTES, memory, "MB")


def write(path: Path, wanted: Sequence[str]) -> None:
    """A line for each strategy that the file lacks, as soon as it is measured."""
    done = set()
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            done = {row["strategy"] for row in csv.DictReader(file)}
    for name in wanted:
        if name in done:
            continue
        seconds, memory = measured(name, 10_000)
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow(["strategy", "n_tests", "cpu_s", "peak_mb"])
            writer.writerow([name, 10_000, f"{seconds:.3f}", f"{memory:.0f}"])
        print(f"{name}: {seconds:.3f} CPU s, {memory:.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, help="write what was measured to this CSV file")
    parser.add_argument("--only", nargs="+", choices=names(), metavar="STRATEGY")
    parser.add_argument("--select", nargs=2, metavar=("STRATEGY", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.select:
        select(args.select[0], int(args.select[1]))
    elif args.out:
        write(args.out, args.only or names())
    else:
        for row in rows(args.quick):
            show(row)


if __name__ == "__main__":
    main()
