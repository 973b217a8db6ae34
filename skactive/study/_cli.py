"""Commands of studies: study, report."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ._config import as_toml, read_protocol
from ._presets import PRESETS
from ._runner import BACKENDS, Execution, run_study


def add_commands(commands: Any) -> None:
    """Add ``study`` and ``report`` to the commands of a parser."""
    study = commands.add_parser(
        "study",
        help="run protocols, or go on where they stopped",
        epilog=f"Presets: {', '.join(PRESETS)}.",
    )
    _add_study_arguments(study)
    report = commands.add_parser("report", help="tables, figures and statistics of what was run")
    report.add_argument(
        "folder",
        type=Path,
        nargs="+",
        help="the --out of a study, or of a report: that is made again; several are joined",
    )
    report.add_argument(
        "--out",
        type=Path,
        help="where to write (default: FOLDER/report, or the report itself; of the first)",
    )
    report.add_argument("--attack", help="attack of the tables (default: the strongest there is)")
    report.set_defaults(run=_report)


def _add_study_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("protocol", nargs="+", help="names of presets, or TOML files")
    add("--out", type=Path, required=True, help="folder of the results")
    add("--strategies", nargs="+", metavar="NAME",
        help="strategies (name or name:setting=value), or full")  # fmt: skip
    add("--modes", nargs="+", metavar="MODE", help="standard, robust")
    add("--seeds", nargs="+", type=int, metavar="N")
    add("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a setting, e.g. epochs=5 or train_attack.steps=20")  # fmt: skip
    add("--jobs", type=int, default=1, help="worker processes; -1 is one a core")
    add("--backend", default="loky", help=f"one of {', '.join(BACKENDS)}")
    add("--scheduler", help="address of a Dask scheduler (default: a cluster on this machine)")
    add("--threads", type=int, help="torch threads of each worker (default: cores / jobs)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    add("--quiet", action="store_true", help="no progress bar")
    add("--print", action="store_true", dest="only_print", help="print the protocols and stop")
    parser.set_defaults(run=_study)


def _study(args: argparse.Namespace) -> None:
    protocols = [read_protocol(name, args.overrides) for name in args.protocol]
    if args.only_print:
        print("\n".join(as_toml(protocol.settings()) for protocol in protocols))
        return
    execution = Execution(
        jobs=args.jobs,
        backend=args.backend,
        threads=args.threads,
        device=args.device,
        scheduler=args.scheduler,
        progress=not args.quiet,
    )
    started = time.monotonic()
    run_study(
        protocols,
        args.out,
        strategies=args.strategies,
        modes=args.modes,
        seeds=args.seeds,
        execution=execution,
    )
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"done in {minutes} min {seconds} s{_peak_memory()}")
    print(f"now: python -m skactive report {args.out}")


def _peak_memory() -> str:
    """In words, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (
        f", this process took at most {peak / (2**20 if sys.platform == 'linux' else 2**30):.2f} GB"
    )


def _report(args: argparse.Namespace) -> None:
    from ._report import write_report

    path = write_report(args.folder, args.out, attack=args.attack)
    print(path.read_text(encoding="utf-8"))
    print(f"written to {path.parent}")
