"""The loop that compares strategies of several libraries: same start, same budget, resumable."""

import csv

import numpy as np
import pytest

from benchmarks.comparison._data import SPECS, budget, split, tuning_part
from benchmarks.comparison._learners import Tuned, scaler, tune, tuned_learner
from benchmarks.comparison._loop import Cell, Row, run_cell
from benchmarks.comparison._pickers import Pick, pickers
from benchmarks.comparison._report import ComparedReport
from benchmarks.comparison._store import Results

TUNED = Tuned("standard", {"C": 0.1}, 1.0)


def cell_rows(strategy, seed=0, picker=None):
    picker = picker or pickers("logistic")[strategy]
    learner = tuned_learner("wine", "logistic", TUNED)
    return run_cell(Cell("wine", "logistic", strategy, seed), split("wine", seed), learner, picker)


@pytest.mark.parametrize("dataset", ["wine", "diverging_sin", "three_clust", "breast_cancer"])
def test_tuning_pool_and_test_samples_are_apart(dataset):
    tuning, first = tuning_part(dataset), split(dataset, 0)
    rows = np.concatenate([tuning[0], first.X_pool, first.X_test])
    spec = SPECS[dataset]
    assert len(rows) == spec.n_tune + spec.n_pool + spec.n_test
    assert len(np.unique(rows, axis=0)) == len(rows)
    labels, counts = np.unique(first.y_pool[first.first], return_counts=True)
    assert len(labels) == len(np.unique(tuning[1]))
    assert set(counts) == {2}
    assert not np.array_equal(split(dataset, 1).X_pool, first.X_pool)
    assert np.array_equal(split(dataset, 0).X_pool, first.X_pool)


def test_strategies_start_equal_spend_equally_and_repeat():
    rows = {name: cell_rows(name) for name in ("random", "margin", "ceal", "self_training")}
    assert len({found[0].accuracy for found in rows.values()}) == 1
    for found in rows.values():
        labels = [row.n_labels for row in found]
        assert labels == list(range(6, budget("wine", 3) + 1, 3))
    again = [row.accuracy for row in cell_rows("margin")]
    assert again == [row.accuracy for row in rows["margin"]]


def test_a_strategy_that_fails_is_a_row_that_says_so():
    def picks_twice(known):
        return Pick(known.unlabeled[np.zeros(known.n, dtype=int)])

    rows = cell_rows("mine", picker=picks_twice)
    assert [row.error for row in rows] == ["", "ValueError: 1 new samples instead of 3"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("margin", "margin"), ("entropy", "entropy"), ("coreset", "coreset")],
)
def test_libraries_agree_where_they_compute_the_same(theirs, ours):
    pytest.importorskip("skactiveml", reason="scikit-activeml is in the extra bench")
    accuracy = [[row.accuracy for row in cell_rows(name)]
                for name in (f"scikit-activeml:{theirs}", ours)]  # fmt: skip
    assert accuracy[0] == accuracy[1]


def test_a_killed_run_goes_on_with_whole_cells(tmp_path):
    results, rows = Results(tmp_path), cell_rows("margin")
    results.add("logistic", rows)
    results.add_tuned("logistic", "wine", TUNED)
    assert results.tuned("logistic") == {"wine": TUNED}
    results.add("logistic", cell_rows("random")[:4])
    with (tmp_path / "logistic.csv").open("a") as file:
        file.write("wine,logistic,dre,0,6")  # killed within a line
    assert results.begin("logistic") == {Cell("wine", "logistic", "margin", 0)}
    assert results.rows("logistic") == rows
    with (tmp_path / "logistic.csv").open(newline="") as file:
        assert next(csv.reader(file)) == list(Row._fields)


def test_tuning_takes_as_many_labels_as_the_budget():
    tuned = tune("wine", "logistic")
    assert tuned.accuracy > 0.9
    learner = tuned_learner("wine", "logistic", tuned)
    assert tuned.params["C"] == learner.C
    assert scaler("wine", tuned).fit_transform(tuning_part("wine")[0]).shape == (40, 13)


def test_tables_say_who_is_worse_than_random_and_who_failed(tmp_path):
    results = Results(tmp_path)
    points = list(range(6, budget("wine", 3) + 1, 3))
    for strategy, height in (("random", 0.5), ("better", 0.6), ("worse", 0.4)):
        for seed in range(8):
            rows = [Row("wine", "logistic", strategy, seed, n, f"{height + seed / 100:.4f}",
                        "0.002", "0.001") for n in points]  # fmt: skip
            results.add("logistic", rows)
    results.add("logistic", [Row("wine", "logistic", "broken", 0, 6, "", "", "", "ValueError: no")])
    report = ComparedReport(results)
    lines = {line.split(" | ")[0].strip("| "): line for line in report.against_random().split("\n")}
    assert "+10.00 (+10.00 to +10.00)" in lines["better"]
    assert "0 / 8" in lines["worse"]
    assert lines["worse"].endswith("| wine |")
    assert "0.0156" in lines["worse"]  # 2 / 2^8, twice by Holm
    assert "better (+10.0) | 1 | 0 | worse (-10.0) |" in report.advice()
    assert "8 pairs, of 1 data sets and 8 seeds. Fewer than 10 seeds" in report.advice()
    assert "| better | 1.0 | 63.5 ± " in report.area()
    assert "| better | 2 |" in report.cpu()
    assert "| broken | logistic | wine | ValueError: no | 1 |" in report.failed()
    assert report.draw(tmp_path / "picture.png").stat().st_size > 10_000
