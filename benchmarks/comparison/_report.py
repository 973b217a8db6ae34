"""Tables and a picture from the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from skactive.analysis import area_under_budget_curve, compare_strategies
from skactive.utils.reports import markdown_table
from skactive.utils.statistics import half_interval

from ._data import SPECS
from ._learners import LEARNERS
from ._loop import Row
from ._store import Results

TITLES = {
    "logistic": "Logistic regression",
    "boosting": "Gradient boosting",
    "net": "A net of two hidden layers",
}
_KEYS = ["learner", "dataset", "strategy", "seed"]
_BASELINE = "random"
_LATE = 3  # the last points of a curve, and the first ones after the start


class ComparedReport:
    """What the results say, as tables in Markdown and a picture."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.frame = _frame(results)
        self.areas = _areas(self.frame)
        self.learners = [name for name in LEARNERS if name in set(self.frame.learner)]

    def tables(self) -> list[str]:
        """All tables."""
        return [
            self.setting(), self.what_was_run(), self.advice(), self.area(),
            self.against_random(), self.cpu(), self.failed(),
        ]  # fmt: skip

    def setting(self) -> str:
        """Sizes, and what tuning chose."""
        return _setting(self.results)

    def what_was_run(self) -> str:
        """Strategies, seeds and CPU minutes."""
        return _what_was_run(self.frame)

    def area(self) -> str:
        """Area under the curves, a table a learner."""
        return self._each(lambda name: _area_table(self.areas.loc[name]["area"]))

    def advice(self) -> str:
        """Who gained most with few labels and with many, and who lost, a table a learner."""
        return self._each(lambda name: _advice_table(self.areas.loc[name]))

    def against_random(self) -> str:
        """What is gained on random, a table a learner."""
        return self._each(lambda name: _random_table(self.areas.loc[name]))

    def cpu(self) -> str:
        """Milliseconds of a query, a table a learner."""
        return self._each(lambda name: _cpu_table(self.frame[self.frame.learner == name]))

    def failed(self) -> str:
        """Strategies that raised an error."""
        return _failed(self.results)

    def draw(self, path: Path) -> Path:
        """Draw what each strategy gains on random."""
        return _draw(self.areas, path)

    def _each(self, table: Callable[[str], str]) -> str:
        return "\n\n".join(f"**{TITLES[name]}**\n\n{table(name)}" for name in self.learners)


def _frame(results: Results) -> pd.DataFrame:
    rows = [row for learner in LEARNERS for row in results.rows(learner) if not row.error]
    frame = pd.DataFrame(rows, columns=Row._fields).drop(columns="error")
    numbers = ["accuracy", "query_s", "fit_s"]
    return frame.astype(dict.fromkeys(numbers, float)).sort_values([*_KEYS, "n_labels"])


def _areas(frame: pd.DataFrame) -> pd.DataFrame:
    """Area under each curve, early and late heights, in percent."""

    def heights(curve: pd.DataFrame) -> pd.Series:
        score = 100 * curve.accuracy.to_numpy()
        return pd.Series(
            {
                "area": area_under_budget_curve(curve.n_labels, score),
                "early": score[1 : 1 + _LATE].mean(),
                "late": score[-_LATE:].mean(),
            }
        )

    whole = frame.groupby(_KEYS).filter(
        lambda curve: len(curve) == SPECS[curve.dataset.iloc[0]].n_queries + 1
    )
    return whole.groupby(_KEYS)[["n_labels", "accuracy"]].apply(heights)


def _wide(values: pd.Series) -> pd.DataFrame:
    """Data sets and seeds down, strategies across."""
    return values.unstack("strategy")


def _order(values: pd.Series) -> pd.Series:
    """Average rank of each strategy over the data sets (by the means over the seeds)."""
    means = values.groupby(["dataset", "strategy"]).mean().unstack("strategy")
    complete = means.dropna(axis=1)
    return complete.rank(axis=1, ascending=False).mean().sort_values()


def _area_table(values: pd.Series) -> str:
    ranks = _order(values)
    sets = [name for name in SPECS if name in values.index.unique("dataset")]
    head = ["strategy", "average rank", *(name.replace("_", " ") for name in sets)]
    return markdown_table(
        head,
        (
            [name, f"{rank:.1f}", *(_spread(values.xs(name, level="strategy"), s) for s in sets)]
            for name, rank in ranks.items()
        ),
    )


