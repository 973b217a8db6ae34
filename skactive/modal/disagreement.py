"""Disagreement of a committee."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import CapabilityError
from ..kernels import disagreement as kernels
from ..utils.indexing import n_rows
from ._proba import UNFITTED
from .utils.selection import pick


def vote_entropy(committee: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Entropy of the members' votes in nats.

    Parameters
    ----------
    committee : Committee
        If a member is not fitted, all samples get 0.
    X : array-like of shape (n_samples, ...)
    **predict_proba_kwargs
        Passed to the members' ``predict``.

    Returns
    -------
    entropy : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If it is no committee; a `TypeError`.

    References
    ----------
    Engelson & Dagan, "Minimizing manual annotation cost in supervised training from corpora",
    ACL 1996.

    Examples
    --------
    Two members disagree, then agree:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import vote_entropy
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee, pool = Committee(members), np.array([[2.5], [5.5]])
    >>> committee.vote(pool).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    >>> vote_entropy(committee, pool).round(3).tolist()
    [0.693, 0.0]
    """
    _check_committee(committee, "vote", "vote_entropy")
    try:
        votes = committee.vote(X, **predict_proba_kwargs)
    except UNFITTED:
        return np.zeros(n_rows(X))
    return kernels.entropy_of_votes(votes.T, committee.classes_)


