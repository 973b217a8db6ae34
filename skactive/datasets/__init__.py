"""Data sets as arrays of images in [0, 1], ready for a pool."""

from ._image_dataset import ImageDataset
from ._loaders import (
    load_cifar10,
    load_dataset,
    load_digits,
    load_fashion_mnist,
    load_mnist,
    load_quickdraw,
    load_svhn,
)

__all__ = [
    "ImageDataset",
    "load_cifar10",
    "load_dataset",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_quickdraw",
    "load_svhn",
]
