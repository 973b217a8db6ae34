"""What people see of an item: an image, a text, a table row, or HTML that the user makes of it."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ...utils.inputs import as_array, input_of
from ...utils.names import by_name
from .._pool import SessionPool
from .._pool_files import in_bytes

_FILES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
          ".webp": "image/webp"}  # fmt: skip
_OTHER_FILES = {".bmp", ".pgm", ".ppm", ".tif", ".tiff"}  # browsers do not show them: made PNG
_SAMPLE = 64  # rows that say in which range the numbers of images lie
_MOST_TEXT, _MOST_CELL, _MOST_COLUMNS = 100_000, 2_000, 200
_WHOLE = 2**53  # below it floats tell whole numbers apart
_CHANNELS = (1, 3, 4)


class Rendering:
    """How the items of one pool are shown; `kind` is the page's word for it."""

    kind = "problem"

    def __init__(self, pool: SessionPool) -> None:
        self.pool = pool

    def row(self, position: int) -> Any:
        """One row of the pool as people index it."""
        if hasattr(self.pool.X, "columns") and not hasattr(self.pool.X, "iloc"):  # polars
            return self.pool.X.row(position, named=True)
        item = self.pool.content(position)
        return item if isinstance(item, str | Path) else input_of(item)

    def content(self, position: int) -> dict[str, Any]:
        """What is shown in words; images and HTML lie elsewhere."""
        raise NotImplementedError

    def data(self, position: int) -> tuple[bytes, str]:
        """What is shown as a file, and its media type."""
        raise NotImplementedError(f"{self.kind} has no file")


class TextRendering(Rendering):
    """Rows that are texts, or a table with one column of them."""

    kind = "text"

    def content(self, position: int) -> dict[str, Any]:
        """The text, cut where it is too long for a page."""
        row = self.row(position)
        if hasattr(row, "iloc"):
            row = row.iloc[0]
        elif isinstance(row, dict):
            row = next(iter(row.values()))
        text = str(row)
        return {"text": text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]} …"}


class TableRendering(Rendering):
    """Rows with named columns."""

    kind = "table"

    def content(self, position: int) -> dict[str, Any]:
        """Pairs of a column's name and its value, as text or None where it is missing."""
        cells = self._cells(position)
        rows = [[str(name), _cell(value)] for name, value in cells[:_MOST_COLUMNS]]
        if len(cells) > _MOST_COLUMNS:
            rows.append(["…", f"{len(cells) - _MOST_COLUMNS} more columns"])
        return {"rows": rows}

    def _cells(self, position: int) -> list[tuple[Any, Any]]:
        if self.pool.columns is not None:
            # As one row of numbers, whole ones would be floats beside floats.
            return list(zip(self.pool.columns, self.pool.cells([position])[0], strict=True))
        row = self.row(position)
        if hasattr(row, "items"):
            return list(row.items())
        if sp.issparse(row):
            row = row.tocoo()
            order = np.argsort(row.coords[-1])
            columns, values = row.coords[-1][order], row.data[order]
        else:
            values = np.asarray(as_array(row)).ravel()
            columns = np.arange(len(values))
        return [(f"x{column}", value) for column, value in zip(columns, values, strict=True)]


class ImageRendering(Rendering):
    """Arrays of pixels, gray or in colour, PIL images, or files of images.

    Parameters
    ----------
    pool : SessionPool
    shape : tuple of int or None
        Shape of an image whose pixels lie in one line.
    """

    kind = "image"

    def __init__(self, pool: SessionPool, shape: tuple[int, ...] | None = None) -> None:
        super().__init__(pool)
        self.shape = shape
        self.range = self._range()

    def _range(self) -> tuple[float, float]:
        """What is black and what white, one for all images so that they can be compared."""
        arrays = list(self._arrays(_SAMPLE))
        values = np.concatenate([np.ravel(array) for array in arrays]) if arrays else np.zeros(0)
        values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if not values.size:
            return 0.0, 255.0
        low, high = float(values.min()), float(values.max())
        if values.dtype == np.uint8:  # a mask of zeros and ones, or all but black so far
            return 0.0, 255.0 if any((array > 1).any() for array in self._arrays()) else 1.0
        if low >= 0 and high <= 1:
            return 0.0, 1.0
        return min(low, 0.0), high

    def _arrays(self, most: int | None = None) -> Iterator[NDArray]:
        """Some rows from all over the pool, but those that are files."""
        rows = (self.row(int(i)) for i in self.pool.sample(self.pool.n, most))
        return (np.asarray(as_array(row)) for row in rows if not isinstance(row, str | Path))

    def content(self, position: int) -> dict[str, Any]:
        """Width and height, where they are known without opening a file."""
        row = self.row(position)
        if isinstance(row, str | Path):
            return {}
        height, width = as_pixels(row, self.shape, self.range).shape[:2]
        return {"width": width, "height": height}

    def data(self, position: int) -> tuple[bytes, str]:
        """A file that browsers show: the user's own, else PNG."""
        from PIL import Image

        row = self.row(position)
        if not isinstance(row, str | Path):
            return _png(Image.fromarray(as_pixels(row, self.shape, self.range)))
        path = Path(row)
        if path.suffix.lower() in _FILES:
            return path.read_bytes(), _FILES[path.suffix.lower()]
        with Image.open(path) as image:
            return _png(in_bytes(image, "RGB", path))


