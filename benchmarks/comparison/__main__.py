"""Commands: run, report."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import torch  # noqa: E402  after the number of threads
from tqdm import tqdm  # noqa: E402

from ._data import SPECS, Split, split  # noqa: E402
from ._learners import LEARNERS, scaler, tune, tuned_learner  # noqa: E402
from ._loop import Cell, run_cell  # noqa: E402
from ._pickers import pickers  # noqa: E402
from ._store import FOLDER, Results  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run what is missing in the results")
    add = run.add_argument
    add("--datasets", nargs="+", choices=SPECS, default=list(SPECS), metavar="NAME")
    add("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS), metavar="NAME")
    add("--strategies", nargs="+", metavar="NAME", help="default: all that serve the learner")
    add("--seeds", nargs="+", type=int, default=list(range(10)), metavar="N")
    add("--minutes", type=float, default=float("inf"), help="stop after these CPU minutes")
    run.set_defaults(command=_run)
    report = commands.add_parser("report", help="print the tables, draw the picture")
    report.add_argument("--picture", type=Path, default=FOLDER / "against_random.png")
    report.set_defaults(command=_report)
    for command in (run, report):
        command.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    args = parser.parse_args()
    args.command(args)


def _run(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    results = Results(args.out)
    for learner in args.learners:
        known = pickers(learner)
        asked = [name for name in args.strategies or known if name in known]
        done = results.begin(learner)
        cells = [
            cell
            for seed in args.seeds
            for dataset in args.datasets
            for name in asked
            if (cell := Cell(dataset, learner, name, seed)) not in done
        ]
        bar = tqdm(cells, desc=learner, mininterval=10, smoothing=0.05)
        for cell in bar:
            if time.process_time() > 60 * args.minutes:
                print(f"stopped after {args.minutes:g} CPU minutes; the same command goes on")
                return
            bar.set_postfix_str(f"{cell.dataset} {cell.strategy} {cell.seed}", refresh=False)
            estimator, data = _prepared(results, cell)
            results.add(learner, run_cell(cell, data, estimator, known[cell.strategy]))
    print(f"{time.process_time() / 60:.1f} CPU minutes")


def _prepared(results: Results, cell: Cell) -> tuple[Any, Split]:
    """The tuned learner, and the scaled data of a seed."""
    found = results.tuned(cell.learner).get(cell.dataset)
    if found is None:
        found = tune(cell.dataset, cell.learner)
        results.add_tuned(cell.learner, cell.dataset, found)
    data, scale = split(cell.dataset, cell.seed), scaler(cell.dataset, found)
    kind = "float32" if cell.learner == "net" else "float64"
    X_pool, X_test = (scale.transform(X).astype(kind) for X in (data.X_pool, data.X_test))
    ready = Split(X_pool, data.y_pool, X_test, data.y_test, data.first)
    return tuned_learner(cell.dataset, cell.learner, found), ready


def _report(args: argparse.Namespace) -> None:
    from ._report import ComparedReport

    report = ComparedReport(Results(args.out))
    print(*report.tables(), sep="\n\n")
    print(f"written: {report.draw(args.picture)}")


if __name__ == "__main__":
    main()
