"""Selection bias: how far what was asked for is from the pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import jensenshannon

from ..kernels.uncertainty import CHARACTERISTICS
from ..utils.indexing import distinct_positions
from ..utils.names import no_such
from ..utils.validation import COUNT, check_constraints
from ._rounding import as_floats, is_constant

_CLASS = "class"
_CONSTRAINTS = {"n_bins": [COUNT]}


def selection_bias(
    proba: ArrayLike,
    picked: ArrayLike,
    y: ArrayLike | None = None,
    *,
    characteristics: Sequence[str] | Mapping[str, Callable[[NDArray], NDArray]] | None = None,
    n_bins: int = 50,
) -> dict[str, float]:
    """How far a selection's distribution is from the pool's, for several characteristics.

    The Jensen–Shannon divergence, base 2, between two histograms over the pool's range: that of
    the selected samples and that of the whole pool, the selected ones included. 0 is a
    representative selection, 1 one that shares no bin with the pool.

    Parameters
    ----------
    proba : array-like of shape (n_pool, n_classes)
        Class probabilities of the pool, as they were when the selection was made.
    picked : array-like of int or bool
        Positions of the selected samples in the pool, or a mask.
    y : array-like of shape (n_pool,) or None, default=None
        True classes of the pool, for the characteristic ``"class"`` (one bin a class).
    characteristics : str, sequence of str, mapping of str to callable, or None, default=None
        Any of ``"entropy"``, ``"gini"``, ``"least_confidence"``, ``"margin"``, ``"class"``, or
        functions of `proba` by name. ``None``: the first four, and ``"class"`` if `y` is given.
    n_bins : int, default=50
        Bins of equal width over the pool's range.

    Returns
    -------
    bias : dict of str to float
        In [0, 1].

    Raises
    ------
    ValueError
        If nothing is picked, a position is out of range or repeated, a characteristic is
        unknown or not finite, ``"class"`` is asked for without `y`, or `n_bins` is below 1.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, equation 12.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.analysis import selection_bias
    >>> p = np.linspace(0.5, 1, 200)
    >>> proba = np.column_stack([p, 1 - p])
    >>> selection_bias(proba, range(200), characteristics=["entropy"])
    {'entropy': 0.0}
    >>> round(selection_bias(proba, range(20), characteristics=["entropy"])["entropy"], 2)
    0.65
    """
    proba = as_floats(proba)
    precision, proba = proba.dtype, proba.astype(float)
    if proba.ndim != 2 or len(proba) == 0:
        raise ValueError(f"proba must have shape (n_pool, n_classes), got {proba.shape}.")
    check_constraints(_CONSTRAINTS, {"n_bins": n_bins}, "selection_bias")
    rows = distinct_positions(picked, len(proba), "picked")
    if rows.size == 0:
        raise ValueError("picked is empty: a selection of nothing has no distribution.")
    if isinstance(characteristics, str):
        characteristics = [characteristics]
    elif characteristics is None:
        characteristics = [*CHARACTERISTICS, *([_CLASS] if y is not None else [])]
    bias = {}
    for name in characteristics:
        if name == _CLASS and not isinstance(characteristics, Mapping):
            bias[name] = _class_bias(y, rows, len(proba))
            continue
        function = characteristics[name] if isinstance(characteristics, Mapping) else _known(name)
        values = np.asarray(function(proba))
        _check_values(name, values, len(proba))
        # One bin for what is constant: fifty of them would show rounding errors.
        settled = is_constant(values.astype(precision))
        bias[name] = 0.0 if settled else _histogram_bias(values, rows, n_bins)
    return bias


def _known(name: str) -> Callable[[NDArray], NDArray]:
    if name not in CHARACTERISTICS:
        said = no_such("characteristic", name, [*CHARACTERISTICS, _CLASS])
        raise ValueError(
            f"{said} Others can be passed as a mapping of names to functions of proba."
        )
    return CHARACTERISTICS[name]


def _class_bias(y: ArrayLike | None, rows: NDArray, n_pool: int) -> float:
    if y is None:
        raise ValueError("The bias in the class needs y, the true classes of the pool.")
    _, codes = np.unique(np.asarray(y), return_inverse=True)
    if codes.shape != (n_pool,):
        raise ValueError(f"y must have shape ({n_pool},), got {codes.shape}.")
    whole = np.bincount(codes)
    return _divergence(np.bincount(codes[rows], minlength=len(whole)), whole)


def _check_values(name: str, values: NDArray, n_pool: int) -> None:
    if values.shape != (n_pool,) or not np.isfinite(values).all():
        raise ValueError(f"{name} must give one finite number for each of the {n_pool} samples.")


def _histogram_bias(values: NDArray, rows: NDArray, n_bins: int) -> float:
    edges = np.histogram_bin_edges(values, n_bins)
    whole, _ = np.histogram(values, edges)
    selected, _ = np.histogram(values[rows], edges)
    return _divergence(selected, whole)


def _divergence(selected: NDArray, whole: NDArray) -> float:
    """Jensen–Shannon divergence of two histograms; scipy returns its square root."""
    distance = float(jensenshannon(selected, whole, base=2))
    return 0.0 if np.isnan(distance) else min(distance**2, 1.0)
