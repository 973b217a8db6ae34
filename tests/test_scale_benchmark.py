"""What the page on large pools is made of: reads counted, and a model in proportion."""

import csv

import pytest

pytest.importorskip("dask.array", reason="dask is not installed")

from benchmarks import scale


@pytest.mark.parametrize(("name", "passes"), [("Margin", 1), ("DiverseDRE", 3)])
def test_reads_are_counted(name, passes, monkeypatch):
    monkeypatch.setattr(scale, "ROWS_EACH", 500)
    row = scale.measured(name, 0.0018)
    assert (row["rows"], row["partitions"], row["passes"]) == (1800, 4, passes)
    assert row["bytes_sent"] > 4 * scale.N_PICKS * scale.WIDTH


def test_the_model_is_in_proportion_to_the_rows(tmp_path):
    path = tmp_path / "scale.csv"
    runs = [
        {"run": "reading", "strategy": "drawn", "rows": 10, "seconds": 1},
        {"run": "reading", "strategy": "Parquet", "rows": 10, "seconds": 2},
        {"run": "query", "strategy": "Margin", "rows": 100, "passes": 2, "bytes_sent": 50,
         "seconds": 30},
        {"run": "query", "strategy": "Margin", "rows": 1000, "passes": 2, "bytes_sent": 500,
         "seconds": 330},
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, scale.FIELDS)
        writer.writeheader()
        writer.writerows(runs)
    costs = scale.Costs(scale._read(path))
    assert costs.seconds("Margin", 1000) == pytest.approx(300)
    assert costs.work("Margin") == pytest.approx(0.33 - 2 * 0.1)
    prices = scale.Prices(read_rate=64)  # a row a second
    assert costs.core_hours("Margin", 3600, prices) == pytest.approx(0.13 + 2 * (0.2 + 1))
    assert costs.sent("Margin", 1e6) == pytest.approx(5e5)
    assert "| Margin | 0.001 | 2 | 0.00 | 330.00 | 300.0 | 1.10 |" in scale.table_of_runs(path)
    assert "| Margin | 128 |" in scale.table_of_a_billion(path)
