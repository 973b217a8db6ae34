"""Finished batches of an evaluation in a file, to go on from."""

from __future__ import annotations

import json
from pathlib import Path

from numpy.typing import NDArray

from ..exceptions import DamagedFileError
from ..utils.archive import reading, writing
from ..utils.npy import read_array, write_array

_KIND = "skactive robustness_report checkpoint"


def save(path: Path, key: str, found: list[dict[str, NDArray]]) -> None:
    """Write all batches so far; a reader finds the old file or the new one, never half of one."""
    with writing(path) as writer:
        parts: list[dict[str, str]] = []
        for number, part in enumerate(found):
            parts.append({name: f"batch_{number}/{i}.npy" for i, name in enumerate(part)})
            for name, member in parts[-1].items():
                write_array(writer, member, part[name])
        writer.finish({"format": 1, "kind": _KIND, "key": json.loads(key), "batches": parts})


def load(path: Path, key: str) -> list[dict[str, NDArray]]:
    """The batches of an earlier run; raise if it is not this one's, or the file is damaged."""
    try:
        with reading(path) as archive, archive.explained():
            if archive.manifest["kind"] != _KIND or archive.manifest["format"] != 1:
                raise ValueError("it holds something else")
            theirs = dict(archive.manifest["key"])
            found = [
                {str(name): read_array(archive, member) for name, member in part.items()}
                for part in archive.manifest["batches"]
            ]
    except DamagedFileError as error:
        raise ValueError(
            f"{path} is no checkpoint of robustness_report, or a damaged one ({error}). Delete it "
            "or name another file."
        ) from error
    ours = json.loads(key)
    differing = [name for name in ours if theirs.get(name) != ours[name]]
    if differing:
        raise ValueError(
            f"{path} belongs to another run: {', '.join(differing)} differ. Name another file, or "
            "delete this one."
        )
    return found
