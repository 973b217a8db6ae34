"""From a data set as stored to the arrays asked for: rows chosen, resized, scaled."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from ..utils.random_state import numpy_generator
from ._image_dataset import ImageDataset
from ._options import Options
from ._source import Part, Source

_BATCH = 4096


def assemble(name: str, source: Source, options: Options) -> ImageDataset:
    """Choose rows of `source`, then read, resize and scale them."""
    rng = numpy_generator(options.random_state, 0)
    train = _subset(source.train, options.n_train, "n_train", options.stratify, rng)
    test = source.test
    validation = None
    if options.validation:
        half = len(test.labels) // 2
        rng = numpy_generator(options.random_state, 2)
        validation = test.take(np.arange(half))
        validation = _subset(validation, options.n_test, "n_test", options.stratify, rng)
        test = test.take(np.arange(half, len(test.labels)))
    rng = numpy_generator(options.random_state, 1)
    test = _subset(test, options.n_test, "n_test", options.stratify, rng)
    return ImageDataset(
        name,
        _images(train, source.white, options),
        train.labels,
        _images(test, source.white, options),
        test.labels,
        source.class_names,
        None if validation is None else _images(validation, source.white, options),
        None if validation is None else validation.labels,
    )


def _subset(
    part: Part, n: int | None, parameter: str, stratify: bool, rng: np.random.Generator
) -> Part:
    """`n` rows at random, in their stored order."""
    if n is None:
        return part
    if n > len(part.labels):
        raise ValueError(f"{parameter} must be at most {len(part.labels)} here, got {n}.")
    draw = _stratified_rows if stratify else _random_rows
    return part.take(np.sort(draw(part.labels, n, rng)))


def _random_rows(labels: NDArray, n: int, rng: np.random.Generator) -> NDArray:
    return rng.choice(len(labels), size=n, replace=False)


def _stratified_rows(labels: NDArray, n: int, rng: np.random.Generator) -> NDArray:
    """Rows in class proportions, to within one of each class.

    Each class spreads its shuffled rows evenly over (0, 1); the first `n` of all are taken.
    """
    order = rng.permutation(len(labels))
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(position, kind="stable")[:n]]


def _images(part: Part, white: int, options: Options) -> NDArray:
    """All images of `part`: float32 in [0, 1] or bytes, resized in batches."""
    n = len(part.labels)
    images: NDArray | None = None
    for start in range(0, n, _BATCH):
        rows = np.arange(start, min(start + _BATCH, n))
        batch = _resize(torch.from_numpy(np.ascontiguousarray(part.read(rows))), options.size)
        if options.dtype == "float32":
            batch = batch.float() / white
        elif batch.is_floating_point() or white != 255:
            batch = (batch.float() * (255 / white)).round().clamp(0, 255).byte()
        if images is None:
            images = np.empty((n, *batch.shape[1:]), options.dtype)
        images[rows] = batch.numpy()
    if images is None:
        raise ValueError("The data set holds no images.")
    return images


def _resize(batch: torch.Tensor, size: int | None) -> torch.Tensor:
    """Bytes as they are, or bilinearly resized to floats in the same range."""
    if size is None or tuple(batch.shape[2:]) == (size, size):
        return batch
    return interpolate(batch.float(), (size, size), mode="bilinear", antialias=True)
