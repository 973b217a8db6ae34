"""Damage on purpose; exits with 1 if anything went wrong without a word or was lost.

``python -m tests.torture [--minutes 10] [--seed 0] [--short] [--parts flips interrupts …]``
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="at most so long (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="a twentieth of everything")
    parser.add_argument(
        "--parts", nargs="+", help="flips, interrupts, kills, servers, sessions, threads"
    )
    options = parser.parse_args()
    from ._run import PARTS, run_parts

    started = time.monotonic()
    share = 0.05 if options.short else 1.0
    tallies = run_parts(options.parts or list(PARTS), options.minutes * 60, share, options.seed)
    failed = sum(len(tally.silent) for tally in tallies)
    passed = sum(tally.tried for tally in tallies) - failed
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{passed:,} passed, {failed:,} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