class HtmlRendering(Rendering):
    """Whatever a function of the user's makes of a row; it is shown where no script runs."""

    kind = "html"

    def __init__(self, pool: SessionPool, make: Callable[[Any], Any]) -> None:
        super().__init__(pool)
        self.make = make

    def content(self, position: int) -> dict[str, Any]:
        """Nothing: it lies in a document of its own."""
        return {}

    def data(self, position: int) -> tuple[bytes, str]:
        """The function's HTML, as a document.

        Raises
        ------
        TypeError
            If the function returns none.
        """
        made = self.make(self.row(position))
        for name in ("__html__", "_repr_html_"):
            if not isinstance(made, str) and hasattr(made, name):
                made = getattr(made, name)()
        if not isinstance(made, str):
            raise TypeError(
                f"render must return HTML, a str, for each row; it returned {type(made).__name__}."
            )
        head = '<!doctype html><meta charset="utf-8"><style>body{margin:1rem;font:1rem/1.45 '
        style = "system-ui,sans-serif}img{max-width:100%}</style>"
        return f"{head}{style}{made}".encode(), "text/html; charset=utf-8"


def make_rendering(
    pool: SessionPool, render: str | Callable[[Any], Any] = "auto", image_shape: Any = None
) -> Rendering:
    """How a pool is shown.

    Parameters
    ----------
    pool : SessionPool
    render : {"auto", "image", "text", "table"} or callable, default="auto"
        ``"auto"`` looks at the first row; a callable makes HTML of a row.
    image_shape : tuple of int or None, default=None
        Shape of images whose pixels lie in one line: ``(8, 8)``, ``(3, 32, 32)``.

    Raises
    ------
    ValueError
        If the first row cannot be shown so.
    """
    if callable(render):
        return HtmlRendering(pool, render)
    kind = "image" if render == "auto" and image_shape is not None else render
    kind = by_name("render", kind, {name: name for name in ("auto", "image", "text", "table")})
    kind = _kind_of(pool) if kind == "auto" else kind
    if kind == "text":
        return TextRendering(pool)
    if kind == "table":
        return TableRendering(pool)
    shape = None if image_shape is None else tuple(int(length) for length in image_shape)
    made = ImageRendering(pool, shape)
    made.content(0)
    return made


def _kind_of(pool: SessionPool) -> str:
    row = Rendering(pool).row(0)
    values = list(row.values()) if isinstance(row, dict) else row
    if hasattr(row, "iloc") or isinstance(row, dict):
        return "text" if len(values) == 1 and isinstance(next(iter(values)), str) else "table"
    if isinstance(row, str | Path):
        suffix = Path(row).suffix.lower()
        is_file = suffix in _FILES.keys() | _OTHER_FILES and Path(row).is_file()
        return "image" if is_file else "text"
    return "table" if sp.issparse(row) or np.ndim(as_array(row)) < 2 else "image"


def as_pixels(
    row: Any, shape: tuple[int, ...] | None = None, limits: tuple[float, float] = (0.0, 255.0)
) -> np.ndarray:
    """Bytes of one image, rows and columns first, channels last.

    Parameters
    ----------
    row : array-like of shape (height, width), or with channels first or last
        With `shape`, also its pixels in one line.
    shape : tuple of int or None, default=None
        Shape to bring the pixels to first.
    limits : (float, float), default=(0, 255)
        The numbers that are black and white; what lies outside is cut off.

    Returns
    -------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3 or 4)

    Raises
    ------
    ValueError
        If that is no image.
    """
    array = np.asarray(as_array(row))
    if shape is not None and array.shape != shape:
        if math.prod(shape) != array.size:
            raise ValueError(
                f"image_shape={shape} has {math.prod(shape)} numbers, a row of the pool has "
                f"{array.size}."
            )
        array = array.reshape(shape)
    if array.ndim == 3 and array.shape[0] in _CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in _CHANNELS):
        raise ValueError(
            f"Rows of shape {array.shape} are no images that can be shown: (height, width), or "
            "with 1, 3 or 4 channels. Pass image_shape= for pixels in one line, or render=, a "
            "function that makes HTML of a row."
        )
    array = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    low, high = limits
    scaled = (np.nan_to_num(array.astype(np.float64)) - low) * (255 / (high - low or 1))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _png(image: Any) -> tuple[bytes, str]:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue(), "image/png"


def _cell(value: Any) -> str | None:
    """A value in a table; None where it is missing."""
    pandas = sys.modules.get("pandas")
    if value is None or (pandas is not None and value is pandas.NA):
        return None
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return None
        whole = number.is_integer() and abs(number) < _WHOLE
        return f"{number:.0f}" if whole else f"{number:.6g}"
    if pandas is not None and value is pandas.NaT:
        return None
    text = str(value)
    return text if len(text) <= _MOST_CELL else f"{text[:_MOST_CELL]} …"
