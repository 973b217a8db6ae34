"""Rows of a table that were made in several checkouts."""

import sys

import pytest

from benchmarks.join_rows import joined, main

TABLE = b"seed,score\r\n0,0.5\r\n0,0.5\r\n"


def test_rows_come_once_and_the_tables_own_stand_first():
    found = joined(
        TABLE, {"a": b"seed,score\r\n2,0.7\r\n0,0.5\r\n", "b": b"seed,score\r\n2,0.7\r\n"}
    )
    assert found == TABLE + b"2,0.7\r\n"
    assert joined(TABLE, {"a": TABLE}) == TABLE


@pytest.mark.parametrize(
    ("table", "other", "words"),
    [
        (TABLE, b"score,seed\r\n0.7,2\r\n", "lane has other columns"),
        (TABLE, b"seed,score\r\n2,0.", "lane ends within a row"),
        (TABLE[:-2], TABLE, "The table ends within a row"),
    ],
)
def test_what_is_no_such_table_is_refused(table, other, words):
    with pytest.raises(SystemExit, match=words):
        joined(table, {"lane": other})


def test_the_command_writes_the_table(tmp_path, monkeypatch, capsys):
    table, lane = tmp_path / "x.csv", tmp_path / "lane.csv"
    table.write_bytes(TABLE)
    lane.write_bytes(b"seed,score\r\n1,0.6\r\n")
    monkeypatch.setattr(sys, "argv", ["join_rows", str(lane), str(table)])
    main()
    assert table.read_bytes() == TABLE + b"1,0.6\r\n"
    assert capsys.readouterr().out == f"1 rows more in {table}\n"