def consensus_entropy(committee: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Entropy of the members' mean probabilities in nats.

    Parameters
    ----------
    committee, X
        As in `vote_entropy`.
    **predict_proba_kwargs
        Passed to the members' ``predict_proba``.

    Returns
    -------
    entropy : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If it is no committee; a `TypeError`.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.2.

    Examples
    --------
    Probabilities of class 1, by member, and the entropy of their mean:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import consensus_entropy
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee, pool = Committee(members), np.array([[1.5], [2.5], [5.5]])
    >>> committee.vote_proba(pool)[:, :, 1].tolist()
    [[0.5, 0.0], [0.75, 0.25], [1.0, 1.0]]
    >>> consensus_entropy(committee, pool).round(3).tolist()
    [0.562, 0.693, 0.0]
    """
    proba = _member_proba(committee, X, "consensus_entropy", predict_proba_kwargs)
    return np.zeros(n_rows(X)) if proba is None else kernels.consensus_entropy(proba)


def KL_max_disagreement(committee: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Largest KL divergence of a member from the mean of all, in nats.

    Parameters
    ----------
    committee, X
        As in `vote_entropy`.
    **predict_proba_kwargs
        Passed to the members' ``predict_proba``.

    Returns
    -------
    divergence : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If it is no committee; a `TypeError`.

    References
    ----------
    McCallum & Nigam, "Employing EM and pool-based active learning for text classification",
    ICML 1998; there it is the members' mean.

    Examples
    --------
    Probabilities of class 1, by member, and how far the farther one is from their mean:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import KL_max_disagreement
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee, pool = Committee(members), np.array([[1.5], [2.5], [5.5]])
    >>> committee.vote_proba(pool)[:, :, 1].tolist()
    [[0.5, 0.0], [0.75, 0.25], [1.0, 1.0]]
    >>> KL_max_disagreement(committee, pool).round(3).tolist()
    [0.288, 0.131, 0.0]
    """
    proba = _member_proba(committee, X, "KL_max_disagreement", predict_proba_kwargs)
    return np.zeros(n_rows(X)) if proba is None else kernels.max_disagreement(proba)


def vote_entropy_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `vote_entropy`.

    Parameters
    ----------
    committee : Committee
    X : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    random_tie_break : bool, default=False
        Equal utilities in random order, the best last; else the first first.
    random_state : None, int or RandomState, default=None
        For ties. ``None`` is NumPy's global generator, as in modAL.
    **disagreement_measure_kwargs
        Passed to the measure.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    Raises
    ------
    CapabilityError
        If it is no committee; a `TypeError`.
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    References
    ----------
    Engelson & Dagan, "Minimizing manual annotation cost in supervised training from corpora",
    ACL 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import vote_entropy_sampling
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee = Committee(members, query_strategy=vote_entropy_sampling)
    >>> query_idx, query_instance, entropies = committee.query(
    ...     np.array([[5.5], [2.5]]), return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), entropies.round(3).tolist()
    ([1], [[2.5]], [0.693])
    """
    utility = vote_entropy(committee, X, **disagreement_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state)


def consensus_entropy_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `consensus_entropy`.

    Parameters
    ----------
    committee, X, n_instances, random_tie_break, random_state, **disagreement_measure_kwargs
        As in `vote_entropy_sampling`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import consensus_entropy_sampling
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee = Committee(members, query_strategy=consensus_entropy_sampling)
    >>> query_idx, query_instance, entropies = committee.query(
    ...     np.array([[1.5], [2.5], [5.5]]), return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), entropies.round(3).tolist()
    ([1], [[2.5]], [0.693])
    """
    utility = consensus_entropy(committee, X, **disagreement_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state)


def max_disagreement_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `KL_max_disagreement`.

    Parameters
    ----------
    committee, X, n_instances, random_tie_break, random_state, **disagreement_measure_kwargs
        As in `vote_entropy_sampling`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    References
    ----------
    McCallum & Nigam, "Employing EM and pool-based active learning for text classification",
    ICML 1998; there it is the members' mean.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.disagreement import max_disagreement_sampling
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X = np.arange(8.0)
    >>> members = [ActiveLearner(KNeighborsClassifier(4), X_training=X[:, None], y_training=y)
    ...            for y in ((X > 1).astype(int), (X > 3).astype(int))]
    >>> committee = Committee(members, query_strategy=max_disagreement_sampling)
    >>> query_idx, query_instance, divergences = committee.query(
    ...     np.array([[1.5], [2.5], [5.5]]), return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), divergences.round(3).tolist()
    ([0], [[1.5]], [0.288])
    """
    utility = KL_max_disagreement(committee, X, **disagreement_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state)


def max_std_sampling(
    regressor: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **predict_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples whose prediction has the largest standard deviation.

    Parameters
    ----------
    regressor : CommitteeRegressor, or learner of a regressor with ``predict(X, return_std=True)``
    X, n_instances, random_tie_break, random_state
        See `vote_entropy_sampling`.
    **predict_kwargs
        Passed to ``predict``.

    Returns
    -------
    indices, standard deviations : ndarray of shape (n_instances,)

    Raises
    ------
    CapabilityError
        If the regressor tells no standard deviation; a `TypeError`.
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.disagreement import max_std_sampling
    >>> from skactive.modal.models import ActiveLearner
    >>> regressor = ActiveLearner(
    ...     GaussianProcessRegressor(optimizer=None), query_strategy=max_std_sampling,
    ...     X_training=[[0.0]], y_training=[1.0])
    >>> query_idx, query_instance, std = regressor.query(
    ...     np.array([[1.0], [-2.0]]), return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), std.round(3).tolist()
    ([1], [[-2.0]], [0.991])
    """
    _, std = predict_with_std(regressor, X, "max_std_sampling", **predict_kwargs)
    return pick(std, n_instances, random_tie_break, random_state)


def predict_with_std(
    regressor: Any, X: Any, caller: str, **predict_kwargs: Any
) -> tuple[NDArray, NDArray]:
    """Mean and standard deviation, each of shape (n,)."""
    from .utils.combination import accepts

    inner = getattr(regressor, "estimator", regressor)
    steps = getattr(inner, "steps", None)
    final = steps[-1][1] if steps else inner
    if hasattr(final, "get_params") and not accepts(final.predict, "return_std"):
        raise CapabilityError(
            f"{caller} needs predict(X, return_std=True), which {type(final).__name__} does not "
            "have. Use a GaussianProcessRegressor, a BayesianRidge or a CommitteeRegressor."
        )
    mean, std = regressor.predict(X, return_std=True, **predict_kwargs)
    return np.asarray(mean).reshape(-1), np.asarray(std).reshape(-1)


def _member_proba(committee: Any, X: Any, caller: str, kwargs: dict[str, Any]) -> NDArray | None:
    """Probabilities of each member, (n_members, n, n_classes); None if one is not fitted."""
    _check_committee(committee, "vote_proba", caller)
    try:
        return committee.vote_proba(X, **kwargs).transpose(1, 0, 2)
    except UNFITTED:
        return None


def _check_committee(committee: Any, method: str, caller: str) -> None:
    if not hasattr(committee, method):
        raise CapabilityError(
            f"{caller} asks where the members of a Committee disagree; {type(committee).__name__} "
            "is none. Use a Committee, or for a single learner a strategy of "
            "skactive.modal.uncertainty."
        )