def _spread(values: pd.Series, dataset: str) -> str:
    """Mean and half of the 95 % interval over the seeds."""
    found = values.loc[dataset].to_numpy()
    if len(found) < 2:
        return f"{found.mean():.1f}"
    return f"{found.mean():.1f} ± {half_interval(found.std(ddof=1), len(found)):.1f}"


def _random_table(of_learner: pd.DataFrame) -> str:
    wide = _wide(of_learner["area"])
    wide = wide[wide[_BASELINE].notna()]
    order = [n for n in _order(of_learner["area"]).index if n != _BASELINE]
    compared = compare_strategies({name: wide[name] for name in [_BASELINE, *order]})
    early, late = (_gain(of_learner[part]) for part in ("early", "late"))
    head = ["strategy", "pairs", "area (95 % interval)", "early", "late", "better / worse pairs",
            "effect size", "p (Holm)", "worse on"]  # fmt: skip
    rows = []
    for row in compared:
        gain = (wide[row.strategy] - wide[_BASELINE]).dropna()
        by_set = gain.groupby("dataset").mean()
        worse = [name.replace("_", " ") for name in SPECS if by_set.get(name, 0) < 0]
        p = "–" if np.isnan(row.pvalue_holm) else f"{row.pvalue_holm:.3g}"
        rows.append(
            [row.strategy, str(row.n_pairs),
             f"{row.mean_difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})",
             f"{early[row.strategy]:+.2f}", f"{late[row.strategy]:+.2f}",
             f"{int((gain > 0).sum())} / {int((gain < 0).sum())}",
             f"{row.effect_size:+.2f}", p, ", ".join(worse) or "none"]
        )  # fmt: skip
    return markdown_table(head, sorted(rows, key=lambda cells: -float(cells[2].split()[0])))


_PARTS = {
    "area": "all the way",
    "early": f"few labels (the first {_LATE} queries)",
    "late": f"more labels (the last {_LATE} queries)",
}
_NAMED = 5
_ENOUGH = 10  # seeds of a claim


def _advice_table(of_learner: pd.DataFrame) -> str:
    """Points gained on random over all data sets and seeds, as far as their interval says."""
    rows = []
    for part, words in _PARTS.items():
        wide = _wide(of_learner[part])
        complete = wide.loc[:, wide.notna().sum() == len(wide)]
        order = complete.mean().drop(_BASELINE).sort_values(ascending=False)
        found = compare_strategies({name: complete[name] for name in [_BASELINE, *order.index]})
        named = {row.strategy: f"{row.strategy} ({row.mean_difference:+.1f})" for row in found}
        above = [named[row.strategy] for row in found if row.low > 0]
        below = [named[row.strategy] for row in found if row.high < 0]
        unclear = len(found) - len(above) - len(below)
        rows.append([words, ", ".join(above[:_NAMED]) or "none", str(len(above)), str(unclear),
                     ", ".join(below) or "none"])  # fmt: skip
    head = ["budget", f"the best {_NAMED} of those above random", "above", "no telling",
            "below random"]  # fmt: skip
    return f"{markdown_table(head, rows)}\n\n{_how_sure(of_learner['area'])}"


def _how_sure(values: pd.Series) -> str:
    wide = _wide(values)
    seeds = len(wide.index.unique("seed"))
    said = f"{len(wide)} pairs, of {len(wide.index.unique('dataset'))} data sets and "
    said += f"{seeds} seed{'s' * (seeds > 1)}."
    return said if seeds >= _ENOUGH else f"{said} Fewer than {_ENOUGH} seeds: directions, no proof."


def _gain(values: pd.Series) -> pd.Series:
    wide = _wide(values)
    return wide.sub(wide[_BASELINE], axis=0).mean()


