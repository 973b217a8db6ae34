"""What a query of a large pool costs: passes, bytes, seconds; measured, modelled, extrapolated.

    python -m benchmarks.scale --out docs/results/scale.csv

Pools are dask arrays whose partitions are drawn when they are read, rows of 16 float32 in 10
classes: no disk, and every read is counted. All runs in one process and one thread. Seconds are
those of the processor, so that a busy machine does not change them much. A run that is in the file
already is not made again.
"""

from __future__ import annotations

import argparse
import csv
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import dask.array as da
import numpy as np
from sklearn.linear_model import LogisticRegression
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.distributed import PartitionedPool
from skactive.strategies import (
    BADGE,
    BALD,
    CEAL,
    DFAL,
    DRE,
    EGL,
    MCP,
    ClusterMargin,
    CoreSet,
    DiverseDRE,
    Margin,
    QueryStrategy,
    RandomSampling,
    TypiClust,
    UHerding,
)

WIDTH, CLASSES, N_PICKS = 16, 10, 100
ROWS_EACH = 50_000  # of a partition
FIELDS = [
    "run", "strategy", "model", "rows", "partitions", "picks", "passes", "bytes_sent", "seconds",
    "ratio",
]  # fmt: skip

LINEAR, NET = "logistic regression", "net of two layers"
CHEAP, TWO_ROUNDS, NETS, COSTLY = (1, 10, 100), (1, 10), (0.1, 1, 10), (0.1, 1)  # million rows
# Each with the sizes that it is measured at; those of one strategy go up by tens.
MEASURED: dict[str, tuple[QueryStrategy, str, tuple[float, ...]]] = {
    "RandomSampling": (RandomSampling(), LINEAR, CHEAP),
    "Margin": (Margin(), LINEAR, CHEAP),
    "DRE": (DRE(), LINEAR, CHEAP),
    "MCP": (MCP(), LINEAR, TWO_ROUNDS),
    "CEAL": (CEAL(), LINEAR, TWO_ROUNDS),
    "CoreSet": (CoreSet(), LINEAR, TWO_ROUNDS),
    "BADGE": (BADGE(), LINEAR, TWO_ROUNDS),
    "ClusterMargin": (ClusterMargin(), LINEAR, TWO_ROUNDS),
    "DiverseDRE": (DiverseDRE(), LINEAR, TWO_ROUNDS),
    "UHerding": (UHerding(), LINEAR, COSTLY),
    "TypiClust": (TypiClust(), LINEAR, (0.1,)),
    "Margin (net)": (Margin(), NET, NETS),
    "BALD": (BALD(), NET, COSTLY),
    "EGL": (EGL(), NET, COSTLY),
    "DFAL": (DFAL(), NET, NETS),
    "DFAL (all)": (DFAL("all"), NET, NETS),
}


class Source:
    """Rows of a partition, the same each time they are drawn; counts how often they are."""

    reads = 0

    @classmethod
    def rows(cls, number: int, n: int = ROWS_EACH) -> tuple[np.ndarray, np.ndarray]:
        """Rows around a centre for each class, and their classes."""
        rng = np.random.Generator(np.random.SFC64([number, 7]))
        y = rng.integers(CLASSES, size=n)
        centres = np.random.default_rng(0).random((CLASSES, WIDTH), dtype=np.float32)
        X = rng.random((n, WIDTH), dtype=np.float32)
        X *= 0.5
        X += 0.5 * centres[y]
        return X, y

    @classmethod
    def block(cls, block_info: Any = None) -> np.ndarray:
        """A partition of the pool, for dask."""
        cls.reads += 1
        location = block_info[None]["array-location"][0]
        return cls.rows(location[0] // ROWS_EACH, location[1] - location[0])[0]


def pool_of(n: int) -> da.Array:
    """`n` rows, in partitions that are drawn when they are read."""
    full, rest = divmod(n, ROWS_EACH)
    chunks = ((ROWS_EACH,) * full + ((rest,) if rest else ()), (WIDTH,))
    return da.map_blocks(Source.block, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0)))


class Network(nn.Sequential):
    """One hidden layer of 32."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, CLASSES))


def fitted(model: str) -> Any:
    """A model of 500 labelled rows, which are no partition's."""
    X, y = Source.rows(10**6, 500)
    if model == LINEAR:
        return LogisticRegression(max_iter=500).fit(X, y)
    net = AdversarialNetClassifier(Network, attack=None, max_epochs=20, lr=0.01, random_state=0)
    return net.fit(X, y)


