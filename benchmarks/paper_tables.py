"""The papers' tables on a CPU, at the scale that hours allow.

    SKACTIVE_DATA=/path/to/data python -m benchmarks.paper_tables dfal    # goes on where it stopped
    python -m benchmarks.paper_tables dfal --seeds 0 --strategies dfal random    # a part

- ``dfal``: DFAL's protocol to the first 100 labels, the time of one query, Quick, Draw!, whose
  picks also teach a VGG8;
- ``dre``: all functions of the DRE study on MNIST and Fashion-MNIST, to 800 labels;
- ``allocations``: the three ways in which DRE shares a budget among its bins, with ten seeds;
- ``dfal_mnist``: DFAL's whole budget on MNIST, 1,000 labels by ten. Ten minutes a task, CEAL's
  hours, which teaches itself most of the pool in each round;
- ``dre_mnist``: MNIST to 5,000 labels, as in the DRE paper's tables 2 to 4: the whole pool, 24
  stages, training with BIM-40. Attacked are 1,000 test images, by PGD after each stage and by
  AutoAttack after the last, and the last epoch counts, not the best on validation images, which
  alone would take longer than the training. An hour a task.

A task is one strategy and one seed, on one thread; ``--minutes`` starts no task after that many CPU
minutes. The report of what is done goes to docs/results; tasks that are in the report kept there
are not run again, so that another machine, or another day, goes on with the next seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from skactive.study import (
    DRE_STRATEGIES,
    Execution,
    Protocol,
    preset,
    run_study,
    study_report,
    write_report,
)

_RESULTS = Path(__file__).parents[1] / "docs" / "results"


class Part(NamedTuple):
    """Some of the papers' tables."""

    out: str  # a folder of docs/results
    presets: tuple[str, ...]
    seeds: int
    modes: tuple[str, ...]
    strategies: tuple[str, ...] = ()  # none: those of each preset
    changes: Mapping[str, Any] = MappingProxyType({})  # of the presets


_ON_A_CPU = {
    "validation": False,
    "best_epoch": False,
    "eval_attacks": {
        "pgd": {"name": "dre-mnist-pgd", "stop_when_fooled": True, "n_test": 1000},
        "autoattack": {"name": "dre-mnist-autoattack", "at": "last", "n_test": 1000},
    },
}
_ALLOCATIONS = ("dre", "dre:allocation=ceil_tail", "dre:allocation=equal")
PARTS = {
    "dfal": Part(
        "dfal_scaled",
        ("dfal_mnist_scaled", "dfal_runtime", "quickdraw_scaled"),
        5,
        ("standard",),
    ),
    "dre": Part(
        "study_scaled",
        ("mnist_scaled", "fashion_mnist_scaled"),
        3,
        ("robust", "standard"),
        DRE_STRATEGIES,
    ),
    "allocations": Part(
        "dre_allocations", ("mnist_scaled",), 10, ("robust",), ("random", *_ALLOCATIONS)
    ),
    "dfal_mnist": Part("dfal_mnist", ("dfal_mnist_lenet5",), 5, ("standard",)),
    "dre_mnist": Part(
        "dre_mnist",
        ("mnist",),
        3,
        ("robust", "standard"),
        ("random", "dre", "entropy", "margin"),
        changes=_ON_A_CPU,
    ),
}


def main() -> None:
    args = _parse()
    part, started = PARTS[args.part], time.process_time()
    runs, kept, out = (folder / part.out for folder in (args.runs, args.kept or args.out, args.out))
    protocols = [preset(name, **part.changes) for name in args.presets or part.presets]
    finished = _finished(kept, protocols)
    for seed in args.seeds or range(part.seeds):
        for protocol in protocols:
            for strategy in args.strategies or part.strategies or protocol.strategies:
                tasks = {(protocol.name, strategy, mode, seed) for mode in part.modes}
                if tasks <= finished or time.process_time() - started >= 60 * args.minutes:
                    continue
                run_study(
                    [protocol], runs, strategies=[strategy], seeds=[seed], modes=part.modes,
                    say=lambda text: None,
                    execution=Execution(threads=1, device="cpu", progress=False),
                )  # fmt: skip
                what = f"{protocol.name} {strategy} {seed}"
                print(f"{what}: {time.process_time():.0f} CPU s", flush=True)
    report = write_report([*([kept] if finished else []), *([runs] if runs.exists() else [])], out)
    print(f"written to {report.parent}")


def _finished(kept: Path, protocols: list[Protocol]) -> set[tuple[str, str, str, int]]:
    """Tasks of an earlier report: study, strategy, mode, seed."""
    if not (kept / "protocols.json").exists():
        return set()
    report = study_report(kept)
    now = {protocol.name: _plain(protocol.settings()) for protocol in protocols}
    for study in report.studies:
        if _plain(study.settings) != now.get(study.name, _plain(study.settings)):
            raise SystemExit(f"{kept} is of another protocol {study.name}: choose another --kept.")
    keys = ("study", "strategy", "mode", "seed")
    return set(report.to_frame()[list(keys)].itertuples(index=False, name=None))


def _plain(settings: Mapping[str, Any]) -> str:
    """What results depend on, as text."""
    return json.dumps({**settings, "description": "", "paper": ""}, sort_keys=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("part", choices=PARTS)
    add("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    add("--out", type=Path, default=_RESULTS, help="folder of the reports")
    add("--kept", type=Path, help="folder of earlier reports (default: that of --out)")
    add("--presets", nargs="+", metavar="NAME")
    add("--strategies", nargs="+", metavar="NAME")
    add("--seeds", nargs="+", type=int, metavar="N")
    add("--minutes", type=float, default=float("inf"), help="start no task after these CPU minutes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
