"""A pool on disk that no worker could hold: what one and two workers take to ask about it.

    python -m benchmarks.distributed --work /tmp/pool                     # 100 million rows, 6.4 GB
    python -m benchmarks.distributed --work /tmp/pool --rows 10_000_000

Rows of 16 float32 in Parquet, made once; margin and DRE with a logistic regression, 500 picks, on
Dask workers of 1 GB and one thread each. Goes on where it was stopped: one row of
docs/results/distributed.csv for each run. Prints how much faster two workers are, and checks that
both give the same picks, which on a small pool are those of memory.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import time
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "distributed.csv"
COLUMNS = [f"x{i}" for i in range(16)]
ROWS_OF_FILE = 250_000
N_PICKS = 500
# Libraries take three quarters of a gigabyte before the first row is read: a worker is not stopped
# for them. What it holds beyond a fiftieth lies on disk; it is killed if it goes over all of it.
MEMORY = {
    f"distributed.worker.memory.{name}": share
    for name, share in {"target": 0.02, "spill": False, "pause": False, "terminate": 0.98}.items()
}
SEED = 0
IN_MEMORY = 2_000_000  # up to here the picks are compared with those of memory


@dataclass(frozen=True)
class Run:
    """One query.

    Attributes
    ----------
    rows, strategy, workers
        What was asked.
    seconds : float
        Wall clock.
    cpu_seconds : float
        Of all workers together.
    rows_per_second : int
    peak_mb : int
        Largest resident size of a worker, its libraries included.
    idle_mb : int
        The same before the query.
    read_mb : int
        What the workers read, from files and from each other.
    load : float
        Load average of the machine before the query; more than 0 means others ran beside it.
    picks : str
        Sum of the positions picked.
    """

    rows: int
    strategy: str
    workers: int
    seconds: float
    cpu_seconds: float
    rows_per_second: int
    peak_mb: int
    idle_mb: int
    read_mb: int
    load: float
    picks: str


def rows_of_file(number: int) -> np.ndarray:
    """The rows of one file, always the same."""
    rng = np.random.default_rng([SEED, number])
    return rng.standard_normal((ROWS_OF_FILE, len(COLUMNS)), dtype=np.float32)


def make_pool(folder: Path, rows: int) -> None:
    """Write the files that are not there yet."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(rows // ROWS_OF_FILE):
        path = folder / f"{number:05}.parquet"
        if path.exists():
            continue
        X = rows_of_file(number)
        table = pa.table({name: X[:, i] for i, name in enumerate(COLUMNS)})
        parquet.write_table(
            table, path.with_suffix(".part"), compression="none", use_dictionary=False
        )
        path.with_suffix(".part").rename(path)


def learner_of(strategy: str) -> ActiveLearner:
    """A learner that was taught a few hundred rows of another seed."""
    import pandas as pd

    rng = np.random.default_rng(SEED + 1)
    X = pd.DataFrame(rng.standard_normal((300, len(COLUMNS)), dtype=np.float32), columns=COLUMNS)
    score = X.to_numpy() @ rng.standard_normal((len(COLUMNS), 3))
    model = LogisticRegression(max_iter=200)
    return ActiveLearner(model, strategy, random_state=SEED).fit(X, score.argmax(axis=1))


def of_worker() -> tuple[float, int, int]:
    """CPU seconds, largest resident size and bytes read of a process."""
    import pyarrow as pa

    import skactive  # noqa: F401  (what a worker holds before it holds anything of the pool)

    pa.set_cpu_count(1)
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return time.process_time(), peak * 1024, int(counters["rchar"])


def measured(folder: Path, rows: int, strategy: str, workers: int) -> tuple[Run, np.ndarray]:
    """One query on a cluster of its own."""
    import dask
    import dask.dataframe as dd
    from distributed import Client, LocalCluster

    learner = learner_of(strategy)
    files = [str(folder / f"{number:05}.parquet") for number in range(rows // ROWS_OF_FILE)]
    with (
        dask.config.set(MEMORY),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit="1GB",
            env={"ARROW_DEFAULT_MEMORY_POOL": "system"},  # which gives back what is freed
            dashboard_address="127.0.0.1:0",
            local_directory=folder / "spilled",
        ) as cluster,
        Client(cluster, timeout=120) as client,
    ):
        client.wait_for_workers(workers)
        before = np.array(list(client.run(of_worker).values()), dtype=float)
        pool = dd.read_parquet(files, split_row_groups=False)
        load, started = os.getloadavg()[0], time.perf_counter()
        picks, _ = learner.query(pool, N_PICKS)
        seconds = time.perf_counter() - started
        after = np.array(list(client.run(of_worker).values()), dtype=float)
    spent = (after - before).sum(axis=0)
    run = Run(
        rows,
        strategy,
        workers,
        round(seconds, 2),
        round(float(spent[0]), 2),
        round(rows / seconds),
        round(after[:, 1].max() / 1e6),
        round(before[:, 1].max() / 1e6),
        round(float(spent[2]) / 1e6),
        round(load, 2),
        str(int(picks.sum())),
    )
    return run, picks


def done(results: Path) -> list[Run]:
    """Runs in the results file."""
    if not results.exists():
        return []
    kinds: dict[str, Any] = {field.name: field.type for field in fields(Run)}
    convert = {"int": int, "float": float, "str": str}
    with results.open(newline="") as file:
        return [
            Run(**{name: convert[kinds[name]](value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]


def keep(results: Path, run: Run) -> None:
    """Add a run to the results file."""
    new = not results.exists()
    with results.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Run)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(run))


def check_in_memory(strategy: str, rows: int, picks: np.ndarray) -> None:
    """Raise unless the picks are those of the same rows in memory."""
    import pandas as pd

    X = np.concatenate([rows_of_file(number) for number in range(rows // ROWS_OF_FILE)])
    expected, _ = learner_of(strategy).query(pd.DataFrame(X, columns=COLUMNS), N_PICKS)
    np.testing.assert_array_equal(picks, expected)


def compare(runs: list[Run]) -> None:
    """Print what one and two workers took; raise if they picked otherwise."""
    by_workers = {run.workers: run for run in runs}
    for run in runs:
        print(run)
    if len({run.picks for run in runs}) > 1:
        raise AssertionError(f"{runs[0].strategy}: one and two workers picked otherwise.")
    if {1, 2} <= set(by_workers):
        ratio = by_workers[1].seconds / by_workers[2].seconds
        print(f"{runs[0].strategy}: two workers are {ratio:.2f} times as fast")


def main() -> None:
    """Run what is missing and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the files of the pool")
    parser.add_argument("--rows", type=int, default=100_000_000, help="a multiple of 250,000")
    parser.add_argument("--strategies", nargs="+", default=["margin", "dre"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--delete", action="store_true", help="delete the folder at the end")
    given = parser.parse_args()
    make_pool(given.work, given.rows)
    for workers in given.workers:
        for strategy in given.strategies:
            asked = (given.rows, strategy, workers)
            if asked not in [(run.rows, run.strategy, run.workers) for run in done(given.results)]:
                run, picks = measured(given.work, *asked)
                if given.rows <= IN_MEMORY:
                    check_in_memory(strategy, given.rows, picks)
                keep(given.results, run)
    for strategy in given.strategies:
        runs = [run for run in done(given.results) if run.rows == given.rows]
        compare([run for run in runs if run.strategy == strategy])
    if given.delete:
        shutil.rmtree(given.work)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning, module="distributed")
    main()
