"""Query a file of 2 million rows through a memmap: time per row, and memory beyond the model.

    python benchmarks/bench_memmap.py             # half a minute, a file of 512 MB
    python benchmarks/bench_memmap.py --rows 10000000 --features 20

Memory is the peak of anonymous pages of a fresh process (pages of the file itself are the system's
to drop), beyond what it holds once the model is fitted and has answered one small query. Fails
above ``--limit`` MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np


def write_pool(path: Path, rows: int, features: int) -> None:
    """Random float32 rows, written block by block."""
    pool = np.lib.format.open_memmap(path, "w+", np.float32, (rows, features))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 100_000):
        block = pool[start : start + 100_000]
        block[:] = rng.random(block.shape, dtype=np.float32)
    pool.flush()


def anonymous_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell RssAnon")


def query(path: str, strategy: str, n: int) -> None:
    """In a process of its own: fit on 1,000 rows, query the rest; print seconds and peak MB."""
    from sklearn.linear_model import LogisticRegression

    from skactive import ActiveLearner

    pool = np.load(path, mmap_mode="r")
    X = np.array(pool[:1000])
    y = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0).fit(X, y)
    learner.query(pool[:20_000], n=n)
    before, peak, done = anonymous_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.process_time()
    idx, _ = learner.query(pool, n=n)
    seconds = time.process_time() - start
    done.set()
    thread.join()
    assert len(set(idx.tolist())) == n
    print(seconds, peak - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--limit", type=float, default=300, help="MB beyond the model")
    parser.add_argument("--query", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.query:
        query(*args.query, args.n)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        write_pool(path, args.rows, args.features)
        for strategy in ("margin", "dre"):
            command = [sys.executable, __file__, "--query", str(path), strategy, "--n", str(args.n)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, memory = (float(part) for part in out.split())
            print(
                f"{strategy:<8} {args.rows} × {args.features}: {seconds:.2f} CPU s, "
                f"{1e6 * seconds / args.rows:.2f} µs a row, {memory:.0f} MB beyond the model"
            )
            assert memory < args.limit, f"{memory:.0f} MB, the limit is {args.limit}"


if __name__ == "__main__":
    main()
