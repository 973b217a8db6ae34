"""Data sets as they lie on disk, and what to say when they do not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 2**30  # that a file may unpack to: four times the largest of these data sets


@dataclass(frozen=True)
class Part:
    """Training or test data as stored.

    Attributes
    ----------
    labels : ndarray of shape (n,), int64
    read : callable
        Row numbers ``(k,)`` to images ``(k, channels, height, width)``, uint8. Rows are chosen
        by their labels first, so that images nobody asked for are not decoded.
    """

    labels: NDArray
    read: Callable[[NDArray], NDArray]

    @classmethod
    def of(cls, images: NDArray, labels: NDArray) -> Part:
        """Part whose images are in memory already.

        Raises
        ------
        ValueError
            If there are not as many labels as images.
        """
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images but {len(labels)} labels")
        return cls(np.asarray(labels, dtype=np.int64), lambda rows: images[rows])

    def take(self, rows: NDArray) -> Part:
        """Part with some of the rows."""
        return Part(self.labels[rows], lambda inner: self.read(rows[inner]))


@dataclass(frozen=True)
class Source:
    """A data set as stored: its two parts, its classes, and the pixel value of white."""

    train: Part
    test: Part
    class_names: tuple[str, ...]
    white: int = 255


def data_root(root: Any = None) -> Path:
    """Folder of the data sets: `root`, else ``$SKACTIVE_DATA``, else ``~/.cache/skactive``."""
    return Path(root or os.environ.get("SKACTIVE_DATA") or "~/.cache/skactive").expanduser()


def find(title: str, root: Path, *alternatives: Sequence[str], downloadable: bool = True) -> Path:
    """First of the alternative paths (each a sequence below `root`) that exists.

    Raises
    ------
    FileNotFoundError
        If none does: says what was looked for and how to get it.
    """
    paths = [root.joinpath(*parts) for parts in alternatives]
    for path in paths:
        if path.exists():
            return path
    download = (
        ", or call the loader with download=True to fetch it there through torchvision"
        if downloadable
        else "; there is nothing to download, see the loader's docstring for the format"
    )
    raise FileNotFoundError(
        f"{title} was not found. Looked for {' and '.join(map(str, paths))}. Set the environment "
        f"variable SKACTIVE_DATA (or pass root=) to the folder of the data sets{download}."
    )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in the error when its content cannot be read.

    Raises
    ------
    OSError
        In place of whatever the reader raised, unless the operating system did: a file
        without read permission is not damaged.
    """
    try:
        yield
    except Exception as error:  # readers of damaged files raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise OSError(
            f"{path} is damaged or not what it should be ({error}). Delete it and get it again."
        ) from error


def check_unpacked(n_bytes: int) -> None:
    """Refuse a small file that unpacks to gigabytes.

    Raises
    ------
    ValueError
        If it is more than `MOST_BYTES`.
    """
    if n_bytes > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")


def open_npz(file: Any) -> Any:
    """``np.load`` of an archive that does not unpack to gigabytes.

    Raises
    ------
    ValueError
        If it does.
    """
    archive = np.load(file)
    check_unpacked(sum(member.file_size for member in archive.zip.infolist()))
    return archive


def download(dataset: str, root: Path) -> None:
    """Let torchvision download one of its data sets into `root`.

    Raises
    ------
    OSError
        If the download fails or `root` cannot be written to.
    """
    from torchvision import datasets

    splits: tuple[dict[str, str], ...] = (
        ({"split": "train"}, {"split": "test"}) if dataset == "SVHN" else ({},)
    )
    try:
        for split in splits:
            getattr(datasets, dataset)(root, download=True, **split)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"{dataset} could not be downloaded into {root}: {error}. Is the folder writable and "
            "the network there? Else copy the files there and set SKACTIVE_DATA."
        ) from error
