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
from sklearn.base import BaseEstimator
from sklearn.ensemble import BaseEnsemble
from sklearn.gaussian_process import kernels
from sklearn.neighbors import BallTree, KDTree

from ..utils.compat import boosted_trees
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
        If an index leads out of a tree, or out of the samples that its owner takes.
    """
    for each in objects_inside(part):
        if isinstance(each, (KDTree, BallTree)):
            _check_search_tree(each)
        elif type(each).__name__ == "TreePredictor":
            _check_predictor(each)
        elif _is_tree(each):
            _check_decision_tree(each)
        elif isinstance(each, BaseEstimator):
            check_widths(each)


def check_widths(estimator: BaseEstimator) -> None:
    """Raise unless the trees of an estimator read no more features than it takes.

    Raises
    ------
    ValueError
        If one reads more.
    """
    width = getattr(estimator, "n_features_in_", None)
    boosted = boosted_trees(estimator)
    sound = boosted is None or _are_boosted_trees_sound(*boosted, width)
    if isinstance(estimator, BaseEnsemble):
        sound = sound and _are_members_sound(estimator, width)
    if not sound or not _has_width(estimator, width):
        raise ValueError(f"a tree of {type(estimator).__name__} reads features that it lacks")


def _is_tree(value: Any) -> bool:
    return type(value).__name__ == "Tree" and type(value).__module__ == "sklearn.tree._tree"


def _has_width(estimator: Any, width: Any) -> bool:
    """Whether it has no decision tree, or one of so many features."""
    tree: Any = getattr(estimator, "tree_", None)
    return not _is_tree(tree) or tree.n_features == width


def _are_members_sound(ensemble: Any, width: Any) -> bool:
    """Ensembles hand rows, or a subset of their features, to trees that do not look at them."""
    members = getattr(ensemble, "estimators_", ())
    members = members.ravel().tolist() if isinstance(members, np.ndarray) else members
    subsets = getattr(ensemble, "estimators_features_", None)
    if subsets is None:
        return all(_has_width(member, width) for member in members)
    return len(subsets) == len(members) and all(
        len(subset) <= width and _has_width(member, len(subset))
        for member, subset in zip(members, subsets, strict=True)
    )


def _are_boosted_trees_sound(trees: list[Any], categorical: np.ndarray, width: Any) -> bool:
    if categorical.shape != (width,):
        return False
    for nodes in trees:
        inner = nodes[nodes["is_leaf"] == 0]
        feature = inner["feature_idx"]
        if ((feature < 0) | (feature >= width)).any():
            return False
        if not categorical[feature[inner["is_categorical"] != 0]].all():
            return False  # its categories would be sought in a table that has no row for it
    return True


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
    if not len(nodes) or not sound.all():
        raise ValueError("a boosted tree has nodes that lead nowhere")


def _check_search_tree(tree: Any) -> None:
    data, rows, nodes, bounds = (np.asarray(part) for part in tree.get_arrays())
    _, _, _, _, _, n_levels, n_nodes = tree.__getstate__()[:7]
    n, inner = len(data), nodes["is_leaf"] == 0
    sound = n_nodes == len(nodes) == bounds.shape[1] == 2**n_levels - 1 and len(rows) == n
    sound = sound and bounds.shape[::2] == (2 if isinstance(tree, KDTree) else 1, data.shape[1])
    sound = sound and bool(((rows >= 0) & (rows < n)).all())
    start, end = nodes["idx_start"], nodes["idx_end"]
    sound = sound and bool(((start >= 0) & (start <= end) & (end <= n)).all())
    sound = sound and bool((2 * np.flatnonzero(inner) + 2 < n_nodes).all())
    if not sound:
        raise ValueError("a tree of neighbours has nodes that lead nowhere")