class Sent:
    """Counts the bytes of what partitions send back."""

    n_bytes = 0

    def __enter__(self) -> Sent:
        self._real = PartitionedPool.kept
        real = self._real

        def kept(pool: Any, function: Any, payload: Any = None, *, keep: bool = True) -> Any:
            counted = function if keep else partial(self.counted, function)
            return real(pool, counted, payload, keep=keep)

        PartitionedPool.kept = kept  # type: ignore[method-assign]
        return self

    def counted(self, function: Callable, part: Any, payload: Any) -> Any:
        """What a function makes of a partition, its pickle measured."""
        result = function(part, payload)
        self.n_bytes += len(pickle.dumps(result, protocol=5))
        return result

    def __exit__(self, *_: object) -> None:
        PartitionedPool.kept = self._real  # type: ignore[method-assign]


def measured(name: str, millions: float) -> dict[str, Any]:
    """One query."""
    strategy, kind, _ = MEASURED[name]
    model, pool = fitted(kind), pool_of(int(millions * 1e6))
    X_labeled = Source.rows(10**6, 500)[0]
    with dask.config.set(scheduler="synchronous"), Sent() as sent:
        Source.reads, start = 0, time.process_time()
        picks = strategy.select(model, pool, N_PICKS, X_labeled=X_labeled, random_state=0).indices
        seconds = time.process_time() - start
    assert len(set(picks.tolist())) == N_PICKS
    return {
        "run": "query", "strategy": name, "model": kind, "rows": len(pool),
        "partitions": pool.numblocks[0], "picks": N_PICKS,
        "passes": round(Source.reads / pool.numblocks[0], 2), "bytes_sent": sent.n_bytes,
        "seconds": round(seconds, 3),
    }  # fmt: skip


