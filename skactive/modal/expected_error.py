"""Expected error reduction."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from ..utils.indexing import n_rows
from ..utils.labels import aligned_proba
from ._errors import InvalidValue
from ._proba import UNFITTED, class_proba
from .uncertainty import _proba_entropy, _proba_uncertainty
from .utils.data import data_vstack, retrieve_rows
from .utils.selection import pick

_LOSSES = {"binary": _proba_uncertainty, "log": _proba_entropy}


def expected_error_reduction(
    learner: Any,
    X: Any,
    loss: str = "binary",
    p_subsample: float = 1.0,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    candidates: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: Any = None,
) -> Any:
    """Pick the samples after whose labelling the expected error on the rest is smallest.

    For each sample x and each label y: train a clone on the training data and (x, y), and add up
    its loss on all *other* samples of the pool, weighted by the present p(y | x).

    Parameters
    ----------
    learner : ActiveLearner
        Of a classifier; a learner that is not fitted gets the first sample, ``[0]``.
    X : array-like of shape (n_pool, ...)
    loss : {"binary", "log"}, default="binary"
        1 − max p, or the entropy.
    p_subsample : float in [0, 1], default=1.0
        Share of the samples that are tried, drawn at random.
    n_instances : int, default=1
    random_tie_break : bool, default=False
        Equal errors in random order, the best last; else the first first.
    candidates : array of int or bool or None, default=None
        Try only these positions of `X`; the error is counted on all of it.
    n_jobs : int or None, default=None
        Samples tried side by side, through joblib. The result does not depend on it.
    verbose : int, default=0
        1 and more report the progress (joblib's levels).
    random_state : None, int or RandomState, default=None
        ``None`` is NumPy's global generator, as in modAL.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    expected_error : ndarray of shape (n_instances,)
        inf for those that were not tried.

    Raises
    ------
    ValueError
        If an argument is out of range, or fewer samples are tried than asked for (an
        `AssertionError`, too).

    Notes
    -----
    Costs ``n_candidates · n_classes`` trainings: for large pools pass `candidates`.

    References
    ----------
    Roy & McCallum, "Toward optimal active learning through sampling estimation of error
    reduction", ICML 2001.

    Examples
    --------
    The sample between the classes, with p = (2/3, 1/3), tells most: labelled 0 it leaves a loss of
    0 + 1/3 on the other two, labelled 1 of 1/3 + 0:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.expected_error import expected_error_reduction
    >>> from skactive.modal.models import ActiveLearner
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(3), query_strategy=expected_error_reduction,
    ...     X_training=np.array([[0.0], [1.0], [8.0], [9.0]]), y_training=np.array([0, 0, 1, 1]))
    >>> query_idx, query_instance, errors = learner.query(
    ...     np.array([[2.0], [4.4], [7.0]]), return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), errors.round(3).tolist()
    ([1], [[4.4]], [0.333])
    """
    if not 0 <= p_subsample <= 1:
        raise InvalidValue(f"p_subsample must be in [0, 1], got {p_subsample}.")
    if loss not in _LOSSES:
        raise InvalidValue(f"loss must be one of {list(_LOSSES)}, got {loss!r}.")
    try:
        proba = class_proba(learner, X, "expected_error_reduction")
    except UNFITTED:
        return np.array([0])
    labels = np.unique(np.asarray(learner.y_training))
    weights = aligned_proba(proba, getattr(learner, "classes_", labels), labels)
    rng = check_random_state(random_state)
    tried = np.zeros(n_rows(X), dtype=bool)
    tried[slice(None) if candidates is None else candidates] = True
    tried &= rng.uniform(size=len(tried)) <= p_subsample
    tried_positions = np.flatnonzero(tried)
    errors = np.full(len(tried), np.inf)
    errors[tried] = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_expected_error)(learner, X, position, labels, weights[position], loss)
        for position in tried_positions
    )
    if n_instances > len(tried_positions):
        raise InvalidValue(
            f"n_instances must not exceed the number of samples tried, {len(tried_positions)} of "
            f"{len(tried)}, got {n_instances}. Raise p_subsample, or pass more candidates."
        )
    return pick(errors, n_instances, random_tie_break, rng, smallest=True)


def _expected_error(
    learner: Any, X: Any, position: int, labels: NDArray, weights: NDArray, loss: str
) -> float:
    """Loss on the other samples, expected over the labels of one."""
    X_new = data_vstack([learner.X_training, retrieve_rows(X, [position])])
    error = 0.0
    for label, weight in zip(labels, weights, strict=True):
        if weight == 0:
            continue
        y_new = data_vstack([learner.y_training, _like(learner.y_training, label)])
        refitted = clone(learner.estimator).fit(X_new, y_new)
        losses = _LOSSES[loss](np.asarray(refitted.predict_proba(X)))
        error += weight * (losses.sum() - losses[position])
    return error


def _like(y: Any, label: Any) -> Any:
    """One label in the container of `y`."""
    if isinstance(y, list):
        return [label]
    new = np.asarray([label])
    return new.reshape(1, *np.shape(y)[1:]) if np.ndim(y) > 1 else new
