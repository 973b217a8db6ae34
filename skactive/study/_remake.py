"""A report made again from what a report leaves: when the statistics change, not the runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import StudyError
from ._files import write_atomically
from ._frames import Study

if TYPE_CHECKING:
    import pandas as pd

STAGES, PROTOCOLS = "stages.csv", "protocols.json"
_TEXTS = dict.fromkeys(("study", "dataset", "network", "strategy", "mode", "weights"), str)


def leave(studies: list[Study], rows: pd.DataFrame, source: Path, out: Path) -> None:
    """Write every stage, with all digits, and the protocols: all that a report is made of.

    Each as a whole, and the rows first: where the runs are gone, `out` may hold their only copy.
    """
    write_atomically(out / STAGES, rows.to_csv(index=False).encode())
    content = {"source": source.as_posix(), "protocols": [_entry(study) for study in studies]}
    write_atomically(out / PROTOCOLS, (json.dumps(content, indent=1) + "\n").encode())


def _entry(study: Study) -> dict[str, Any]:
    entry = {
        "settings": study.settings,
        "n_rows": len(study.rows),
        "n_unfinished": len(study.unfinished),
    }
    told = {"unfinished": study.unfinished, "data": study.data}
    return entry | {key: value for key, value in told.items() if value}


def is_report(folder: Path) -> bool:
    """Whether a report left in `folder` what it can be made of again."""
    return (folder / PROTOCOLS).is_file() and (folder / STAGES).is_file()


def from_report(folder: Path) -> tuple[list[Study], Path]:
    """The studies of an earlier report, and the folder they were run in.

    Raises
    ------
    StudyError
        If the files cannot be read, or do not belong to one another.
    """
    import pandas as pd

    try:
        content = json.loads((folder / PROTOCOLS).read_text(encoding="utf-8"))
        # As it is written: a study may be called NA, or 2024.
        rows = pd.read_csv(folder / STAGES, dtype=_TEXTS, keep_default_na=False, na_values=[""])
        source = Path(content["source"])
        studies = [
            Study(
                entry["settings"]["name"],
                source / entry["settings"]["name"],
                entry["settings"],
                rows[rows.study == entry["settings"]["name"]],
                tuple((s, m, n) for s, m, n in entry.get("unfinished", ())),
                entry.get("data", ""),
            )
            for entry in content["protocols"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"{folder / STAGES} and {PROTOCOLS} beside it are damaged ({error!r}): make the report "
            "from the study's own folder."
        ) from error
    expected = {entry["settings"]["name"]: entry.get("n_rows", 1) for entry in content["protocols"]}
    _check_whole(rows.study.value_counts().to_dict(), expected, folder / STAGES)
    return studies, source


def _check_whole(found: dict[str, int], expected: dict[str, int], path: Path) -> None:
    """Raise where rows are missing; reports of earlier versions do not say how many there are."""
    lost = [
        f"{found.get(name, 0)} of {n} rows of {name}"
        for name, n in expected.items()
        if found.get(name, 0) < n
    ]
    if lost or not expected:
        raise StudyError(
            f"{path} has {', '.join(lost) or 'no study'}: make the report from the study's own "
            "folder, or take the file from a copy."
        )
    if strange := ", ".join(found.keys() - expected.keys()):
        raise StudyError(f"{path} has rows of {strange}, of which {PROTOCOLS} says nothing.")
