"""Select 1 % of 10,000 test images by each strategy, one shot: CPU seconds and peak memory.

Each strategy runs in a process of its own on LeNet-5 (32×32 images, one thread). Memory is the peak
of anonymous pages beyond what the process holds before it selects.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from skactive.strategies import all_strategies, resolve_strategy

from .bench_memory import anonymous_mb
from .subject import images, pool, train
from .timing import Row, run_alone, within

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


def rows(quick: bool) -> Iterator[Row]:
    n_tests = 1000 if quick else 10_000
    for name, strategy in all_strategies().items():
        if "votes" in strategy()._capabilities():
            continue  # needs a Committee
        label = f"{name}: {n_tests // 100} of {n_tests:,} tests"
        command = [sys.executable, "-m", __spec__.name, name, str(n_tests)]
        try:
            out = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=LIMIT
            ).stdout
        except subprocess.TimeoutExpired:
            yield within(label, f"{SECONDS:g} s", SECONDS, float(LIMIT), "s, then killed")
            continue
        seconds, memory, n_picked = (float(part) for part in out.split()[-3:])
        assert n_picked == n_tests // 100
        yield within(label, f"{SECONDS:g} s", SECONDS, max(seconds, 1e-3), "CPU s")
        yield within(label, f"{MEGABYTES:g} MB", MEGABYTES, memory, "MB")


if __name__ == "__main__":
    if len(sys.argv) == 3 and not sys.argv[1].startswith("-"):
        select(sys.argv[1], int(sys.argv[2]))
    else:
        run_alone(rows)