def _cpu_table(frame: pd.DataFrame) -> str:
    """Milliseconds of a query (median) for each data set, and of training."""
    asked = frame[frame.n_labels > frame.groupby(_KEYS).n_labels.transform("min")]
    query = 1000 * asked.groupby(["strategy", "dataset"]).query_s.median().unstack("dataset")
    fit = 1000 * asked.groupby("dataset").fit_s.median()
    sets = [name for name in SPECS if name in query]
    query = query.loc[query[sets].mean(axis=1).sort_values().index]
    rows = [[name, *(_ms(query.loc[name, s]) for s in sets)] for name in query.index]
    rows.append(["(training the learner)", *(_ms(fit[s]) for s in sets)])
    return markdown_table(["strategy", *(name.replace("_", " ") for name in sets)], rows)


def _ms(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3g}"


def _setting(results: Results) -> str:
    rows = []
    for learner in LEARNERS:
        found = results.tuned(learner)
        for dataset in (name for name in SPECS if name in found):
            spec, tuned = SPECS[dataset], found[dataset]
            chosen = ", ".join(f"{name} = {value:g}" for name, value in tuned.params.items())
            sizes = map(str, (spec.n_tune, spec.n_pool, spec.n_test))
            rows.append(
                [dataset.replace("_", " "), learner, *sizes, f"{spec.n_queries} × {spec.n_query}",
                 tuned.scale, chosen, f"{100 * tuned.accuracy:.1f}"]
            )  # fmt: skip
    head = ["data set", "learner", "tuning", "pool", "test", "queries", "scaling", "settings",
            "accuracy in tuning (%)"]  # fmt: skip
    return markdown_table(head, rows)


def _what_was_run(frame: pd.DataFrame) -> str:
    cells = frame.groupby(["learner", "dataset"])
    rows = []
    for (learner, dataset), part in cells:
        seeds = part.groupby("strategy").seed.nunique()
        spent = part.query_s.sum() + part.fit_s.sum()
        rows.append([learner, dataset.replace("_", " "), str(len(seeds)),
                     _range(seeds), f"{spent / 60:.1f}"])  # fmt: skip
    head = ["learner", "data set", "strategies", "seeds of each", "CPU minutes"]
    return markdown_table(head, rows)


def _range(values: Iterable[int]) -> str:
    least, most = min(values), max(values)
    return str(most) if least == most else f"{least} to {most}"


def _failed(results: Results) -> str:
    rows = [row for learner in LEARNERS for row in results.rows(learner) if row.error]
    found: dict[tuple[str, str, str, str], int] = {}
    for row in rows:
        key = (row.strategy, row.learner, row.dataset.replace("_", " "), row.error)
        found[key] = found.get(key, 0) + 1
    if not found:
        return "No strategy failed."
    head = ["strategy", "learner", "data set", "what it raised", "cells"]
    return markdown_table(head, ([*key, str(n)] for key, n in found.items()))


def _draw(areas: pd.DataFrame, path: Path) -> Path:
    """How many points of area each strategy gains on random, for each learner and data set."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    learners = [name for name in LEARNERS if name in areas.index.unique("learner")]
    tables = []
    for learner in learners:
        wide = _wide(areas.loc[learner]["area"])
        gain = wide.sub(wide[_BASELINE], axis=0).groupby("dataset").mean().T
        gain = gain[[name for name in SPECS if name in gain]].drop(_BASELINE).dropna()
        tables.append(gain.loc[gain.mean(axis=1).sort_values(ascending=False).index])
    height = 1.5 + 0.22 * max(map(len, tables))
    figure, axes = plt.subplots(
        1, len(tables), figsize=(5.5 * len(tables), height), layout="constrained", squeeze=False
    )
    for axis, learner, gain in zip(axes.flat, learners, tables, strict=True):
        image = axis.imshow(gain, cmap="RdBu", vmin=-8, vmax=8, aspect="auto")
        axis.set_xticks(range(gain.shape[1]), gain.columns.str.replace("_", "\n"), fontsize=7)
        axis.set_yticks(range(len(gain)), gain.index, fontsize=7)
        for (i, j), value in np.ndenumerate(gain.to_numpy()):
            axis.text(j, i, f"{value:+.1f}", ha="center", va="center", fontsize=6,
                      color="white" if abs(value) > 5 else "black")  # fmt: skip
        axis.set_title(learner)
    figure.colorbar(image, ax=axes, label="area gained on random (points of accuracy)", shrink=0.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
