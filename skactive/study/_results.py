"""Results of a study as a table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import StudyError
from ._store import read_about, read_rows

if TYPE_CHECKING:
    import pandas as pd

_NESTED = {"robust": "robust_", "bias": "bias_", "attack_time": "attack_time_",
           "transfer": "transfer_"}  # fmt: skip


def find_studies(out: str | os.PathLike[str]) -> list[Path]:
    """Folders of studies: `out` itself, or those directly in it."""
    out = Path(out)
    candidates = [out, *sorted(path for path in out.glob("*") if path.is_dir())]
    return [path for path in candidates if (path / "protocol.json").exists()]


def load_settings(folder: Path) -> dict[str, Any]:
    """The protocol that a study's folder was made with."""
    return json.loads((folder / "protocol.json").read_text(encoding="utf-8"))


def load_results(out: str | os.PathLike[str], *, picked: bool = False) -> pd.DataFrame:
    """Every finished stage of every study in a folder.

    Parameters
    ----------
    out : path
        What `run_study` was given, or the folder of one protocol in it.
    picked : bool, default=False
        Also the column ``picked``: lists of the pool rows bought at each stage.

    Returns
    -------
    results : pandas.DataFrame
        One row a stage: ``study``, ``dataset``, ``network``, ``strategy``, ``mode``, ``seed``,
        ``stage``, the label ledger (``oracle``, ``pseudo``, ``adversarial``, ``validation``),
        ``accuracy``, ``robust_…`` for each attack, ``bias_…``, ``transfer_…``, seconds
        (``query_time``, ``fit_time``, ``attack_time_…``) and ``weights``, a digest of the
        model.

    Raises
    ------
    StudyError
        If there is no study, or none with a finished stage.
    """
    import pandas as pd

    folders = find_studies(out)
    if not folders:
        raise StudyError(
            f"There is no study in {out}. Run one first: python -m skactive study digits --out "
            f"{out}"
        )
    rows = [row for folder in folders for row in _rows(folder, picked)]
    if not rows:
        raise StudyError(f"No stage in {out} is finished yet: there is nothing to report.")
    return pd.DataFrame(rows)


def _rows(folder: Path, picked: bool) -> Iterator[dict[str, Any]]:
    settings = load_settings(folder)
    about = {"study": settings["name"], "dataset": settings["dataset"],
             "network": settings["network"]}  # fmt: skip
    for path in sorted((folder / "tasks").glob("*.sqlite")):
        rows = read_rows(path)
        task = read_about(path) if rows else {}
        for row in rows:
            flat = {key: value for key, value in row.items() if key not in _NESTED}
            for key, prefix in _NESTED.items():
                flat |= {f"{prefix}{name}": value for name, value in row[key].items()}
            if not picked:
                del flat["picked"]
            yield {**about, **task, **flat}
