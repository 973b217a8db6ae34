"""Bring rows that were made in other checkouts into a table, each once, after the table's own.

python -m benchmarks.join_rows ../lane_1/docs/results/x.csv docs/results/x.csv
"""

import argparse
from pathlib import Path


def joined(table: bytes, others: dict[str, bytes]) -> bytes:
    """The table, and the rows of others that it lacks, to the byte.

    Raises
    ------
    SystemExit
        If one has other columns, or ends within a row.
    """
    head, *rows = table.splitlines(keepends=True)
    for name, other in {"The table": table, **others}.items():
        other_head, *other_rows = other.splitlines(keepends=True)
        if other_head != head:
            raise SystemExit(f"{name} has other columns: {other_head!r} in place of {head!r}.")
        if not other.endswith(b"\n"):
            raise SystemExit(f"{name} ends within a row. Wait until what writes it has ended.")
        known = set(rows)
        rows += [row for row in dict.fromkeys(other_rows) if row not in known]
    return b"".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("others", nargs="+", type=Path, metavar="OTHER.csv")
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="gets the rows it lacks")
    args = parser.parse_args()
    before = args.table.read_bytes()
    after = joined(before, {str(path): path.read_bytes() for path in args.others})
    args.table.write_bytes(after)
    more = len(after.splitlines()) - len(before.splitlines())
    print(f"{more} rows more in {args.table}")


if __name__ == "__main__":
    main()
