"""Files of several members that hold data only: written whole or not at all, read with suspicion.

A zip archive in which nothing is compressed, so that any program can look into it, and no member
unpacks to more than its file holds. `manifest.json` lists the size and SHA-256 of every other
member; the archive's comment seals the manifest and all bytes that belong to no member. So each
byte of a file is accounted for, and each that changes is noticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..exceptions import DamagedFileError
from .hashing import ParallelHash

MANIFEST = "manifest.json"
_MAX_JSON = 1 << 28  # bytes of a manifest
_MAX_MEMBERS = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,3}")
_DATE = (1980, 1, 1, 0, 0, 0)  # equal content makes equal files
_CHUNK = 1 << 22
_SEAL = b"skactive archive 1 sha256:"
_LENGTH = struct.pack("<H", len(_SEAL) + 64)  # of the comment, the last field before it
# Fields of the two records that zip writes, of fixed length before names and extras.
_LOCAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s4H2LH")


class ArchiveWriter:
    """Members on their way into an archive; see `writing`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self._members: dict[str, dict[str, Any]] = {}

    def write(self, name: str, chunks: Any, size: int) -> None:
        """Add a member.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``.``, ``-``; with up to three ``/`` between.
        chunks : bytes, or iterable of bytes-like
        size : int
            Bytes in all.
        """
        if not _NAME.fullmatch(name) or name in self._members:
            raise ValueError(f"{name!r} is no new name of a member.")
        info = zipfile.ZipInfo(name, _DATE)
        info.file_size = size
        digest, written = ParallelHash(), 0
        with self._zip.open(info, "w", force_zip64=size >= zipfile.ZIP64_LIMIT // 2) as member:
            for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
                digest.update(chunk)
                written += member.write(chunk)
        self._members[name] = {"size": written, "sha256": digest.hexdigest()}

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, which lists all members beside what is passed."""
        content = json.dumps({**manifest, "members": self._members}, allow_nan=False)
        info = zipfile.ZipInfo(MANIFEST, _DATE)
        self._zip.writestr(info, content.encode())


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[ArchiveWriter]:
    """Write an archive; it takes the place of a file at `path` once it is complete and on disk.

    Yields
    ------
    writer : ArchiveWriter
        ``finish`` has to be called.
    """
    with replacing(Path(path)) as file, writing_into(file) as writer:
        yield writer


@contextlib.contextmanager
def writing_into(file: BinaryIO) -> Iterator[ArchiveWriter]:
    """Write an archive into a file that is open, and empty."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        yield ArchiveWriter(archive)
    _seal(file)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when the block ends well, all on disk; or never.

    Where `path` is a link, of what it leads to: other names of it lead to the new file, too.
    """
    path = Path(os.path.realpath(path))
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} to write {path.name} into.")
    part = folder / f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        with part.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Archive:
    """Members of an archive, read one by one; see `reading`.

    Attributes
    ----------
    manifest : dict
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        with self.explained():
            self._payloads = _payloads(file)
            self.manifest = self._read_manifest()

    def __contains__(self, name: str) -> bool:
        return name in self.manifest["members"]

    def names(self) -> list[str]:
        """Names of all members but the manifest."""
        return list(self.manifest["members"])

    def size(self, name: str) -> int:
        """Bytes of a member.

        Raises
        ------
        DamagedFileError
            If there is no such member.
        """
        if name not in self.manifest["members"]:
            raise self.damaged(f"it has no member {name!r}")
        return self._payloads[name][1]

    def read(self, name: str) -> bytes:
        """Content of a member, checked."""
        with self.member(name) as member:
            return member.read(member.size)

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """Read a member piece by piece, to its end; then it is held against its checksum.

        Raises
        ------
        DamagedFileError
            If it is not what was written, or the block raises for what it reads.
        """
        size = self.size(name)
        with self.explained():
            member = Member(self._file, name, self._payloads[name][0], size)
            yield member
            member.check(self.manifest["members"][name]["sha256"])

    def check(self) -> None:
        """Hold every member against its checksum."""
        buffer = memoryview(bytearray(_CHUNK))
        for name in self.names():
            with self.member(name) as member:
                while member.left:
                    member.readinto(buffer[: min(_CHUNK, member.left)])
                    member.digest.wait()  # the buffer is used again

    def damaged(self, why: Any) -> DamagedFileError:
        """The error for what should not be in a file."""
        return DamagedFileError(
            f"{self._name} cannot be read: {why}. It is damaged or was not written by skactive: "
            "take another copy of it, or write it again."
        )

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Name the file in the error for whatever is malformed in it."""
        try:
            yield
        except DamagedFileError:
            raise
        except (*_MALFORMED, zipfile.BadZipFile) as error:
            lacks = "it lacks " if isinstance(error, KeyError) else ""
            why = f"{lacks}{error}" if str(error) else type(error).__name__
            raise self.damaged(why.rstrip(".")) from error

    def _read_manifest(self) -> dict[str, Any]:
        start, size = self._payloads[MANIFEST]
        self._file.seek(start)
        manifest = json.loads(self._file.read(size).decode())
        listed = {name: entry["size"] for name, entry in manifest["members"].items()}
        there = {name: n for name, (_, n) in self._payloads.items() if name != MANIFEST}
        if listed != there:
            raise ValueError("its members are not those that its manifest lists")
        return manifest


class Member:
    """One member, read from its begin to its end.

    Attributes
    ----------
    size, left : int
        Bytes in all, and not read yet.
    """

    def __init__(self, file: BinaryIO, name: str, start: int, size: int) -> None:
        self._file, self._name = file, name
        self.size = self.left = size
        self.digest = ParallelHash()
        file.seek(start)

    def read(self, n: int = -1, /) -> bytes:
        """The next `n` bytes; all that are left by default."""
        content = bytearray(self._taken(self.left if n < 0 else n))
        self._fill(memoryview(content))
        return bytes(content)

    def readinto(self, place: memoryview) -> None:
        """Fill memory with the next bytes; it must not change before `check`."""
        self._taken(place.nbytes)
        if place.nbytes:
            place = place.cast("B")
        for window in self.digest.windows(place):
            self._fill(window)

    def _taken(self, n: int) -> int:
        if not 0 <= n <= self.left:
            raise ValueError(f"{self._name} has {self.size} bytes, which is not what it holds")
        self.left -= n
        return n

    def _fill(self, place: memoryview) -> None:
        if self._file.readinto(place) != place.nbytes:  # type: ignore[attr-defined]
            raise ValueError(f"{self._name} is cut short")
        self.digest.update(place)

    def check(self, expected: str) -> None:
        """Raise a ValueError unless all was read and is what was written."""
        if self.left:
            raise ValueError(f"{self._name} has {self.left} bytes more than it should")
        if self.digest.hexdigest() != expected:
            raise ValueError(f"the checksum of {self._name} does not fit")


# What reading something malformed raises: all that a wrong value in a file can lead to.
_MALFORMED = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    ArithmeticError,
    struct.error,
)


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[Archive]:
    """Read an archive.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DamagedFileError
        If it is no archive of `writing`, or not what was written.
    """
    with Path(path).open("rb") as file:
        yield Archive(file, str(path))


# -- every byte that belongs to no member --------------------------------------------------


def _seal(file: BinaryIO) -> None:
    """Append the seal as the archive's comment."""
    file.flush()
    end = file.seek(0, os.SEEK_END)
    seal = _SEAL + _structure(file, end - _END.size)[0].encode()
    file.seek(end - 2)
    file.write(_LENGTH + seal)


def _payloads(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Where each member begins and how long it is, of a file that is all there.

    Raises
    ------
    ValueError or zipfile.BadZipFile
        If a byte that belongs to no member is not what was written.
    """
    end = file.seek(0, os.SEEK_END)
    tail = _END.size + len(_SEAL) + 64
    file.seek(max(0, end - tail))
    record = file.read(tail)
    seal = record[_END.size :]
    ends = record[:4] == b"PK\x05\x06" and record[_END.size - 2 : _END.size] == _LENGTH
    if len(record) < tail or not ends or not seal.startswith(_SEAL):
        raise ValueError("it does not end as such a file does")
    digest, members = _structure(file, end - tail)
    if seal[len(_SEAL) :] != digest.encode():
        raise ValueError("its seal does not fit")
    return {name: (start, size) for name, start, size in members}


def _structure(file: BinaryIO, end_at: int) -> tuple[str, list[tuple[str, int, int]]]:
    """SHA-256 of the manifest and of all that is in no member, and where the members lie."""
    digest, members, at = hashlib.sha256(), _members(file), 0
    for name, start, size in members:
        file.seek(at)
        digest.update(file.read(start - at + (size if name == MANIFEST else 0)))
        at = start + size
    file.seek(at)
    digest.update(file.read(end_at + _END.size - 2 - at))
    return digest.hexdigest(), members


def _members(file: BinaryIO) -> list[tuple[str, int, int]]:
    """Name, begin and size of each member, in the order of the file, without gap or overlap."""
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        end = archive.start_dir
    if len(infos) > _MAX_MEMBERS:
        raise ValueError(f"it has {len(infos)} members")
    found, at = [], 0
    for info in infos:
        start = _begin(file, info, at)
        at = start + info.file_size
        found.append((info.filename, start, info.file_size))
    sizes = {name: size for name, _, size in found}
    if at != end or len(sizes) != len(found):
        raise ValueError("its members do not lie where they should")
    if sizes.get(MANIFEST, _MAX_JSON + 1) > _MAX_JSON:
        raise ValueError("it has no manifest, or one beyond all measure")
    return found


def _begin(file: BinaryIO, info: zipfile.ZipInfo, at: int) -> int:
    """Where the content of a member begins, whose header must be at `at`."""
    stored = info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size
    if not stored or info.flag_bits & 0x1:
        raise ValueError(f"{info.filename!r} is compressed or encrypted, which no member is")
    if not _NAME.fullmatch(info.filename):
        raise ValueError(f"{info.filename!r} is no name of a member")
    file.seek(at)
    head = _LOCAL.unpack(file.read(_LOCAL.size))
    same_name = file.read(head[-2]) == info.filename.encode()
    if info.header_offset != at or head[0] != b"PK\x03\x04" or not same_name:
        raise ValueError(f"{info.filename!r} does not begin where it should")
    return at + _LOCAL.size + head[-2] + head[-1]
