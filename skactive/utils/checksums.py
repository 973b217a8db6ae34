"""A checksum beside a file that others read too, in the form that ``sha256sum --check`` takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..exceptions import DamagedFileError


def checksum_path(path: Path) -> Path:
    """Where the checksum of a file lies."""
    return path.with_name(f"{path.name}.sha256")


def write_checksum(path: Path) -> None:
    """Write the checksum of a file beside it."""
    checksum_path(path).write_text(_line(path), encoding="ascii")


def check(path: Path) -> None:
    """Hold a file against the checksum beside it, if there is one.

    Raises
    ------
    DamagedFileError
        If it does not fit.
    """
    beside = checksum_path(path)
    if beside.exists() and beside.read_bytes() != _line(path).encode("ascii"):
        raise DamagedFileError(
            f"{path} is damaged or was changed: {beside.name} beside it does not fit. Write it "
            f"again, or, if the change is yours, delete {beside.name}."
        )


def _line(path: Path) -> str:
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
