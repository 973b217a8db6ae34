"""Disagreement among the members of a committee."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import disagreement
from ..utils.indexing import Rows
from ._base import ScoringStrategy


class _CommitteeStrategy(ScoringStrategy):
    _requires: ClassVar[tuple[str, ...]] = ("votes",)


class VoteEntropy(_CommitteeStrategy):
    """Pick the samples with the highest entropy of the members' votes.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties, of which votes have many.

    References
    ----------
    Engelson & Dagan, "Minimizing manual annotation cost in supervised training from corpora",
    ACL 1996.
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.vote_entropy(model.vote_proba(X))


class ConsensusEntropy(_CommitteeStrategy):
    """Pick the samples with the highest entropy of the members' mean probability.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.2.
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.consensus_entropy(model.vote_proba(X))


class MaxDisagreement(_CommitteeStrategy):
    """Pick the samples where one member differs most from all: largest KL from their mean.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    McCallum & Nigam, "Employing EM and pool-based active learning for text classification",
    ICML 1998.
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.max_disagreement(model.vote_proba(X))
