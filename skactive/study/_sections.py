"""The sections of a report in Markdown, those with figures drawn beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.reports import Report, markdown_table
from ._config import as_toml
from ._figures import draw_correlations, draw_curves
from ._frames import ATTACK_TITLES, Study
from ._protocol import make_protocol
from ._statistics import BASELINE, Compared, bias_arrays, correlation_markdown, correlations

if TYPE_CHECKING:
    import pandas as pd


def trainings(studies: list[Study]) -> Iterator[tuple[Study, str]]:
    """Each study with each of its kinds of training."""
    for study in studies:
        yield from ((study, mode) for mode in sorted(study.queried()["mode"].unique()))


def section(heading: str, report: Report) -> str:
    """A report under its heading: table and notes."""
    table = [report.table, ""] if report else []
    return "\n".join([heading, "", *table, *(f"{note}\n" for note in report.notes)])


def about(study: Study) -> str:
    """What was run."""
    rows = study.rows
    seeds = ", ".join(map(str, sorted(rows.seed.unique())))
    runs = rows[["strategy", "mode", "seed"]].drop_duplicates()
    text = (
        f"**{study.title}**: {len(runs)} runs, {rows.strategy.nunique()} strategies, "
        f"{' and '.join(sorted(rows['mode'].unique()))} training, seeds {seeds}."
    )
    if study.unfinished:
        text += f" {len(study.unfinished)} runs are not finished and left out."
    return text + "\n"


def statistics(found: list[Compared], ran: set[str]) -> str:
    """Every strategy against random sampling, or why none is: `ran` holds all their names."""
    title = "## Against random sampling"
    if not found:
        return f"{title}\n\n{_why_none(ran)}\n"
    parts = [
        title,
        "",
        "Wilcoxon signed-rank test, paired by seed, two-sided, exact also with ties (pairs that "
        "are equal are left out), corrected by Holm over the strategies of a table. Effect size: "
        "matched-pairs rank-biserial correlation.",
        "",
    ]
    for mode, of_mode in groupby(found, key=itemgetter(0)):
        parts += [f"### {mode.capitalize()} training", ""]
        parts += [section(f"**{study}: {measure}**", r) for _, study, measure, r in of_mode]
    return "\n".join(parts)


def _why_none(ran: set[str]) -> str:
    if BASELINE not in ran:
        return "Not possible: random sampling was not run."
    if ran == {BASELINE}:
        return "Nothing to compare: only random sampling was run."
    return "Nothing to compare: random sampling and the others were trained differently."


def curves(studies: list[Study], out: Path, attack: str | None) -> str:
    """The DRE paper's figure 2."""
    parts = ["## DRE paper, Figure 2. Accuracy and robustness by labels", ""]
    parts += ["Mean over seeds; the band is one standard deviation.", ""]
    for study, mode in trainings(studies):
        name = f"curves_{study.name}_{mode}.png"
        draw_curves(study, mode, attack, out / name)
        parts += [f"![{study.title}, {mode}]({name})", ""]
    return "\n".join(parts)


def bias(studies: list[Study], out: Path, attack: str | None) -> str:
    """The DRE paper's figure 3."""
    parts = ["## DRE paper, Figure 3. Selection bias against robustness", ""]
    parts += ["Pearson's r over the strategies, each the mean of its seeds; 95 % interval.", ""]
    for study in studies:
        arrays = bias_arrays(study, "robust", attack)
        if arrays is None:
            continue
        bias, robust, stages, found = arrays
        title = f"{study.title}, robust training, {ATTACK_TITLES.get(found, found)}"
        if robust.shape[1] < 3:
            parts.append(f"{title}: a correlation needs at least 3 strategies.\n")
            continue
        results = correlations(bias, robust)
        name = f"bias_{study.name}.png"
        draw_correlations(title, results, stages, out / name)
        parts += [f"**{title}**", "", correlation_markdown(results, stages), "",
                  f"![{title}]({name})", ""]  # fmt: skip
    return "\n".join(parts)


def ledger_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Labels of every kind, and seconds, at the last stage."""
    attacks = [name for name in rows.columns if name.startswith("attack_time_")]
    rows = rows.assign(attack_time=rows[attacks].sum(axis=1))
    keys = ["study", "mode", "strategy"]
    labels = rows.sort_values("stage").groupby([*keys, "seed"]).last(numeric_only=False)
    labels = labels.groupby(keys)[["oracle", "adversarial", "pseudo", "validation"]].mean()
    seconds = rows[rows.stage > 0].groupby(keys)[["query_time", "fit_time", "attack_time"]].mean()
    return labels.join(seconds).reset_index()


def ledger_section(ledger: pd.DataFrame) -> str:
    """The label ledger, and what a stage takes."""
    head = ["study", "mode", "strategy", "bought", "twins", "pseudo", "validation",
            "query s", "train s", "attack s"]  # fmt: skip
    body = [[*row[:3], *(f"{v:.0f}" for v in row[3:7]), *(f"{v:.2f}" for v in row[7:])]
            for row in ledger.itertuples(index=False)]  # fmt: skip
    return "\n".join(
        [
            "## Label ledger and time",
            "",
            "Labels at the last stage: bought, adversarial twins, pseudo-labels of that stage, "
            "validation labels. Mean seconds a stage.",
            "",
            markdown_table(head, body),
            "",
        ]
    )


def settings(study: Study) -> str:
    """The protocol in full, and its attacks with every parameter."""
    protocol = make_protocol(study.settings)
    specs = {"train_attack": protocol.train_attack, **protocol.eval_attacks}
    attacks = [f"# {name}: {protocol.attack(spec).get_params()}" for name, spec in specs.items()]
    text = as_toml(study.settings) + "\n" + "\n".join(attacks)
    return f"## Settings of {study.name}\n\n```toml\n{text}\n```\n"
