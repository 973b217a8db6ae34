"""Disagreement of a committee: pure functions of its members' class probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from .uncertainty import entropy


def vote_entropy(proba: NDArray) -> NDArray:
    """Entropy of the members' votes, in nats.

    Parameters
    ----------
    proba : ndarray of shape (n_members, n, n_classes)

    Returns
    -------
    scores : ndarray of shape (n,)
        0 when all members vote alike.
    """
    return entropy_of_votes(proba.argmax(axis=2), np.arange(proba.shape[2]))


def entropy_of_votes(votes: NDArray, classes: NDArray) -> NDArray:
    """Entropy of hard votes ``(n_members, n)`` for the labels `classes`, shape (n,), in nats."""
    shares = np.stack([(votes == label).mean(axis=0) for label in classes], axis=-1)
    return entropy(shares)


def consensus_entropy(proba: NDArray) -> NDArray:
    """Entropy of the members' mean probabilities, shape (n,), in nats."""
    return entropy(proba.mean(axis=0))


def max_disagreement(proba: NDArray) -> NDArray:
    """Largest KL divergence of a member from the mean of all, shape (n,), in nats."""
    return rel_entr(proba, proba.mean(axis=0)).sum(axis=2).max(axis=0)
