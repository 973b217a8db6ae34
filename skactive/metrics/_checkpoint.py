"""Finished batches of an evaluation in a file, to go on from."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_CHECKSUM = 16  # bytes in front of a checkpoint


def save(path: Path, key: str, found: list[dict[str, NDArray]]) -> None:
    """Write all batches so far; a reader finds the old file or the new one, never half of one."""
    arrays = {
        f"{number}/{name}": mask for number, part in enumerate(found) for name, mask in part.items()
    }
    unfinished = path.with_name(path.name + ".part")
    content = io.BytesIO()
    np.savez_compressed(content, key=np.array(key), **arrays)  # type: ignore[arg-type]
    unfinished.write_bytes(_checksum(content.getvalue()) + content.getvalue())
    unfinished.replace(path)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM).digest()


def load(path: Path, key: str) -> list[dict[str, NDArray]]:
    """The batches of an earlier run; raise if it is not this one's, or the file is damaged."""
    try:
        content = path.read_bytes()
        if _checksum(content[_CHECKSUM:]) != content[:_CHECKSUM]:
            raise ValueError("its checksum does not fit")
        with np.load(io.BytesIO(content[_CHECKSUM:]), allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
        theirs = json.loads(str(stored.pop("key")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
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
    found: list[dict[str, NDArray]] = []
    for name, mask in stored.items():
        number, _, part = name.partition("/")
        found.extend({} for _ in range(int(number) + 1 - len(found)))
        found[int(number)][part] = mask
    return found
