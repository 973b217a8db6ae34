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
    """
    _check_committee(committee, "vote", "vote_entropy")
    try:
        votes = committee.vote(X, **predict_proba_kwargs)
    except UNFITTED:
        return np.zeros(n_rows(X))
    return kernels.entropy_of_votes(votes.T, committee.classes_)


def consensus_entropy(committee: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Entropy of the members' mean probabilities in nats; see `vote_entropy`."""
    proba = _member_proba(committee, X, "consensus_entropy", predict_proba_kwargs)
    return np.zeros(n_rows(X)) if proba is None else kernels.consensus_entropy(proba)


def KL_max_disagreement(committee: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Largest KL divergence of a member from the mean of all, in nats; see `vote_entropy`."""
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
    """Pick the samples with the largest `consensus_entropy`; see `vote_entropy_sampling`."""
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
    """Pick the samples with the largest `KL_max_disagreement`; see `vote_entropy_sampling`."""
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
