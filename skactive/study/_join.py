"""Studies that were run apart, as one: more seeds from another machine, or from another day."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from ._config import difference
from ._errors import StudyError
from ._frames import TASK, Study, tasks_of

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("query_time", "fit_time", "attack_time")
_AS_TEXT = 1e-12  # what a number may lose that is written as text and read by an older pandas


def join(parts: Sequence[list[Study]]) -> list[Study]:
    """The studies of several folders, those of one name as one.

    A task that is in several of them counts once; one that is finished in any is finished.

    Raises
    ------
    StudyError
        If two studies of one name are of other settings or other data, or a task has other
        results in another folder.
    """
    joined: dict[str, Study] = {}
    for study in (study for part in parts for study in part):
        known = joined.get(study.name)
        joined[study.name] = study if known is None else _two(known, study)
    return list(joined.values())


def _two(one: Study, other: Study) -> Study:
    """Both, in the order that a single folder would have."""
    import pandas as pd

    _check_alike(one, other)
    twice = tasks_of(one.rows) & tasks_of(other.rows)
    for task in sorted(twice):
        _check_same(task, one, other)
    new = [task not in twice for task in zip(*(other.rows[key] for key in TASK), strict=True)]
    rows = pd.concat([one.rows, other.rows[new]], ignore_index=True)
    rows = rows.sort_values([*TASK, "stage"], kind="stable", ignore_index=True)
    unfinished = {*one.unfinished, *other.unfinished} - tasks_of(rows)
    data = one.data or other.data
    return Study(one.name, one.folder, one.settings, rows, tuple(sorted(unfinished)), data)


def _check_alike(one: Study, other: Study) -> None:
    lines = difference(one.settings, other.settings)
    if one.data and other.data and one.data != other.data:
        lines.append(f"images or labels: {one.data[:12]}… -> {other.data[:12]}…")
    if lines:
        listed = "\n  ".join(lines)
        raise StudyError(
            f"{one.folder} and {other.folder} hold studies of one name, {one.name}, but not of one "
            f"configuration:\n  {listed}\nReport on each by itself."
        )


def _check_same(task: tuple[str, str, int], one: Study, other: Study) -> None:
    """Raise where a task that is in both has other results; seconds may differ."""
    import pandas as pd

    first, second = (_rows_of(task, study) for study in (one, other))
    columns = [name for name in first if name in second and not name.startswith(_TIMES)]
    try:
        pd.testing.assert_frame_equal(
            first[columns], second[columns], check_dtype=False, rtol=_AS_TEXT, atol=0
        )
    except AssertionError as error:
        what = ", ".join(map(str, task))
        raise StudyError(
            f"{one.folder} and {other.folder} both hold the task {what} of {one.name}, with other "
            "results: other versions, another processor or another number of threads. Which of the "
            "two counts cannot be told: report on one of them, or leave that task out of the other "
            "folder."
        ) from error


def _rows_of(task: tuple[str, str, int], study: Study) -> pd.DataFrame:
    of = reduce(lambda a, b: a & b, (study.rows[k] == v for k, v in zip(TASK, task, strict=True)))
    return study.rows[of].sort_values("stage").reset_index(drop=True)
