"""Uniform sampling: the baseline every strategy must beat."""

from __future__ import annotations

from typing import ClassVar

from ._base import Query, QueryStrategy, Selection
from ._parts import drawn_from_parts


class RandomSampling(QueryStrategy):
    """Pick samples uniformly at random, without replacement. Needs no model.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    In robust active learning this is the strongest of the eleven functions the DRE paper
    compares, before DRE itself (section 5).

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import RandomSampling
    >>> RandomSampling(random_state=0).query(None, np.zeros((100, 3)), n=4).shape
    (4,)
    """

    _requires: ClassVar[tuple[str, ...]] = ()

    def _select(self, query: Query) -> Selection:
        return Selection(query.rng.choice(len(query.X), size=query.n, replace=False))

    def _select_from_parts(self, query: Query) -> Selection:
        return Selection(drawn_from_parts(query, query.n))
