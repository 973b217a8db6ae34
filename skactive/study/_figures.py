"""Figures 2 and 3 of the DRE paper."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis import CorrelationResult, SelectionBiasDisplay
from ..utils.drawing import band, ink, legend, series, tidy
from ._frames import ATTACK_TITLES, Study, strongest

if TYPE_CHECKING:
    import pandas as pd

_STAND_OUT = {"random", "dre"}  # what the paper's question is about


@contextlib.contextmanager
def _figure(path: Path, **subplots: Any) -> Iterator[Any]:
    """Axes of a figure that is written to `path`; nothing is shown, no global state is left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figsize = subplots.pop("figsize")
    figure = Figure(figsize=figsize, layout="constrained")
    FigureCanvasAgg(figure)
    made = figure.subplots(**subplots)
    for ax in np.ravel(made):
        tidy(ax)
    yield made
    figure.savefig(path, dpi=110)


def draw_curves(study: Study, mode: str, attack: str | None, path: Path) -> Path:
    """Figure 2: accuracy and robustness by labels, a band of one standard deviation."""
    n = len(_scores(study, mode, attack))
    with _figure(path, figsize=(5.5 * n, 4.2), ncols=n, squeeze=False) as axes:
        plot_curves(axes[0], study, mode, attack)
    return path


def plot_curves(axes: Sequence[Any], study: Study, mode: str, attack: str | None) -> None:
    """Accuracy on the first axes, robustness on the second where it was measured."""
    rows, full = study.queried(mode), study.full(mode)
    for ax, (title, column) in zip(axes, _scores(study, mode, attack).items(), strict=False):
        _curves(ax, rows, column)
        if len(full):
            ax.axhline(full[column].mean(), color=ink(ax), linestyle="--", label="all data")
        ax.set(title=f"{study.title}, {mode}", xlabel="Labels bought", ylabel=title)
    legend(axes[len(_scores(study, mode, attack)) - 1])  # the same on all


def _scores(study: Study, mode: str, attack: str | None) -> dict[str, str]:
    """Columns that are drawn, by title."""
    found = strongest(study.queried(mode), attack)
    robust = {f"Robustness, {ATTACK_TITLES.get(found, found)}": f"robust_{found}"} if found else {}
    return {"Accuracy": "accuracy", **robust}


def _curves(ax: Any, rows: pd.DataFrame, column: str) -> None:
    for number, (strategy, part) in enumerate(rows.groupby("strategy")):
        table = part.pivot(index="oracle", columns="seed", values=column).dropna(axis=1)
        mean, sd = table.mean(axis=1), table.std(axis=1).fillna(0)
        style = series(number, str(strategy), n_points=len(table)) | {"label": strategy}
        if strategy in _STAND_OUT:
            style["linewidth"] = 2.5
        (line,) = ax.plot(table.index, mean, **style)
        look = {"color": line.get_color(), "among": rows["strategy"].nunique()}
        band(ax, table.index, mean - sd, mean + sd, **look)


def draw_correlations(
    title: str, results: Mapping[str, CorrelationResult], stages: list[int], path: Path
) -> Path:
    """Figure 3: the correlation of bias and robustness."""
    r = np.array([result.statistic for result in results.values()])
    with _figure(path, figsize=(max(5.0, 0.55 * len(stages) + 2.5), 3.2)) as ax:
        SelectionBiasDisplay(r, list(results), stages).plot(ax=ax)
        ax.set_title(title, fontsize="small")
    return path
