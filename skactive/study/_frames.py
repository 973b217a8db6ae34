"""What the tables read: finished tasks, the stage they are at, and the attack to report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._components import FULL
from ._errors import StudyError
from ._protocol import known
from ._results import find_studies, load_record, load_results

if TYPE_CHECKING:
    import pandas as pd

# The strongest first.
_STRENGTH = ("autoattack", "square", "pgd")
TASK = ("strategy", "mode", "seed")
ATTACK_TITLES = {"pgd": "PGD", "square": "Square", "autoattack": "AutoAttack"}


@dataclass(frozen=True)
class Study:
    """One protocol's results.

    Attributes
    ----------
    name : str
    folder : Path
    settings : dict
        The protocol, in full.
    rows : DataFrame
        Finished tasks only.
    unfinished : tuple of (str, str, int)
        Tasks that were started, but not finished: strategy, mode, seed.
    data : str
        Digest of the images and labels; empty where it is not known.
    """

    name: str
    folder: Path
    settings: dict[str, Any]
    rows: pd.DataFrame
    unfinished: tuple[tuple[str, str, int], ...] = ()
    data: str = ""

    @property
    def column(self) -> tuple[str, str]:
        """Data set and network."""
        return self.settings["dataset"], self.settings["network"]

    @property
    def paper(self) -> str:
        """Whose protocol it is: dre, dfal or none."""
        return self.settings.get("paper", "")

    @property
    def title(self) -> str:
        """Heading of a column."""
        return f"{self.name} ({', '.join(self.column)})"

    def queried(self, mode: str | None = None) -> pd.DataFrame:
        """Rows of strategies, without the model taught everything."""
        rows = self.rows[self.rows.strategy != FULL]
        return rows if mode is None else rows[rows["mode"] == mode]

    def at(self, stage: int, mode: str) -> pd.DataFrame:
        """Rows of one stage."""
        rows = self.queried(mode)
        return rows[rows.stage == stage]

    def full(self, mode: str) -> pd.DataFrame:
        """Rows of the model taught everything."""
        rows = self.rows
        return rows[(rows.strategy == FULL) & (rows["mode"] == mode) & (rows.stage == 1)]

    @property
    def third(self) -> int:
        """The stage a third of the way."""
        return self.settings["stages"] // 3

    @property
    def last(self) -> int:
        """The last stage."""
        return self.settings["stages"]


def load_studies(out: Path) -> list[Study]:
    """Every study in a folder, each with its finished tasks.

    Raises
    ------
    StudyError
        If there is none, or no task is finished.
    """
    results = load_results(out)
    studies = []
    for folder in find_studies(out):
        record = load_record(folder)
        settings = record["settings"]
        rows = results[results.study == settings["name"]]
        reached = rows.groupby(list(TASK))["stage"].transform("max")
        planned = np.where(rows.strategy == FULL, 1, settings["stages"])
        done = rows[reached == planned]
        unfinished = tuple(sorted(tasks_of(rows[reached < planned])))
        if len(done):
            studies.append(
                Study(settings["name"], folder, settings, done, unfinished, record["data"])
            )
    if not studies:
        raise StudyError(
            f"No task in {out} is finished yet. The same study command goes on from there."
        )
    return studies


def tasks_of(rows: pd.DataFrame) -> set[tuple[str, str, int]]:
    """The tasks that rows are of: strategy, mode, seed."""
    return {(str(s), str(m), int(n)) for s, m, n in zip(*(rows[k] for k in TASK), strict=True)}


def strongest(rows: pd.DataFrame, wanted: str | None = None) -> str | None:
    """The strongest attack that all `rows` were measured under; None if there is none.

    Raises
    ------
    StudyError
        If `wanted` was not measured anywhere.
    """
    measured = [
        name.removeprefix("robust_")
        for name in rows.columns
        if name.startswith("robust_") and rows[name].notna().any()
    ]
    complete = [name for name in measured if rows[f"robust_{name}"].notna().all()]
    if wanted is not None and known(wanted, measured, "attack in these results") in complete:
        return wanted
    ranked = sorted(
        complete, key=lambda a: _STRENGTH.index(a) if a in _STRENGTH else len(_STRENGTH)
    )
    return ranked[0] if ranked else None
