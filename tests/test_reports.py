"""One kind of report: robustness, retraining, prioritisation, comparison, a study's tables."""

import csv

import matplotlib
import numpy as np
import pytest

from skactive.analysis import compare_strategies
from skactive.metrics import RobustnessReport
from skactive.prioritization import PrioritizationReport
from skactive.retraining import RetrainingReport
from skactive.study._tables import Cell, Table
from skactive.utils.reports import Report, markdown_table

matplotlib.use("Agg")


def retraining():
    """Two seeds, one strategy; a name that HTML would swallow."""
    return RetrainingReport(
        [
            {"strategy": name, "budget": budget, "seed": seed, "n_selected": 4, "select_time": 0.1,
             "retrain_time": 1.0, "accuracy": 0.9 + seed / 100, "pgd": 0.5}
            for name, budget in (("baseline", 0.0), ("<dre>", 0.04), ("<dre>", 0.1))
            for seed in (0, 1)
        ]
    )  # fmt: skip


def prioritization():
    rates = {0.04: 0.5, 20: 1.0}
    row = {"strategy": "<gini>", "apfd": 0.9, "time": 0.1, "fault_detection_rate": rates}
    return PrioritizationReport([row])


def comparison():
    return compare_strategies({"random": [0.5, 0.6], "<dre>": [0.6, 0.8], "margin": [0.5, 0.6]})


def table():
    cells = [Cell.of("<dre>", "accuracy", [90.0, 91.0], 92.0), Cell.of("random", "accuracy", [])]
    return Table("table_1", "Table 1", cells, ["scaled <down>"])


def robustness():
    left = {"clean": 0.75, "<apgd>": 0.5}
    return RobustnessReport(0.75, 0.5, left, np.array([True, True, False, False]), 0.25)


REPORTS = [robustness, retraining, prioritization, comparison, table]


@pytest.mark.parametrize("make", REPORTS)
def test_a_report_is_its_rows_and_prints_its_table(make):
    report = make()
    assert isinstance(report, Report)
    assert len(report) == len(report.rows)
    assert list(report) == [report[i] for i in range(len(report))] == list(report.rows)
    head, body = report.cells()
    assert report.table == markdown_table(head, body)
    assert len(report.table.splitlines()) == 2 + len(list(body))
    assert repr(report) == str(report) == "\n\n".join([report.table, *report.notes])


@pytest.mark.parametrize("make", REPORTS)
def test_a_notebook_shows_the_same_cells_escaped(make):
    report = make()
    html = report._repr_html_()
    head, body = report.cells()
    assert html.count("<th>") == len(head)
    assert html.count("<td>") == sum(len(line) for line in body)
    assert "&lt;" in html
    assert "<dre>" not in html
    assert "<gini>" not in html
    assert "<apgd>" not in html
    assert html.count("<p>") == len(report.notes)


@pytest.mark.parametrize("make", REPORTS)
def test_frame_file_and_figure_hold_every_row(make, tmp_path):
    pytest.importorskip("pandas")
    report = make()
    frame = report.to_frame()
    assert len(frame) == len(report)
    report.to_csv(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [list(line) for line in lines] == [list(frame.columns)] * len(report)
    axes = np.ravel(report.plot())
    assert all(ax.has_data() for ax in axes)
    again = report.plot(axes if len(axes) > 1 else axes[0])
    assert list(np.ravel(again)) == list(axes)


def test_without_pandas_the_library_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="RetrainingReport.to_frame needs pandas: pip install"):
        retraining().to_frame()
    assert "&lt;dre&gt;" in retraining()._repr_html_()  # asks for nothing


def test_numbers_of_the_tables():
    assert retraining().table.splitlines()[2].startswith("| baseline | 90.50 ± 6.35 | 90.50 ± 6.35")
    assert robustness().table.splitlines()[2:] == [
        "| clean | 75.00 | 3 |",
        "| <apgd> | 50.00 | 2 |",
    ]
    assert robustness().notes == ["25.0% of the samples have an input gradient of zero."]
    assert prioritization().table == (
        "| strategy | apfd | found at 4 % | found at 20 | seconds |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| <gini> | 0.900 | 0.500 | 1.000 | 0.100 |"
    )
    assert "| <dre> | 2 | +0.15 | -0.4853 to +0.7853 | +1.00 | – | – |" in comparison().table
    assert comparison().notes == [f"{comparison()[0].note}."]
    assert table().table.splitlines()[2:] == ["| <dre> | 90.50 ± 0.71 (92.00) |", "| random | – |"]


def test_a_report_needs_cells_and_a_drawing():
    class Bare(Report):
        rows = ()

    for ask in (lambda: Bare().table, Bare().plot):
        with pytest.raises(NotImplementedError, match="Bare must implement"):
            ask()