def reading(how: str) -> dict[str, Any]:
    """A million rows read: drawn as here, or from Parquet in the page cache."""
    n = 1_000_000
    row = {"run": "reading", "strategy": how, "rows": n, "partitions": n // ROWS_EACH, "passes": 1}
    if how == "drawn":
        start = time.process_time()
        for number in range(n // ROWS_EACH):
            Source.rows(number)
        return {**row, "seconds": round(time.process_time() - start, 3)}
    import pyarrow as pa
    import pyarrow.parquet as pq

    with TemporaryDirectory() as folder:
        for number in range(n // ROWS_EACH):
            X = Source.rows(number)[0]
            table = pa.table({f"x{i}": X[:, i] for i in range(WIDTH)})
            pq.write_table(table, f"{folder}/{number}.parquet", compression="snappy")
        start = time.process_time()
        for number in range(n // ROWS_EACH):
            found = pq.read_table(f"{folder}/{number}.parquet", use_threads=False)
            np.column_stack([column.to_numpy() for column in found.columns])
        return {**row, "seconds": round(time.process_time() - start, 3)}


def radius_ratio(seed: int) -> dict[str, Any]:
    """Covering radius of two rounds over that of one machine's greedy: 4 · OPT against 2 · OPT."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20_000, 4)).astype(np.float32) * rng.exponential(size=4)
    X = X.astype(np.float32)
    cuts = np.sort(rng.integers(1, len(X), 19))
    sizes = tuple(int(size) for size in np.diff([0, *cuts, len(X)]))
    strategy = CoreSet(embedding="input", random_state=seed)

    def radius(picks: np.ndarray) -> float:
        return float(NearestNeighbors(n_neighbors=1).fit(X[picks]).kneighbors(X)[0].max())

    start = time.process_time()
    with dask.config.set(scheduler="synchronous"):
        two = radius(strategy.query(None, da.from_array(X, chunks=(sizes, (4,))), 50))
    one = radius(strategy.query(None, X, 50))
    return {
        "run": "radius", "strategy": f"CoreSet, seed {seed}", "rows": len(X), "partitions": 20,
        "picks": 50, "ratio": round(two / one, 3),
        "seconds": round(time.process_time() - start, 3),
    }  # fmt: skip


def main() -> None:
    """Measure what the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=float, default=100, help="million rows at most")
    parser.add_argument("--only", nargs="*", help="names of strategies")
    args = parser.parse_args()
    todo: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        *((f"reading {how} 1", partial(reading, how)) for how in ("drawn", "Parquet")),
        *((f"radius CoreSet, seed {seed} 0.02", partial(radius_ratio, seed)) for seed in range(10)),
    ]
    sizes = sorted({size for _, _, sizes in MEASURED.values() for size in sizes})
    for size in sizes:
        for name, (_, _, own) in MEASURED.items():
            if size in own and size <= args.most and (not args.only or name in args.only):
                todo.append((f"query {name} {size:g}", partial(measured, name, size)))
    done = set()
    if args.out.exists():
        with args.out.open(encoding="utf-8", newline="") as file:
            done = {
                f"{r['run']} {r['strategy']} {int(r['rows']) / 1e6:g}" for r in csv.DictReader(file)
            }
    for key, measure in todo:
        if key in done:
            continue
        row = measure()
        fresh = not args.out.exists()
        with args.out.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print(key, row["seconds"], flush=True)


# -- the model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prices:
    """What is paid, and how fast things are, where it was not measured.

    Attributes
    ----------
    core_hour : float, USD
        Of a virtual core: 0.68 USD an hour for the 16 of a c5.4xlarge on demand, an example price
        of AWS (EC2 Auto Scaling user guide, "Spot price per unit hour example").
    gpu_hour : float, USD
        Of an H100: 4.916 USD for one of a p5.48xlarge, AWS's Capacity Blocks, end of 2024.
    read_rate : float, bytes per second
        Of one core from an object store.
    gpu_forwards : float, per second
        Images of 3×32×32 through a ResNet-18 on an H100: 1.1 GFLOP each, at 30 % of 990 TFLOP/s.
    """

    core_hour: float = 0.68 / 16
    gpu_hour: float = 4.916
    read_rate: float = 100e6
    gpu_forwards: float = 0.3 * 990e12 / 1.1e9


class Costs:
    """What a strategy costs on a pool of any size, of what was measured on small ones.

    Parameters
    ----------
    rows : list of dict
        Of the results file.

    Notes
    -----
    Seconds grow in proportion to the rows, from the smallest pool measured; reading is taken out of
    them, passes times a million rows drawn, and Parquet's put in.
    """

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.queries = [row for row in rows if row["run"] == "query"]
        self.drawn, self.parquet = (
            next(float(r["seconds"]) / float(r["rows"]) for r in rows if r["strategy"] == how)
            for how in ("drawn", "Parquet")
        )

    def of(self, name: str) -> list[dict[str, Any]]:
        """Runs of a strategy, from the smallest pool up."""
        found = [row for row in self.queries if row["strategy"] == name]
        return sorted(found, key=lambda row: int(row["rows"]))

    def seconds(self, name: str, n: float) -> float:
        """Seconds of a query of a pool that is drawn, by the model."""
        first = self.of(name)[0]
        return float(first["seconds"]) / float(first["rows"]) * n

    def work(self, name: str) -> float:
        """Seconds for each row, reading aside, of the largest pool measured."""
        last = self.of(name)[-1]
        found = float(last["seconds"]) / float(last["rows"])
        return max(0.0, found - float(last["passes"]) * self.drawn)

    def core_hours(self, name: str, n: float, prices: Prices) -> float:
        """Of a query of `n` rows in Parquet in an object store."""
        passes = float(self.of(name)[-1]["passes"])
        each = self.parquet + 4 * WIDTH / prices.read_rate
        return n * (self.work(name) + passes * each) / 3600

    def sent(self, name: str, n: float) -> float:
        """Bytes that come to one machine."""
        last = self.of(name)[-1]
        return float(last["bytes_sent"]) / float(last["rows"]) * n


# Forward passes of a net that a query costs each row; a backward pass counts as two. What is only
# computed for picks, or for rows within reach of them, is left out.
FORWARDS = {
    "Margin": 1, "DRE": 1, "MCP": 1, "CEAL": 1, "CoreSet": 1, "BADGE": 1, "ClusterMargin": 1,
    "DiverseDRE": 3, "UHerding": 1, "TypiClust": 1, "BALD": 10, "EGL": 2, "DFAL (all)": 2,
}  # fmt: skip


def table_of_runs(path: Path) -> str:
    """What was measured, and what the model says of the larger pools."""
    costs = Costs(_read(path))
    lines = ["| strategy | million rows | passes | MB sent | core-s | model | measured / model |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name in MEASURED:
        for place, run in enumerate(costs.of(name)):
            n, seconds = float(run["rows"]), float(run["seconds"])
            model = costs.seconds(name, n)
            told = ["", ""] if place == 0 else [f"{model:.1f}", f"{seconds / model:.2f}"]
            cells = [name, f"{n / 1e6:g}", f"{float(run['passes']):g}",
                     f"{float(run['bytes_sent']) / 1e6:.2f}", f"{seconds:.2f}", *told]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table_of_a_billion(path: Path, prices: Prices | None = None) -> str:
    """A billion rows: what is read and sent, hours of cores and GPUs, and their price."""
    costs, prices, n = Costs(_read(path)), prices or Prices(), 1e9
    lines = ["| strategy | GB read | GB sent | core-hours | USD | H100-hours, images | USD |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name in MEASURED:
        runs = costs.of(name)
        if not runs:
            continue
        read = float(runs[-1]["passes"]) * n * 4 * WIDTH / 1e9
        hours = costs.core_hours(name, n, prices)
        cells = [name, f"{read:,.0f}", f"{costs.sent(name, n) / 1e9:.2f}", f"{hours:.1f}",
                 f"{hours * prices.core_hour:.2f}"]  # fmt: skip
        gpu = FORWARDS.get(name, 0) * n / prices.gpu_forwards / 3600
        cells += [f"{gpu:.1f}", f"{gpu * prices.gpu_hour:.0f}"] if gpu else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
