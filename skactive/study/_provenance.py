"""What results were made of and with: configuration, data, versions, threads."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import skorch
import torch

from ..datasets import ImageDataset
from ..utils.version import __version__
from ._components import load_data
from ._config import WORDS, as_toml, difference
from ._errors import StudyError
from ._files import DamagedError, checksum, read_json, take_over, write_atomically, write_json
from ._protocol import Protocol

RECORD = "protocol.json"
_FORMAT = 2


def data_digest(protocol: Protocol) -> str:
    """Digest of the images and labels that a protocol takes."""
    return _digest(load_data(protocol))


@lru_cache(maxsize=4)
def _digest(data: ImageDataset) -> str:
    digest = hashlib.blake2b(digest_size=20)
    arrays = (data.X_train, data.y_train, data.X_test, data.y_test, data.X_val, data.y_val)
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def made_of(protocol: Protocol, data: str) -> str:
    """Digest of all that must be the same in one file; `data` is the digest of the data."""
    settings = {k: v for k, v in protocol.settings().items() if k not in WORDS}
    return checksum({"settings": settings, "data": data})


def environment(threads: int, device: str) -> dict[str, Any]:
    """Versions, threads and device: with others, results are alike, but not bit for bit."""
    return {
        "skactive": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "skorch": skorch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": threads,
        "device": device.partition(":")[0],
    }


def open_folder(
    folder: Path,
    protocol: Protocol,
    data: str,
    token: str,
    used: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Make a study's folder, or check that it holds this protocol; become its only writer.

    Parameters
    ----------
    folder : Path
    protocol : Protocol
    data : str
        See `data_digest`.
    token : str
        The run that may write from now on.
    used : mapping or None, default=None
        See `environment`; if it differs from that of an earlier run, this is said.
    say : callable, default=print

    Raises
    ------
    StudyError
        If it cannot be written to, or holds results of another configuration or other data.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = {"format": _FORMAT, "settings": protocol.settings(), "data": data}
        record["runs"] = _runs(folder, record, dict(used or {}), say)
        take_over(folder, token)
        for left in folder.glob("initial/*.new"):
            left.unlink()
        write_json(folder / RECORD, record)
        write_atomically(folder / "protocol.toml", as_toml(protocol.settings()).encode())
    except OSError as error:
        raise StudyError(
            f"{folder} cannot be written to: {error.strerror or error}. Choose another --out, or "
            "make room."
        ) from error


def _runs(
    folder: Path, record: Mapping[str, Any], used: dict[str, Any], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """What runs into this folder were made with, this one last; checks what it says now."""
    path = folder / RECORD
    runs: list[dict[str, Any]] = []
    if path.exists():
        try:
            stored = read_json(path)
        except DamagedError:
            # Every task carries a digest of its configuration: nothing of another gets in.
            say(f"repaired: {path} was damaged; written anew")
            return [used]
        _check_same(folder, stored, record)
        runs = stored["runs"]
    if runs and used and used not in runs:
        lines = ", ".join(difference(runs[-1], used))
        say(f"note: {folder} was begun with another set-up ({lines}): equal bits are not to be "
            "expected of what is run now")  # fmt: skip
    return runs if used in runs or not used else [*runs, used]


def _check_same(folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    changed = difference(stored["settings"], wanted["settings"])
    if changed:
        lines = "\n  ".join(changed)
        raise StudyError(
            f"{folder} holds results of another configuration:\n  {lines}\nChoose another --out, "
            "or --set name=… for another folder in it."
        )
    if stored["data"] != wanted["data"]:
        raise StudyError(
            f"{folder} holds results on other data: the images or labels of "
            f"{wanted['settings']['dataset']} are not those it was begun with. Restore them, or "
            "choose another --out."
        )
