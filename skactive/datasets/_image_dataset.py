"""What every loader returns."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class ImageDataset:
    """Images and labels, split into training and test data.

    Attributes
    ----------
    name : str
        The name `load_dataset` knows it by.
    X_train, X_test : ndarray of shape (n, channels, height, width), float32 in [0, 1]
        Images; bytes in [0, 255] with ``dtype="uint8"``.
    y_train, y_test : ndarray of shape (n,), int64
        Labels, positions in `class_names`.
    class_names : tuple of str
    X_val, y_val : ndarrays like `X_test`, `y_test`, or None
        Only with ``validation=True``.

    Examples
    --------
    >>> from skactive.datasets import load_digits
    >>> load_digits()
    ImageDataset('digits', 1347 train, 450 test, images (1, 8, 8) float32, 10 classes)
    """

    name: str
    X_train: NDArray
    y_train: NDArray
    X_test: NDArray
    y_test: NDArray
    class_names: tuple[str, ...]
    X_val: NDArray | None = None
    y_val: NDArray | None = None

    def __repr__(self) -> str:
        validation = "" if self.X_val is None else f"{len(self.X_val)} validation, "
        return (
            f"ImageDataset({self.name!r}, {len(self.X_train)} train, {validation}"
            f"{len(self.X_test)} test, images {self.X_train.shape[1:]} {self.X_train.dtype}, "
            f"{len(self.class_names)} classes)"
        )
