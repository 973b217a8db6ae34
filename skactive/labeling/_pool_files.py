"""Pools that lie in files: arrays, tables, folders of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..utils.names import did_you_mean
from ..utils.optional import optional_import
from ._errors import LabelingError

_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_KINDS = "a file .npy, .csv or .parquet, or a folder of images"


class LoadedPool(NamedTuple):
    """A pool, its ids, and what people see of it where that is something else."""

    X: Any
    ids: Any
    show: Any


def load_pool(
    path: Path,
    *,
    ids: str | None = None,
    columns: str | Sequence[str] | None = None,
    show: str | Sequence[str] | None = None,
    image_size: Sequence[int] | None = None,
    mode: str = "RGB",
) -> LoadedPool:
    """Read a pool.

    Parameters
    ----------
    path : Path
        An array (``.npy``, mapped, not read), a table (``.csv``, ``.parquet``), or a folder of
        images, which are read into memory.
    ids : str or None, default=None
        Column with the ids, as they are written: ``007`` stays a text. Images have their paths
        below the folder.
    columns : str, sequence of str or None, default=None
        Columns that the learner sees; one name gives it a series of texts, a list a table.
        ``None`` is all but the ids. A single column of texts is as a CSV file has it (``NA`` is a
        text, too), several columns as pandas reads them.
    show : str, sequence of str or None, default=None
        Columns that people see, texts as they are written; ``None`` are those of the learner.
    image_size : (height, width) or None, default=None
        Size of images for the learner; people see the files. ``None`` needs images of one size.
    mode : {"RGB", "L"}, default="RGB"
        In colour or gray for the learner.

    Raises
    ------
    LabelingError
        If it cannot be read so.
    """
    if path.is_dir():
        _refuse(path, "a folder of images", ids=ids, columns=columns, show=show)
        return _images(path, image_size, mode)
    _refuse(path, "a file", image_size=image_size)
    if not path.is_file():
        raise LabelingError(f"there is no {path}. Give {_KINDS}.")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        _refuse(path, "an array", ids=ids, columns=columns, show=show)
        return LoadedPool(_array(path), None, None)
    if suffix in (".csv", ".parquet"):
        return _table(path, suffix, ids, columns, show)
    raise LabelingError(f"{path} is none of what can be read: {_KINDS}.")


def _refuse(path: Path, what: str, **options: Any) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise LabelingError(f"{path} is {what}, which takes no {' or '.join(given)}.")


def _array(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LabelingError(f"{path} cannot be read as an array: {error}.") from error


def _table(
    path: Path,
    suffix: str,
    ids: str | None,
    columns: str | Sequence[str] | None,
    show: str | Sequence[str] | None,
) -> LoadedPool:
    pandas = optional_import("pandas", what="A pool in a table", extra="label")
    reader = pandas.read_csv if suffix == ".csv" else pandas.read_parquet
    table = _read(path, reader)
    _check_columns(path, table, [*_listed(ids), *_listed(columns), *_listed(show)])
    if columns is None:
        columns = [name for name in table.columns if name != ids]
    alone = isinstance(columns, str) or (len(columns) == 1 and not _is_numeric(table[columns[0]]))
    texts = {*_listed(ids), *_listed(columns if alone else None), *_listed(show)}
    written = table
    if suffix == ".csv" and texts:  # pandas reads 007 as 7, and NA as missing
        as_texts = {"dtype": str, "keep_default_na": False, "usecols": list(texts)}
        written = _read(path, reader, **as_texts)
    return LoadedPool(
        (written if alone else table)[columns if isinstance(columns, str) else list(columns)],
        None if ids is None else _ids(path, table[ids], written[ids]),
        None if show is None else _seen(table, written, show),
    )


def _read(path: Path, reader: Any, **how: Any) -> Any:
    try:
        return reader(path, **how)
    except (OSError, ValueError, ImportError) as error:
        raise LabelingError(f"{path} cannot be read as a table: {error}.") from error


def _listed(names: str | Sequence[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _is_numeric(column: Any) -> bool:
    return column.dtype.kind in "biuf"


def _ids(path: Path, column: Any, written: Any) -> Any:
    """Ids as they are written: numbers only where these are written the same."""
    values, texts = column.to_numpy(), written.to_numpy()
    if values.dtype.kind in "iu" and np.array_equal(values.astype(str), texts.astype(str)):
        return values
    blank = np.flatnonzero(written.isna() | (written == ""))
    if len(blank):
        raise LabelingError(
            f"{path} has no id in row {blank[0] + 1} (column {column.name!r}). Give each row one, "
            "or leave ids out to number the rows."
        )
    return texts


def _seen(table: Any, written: Any, show: str | Sequence[str]) -> Any:
    """Columns for people: of one name a series; in a table numbers, and texts as written."""
    if isinstance(show, str) or written is table:
        return written[show if isinstance(show, str) else list(show)]
    seen = table[list(show)].copy()
    for name in show:
        if not _is_numeric(table[name]):
            seen[name] = written[name].mask(written[name] == "")  # blank cells are missing ones
    return seen


def _check_columns(path: Path, table: Any, names: Sequence[str]) -> None:
    known = [str(name) for name in table.columns]
    for name in names:
        if name not in known:
            raise LabelingError(
                f"{path} has no column {name!r}.{did_you_mean(name, known)} There are "
                f"{', '.join(known[:20])}."
            )


def in_bytes(image: Any, mode: str, file: Path) -> Any:
    """An image file in colour or gray; not one of 16 or 32 bits, which Pillow cuts off at 255."""
    if image.mode.startswith(("I", "F")):
        raise LabelingError(
            f"{file} has pixels of mode {image.mode!r}; 8-bit intensities are read. Scale them to "
            "0…255 and save the image in 8 bits."
        )
    return image.convert(mode)


def _images(folder: Path, image_size: Sequence[int] | None, mode: str) -> LoadedPool:
    """Images of a folder and of those in it, by their paths."""
    from PIL import Image

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGES and p.is_file())
    if not files:
        raise LabelingError(f"{folder} has no images ({', '.join(sorted(_IMAGES))}).")
    rows = []
    for file in files:
        try:
            with Image.open(file) as image:
                read = in_bytes(image, mode, file)
                if image_size is not None:
                    height, width = image_size
                    read = read.resize((width, height), Image.Resampling.BILINEAR)
                rows.append(np.asarray(read))
        except OSError as error:
            raise LabelingError(f"{file} cannot be read as an image: {error}.") from error
        if rows[-1].shape != rows[0].shape:
            raise LabelingError(
                f"{file} has {rows[-1].shape[1]} x {rows[-1].shape[0]} pixels, {files[0]} "
                f"{rows[0].shape[1]} x {rows[0].shape[0]}. Set image_size = [height, width]."
            )
    pixels = np.stack(rows)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    names = [file.relative_to(folder).as_posix() for file in files]
    return LoadedPool(np.ascontiguousarray(pixels), names, [str(file) for file in files])
