"""Arrays of data as members of an archive: ``.npy``, no objects, written and read in pieces."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .archive import Archive, ArchiveWriter
from .hashing import BLOCK

_MAX_HEADER = 1 << 16
_MAX_DIMENSIONS = 32


def write_array(writer: ArchiveWriter, name: str, array: NDArray) -> None:
    """Write an array without objects as a member, a slice at a time."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    if not (array.flags.c_contiguous or fortran):
        array = np.ascontiguousarray(array)
    header = io.BytesIO()
    content = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": fortran,
        "shape": array.shape,
    }
    np.lib.format.write_array_header_1_0(header, content)
    size = len(header.getvalue()) + array.nbytes
    writer.write(name, _chunks(header.getvalue(), array.T if fortran else array), size)


def _chunks(header: bytes, array: NDArray) -> Iterator[Any]:
    yield header
    if array.nbytes:
        flat = memoryview(np.reshape(array, -1).view(np.uint8))
        first = BLOCK - len(header)  # so that blocks are hashed where they lie
        yield flat[:first]
        for at in range(first, flat.nbytes, BLOCK):
            yield flat[at : at + BLOCK]


def read_array(archive: Archive, name: str) -> NDArray:
    """An array from a member: its size is checked before memory is taken for it.

    Raises
    ------
    DamagedFileError
        If it is not what was written, or holds objects.
    """
    with archive.member(name) as member:
        major, minor = np.lib.format.read_magic(member)
        if (major, minor) not in ((1, 0), (2, 0)):
            raise ValueError(f"{name} has npy version {major}.{minor}")
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read[major](member, max_header_size=_MAX_HEADER)
        if dtype.hasobject or len(shape) > _MAX_DIMENSIONS or min(shape, default=0) < 0:
            raise ValueError(f"{name} is no array of data")
        if math.prod(shape) * dtype.itemsize != member.left:
            raise ValueError(f"{name} is not as long as its shape, {shape}, says")
        array = np.empty(shape[::-1] if fortran else shape, dtype)
        if array.nbytes:
            member.readinto(memoryview(array.reshape(-1).view(np.uint8)))
    return array.T if fortran else array
