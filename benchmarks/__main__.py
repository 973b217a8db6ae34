"""Run all benchmarks and print the table.

    python -m benchmarks                       # under twenty minutes on two cores
    python -m benchmarks --only k_center egl   # some
    python -m benchmarks --quick               # small sizes: a smoke test, bars mean little
    python -m benchmarks --save                # write docs/results/benchmarks*; with --only,
                                               # replace the rows of those scripts there

Each script compares one kernel with its peers: one thread, CPU seconds, variants interleaved in
random order in one process, median of the paired ratios, equal results asserted. Peers come with
``pip install ".[bench]"``; one that is absent is skipped by name. Ends with status 1 where a row
failed or, without --save, missed its bar.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import time
import traceback
from dataclasses import asdict, fields, replace
from importlib import metadata
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from .timing import Row, markdown, show  # noqa: E402  after the number of threads

SCRIPTS = (
    "scoring",
    "deepfool",
    "dfal",
    "egl",
    "k_center",
    "dropout",
    "selection",
    "badge",
    "batch_bald",
    "tabular",
    "pgd",
    "training",
    "certified_training",
    "certify",
    "memory",
)
_RESULTS = Path(__file__).parents[1] / "docs" / "results"
_VERSIONS = (
    "skactive",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "torchattacks",
    "foolbox",
    "adversarial-robustness-toolbox",
    "scikit-activeml",
    "baal",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="SCRIPT")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--save", action="store_true", help="write docs/results/benchmarks.*")
    args = parser.parse_args()
    if args.save and args.quick:
        parser.error("--save writes the table at full size: leave out --quick")
    begin, found = time.perf_counter(), {}
    for name in args.only:
        start = time.perf_counter()
        found[name] = _run(name, args.quick)
        print(f"# {name}: {time.perf_counter() - start:.0f} s", flush=True)
    rows = [row for part in found.values() for row in part]
    minutes = (time.perf_counter() - begin) / 60
    spent = sum(os.times()[:4]) / 60  # its own and its children's, user and system
    print(f"\n{markdown(rows)}\n{len(rows)} rows in {minutes:.1f} minutes, {spent:.1f} of CPU")
    if args.save:
        _save(found, minutes, spent)
    bad = ("failed",) if args.save else ("missed", "failed")  # the table that is saved says which
    return int(any(row.verdict in bad for row in rows))


def _run(name: str, quick: bool) -> list[Row]:
    """Rows of one script; what it raises becomes a row, so that the others still run."""
    rows = []
    try:
        for row in importlib.import_module(f".bench_{name}", __package__).rows(quick):
            row = replace(row, bar=None) if quick else row  # bars are for full sizes
            show(row)
            rows.append(row)
    except Exception as error:
        traceback.print_exc()
        rows.append(Row(name, "", None, results=f"failed: {type(error).__name__}: {error}"[:200]))
    return rows


def _save(found: dict[str, list[Row]], minutes: float, spent: float) -> None:
    """Write the table; rows of scripts that were not run stay as they are."""
    path = _RESULTS / "benchmarks.json"
    about = {
        "date": time.strftime("%Y-%m-%d"),
        "minutes": round(minutes, 1),
        "cpu_minutes": round(spent, 1),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform()},
        "threads": 1,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _VERSIONS},
    }
    records = []
    if len(found) < len(SCRIPTS) and path.exists():
        before = json.loads(path.read_text())
        about = {key: before.get(key) for key in about}
        records = [record for record in before["rows"] if record["script"] not in found]
    for name, rows in found.items():
        records += [{"script": name, **asdict(row), "verdict": row.verdict} for row in rows]
    records.sort(key=lambda record: SCRIPTS.index(record["script"]))
    path.write_text(json.dumps({**about, "rows": records}, indent=1, ensure_ascii=False) + "\n")
    names = [field.name for field in fields(Row)]
    table = markdown([Row(**{name: record[name] for name in names}) for record in records])
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    (_RESULTS / "benchmarks_table.md").write_text(
        f"{table}\n{about['date']}, {about['machine']['cpu']}, {about['machine']['cores']} cores, "
        f"one thread; Python {about['python']}, {versions}.\n"
    )


def _cpu() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


if __name__ == "__main__":
    raise SystemExit(main())
