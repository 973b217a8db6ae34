"""DFAL's tables on a CPU: its protocol to the first 100 labels, and the time of one query.

    SKACTIVE_DATA=/path/to/data python -m benchmarks.dfal_tables          # goes on where it stopped
    python -m benchmarks.dfal_tables --seeds 0 --strategies dfal random   # a part

Runs the presets ``dfal_mnist_scaled``, ``dfal_runtime`` and ``quickdraw_scaled`` (whose picks also
teach a VGG8) on one thread and writes their report to docs/results/dfal_scaled. A task is one
strategy and one seed; ``--minutes`` starts no task after that many CPU minutes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from skactive.study import Execution, preset, run_study, write_report

_ROOT = Path(__file__).parents[1]
_OUT = _ROOT / "docs" / "results" / "dfal_scaled"
_PRESETS = ("dfal_mnist_scaled", "dfal_runtime", "quickdraw_scaled")
# The dear ones last, so that a run that is cut short has the others.
_ORDER = ("random", "entropy", "dfal", "bald", "egl", "ceal", "robust_coreset")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--runs", type=Path, default=Path("runs", "dfal"), help="folder of the runs")
    add("--out", type=Path, default=_OUT, help="folder of the report")
    add("--presets", nargs="+", default=_PRESETS, metavar="NAME")
    add("--strategies", nargs="+", default=_ORDER, metavar="NAME")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N")
    add("--minutes", type=float, default=float("inf"), help="start no task after these CPU minutes")
    args = parser.parse_args()
    execution = Execution(threads=1, device="cpu", progress=False)
    for seed in args.seeds:
        for name in args.presets:
            protocol = preset(name)
            for strategy in _asked(protocol.strategies, args.strategies):
                if time.process_time() < 60 * args.minutes:
                    run_study(
                        [protocol], args.runs, strategies=[strategy], seeds=[seed],
                        execution=execution, say=lambda text: None,
                    )  # fmt: skip
                    print(f"{name} {strategy} {seed}: {time.process_time():.0f} CPU s", flush=True)
    print(f"written to {write_report(args.runs, args.out).parent}")


def _asked(known: tuple[str, ...], names: list[str]) -> list[str]:
    """Strategies of a preset, with its settings of them, in the order of `names`."""
    return [full for name in names for full in known if full.partition(":")[0] == name]


if __name__ == "__main__":
    main()
