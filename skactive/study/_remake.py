"""A report made again from what a report leaves: when the statistics change, not the runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import StudyError
from ._frames import Study

if TYPE_CHECKING:
    import pandas as pd

STAGES, PROTOCOLS = "stages.csv", "protocols.json"


def leave(studies: list[Study], rows: pd.DataFrame, source: Path, out: Path) -> None:
    """Write every stage, with all digits, and the protocols: all that a report is made of."""
    rows.to_csv(out / STAGES, index=False)
    content = {"source": source.as_posix(), "protocols": [_entry(study) for study in studies]}
    (out / PROTOCOLS).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _entry(study: Study) -> dict[str, Any]:
    entry = {"settings": study.settings, "n_unfinished": len(study.unfinished)}
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
        rows = pd.read_csv(folder / STAGES)
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
    empty = [study.name for study in studies if study.rows.empty]
    if empty or not studies:
        raise StudyError(f"{folder / STAGES} has no row of {', '.join(empty) or 'any study'}.")
    return studies, source
