"""``python -m benchmarks.claims``: record results, confirm them, write pages, check all."""

from __future__ import annotations

import argparse
import os

from . import ROOT


def main() -> int:
    """Run one of the commands; 1 if `check` found something wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.claims", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="run the command that makes a result, and note it")
    record.add_argument("name", help="of the record, in docs/results/made")
    record.add_argument("--files", nargs="+", default=[], help="written, but not named by it")
    record.add_argument("--tolerance", type=float, default=0.0, help="of a number, when run again")
    record.add_argument("--timed", action="store_true", help="its figures are times")
    record.add_argument(
        "--joins", nargs="+", default=[], metavar="CHECKOUT",
        help="other checkouts where the same result went on; the command brings in their rows",
    )  # fmt: skip
    record.add_argument(
        "--whole", default="", metavar="COMMAND", help="what makes all of it in one sitting"
    )
    confirm = commands.add_parser("confirm", help="make some rows of a dear result again")
    confirm.add_argument("name", help="of the record")
    confirm.add_argument("--files", nargs="+", default=[], help="tables of it that are compared")
    confirm.add_argument(
        "--covers", action="store_true", help="it runs all that made the result, for less data"
    )
    confirm.add_argument(
        "--beside", default="", metavar="COMMIT", help="compare with what that code makes here"
    )
    again = commands.add_parser("again", help="confirm dear results as they were confirmed before")
    again.add_argument("names", nargs="*", help="of records (default: all whose code has changed)")
    narrow = commands.add_parser("narrow", help="note which functions make a result, and no more")
    narrow.add_argument("name", help="of the record")
    for runs in (record, confirm, narrow):
        runs.add_argument("--threads", type=int, default=1)
    commands.add_parser("write", help="put the numbers of the results into the pages")
    check = commands.add_parser("check", help="what is edited, uncovered, stale or untrue")
    check.add_argument("--budget", type=float, default=60, help="seconds for cheap results")
    check.add_argument("--all", action="store_true", help="run all cheap results again")
    commands.add_parser("evidence", help="write docs/evidence.md")
    args, words = _split(parser)
    try:
        return _COMMANDS[args.command](args, words)
    except KeyboardInterrupt:
        print("stopped; `record` keeps what its script had written, and the same command goes on")
        return 130


def _split(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[str]]:
    """Options, and what stands behind ``--``."""
    import sys

    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    return parser.parse_args(words[:at]), words[at + 1 :]


def _ready(args: argparse.Namespace, words: list[str]) -> None:
    if not words:
        raise SystemExit(
            "Say the command behind --, such as: -- examples/x.py --out docs/results/x.csv"
        )
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(args.threads)  # before anything that reads them is imported


def _record(args: argparse.Namespace, words: list[str]) -> int:
    _ready(args, words)
    from ._recording import record
    from ._records import load

    old = load(args.name)
    kept = record(
        args.name, words, files=args.files, tolerance=args.tolerance, timed=args.timed,
        joins=args.joins, whole=args.whole,
    )  # fmt: skip
    if kept == old:
        print(f"{kept.name}: nothing was made anew, and the record is as it was")
        return 0
    print(f"{kept.name}: {kept.rerun}, {len(kept.runs[-1].code)} files of code")
    return 0


def _confirm(args: argparse.Namespace, words: list[str]) -> int:
    _ready(args, words)
    from ._confirming import confirm

    sample = confirm(args.name, words, files=args.files, covers=args.covers, beside=args.beside)
    standing = f"with the code of {args.beside}" if args.beside else "they stand"
    print(f"{args.name}: {sample.rows} of {sample.of} rows came out as {standing}")
    return 0


def _again(args: argparse.Namespace, words: list[str]) -> int:
    from ._again import again

    failed = again(args.names)
    for line in failed:
        print(f"failed: {line}")
    return int(bool(failed))


def _narrow(args: argparse.Namespace, words: list[str]) -> int:
    _ready(args, words)
    from ._narrowing import narrow

    changed = narrow(args.name, words).changed()
    print(f"{args.name}: " + ("changed: " + ", ".join(changed) if changed else "the same code"))
    return 0


def _write(args: argparse.Namespace, words: list[str]) -> int:
    from ._pages import check_page, pages, write_page

    faults = []
    for page in pages():
        if write_page(page):
            print(f"written: {page.relative_to(ROOT)}")
        faults += check_page(page)
    for fault in faults:
        print(f"wrong: {fault}")
    return int(bool(faults))


def _check(args: argparse.Namespace, words: list[str]) -> int:
    from ._check import check

    found = check(budget=args.budget, everything=args.all)
    for line in found.stale:
        print(f"stale: {line}")
    for line in found.wrong:
        print(f"wrong: {line}")
    print(f"{len(found.wrong)} wrong, {len(found.stale)} stale")
    return int(bool(found.wrong))


def _evidence(args: argparse.Namespace, words: list[str]) -> int:
    from .evidence import write

    print(f"written: {write().relative_to(ROOT)}")
    return 0


_COMMANDS = {
    "record": _record,
    "confirm": _confirm,
    "again": _again,
    "narrow": _narrow,
    "write": _write,
    "check": _check,
    "evidence": _evidence,
}

if __name__ == "__main__":
    raise SystemExit(main())
