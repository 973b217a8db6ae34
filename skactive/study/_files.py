"""Files of a study: written whole, with a checksum, or told as damaged."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ._errors import StudyError

TOKEN = "running"


class DamagedError(StudyError):
    """A file is not what was written; the message says which, and what to do."""


def damaged(path: Path, what: Any, task: str = "") -> DamagedError:
    """The error for a file that is not what was written."""
    whose = f"the results of {task} are damaged" if task else "the file is damaged"
    return DamagedError(
        f"{path}: {whose} ({what}). The same study command repairs it, by repeating what was lost."
    )


def digest_of(content: bytes) -> str:
    """What tells a content from every other."""
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def checksum(value: Any) -> str:
    """Digest of plain data, in a form that does not depend on the order of keys."""
    return digest_of(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write plain data and their checksum."""
    value = {**value, "checksum": checksum(value)}
    write_atomically(path, json.dumps(value, indent=1).encode())


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote.

    Raises
    ------
    DamagedError
        If the file is not that.
    """
    try:
        value = json.loads(path.read_bytes())
        if "name" in value and "checksum" not in value:
            raise StudyError(
                f"{path.parent} was written by an older version of skactive, whose files carry "
                "code and no checksums: they are not read. Repeat the study into a new folder, or "
                "read it with that version."
            )
        said = value.pop("checksum")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"no JSON with a checksum: {error}") from error
    if checksum(value) != said:
        raise damaged(path, "its checksum does not fit")
    return value


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, on the disk when this returns."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def take_over(folder: Path, token: str) -> None:
    """Make `token` the run that may write below `folder`; the one before can no longer."""
    write_atomically(folder / TOKEN, token.encode())


def read_token(folder: Path) -> bytes:
    """The run that may write."""
    try:
        return (folder / TOKEN).read_bytes()
    except FileNotFoundError:
        return b""
