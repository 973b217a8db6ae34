"""Results of a study as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._errors import StudyError
from ._files import DamagedError, damaged, read_json
from ._protocol import make_protocol
from ._provenance import RECORD
from ._store import read_task

if TYPE_CHECKING:
    import pandas as pd

_NESTED = {"robust": "robust_", "bias": "bias_", "attack_time": "attack_time_",
           "transfer": "transfer_"}  # fmt: skip
_APART = (*_NESTED, "state", "checksum")


def find_studies(out: str | os.PathLike[str]) -> list[Path]:
    """Folders of studies: `out` itself, or those directly in it."""
    out = Path(out)
    candidates = [out, *sorted(path for path in out.glob("*") if path.is_dir())]
    return [path for path in candidates if (path / RECORD).exists()]


def load_settings(folder: Path) -> dict[str, Any]:
    """The protocol that a study's folder was made with; nothing that it names is imported.

    Raises
    ------
    StudyError
        If the file is damaged, by an older version, or holds no protocol.
    """
    settings = load_record(folder)["settings"]
    make_protocol(settings)
    return settings


def load_record(folder: Path) -> dict[str, Any]:
    """The protocol of a folder, the digest of its data, and what its runs were made with."""
    record = read_json(folder / RECORD)
    if not isinstance(record.get("settings"), dict):
        raise damaged(folder / RECORD, "it holds no settings")
    return record


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
        If there is no study, or none with a finished stage; if any file is damaged: all of
        those are named, and nothing is left out without a word.

    Examples
    --------
    >>> import tempfile
    >>> from skactive.study import Execution, load_results, preset, run_study
    >>> digits = preset("digits", n_pool=60, n_test=20, initial=20, per_stage=10, stages=1,
    ...     epochs=1, eval_attacks={}, strategies=["random"], modes=["standard"], seeds=[0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = run_study([digits], folder, execution=Execution(threads=1, progress=False),
    ...         say=lambda message: None)
    ...     results = load_results(out, picked=True)
    >>> results[["study", "strategy", "stage", "oracle"]].to_dict("records")[-1]
    {'study': 'digits', 'strategy': 'random', 'stage': 1, 'oracle': 30}
    >>> [len(rows) for rows in results["picked"]]
    [20, 10]
    """
    import pandas as pd

    folders = find_studies(out)
    if not folders:
        raise StudyError(
            f"There is no study in {out}. Run one first: python -m skactive study digits --out "
            f"{out}"
        )
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for folder in folders:
        rows += _rows(folder, picked, wrong)
    if wrong:
        raise DamagedError("\n".join(wrong))
    if not rows:
        raise StudyError(f"No stage in {out} is finished yet: there is nothing to report.")
    return pd.DataFrame(rows)


def _rows(folder: Path, picked: bool, wrong: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of one study; what is wrong with its files goes into `wrong`."""
    try:
        settings = load_settings(folder)
    except StudyError as error:
        wrong.append(str(error))
        return
    study = {"study": settings["name"], "dataset": settings["dataset"],
             "network": settings["network"]}  # fmt: skip
    for path in sorted((folder / "tasks").glob("*.sqlite")):
        try:
            about, rows = read_task(path)
        except StudyError as error:
            wrong.append(str(error))
            continue
        task = {"strategy": about.strategy, "mode": about.mode, "seed": about.seed}
        for row in rows:
            flat = {key: value for key, value in row.items() if key not in _APART}
            for key, prefix in _NESTED.items():
                flat |= {f"{prefix}{name}": value for name, value in row[key].items()}
            if not picked:
                del flat["picked"]
            yield {**study, **task, **flat}
