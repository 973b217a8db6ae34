"""What is read of rows of any container: of one item, as an array, as a net's batch."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

_INPUTS = frozenset({"image", "img", "input", "inputs", "x", "pixel_values", "data", "features"})
_LABELS = frozenset({"label", "labels", "target", "targets", "y", "class"})
_MODES = ("1", "L", "RGB", "RGBA")
_OF_ARROW = {"halffloat": "float16", "float": "float32", "double": "float64"}


def is_dataset(X: Any) -> bool:
    """Whether `X` is a torch Dataset that is no array."""
    return isinstance(X, torch.utils.data.Dataset) and not hasattr(X, "shape")


def is_list_of_items(X: Any) -> bool:
    """Whether `X` is a list of images, tensors or dicts: of items that NumPy cannot stack."""
    return (
        isinstance(X, (list, tuple))
        and len(X) > 0
        and (isinstance(X[0], (dict, torch.Tensor)) or _is_image(X[0]))
    )


def input_of(item: Any) -> Any:
    """What a net reads of an item: of ``(x, y)`` the first part, of a dict its one input.

    Raises
    ------
    ValueError
        If it is not clear which value of a dict that is, or an image has no intensities.
    """
    if isinstance(item, (tuple, list)):
        item = item[0]
    elif isinstance(item, dict):
        item = item[_key(item, _INPUTS, "input")]
    return _intensities(item) if _is_image(item) else item


def input_names(names: list[str]) -> list[str]:
    """Which columns of a dataset are inputs: the one with a usual name, or all but the labels."""
    named = [name for name in names if name.lower() in _INPUTS]
    return named if len(named) == 1 else [name for name in names if name.lower() not in _LABELS]


def label_of(item: Any) -> Any:
    """Label of an item, ``(x, y)`` or a dict.

    Raises
    ------
    ValueError
        If it has none.
    """
    if isinstance(item, dict):
        return item[_key(item, _LABELS, "label")]
    if isinstance(item, (tuple, list)) and len(item) == 2:
        return item[1]
    raise ValueError(
        "AdversarialNetClassifier requires y to be passed, but the target y is None. Pass y, or a "
        "Dataset whose items are (x, y) pairs or dicts with a label."
    )


def stacked(items: list[Any]) -> Any:
    """Inputs of equal shape as one array or tensor.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    first = [input_of(item) for item in items]
    shapes = {tuple(np.shape(part)) for part in first}
    if len(shapes) > 1:
        raise ValueError(
            f"The items have different shapes: {sorted(shapes)[:5]}. A net reads one: resize or "
            "crop them, for instance with torchvision.transforms.Resize((32, 32))."
        )
    if any(isinstance(part, torch.Tensor) for part in first):
        return torch.stack([torch.as_tensor(part) for part in first])
    return np.stack([np.asarray(part) for part in first]) if first else np.empty((0,))


def stacked_items(X: Any) -> Any:
    """Inputs of all items of a Dataset, or of a list of items, as one array or tensor."""
    return stacked([X[i] for i in range(len(X))])


def as_array(X: Any) -> NDArray:
    """Rows of any container as an array, their values unchanged.

    Raises
    ------
    TypeError
        If they are none: dicts, or items of different shapes.
    """
    if isinstance(X, np.ndarray):
        return X
    if sp.issparse(X):
        return X.toarray()
    if is_dataset(X) or is_list_of_items(X):
        X = stacked_items(X)
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, dict):
        raise TypeError("Rows were passed as a dict. Pass an array, a DataFrame or a tensor.")
    try:
        return np.asarray(X)
    except ValueError as error:
        raise TypeError(
            f"The rows of this {type(X).__name__} have different shapes and make no array. Bring "
            "them to one shape first."
        ) from error


def detached(X: Any) -> Any:
    """A tensor that wants gradients as one that wants none, in its memory; others as they are."""
    return X.detach() if isinstance(X, torch.Tensor) and X.requires_grad else X


