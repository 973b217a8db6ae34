"""Query a file of 10 million rows through a memmap: memory beyond the model, and time.

Memory is the peak of anonymous pages of a fresh process (pages of the file itself are the system's
to drop), beyond what it holds once the model is fitted and has answered one small query. Allowed:
64 MB and 4 bytes a row.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .timing import Row, run_alone, within

N = 500


def write_pool(path: Path, n_rows: int, n_features: int) -> None:
    """Random float32 rows, written block by block."""
    pool = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, n_features))
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 100_000):
        block = pool[start : start + 100_000]
        block[:] = rng.random(block.shape, dtype=np.float32)
    pool.flush()


def anonymous_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell RssAnon")


def query(path: str, strategy: str) -> None:
    """In a process of its own: fit on 1,000 rows, query the rest; print seconds and peak MB."""
    from sklearn.linear_model import LogisticRegression

    from skactive import ActiveLearner

    pool = np.load(path, mmap_mode="r")
    X = np.array(pool[:1000])
    y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0).fit(X, y)
    learner.query(pool[:20_000], n=N)
    before, peak, done = anonymous_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.process_time()
    idx, _ = learner.query(pool, n=N)
    seconds = time.process_time() - start
    done.set()
    thread.join()
    assert len(set(idx.tolist())) == N
    print(seconds, peak - before)


def rows(quick: bool) -> Iterator[Row]:
    n_rows, n_features = (100_000, 20) if quick else (10_000_000, 20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        write_pool(path, n_rows, n_features)
        allowed = 64 + 4 * n_rows / 2**20
        for strategy in ("margin", "entropy", "dre", "mcp"):
            command = [sys.executable, "-m", __spec__.name, str(path), strategy]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, memory = (float(part) for part in out.split())
            label = f"{strategy}, {N} of {n_rows:,} × {n_features} on disk"
            yield within(label, "64 MB + 4 B a row", allowed, max(memory, 1.0), "MB")
            per_row = 1e6 * seconds / n_rows
            yield within(label, "1 µs a row", 1.0, per_row, "µs a row")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        query(*sys.argv[1:])
    else:
        run_alone(rows)
