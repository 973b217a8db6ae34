"""What fitted estimators of scikit-learn hold beside what skops trusts, and whether it is sound."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import numpy as np
import sklearn.metrics
import sklearn.model_selection
from sklearn.gaussian_process import kernels
from sklearn.neighbors import BallTree, KDTree

from ._names import FEATURE_SCORES

# Data structures, and pure functions that estimators refer to.
_NAMES = [
    "numpy.dtype",
    "numpy.mean",
    "numpy.median",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.interpolate._interpolate.interp1d",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.ExponentialLoss",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
]
_DISTANCES = "Chebyshev Euclidean Manhattan Minkowski SEuclidean Haversine Hamming Canberra"


@functools.cache
def trusted_types() -> frozenset[str]:
    """Import paths, in the form in which skops names them."""
    from sklearn import feature_selection

    found = {*_NAMES}
    found |= {f"sklearn.metrics._dist_metrics.{name}Distance{bits}"
              for name in _DISTANCES.split() for bits in (32, 64)}  # fmt: skip
    for name in FEATURE_SCORES:
        found.add(f"{getattr(feature_selection, name).__module__}.{name}")
    for name, value in vars(kernels).items():
        if inspect.isclass(value) and value.__module__ == kernels.__name__:
            found.add(f"{kernels.__name__}.{name}")
    for name, value in vars(sklearn.model_selection).items():
        if inspect.isclass(value) and hasattr(value, "split"):
            found.add(f"{value.__module__}.{name}")
    for name in sklearn.metrics.__all__:
        if inspect.isfunction(value := getattr(sklearn.metrics, name)):
            found.add(f"{value.__module__}.{name}")
    return frozenset(found)


def objects_inside(value: Any) -> Iterator[Any]:
    """An object and all that its attributes and containers hold, each once."""
    seen, waiting = set(), [value]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            waiting += value
        elif isinstance(value, np.ndarray):
            waiting += value.ravel().tolist() if value.dtype == object else []
        elif hasattr(value, "__dict__") and not isinstance(value, (type, FunctionType)):
            waiting += vars(value).values()


def check_trees(part: Any) -> None:
    """Raise unless the trees inside are sound: compiled code follows their indices unchecked.

    Raises
    ------
    ValueError
        If an index leads out of a tree.
    """
    for each in objects_inside(part):
        if isinstance(each, (KDTree, BallTree)):
            _check_search_tree(each)
        elif type(each).__name__ == "TreePredictor":
            _check_predictor(each)
        elif hasattr(each, "tree_"):
            _check_decision_tree(each.tree_)


def _check_decision_tree(tree: Any) -> None:
    if not 0 < tree.node_count <= tree.capacity:
        raise ValueError("a decision tree counts nodes that it does not have")
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    at = np.arange(tree.node_count)
    inner = left != -1
    sound = (right == -1) == (left == -1)
    for child in (left, right):
        sound &= ~inner | ((child > at) & (child < tree.node_count))
    sound &= ~inner | ((feature >= 0) & (feature < tree.n_features))
    if not sound.all():
        raise ValueError("a decision tree has nodes that lead nowhere")


def _check_predictor(predictor: Any) -> None:
    nodes = predictor.nodes
    inner, at = nodes["is_leaf"] == 0, np.arange(len(nodes))
    sound = np.ones(len(nodes), dtype=bool)
    for name in ("left", "right"):
        sound &= ~inner | ((nodes[name] > at) & (nodes[name] < len(nodes)))
    categorical = inner & (nodes["is_categorical"] != 0)
    n_sets = min(len(predictor.binned_left_cat_bitsets), len(predictor.raw_left_cat_bitsets))
    sound &= ~categorical | (nodes["bitset_idx"] < n_sets)
    if not sound.all():
        raise ValueError("a boosted tree has nodes that lead nowhere")


def _check_search_tree(tree: Any) -> None:
    data, rows, nodes, bounds = (np.asarray(part) for part in tree.get_arrays())
    _, _, _, _, _, n_levels, n_nodes = tree.__getstate__()[:7]
    n, inner = len(data), nodes["is_leaf"] == 0
    sound = n_nodes == len(nodes) == bounds.shape[1] == 2**n_levels - 1 and len(rows) == n
    sound = sound and bool(((rows >= 0) & (rows < n)).all())
    start, end = nodes["idx_start"], nodes["idx_end"]
    sound = sound and bool(((start >= 0) & (start <= end) & (end <= n)).all())
    sound = sound and bool((2 * np.flatnonzero(inner) + 2 < n_nodes).all())
    if not sound:
        raise ValueError("a tree of neighbours has nodes that lead nowhere")