def as_batch(X: Any) -> Any:
    """Rows of any container as an array or tensor; bytes as numbers in [0, 1].

    Parameters
    ----------
    X : array-like, DataFrame, tensor, torch Dataset or list of PIL images
        Bytes (uint8) are taken for pixels and divided by 255, those of a DataFrame where all its
        columns are bytes. Items of a Dataset may be ``(x, y)`` pairs, of which the first part
        counts, or dicts with one input such as ``"image"``. PIL images become arrays with
        channels first.

    Returns
    -------
    batch : ndarray, Tensor or DataFrame
        Other dtypes than uint8 are left as they are. Tensors want no gradients.

    Raises
    ------
    TypeError
        If `X` is a sparse matrix.
    ValueError
        If items differ in shape, or it is not clear what of a dict to read.
    """
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but a net reads dense data. Convert rows with X.toarray(), "
            "or put a dimensionality reduction such as TruncatedSVD before the net in a Pipeline."
        )
    if is_dataset(X) or is_list_of_items(X):
        return as_batch(stacked_items(X))
    if isinstance(X, torch.Tensor):
        return X.float() / 255 if X.dtype == torch.uint8 else detached(X)
    if hasattr(X, "columns"):  # it stays one: names are checked where it becomes an array
        return _frame_of_numbers(X) if dtype_name(X) == "uint8" else X
    X = np.asarray(X)
    return X.astype(np.float32) / np.float32(255) if X.dtype == np.uint8 else X


def bytes_as_numbers(first: Any, second: Any, *, pixels: bool) -> tuple[Any, Any]:
    """Two lots of rows that are to be stacked or compared, with numbers of one range.

    Parameters
    ----------
    first, second : containers of rows
    pixels : bool
        Whether bytes are read as numbers in [0, 1]: those beside other numbers become such.

    Returns
    -------
    first, second : converted only where one has bytes and the other has not

    Raises
    ------
    ValueError
        If bytes over 1 meet numbers in [0, 1] that they do not become, or the other way round.
    """
    if isinstance(first, (np.ndarray, torch.Tensor)) and not _is_typed(second):
        second = as_array(second)
    dtypes = [dtype_name(first), dtype_name(second)]
    if dtypes.count("uint8") != 1 or None in dtypes:
        return first, second
    numbers, raw = (first, second) if dtypes[1] == "uint8" else (second, first)
    if pixels:
        _refuse_large_integers(numbers)
        return (as_batch(first), second) if raw is first else (first, as_batch(second))
    if _is_float(numbers) and len(numbers) and _any_above_one(raw):
        _refuse_unit_numbers(numbers, raw)
    return first, second


def dtype_name(X: Any) -> str | None:
    """The dtype of an array, tensor or DataFrame of numbers, without its library's name.

    That of a DataFrame is what its columns have in common: bytes only where all are.
    """
    if hasattr(X, "columns") and not sp.issparse(X):
        return _dtype_of_columns(X)
    if sp.issparse(X) or getattr(X, "dtype", None) is None:
        return None
    return str(X.dtype).removeprefix("torch.")


def as_float_tensor(X: Any, device: torch.device | str) -> torch.Tensor:
    """Rows of any container as a float32 tensor on `device`."""
    batch = as_batch(X)
    if not isinstance(batch, torch.Tensor):
        batch = torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
    return batch.to(device=device, dtype=torch.float32)


def frame_of(values: NDArray, like: Any) -> Any:
    """Numbers as a DataFrame with the library and the columns of another."""
    names = "columns" if hasattr(like, "iloc") else "schema"  # pandas or polars
    return type(like)(values, **{names: list(like.columns)})


def unlazy(X: Any) -> Any:
    """Rows of a torch Dataset or tensor as an array; anything else as it is."""
    if isinstance(X, torch.Tensor):
        return X.detach().cpu().numpy()
    if isinstance(X, torch.utils.data.Dataset) and not hasattr(X, "shape"):
        return np.asarray(as_batch(X))
    return X


# -- DataFrames ---------------------------------------------------------------------------


def common_dtype(dtypes: Iterable[Any]) -> np.dtype | None:
    """The NumPy dtype that columns have in common, bytes only where all are; None: no numbers."""
    given = {str(dtype).lower() for dtype in dtypes}
    # Without what pandas writes around them: "uint8[pyarrow]", "Sparse[uint8, 0]".
    names = {re.sub(r"^sparse\[|[\[,].*", "", name) for name in given}
    try:
        common = np.result_type(*(_OF_ARROW.get(name, name) for name in names))
    except (TypeError, ValueError):  # no columns, or texts, dates, categories
        return None
    mixed = common == np.uint8 and len(names) > 1  # bytes beside booleans
    return None if common.kind not in "biuf" or mixed else common


