"""From what a study left to a report: Markdown, CSV, PNG."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.optional import optional_import
from ._config import as_toml
from ._errors import StudyError
from ._figures import draw_correlations, draw_curves
from ._frames import ATTACK_TITLES, Study, load_studies
from ._protocol import MODES, make_protocol
from ._remake import from_report, is_report, leave
from ._statistics import (
    area_table,
    bias_arrays,
    comparisons,
    comparisons_markdown,
    correlation_markdown,
    correlations,
)
from ._tables import markdown_table
from ._tables_dfal import dfal_tables
from ._tables_dre import dre_tables

if TYPE_CHECKING:
    import pandas as pd

_NEEDED = ("pandas", "matplotlib")


def write_report(folder: Path, out: Path | None = None, *, attack: str | None = None) -> Path:
    """Write the report of the studies in a folder.

    Parameters
    ----------
    folder : Path
        What a study was given as ``--out``, or what an earlier report was written to: its tables
        and tests are made again from its ``stages.csv`` and ``protocols.json``.
    out : Path or None, default=None
        Where to write; ``None`` is ``report`` in `folder`, or the earlier report's own place.
    attack : str or None, default=None
        The attack that tables and tests are about; ``None`` is, for each, the strongest one
        measured everywhere it takes.

    Returns
    -------
    path : Path
        ``report.md``; beside it are its tables as CSV, ``stages.csv`` with every stage,
        ``protocols.json``, and its figures.

    Raises
    ------
    StudyError
        If there is nothing to report, an attack was not measured, or `out` cannot be written to.
    """
    for module in _NEEDED:
        optional_import(module, what="A report", extra="study", error=StudyError)
    again = is_report(folder)
    studies, source = from_report(folder) if again else (load_studies(folder), folder)
    out = (folder if again else folder / "report") if out is None else out
    try:
        out.mkdir(parents=True, exist_ok=True)
        leave(studies, _stages(studies), source, out)
        parts = _parts(studies, source, out, attack)
        path = out / "report.md"
        path.write_text("\n".join(parts), encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{out} cannot be written to: {error.strerror or error}.") from error
    return path


def _parts(studies: list[Study], folder: Path, out: Path, attack: str | None) -> list[str]:
    tables = [
        *dre_tables(studies, folder, attack),
        *dfal_tables(studies, folder),
        area_table(studies, attack),
    ]
    for table in tables:
        if table.cells:
            table.frame().to_csv(out / f"{table.key}.csv", index=False, float_format="%.6g")
    return [
        "# Study report\n",
        "Ours (the paper's); ± is one standard deviation over seeds. Shares in percent.\n",
        *(_about(study) for study in studies),
        *(table.markdown() for table in tables if table.cells or table.notes),
        _statistics(studies, out, attack),
        _curves(studies, out, attack),
        _bias(studies, out, attack),
        _ledger(studies, out),
        *(_settings(study) for study in studies),
    ]


def _stages(studies: list[Study]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([study.rows for study in studies], ignore_index=True)


def _about(study: Study) -> str:
    rows = study.rows
    seeds = ", ".join(map(str, sorted(rows.seed.unique())))
    runs = rows[["strategy", "mode", "seed"]].drop_duplicates()
    text = (
        f"**{study.title}**: {len(runs)} runs, {rows.strategy.nunique()} strategies, "
        f"{' and '.join(sorted(rows['mode'].unique()))} training, seeds {seeds}."
    )
    if study.n_unfinished:
        text += f" {study.n_unfinished} runs are not finished and left out."
    return text + "\n"


def _statistics(studies: list[Study], out: Path, attack: str | None) -> str:
    import pandas as pd

    parts = [
        "## Against random sampling",
        "",
        "Wilcoxon signed-rank test, paired by seed, two-sided, exact also with ties (pairs that "
        "are equal are left out), corrected by Holm over the strategies of a table. Effect size: "
        "matched-pairs rank-biserial correlation.",
        "",
    ]
    lines = []
    for mode in MODES:
        found = comparisons(studies, mode, attack)
        if found:
            parts += [f"### {mode.capitalize()} training", "", comparisons_markdown(found)]
        for study, measure, row in found:
            lines.append(
                {"study": study, "mode": mode, "measure": measure, **dataclasses.asdict(row)}
            )
    if not lines:
        return parts[0] + "\n\nNot possible: random sampling was not run.\n"
    pd.DataFrame(lines).to_csv(out / "comparisons.csv", index=False, float_format="%.6g")
    return "\n".join(parts)


def _curves(studies: list[Study], out: Path, attack: str | None) -> str:
    parts = ["## DRE paper, Figure 2. Accuracy and robustness by labels", ""]
    parts += ["Mean over seeds; the band is one standard deviation.", ""]
    for study in studies:
        for mode in sorted(study.queried()["mode"].unique()):
            name = f"curves_{study.name}_{mode}.png"
            draw_curves(study, mode, attack, out / name)
            parts += [f"![{study.title}, {mode}]({name})", ""]
    return "\n".join(parts)


def _bias(studies: list[Study], out: Path, attack: str | None) -> str:
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


def _ledger(studies: list[Study], out: Path) -> str:
    """Labels of every kind, and seconds, at the last stage."""
    rows = _stages(studies)
    attacks = [name for name in rows.columns if name.startswith("attack_time_")]
    rows = rows.assign(attack_time=rows[attacks].sum(axis=1))
    keys = ["study", "mode", "strategy"]
    labels = rows.sort_values("stage").groupby([*keys, "seed"]).last(numeric_only=False)
    labels = labels.groupby(keys)[["oracle", "adversarial", "pseudo", "validation"]].mean()
    seconds = rows[rows.stage > 0].groupby(keys)[["query_time", "fit_time", "attack_time"]].mean()
    table = labels.join(seconds).reset_index()
    table.to_csv(out / "ledger.csv", index=False, float_format="%.6g")
    head = ["study", "mode", "strategy", "bought", "twins", "pseudo", "validation",
            "query s", "train s", "attack s"]  # fmt: skip
    body = [[*row[:3], *(f"{v:.0f}" for v in row[3:7]), *(f"{v:.2f}" for v in row[7:])]
            for row in table.itertuples(index=False)]  # fmt: skip
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


def _settings(study: Study) -> str:
    """The protocol in full, and its attacks with every parameter."""
    protocol = make_protocol(study.settings)
    specs = {"train_attack": protocol.train_attack, **protocol.eval_attacks}
    attacks = [f"# {name}: {protocol.attack(spec).get_params()}" for name, spec in specs.items()]
    text = as_toml(study.settings) + "\n" + "\n".join(attacks)
    return f"## Settings of {study.name}\n\n```toml\n{text}\n```\n"
