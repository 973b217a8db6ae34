"""From what a study left to a report: Markdown, CSV, PNG."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.drawing import axes_for
from ..utils.optional import optional_import
from ..utils.reports import Report
from . import _sections
from ._errors import StudyError
from ._figures import plot_curves
from ._frames import Study, load_studies
from ._join import join
from ._remake import from_report, is_report, leave
from ._statistics import Compared, area_table, comparisons
from ._tables import Table
from ._tables_dfal import dfal_tables
from ._tables_dre import dre_tables

if TYPE_CHECKING:
    import pandas as pd

_Folders = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_NEEDED = ("pandas", "matplotlib")


@dataclasses.dataclass(frozen=True, repr=False)
class StudyReport(Report):
    """What `study_report` made: the papers' tables, tests and figures of one or more studies.

    Attributes
    ----------
    rows : list of dict
        Every stage of every finished run.
    tables : list of Report
        The papers' tables with our numbers, each a report of its own.
    attack : str or None
        The attack that tables and tests are about; ``None`` is, for each, the strongest one
        measured everywhere it takes.

    Examples
    --------
    >>> import tempfile
    >>> from skactive.study import Execution, preset, run_study, study_report
    >>> digits = preset("digits", n_pool=60, n_test=20, initial=20, per_stage=10, stages=1,
    ...     epochs=1, eval_attacks={}, strategies=["random"], modes=["standard"], seeds=[0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = run_study([digits], folder, execution=Execution(threads=1, progress=False),
    ...         say=lambda message: None)
    ...     report = study_report(out)
    >>> [row["oracle"] for row in report.rows]
    [20, 30]
    >>> settings = report.tables[1]
    >>> settings.title
    'DRE paper, Table 3. Settings, initial model and model taught everything'
    >>> settings.table.splitlines()[2]
    '| Budget | 30 |'
    """

    studies: list[Study]
    source: Path
    out: Path
    attack: str | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Every stage of every finished run."""
        return self.to_frame().to_dict("records")

    def to_frame(self) -> pd.DataFrame:
        """Every stage of every finished run.

        Returns
        -------
        frame : pandas.DataFrame
        """
        import pandas as pd

        return pd.concat([study.rows for study in self.studies], ignore_index=True)

    @cached_property
    def tables(self) -> list[Table]:
        """The papers' tables, and the areas under the budget curve."""
        return [
            *dre_tables(self.studies, self.source, self.attack),
            *dfal_tables(self.studies, self.source),
            area_table(self.studies, self.attack),
        ]

    @cached_property
    def comparisons(self) -> list[Compared]:
        """Every strategy against random sampling: (mode, study, measure, comparison)."""
        return comparisons(self.studies, self.attack)

    @property
    def table(self) -> str:
        """All tables and tests in Markdown."""
        parts = [_sections.section(f"## {t.title}", t) for t in self.tables if t or t.notes]
        ran = {str(name) for study in self.studies for name in study.queried().strategy.unique()}
        return "\n".join([*parts, _sections.statistics(self.comparisons, ran)])

    def _repr_html_(self) -> str:
        titled: list[tuple[str, Report]] = [(t.title, t) for t in self.tables if t]
        titled += [(f"{study}: {measure}", found) for _, study, measure, found in self.comparisons]
        return "".join(f"<h3>{escape(title)}</h3>{r._repr_html_()}" for title, r in titled)

    def plot(self, ax: Any = None) -> Any:
        """Draw accuracy and robustness by labels; needs matplotlib.

        Parameters
        ----------
        ax : array of matplotlib Axes, two for each study and training, or None, default=None
            ``None`` makes a figure.

        Returns
        -------
        axes : ndarray of Axes
        """
        parts = list(_sections.trainings(self.studies))
        what, size = f"{type(self).__name__}.plot", (11, 4.2 * len(parts))
        axes = np.reshape(
            axes_for(ax, what=what, nrows=len(parts), ncols=2, figsize=size),
            (-1, 2),
        )
        for (study, mode), line in zip(parts, axes, strict=True):
            plot_curves(line, study, mode, self.attack)
        return axes

    def write(self, out: str | Path | None = None) -> Path:
        """Write ``report.md``, and beside it tables, stages, protocols and figures.

        Parameters
        ----------
        out : path or None, default=None
            Where to; ``None`` is ``report`` in the study's folder, or the earlier report's place.

        Returns
        -------
        path : Path
            ``report.md``.

        Raises
        ------
        StudyError
            If `out` cannot be written to.
        """
        out = self.out if out is None else Path(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
            leave(self.studies, self.to_frame(), self.source, out)
            for name, frame in self._frames():
                frame.to_csv(out / f"{name}.csv", index=False, float_format="%.6g")
            path = out / "report.md"
            path.write_text(self._text(out), encoding="utf-8")
        except OSError as error:
            raise StudyError(f"{out} cannot be written to: {error.strerror or error}.") from error
        return path

    def _frames(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Files of numbers, by name."""
        import pandas as pd

        yield from ((table.key, table.to_frame()) for table in self.tables if table)
        lines = [
            {"study": study, "mode": mode, "measure": measure, **dataclasses.asdict(row)}
            for mode, study, measure, found in self.comparisons
            for row in found
        ]
        if lines:
            yield "comparisons", pd.DataFrame(lines)
        yield "ledger", _sections.ledger_of(self.to_frame())

    def _text(self, out: Path) -> str:
        """The report in Markdown; its figures are drawn."""
        return "\n".join(
            [
                "# Study report\n",
                "Ours (the paper's); ± is one standard deviation over seeds. Shares in percent.\n",
                *(_sections.about(study) for study in self.studies),
                self.table,
                _sections.curves(self.studies, out, self.attack),
                _sections.bias(self.studies, out, self.attack),
                _sections.ledger_section(_sections.ledger_of(self.to_frame())),
                *(_sections.settings(study) for study in self.studies),
            ]
        )


def study_report(folder: _Folders, *, attack: str | None = None) -> StudyReport:
    """Report on the studies in one or more folders; needs pandas and matplotlib.

    Parameters
    ----------
    folder : path or sequence of paths
        What a study was given as ``--out``, or what an earlier report was written to: its tables
        and tests are made again from its ``stages.csv`` and ``protocols.json``. Of several
        folders, studies of one name are joined: their seeds and strategies count as if they had
        been run into one folder. The report belongs to the first.
    attack : str or None, default=None
        The attack that tables and tests are about; ``None`` is, for each, the strongest one
        measured everywhere it takes.

    Returns
    -------
    report : StudyReport

    Raises
    ------
    StudyError
        If there is nothing to report, or an attack was not measured; if studies of one name are
        of other settings or data, or a task has other results in another folder.

    Examples
    --------
    Two seeds, each in a folder of its own, such as those of two machines:

    >>> import tempfile
    >>> from skactive.study import Execution, preset, run_study, study_report
    >>> digits = preset("digits", n_pool=60, n_test=20, initial=20, per_stage=10, stages=1,
    ...     epochs=1, eval_attacks={}, strategies=["random"], modes=["standard"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     outs = [run_study([digits], f"{folder}/{seed}", seeds=[seed],
    ...         execution=Execution(threads=1, progress=False), say=lambda message: None)
    ...         for seed in (0, 1)]
    ...     report = study_report(outs)
    >>> report.to_frame()[["strategy", "seed", "stage", "oracle"]].values.tolist()[1:]
    [['random', 0, 1, 30], ['random', 1, 0, 20], ['random', 1, 1, 30]]
    """
    for module in _NEEDED:
        optional_import(module, what="A report", extra="study", error=StudyError)
    folders = [folder] if isinstance(folder, (str, os.PathLike)) else list(folder)
    if not folders:
        raise StudyError("No folder was given to report on.")
    reports = [_report_on(Path(one), attack) for one in folders]
    joined = join([report.studies for report in reports])
    return dataclasses.replace(reports[0], studies=joined)


def _report_on(folder: Path, attack: str | None) -> StudyReport:
    if is_report(folder):
        return StudyReport(*from_report(folder), folder, attack)
    return StudyReport(load_studies(folder), folder, folder / "report", attack)


def write_report(
    folder: _Folders, out: str | Path | None = None, *, attack: str | None = None
) -> Path:
    """Write the report of the studies in one or more folders.

    Parameters
    ----------
    folder, attack
        See `study_report`.
    out : path or None, default=None
        See `StudyReport.write`.

    Returns
    -------
    path : Path
        ``report.md``; beside it are its tables as CSV, ``stages.csv`` with every stage,
        ``protocols.json``, and its figures.

    Raises
    ------
    StudyError
        See `study_report`; if `out` cannot be written to.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> import tempfile
    >>> from skactive.study import Execution, preset, run_study, write_report
    >>> digits = preset("digits", n_pool=60, n_test=20, initial=20, per_stage=10, stages=1,
    ...     epochs=1, eval_attacks={}, strategies=["random"], modes=["standard"], seeds=[0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = run_study([digits], folder, execution=Execution(threads=1, progress=False),
    ...         say=lambda message: None)
    ...     path = write_report(out)
    ...     path.read_text(encoding="utf-8").splitlines()[0]
    ...     sorted(file.name for file in path.parent.iterdir() if file.suffix == ".json")
    '# Study report'
    ['protocols.json']
    """
    return study_report(folder, attack=attack).write(out)
