"""How time and memory grow with the pool, the picks, the classes and the passes: a picture.

    python -m benchmarks.growth                                   # docs/results/growth.csv
    python -m benchmarks.growth --draw docs/results/growth.png    # of what is measured
    python -m benchmarks.growth --quick --into .                  # a smaller one

One thread, CPU seconds of single runs; memory is the peak that NumPy allocates beyond the inputs.
"""

from __future__ import annotations

import argparse
import csv
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from skactive.kernels.badge import badge_select
from skactive.kernels.batch_bald import batch_bald_select
from skactive.kernels.clusters import mcp_select
from skactive.kernels.k_center import k_center_greedy
from skactive.kernels.selection import top_k
from skactive.kernels.stratified import stratified_sample
from skactive.kernels.uncertainty import entropy
from skactive.networks import LeNet5
from skactive.passes.mc_dropout import mc_dropout_proba
from skactive.utils.drawing import NEUTRAL, axes_for, series

_RESULTS = Path(__file__).parents[1] / "docs" / "results"
_WIDTH = 16
Work = Callable[[], object]


class Point(NamedTuple):
    """One measurement."""

    panel: str
    kernel: str
    x: int
    seconds: float
    megabytes: float


def measured(panel: str, kernel: str, x: int, work: Work) -> Point:
    """Time `work`, then run it again and watch the memory."""
    work() if x <= 10_000 else None  # imports and first calls
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    point = Point(panel, kernel, x, max(seconds, 1e-6), max(peak / 2**20, 1e-3))
    print(f"{panel:<10} {kernel:<14} {x:>10,} {seconds:10.4f} s {point.megabytes:10.2f} MB")
    return point


def selections(n_points: int, n: int, n_classes: int = 10) -> dict[str, Work]:
    """Each kernel on random scores, probabilities and embeddings."""
    rng = np.random.default_rng(0)
    proba = rng.random((n_points, n_classes), dtype=np.float32) ** 4
    proba /= proba.sum(axis=1, keepdims=True)
    embedding = rng.random((n_points, _WIDTH), dtype=np.float32)
    scores = entropy(proba)

    def seeded() -> np.random.Generator:
        return np.random.default_rng(0)

    return {
        "top n": lambda: top_k(scores, n, seeded()),
        "DRE": lambda: stratified_sample(scores, n, rng=seeded()),
        "MCP": lambda: mcp_select(proba, n, seeded()),
        "k-center": lambda: k_center_greedy(embedding, n, embedding[:10]),
        "BADGE": lambda: badge_select(proba, embedding, n, seeded()),
    }


def by_pool(largest: int) -> Iterator[Point]:
    for n_points in 10 ** np.arange(3, int(np.log10(largest)) + 1):
        for kernel, work in selections(int(n_points), 100).items():
            if not (kernel == "BADGE" and n_points > 1_000_000):  # its input alone is gigabytes
                yield measured("pool", kernel, int(n_points), work)


def by_picks(n_points: int) -> Iterator[Point]:
    for n in (10, 30, 100, 300, 1000, 3000):
        for kernel, work in selections(n_points, n).items():
            yield measured("picks", kernel, n, work)
    proba = np.random.default_rng(0).dirichlet(np.full(10, 0.5), size=(10, 2000))
    for n in (2, 4, 8, 16, 32):
        yield measured(
            "picks",
            "BatchBALD",
            n,
            lambda n=n: batch_bald_select(proba, n, np.random.default_rng(0)),
        )


def by_classes(n_points: int) -> Iterator[Point]:
    for n_classes in (2, 10, 30, 100, 300, 1000):
        for kernel, work in selections(n_points, 100, n_classes).items():
            if kernel in ("MCP", "BADGE"):
                yield measured("classes", kernel, n_classes, work)
        proba = np.full((n_points, n_classes), 1 / n_classes, dtype=np.float32)
        yield measured("classes", "entropy", n_classes, lambda proba=proba: entropy(proba))


def by_passes(n_points: int) -> Iterator[Point]:
    X = torch.rand(n_points, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    module = LeNet5().eval()
    dense = torch.nn.Sequential(
        *module.features[:-2], torch.nn.Linear(120, 84), torch.nn.Dropout(0.1), module.head
    ).eval()
    for n_passes in (1, 3, 10, 30, 100):
        for kernel, net in (("after each ReLU", module), ("dense layers", dense)):
            yield measured(
                "passes",
                kernel,
                n_passes,
                lambda net=net, n=n_passes: mc_dropout_proba(net, X, torch.as_tensor, n_passes=n),
            )


_PANELS = (
    ("pool", "seconds", "points in the pool (100 picks)"),
    ("pool", "megabytes", "points in the pool (100 picks)"),
    ("picks", "seconds", "picks (of 60,000; BatchBALD of 2,000)"),
    ("classes", "seconds", "classes (20,000 points, 100 picks)"),
    ("passes", "seconds", "passes of MC dropout (500 images)"),
)


def draw(points: list[Point], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    axes = axes_for(None, what="benchmarks.growth", nrows=2, ncols=3, figsize=(12, 7))
    kernels = list(dict.fromkeys(point.kernel for point in points))
    looks = {kernel: series(i) for i, kernel in enumerate(kernels)}
    for axis, (panel, column, label) in zip(axes.flat, _PANELS, strict=False):
        for kernel in kernels:
            line = [p for p in points if (p.panel, p.kernel) == (panel, kernel)]
            if line:
                x, y = [p.x for p in line], [getattr(p, column) for p in line]
                axis.loglog(x, y, label=kernel, **looks[kernel])
        if column == "megabytes":
            pool = sorted({p.x for p in points if p.panel == "pool"})
            allowed = [64 + 4 * x / 2**20 for x in pool]
            axis.loglog(pool, allowed, ":", color=NEUTRAL, label="64 MB + 4 B a point")
        axis.set(xlabel=label, ylabel="CPU s" if column == "seconds" else "MB beyond the inputs")
    handles = {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    axes.flat[-1].axis("off")
    axes.flat[-1].legend(handles.values(), handles.keys(), loc="center", frameon=False)
    axes.flat[-1].figure.savefig(path, dpi=80)


def read(path: Path) -> list[Point]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Point(panel, kernel, int(x), float(seconds), float(megabytes))
            for panel, kernel, x, seconds, megabytes in list(csv.reader(file))[1:]
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--into", type=Path, default=_RESULTS, help="folder of growth.csv")
    parser.add_argument("--draw", type=Path, help="only draw what is measured, to this file")
    args = parser.parse_args()
    if args.draw:
        return draw(read(args.into / "growth.csv"), args.draw)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        points = [
            *by_pool(100_000 if args.quick else 10_000_000),
            *by_picks(10_000 if args.quick else 60_000),
            *by_classes(2000 if args.quick else 20_000),
            *by_passes(100 if args.quick else 500),
        ]
    with (args.into / "growth.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Point._fields)
        writer.writerows([(*p[:3], f"{p.seconds:.3g}", f"{p.megabytes:.3g}") for p in points])
    return None


if __name__ == "__main__":
    main()