def _dtype_of_columns(X: Any) -> str | None:
    of_arrow = hasattr(getattr(X, "schema", None), "types")
    common = common_dtype(set(X.schema.types if of_arrow else getattr(X, "dtypes", ())))
    return None if common is None else common.name


def _frame_of_numbers(X: Any) -> Any:
    """A DataFrame of bytes as one of numbers in [0, 1]."""
    if hasattr(X, "iloc"):
        return X.astype(np.float32) / np.float32(255)
    if hasattr(X, "column_names"):  # a table of PyArrow
        columns = [np.asarray(c, dtype=np.float32) / np.float32(255) for c in X.columns]
        return type(X).from_arrays(columns, names=X.column_names)
    import polars as pl

    return X.cast(pl.Float32) / np.float32(255)


# -- ranges -------------------------------------------------------------------------------


def _is_typed(X: Any) -> bool:
    return hasattr(X, "dtype") or hasattr(X, "columns")


def _blocks(X: Any) -> Any:
    rows = getattr(X, "iloc", X)
    blocks = (rows[start : start + 1024] for start in range(0, len(X), 1024))
    return map(_values, blocks) if hasattr(X, "columns") else blocks


def _values(frame: Any) -> NDArray:
    return np.asarray(frame.astype(np.float64) if hasattr(frame, "iloc") else frame)


def _any_above_one(X: Any) -> bool:
    return any(bool((block > 1).any()) for block in _blocks(X))


def _any_outside_unit(X: Any) -> bool:
    """Whether a number is outside [0, 1], or none at all."""
    return any(not bool(((block >= 0) & (block <= 1)).all()) for block in _blocks(X))


def _is_float(X: Any) -> bool:
    return str(dtype_name(X)).startswith(("float", "bfloat"))


def _refuse_unit_numbers(numbers: Any, raw: Any) -> None:
    if not _any_outside_unit(numbers):
        highest = int(max(block[block > 1].max() for block in _blocks(raw) if (block > 1).any()))
        raise ValueError(
            f"Bytes (uint8) up to {highest} came together with {dtype_name(numbers)} numbers that "
            "all lie in [0, 1]: they are not of one range. Divide the bytes by 255, or whatever "
            "the numbers were divided by, or give both one dtype if they are meant as they are."
        )


def _refuse_large_integers(X: Any) -> None:
    if str(dtype_name(X)).startswith(("int", "uint")) and _any_above_one(X):
        raise ValueError(
            f"Bytes (uint8), which a net reads as numbers in [0, 1], came together with "
            f"{dtype_name(X)} numbers over 1. Pass both as uint8, or both as floats in [0, 1]."
        )


# -- items --------------------------------------------------------------------------------


def _key(item: dict, wanted: frozenset[str], what: str) -> Any:
    """The one key with a usual name; for inputs also the only one that is no label."""
    named = [key for key in item if str(key).lower() in wanted]
    others = [key for key in item if str(key).lower() not in _LABELS]
    if not named and what == "input" and len(others) == 1:
        named = others
    if len(named) == 1:
        return named[0]
    raise ValueError(
        f"Items of the Dataset are dicts with the keys {sorted(map(str, item))}, of which "
        f"{'several' if named else 'none'} may be the {what}. Wrap the Dataset in one that returns "
        "(x, y) pairs, or name the keys 'image' and 'label'."
    )


def _is_image(item: Any) -> bool:
    """Whether an object is a PIL image, without importing PIL."""
    images = sys.modules.get("PIL.Image")
    return images is not None and isinstance(item, images.Image)


def _intensities(image: Any) -> np.ndarray:
    """A PIL image as an array of bytes, channels first."""
    if image.mode not in _MODES:
        raise ValueError(
            f"The image has mode {image.mode!r}; 8-bit intensities are read, modes "
            f"{', '.join(_MODES)}. Convert it: image.convert('RGB') or image.convert('L')."
        )
    pixels = np.asarray(image.convert("L") if image.mode == "1" else image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
