"""Which strategy is better, said with the uncertainty that a few seeds leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..analysis import (
    ComparisonReport,
    CorrelationResult,
    area_under_budget_curve,
    bias_robustness_correlation,
    compare_strategies,
)
from ..utils.reports import markdown_table
from ._frames import ATTACK_TITLES, Study, strongest
from ._protocol import MODES
from ._tables import Cell, Table, percent

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "random"
AREA = "area under the budget curve"
Compared = tuple[str, str, str, ComparisonReport]  # mode, study, measure, what was found
CHARACTERISTICS = ("entropy", "gini", "least_confidence", "margin", "class")


def last_stage_scores(study: Study, mode: str, column: str) -> pd.DataFrame:
    """Seeds down, strategies across: a score of the last stage."""
    rows = study.at(study.last, mode)
    return rows.pivot(index="seed", columns="strategy", values=column)


def areas(study: Study, mode: str, column: str) -> pd.DataFrame:
    """Seeds down, strategies across: area under the budget curve."""
    rows = study.queried(mode).sort_values("stage")
    grouped = rows.groupby(["seed", "strategy"])[["oracle", column]]
    found = grouped.apply(lambda part: area_under_budget_curve(part["oracle"], part[column]))
    return found.unstack("strategy")


def measures(study: Study, mode: str, attack: str | None) -> dict[str, pd.DataFrame]:
    """What strategies are compared by, by name: seeds down, strategies across."""
    last = strongest(study.at(study.last, mode), attack)
    curve = strongest(study.queried(mode), attack)
    found = {"accuracy, last stage": last_stage_scores(study, mode, "accuracy")}
    if study.last > 0:
        found[f"accuracy, {AREA}"] = areas(study, mode, "accuracy")
    if last is not None:
        name = f"robustness ({ATTACK_TITLES.get(last, last)}), last stage"
        found[name] = last_stage_scores(study, mode, f"robust_{last}")
    if curve is not None and study.last > 0:
        name = f"robustness ({ATTACK_TITLES.get(curve, curve)}), {AREA}"
        found[name] = areas(study, mode, f"robust_{curve}")
    return found


def area_table(studies: list[Study], attack: str | None) -> Table:
    """Areas under the budget curve."""
    table = Table("budget_curves", "Area under the budget curve (%, mean over the budget)")
    for study in studies:
        for mode in sorted(study.queried()["mode"].unique()):
            curve = strongest(study.queried(mode), attack)
            scores = {"accuracy": "accuracy"} | (
                {f"robustness ({ATTACK_TITLES.get(curve, curve)})": f"robust_{curve}"}
                if curve
                else {}
            )
            for name, column in scores.items():
                frame = areas(study, mode, column)
                title = f"{study.name}, {mode}: {name}"
                table.rows += [Cell.of(s, title, percent(frame[s])) for s in frame.columns]
    return table


def comparisons(studies: list[Study], attack: str | None) -> list[Compared]:
    """Every strategy against random sampling, for both kinds of training.

    With several studies, also all of them together, paired by study and seed.
    """
    return [entry for mode in MODES for entry in _of_mode(studies, mode, attack) if entry[-1]]


def _of_mode(studies: list[Study], mode: str, attack: str | None) -> Iterator[Compared]:
    import pandas as pd

    pooled: dict[str, list[pd.DataFrame]] = {}
    for study in studies:
        if study.queried(mode).empty:
            continue
        for name, frame in measures(study, mode, attack).items():
            if BASELINE in frame.columns:
                yield mode, study.name, name, _compared(frame)
                frame = frame.set_axis([f"{study.name} {seed}" for seed in frame.index])
                pooled.setdefault(name, []).append(frame)
    for name, frames in pooled.items():
        if len(frames) > 1:
            yield mode, "all studies", name, _compared(pd.concat(frames))


def _compared(frame: pd.DataFrame) -> ComparisonReport:
    found = compare_strategies({str(s): frame[s] for s in frame.columns}, BASELINE)
    return dataclasses.replace(found, percent=True)


def bias_arrays(
    study: Study, mode: str, attack: str | None
) -> tuple[dict[str, NDArray], NDArray, list[int], str] | None:
    """Bias and robustness, (stages, strategies), means over seeds; None without an attack."""
    rows = study.queried(mode)
    rows = rows[rows.stage > 0]
    found = None if rows.empty else strongest(rows, attack)
    if found is None or "bias_entropy" not in rows:
        return None
    means = rows.groupby(["stage", "strategy"]).mean(numeric_only=True)
    robust = means[f"robust_{found}"].unstack("strategy")
    bias = {
        name: means[f"bias_{name}"].unstack("strategy").to_numpy()
        for name in CHARACTERISTICS
        if f"bias_{name}" in means
    }
    return bias, robust.to_numpy(), [int(stage) for stage in robust.index], found


def correlations(bias: Mapping[str, NDArray], robustness: NDArray) -> dict[str, CorrelationResult]:
    """Pearson's r at each stage, by characteristic."""
    return {name: bias_robustness_correlation(b, robustness) for name, b in bias.items()}


def correlation_markdown(results: Mapping[str, CorrelationResult], stages: list[int]) -> str:
    """Correlations as a table: mean over the stages, then each stage with its interval."""
    head = ["characteristic", "mean r", *(f"stage {stage}" for stage in stages)]
    body = []
    for name, result in results.items():
        cells = [
            _r(r) + ("" if np.isnan(low) else f" ({low:+.2f} to {high:+.2f})")
            for r, low, high in zip(result.statistic, result.low, result.high, strict=True)
        ]
        known = result.statistic[np.isfinite(result.statistic)]
        body.append([name, _r(known.mean() if len(known) else np.nan), *cells])
    return markdown_table(head, body)


def _r(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:+.2f}"
