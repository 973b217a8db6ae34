"""The data sets: a part for tuning, and for each seed a pool, a test set and the first labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets as bundled
from sklearn.decomposition import PCA

from skactive.datasets import load_dataset

_COMPONENTS = 50  # of MNIST's and Fashion-MNIST's 784 pixels, by principal components
_PER_CLASS = 2  # first labels of each class
_N_IMAGES = 6000  # of which tuning, pool and test are drawn


@dataclass(frozen=True)
class Spec:
    """Sizes of a data set, and what is bought of it."""

    load: Callable[[], tuple[NDArray, NDArray]]
    n_tune: int
    n_pool: int
    n_test: int
    n_query: int
    n_queries: int = 8


@dataclass(frozen=True)
class Split:
    """What one seed works on."""

    X_pool: NDArray
    y_pool: NDArray
    X_test: NDArray
    y_test: NDArray
    first: NDArray


def diverging_sin(n: int = 1000) -> tuple[NDArray, NDArray]:
    """Two sine curves that part from one another, as in CDALBench: both classes meet at x = 0."""
    rng = np.random.default_rng(0)
    x = np.tile(np.linspace(0, 10, n), 2)
    sign = np.repeat([1, -1], n)
    height = np.sin(2 * x) + sign * 0.5 * x + rng.normal(0, 0.3, 2 * n)
    return np.column_stack([x, height]), (sign > 0).astype(int)


def three_clust(n: int = 300) -> tuple[NDArray, NDArray]:
    """Three clusters, one of which holds both classes at random, as in CDALBench."""
    rng = np.random.default_rng(0)
    means = np.repeat([(0, 0), (4, 3), (0, 6), (4, 3)], n, axis=0)
    return means + rng.normal(size=(4 * n, 2)), np.repeat([1, 1, 0, 0], n)


def _bundled(name: str) -> Callable[[], tuple[NDArray, NDArray]]:
    return lambda: getattr(bundled, f"load_{name}")(return_X_y=True)


def _images(name: str) -> Callable[[], tuple[NDArray, NDArray]]:
    def load() -> tuple[NDArray, NDArray]:
        data = load_dataset(name, n_train=_N_IMAGES, n_test=1)
        return data.X_train.reshape(len(data.X_train), -1).astype(float), data.y_train

    return load


SPECS = {
    "wine": Spec(_bundled("wine"), 40, 90, 48, 3),
    "breast_cancer": Spec(_bundled("breast_cancer"), 100, 300, 169, 4),
    "diverging_sin": Spec(diverging_sin, 400, 600, 1000, 6),
    "three_clust": Spec(three_clust, 300, 400, 500, 4),
    "digits": Spec(_bundled("digits"), 300, 800, 697, 15),
    "mnist": Spec(_images("mnist"), 1000, 1000, 1000, 20),
    "fashion_mnist": Spec(_images("fashion_mnist"), 1000, 1000, 1000, 20),
}


def budget(name: str, n_classes: int) -> int:
    """Labels bought in all."""
    spec = SPECS[name]
    return _PER_CLASS * n_classes + spec.n_query * spec.n_queries


@cache
def _rows(name: str) -> tuple[NDArray, NDArray, NDArray]:
    """Features, labels, and an order whose beginning is the tuning part."""
    X, y = SPECS[name].load()
    order = np.random.default_rng(0).permutation(len(y))
    if X.shape[1] == 784:
        X = PCA(_COMPONENTS, random_state=0).fit(X[order[: SPECS[name].n_tune]]).transform(X)
    return X, y, order


def tuning_part(name: str) -> tuple[NDArray, NDArray]:
    """Samples that are in no pool and in no test set."""
    X, y, order = _rows(name)
    part = order[: SPECS[name].n_tune]
    return X[part], y[part]


def split(name: str, seed: int) -> Split:
    """Pool, test set and first labels of a seed, drawn from all that is not for tuning."""
    X, y, order = _rows(name)
    spec = SPECS[name]
    rng = np.random.default_rng((seed, 1))
    drawn = rng.permutation(order[spec.n_tune :])
    pool, test = drawn[: spec.n_pool], drawn[spec.n_pool : spec.n_pool + spec.n_test]
    first = [np.flatnonzero(y[pool] == label)[:_PER_CLASS] for label in np.unique(y)]
    return Split(X[pool], y[pool], X[test], y[test], np.concatenate(first))
