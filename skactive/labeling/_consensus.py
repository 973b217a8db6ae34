"""One label for an item out of those of several annotators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

Rule = Callable[[Mapping[str, Any]], Any]


def majority(answers: Mapping[str, Any]) -> Any:
    """The label that most annotators gave; None where two are level.

    Parameters
    ----------
    answers : dict of annotator to label

    Examples
    --------
    >>> from skactive.labeling import majority
    >>> majority({"ada": "cat", "bob": "dog", "cyd": "cat"})
    'cat'
    >>> majority({"ada": "cat", "bob": "dog"}) is None
    True
    """
    ranked = Counter(answers.values()).most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


class WeightedVote:
    r"""Votes weighted by how often each annotator agrees with the majority of the others.

    With :math:`K` classes and an annotator right with probability :math:`p`, whose errors fall on
    all other classes alike, the most probable label has the largest sum of
    :math:`\log(p (K - 1) / (1 - p))` (Nitzan and Paroush, 1982). `p` is estimated as
    :math:`(a + 1) / (n + 2)` from agreeing in `a` of `n` items.

    Parameters
    ----------
    items : iterable of dict of annotator to label
        All answers, item by item.
    n_classes : int

    References
    ----------
    Nitzan and Paroush, "Optimal decision rules in uncertain dichotomous choice situations",
    International Economic Review 23, 1982.

    Examples
    --------
    >>> from skactive.labeling import WeightedVote
    >>> said = [{"ada": "cat", "bob": "cat", "cyd": "dog"}] * 9 + [{"ada": "cat", "cyd": "dog"}]
    >>> vote = WeightedVote(said, n_classes=2)
    >>> vote({"ada": "dog", "cyd": "cat"})  # cyd was mostly against the others
    'dog'
    """

    def __init__(self, items: Iterable[Mapping[str, Any]], n_classes: int) -> None:
        agreed: Counter[str] = Counter()
        compared: Counter[str] = Counter()
        for answers in items:
            for annotator, label in answers.items():
                others = {who: y for who, y in answers.items() if who != annotator}
                decided = majority(others)
                if decided is not None:
                    compared[annotator] += 1
                    agreed[annotator] += decided == label
        self.accuracy = {
            annotator: (agreed[annotator] + 1) / (n + 2) for annotator, n in compared.items()
        }
        self.n_classes = n_classes

    def __call__(self, answers: Mapping[str, Any]) -> Any:
        """The label with the largest weight; None where two are level."""
        if not answers:
            return None
        weights: dict[Any, float] = {}
        for annotator, label in sorted(answers.items()):
            weights[label] = weights.get(label, 0.0) + self._weight(annotator)
        ranked = sorted(weights.items(), key=lambda pair: -pair[1])
        if len(ranked) > 1 and np.isclose(ranked[0][1], ranked[1][1]):
            return None
        return ranked[0][0]

    def _weight(self, annotator: str) -> float:
        p = self.accuracy.get(annotator, 0.5)
        return float(np.log(p * (self.n_classes - 1) / (1 - p)))
