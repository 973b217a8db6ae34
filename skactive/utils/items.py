"""One item of a torch Dataset, or of a list: the part that a net reads, and the label."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

_INPUTS = frozenset({"image", "img", "input", "inputs", "x", "pixel_values", "data", "features"})
_LABELS = frozenset({"label", "labels", "target", "targets", "y", "class"})
_MODES = ("1", "L", "RGB", "RGBA")


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
