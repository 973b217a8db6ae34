"""How far annotators agree beyond chance: kappas of scikit-learn and statsmodels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from ..utils.optional import optional_import


@dataclass(frozen=True)
class Agreement:
    """Agreement of annotators.

    Attributes
    ----------
    cohen : dict of (annotator, annotator) to float
        NaN where two have no item in common, or chance explains all.
    fleiss : float
        NaN without items that two or more labelled.
    observed : float
        Share of pairs of labels of one item that agree.
    n_items : int
        Items with two labels or more.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> session = LabelingSession(":memory:", [[0], [1], [2], [3]], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), ids=list("abcd"), overlap=2)
    >>> for annotator, labels in {"ada": "cat cat dog dog", "bob": "cat cat dog cat"}.items():
    ...     items = session.claim(annotator, n=4)
    ...     for id, label in zip("abcd", labels.split()):
    ...         session.label(id, label, annotator)
    >>> found = session.agreement()
    >>> found.observed, found.n_items
    (0.75, 4)
    >>> round(found.cohen["ada", "bob"], 3)  # (0.75 - 0.5) / (1 - 0.5)
    0.5
    >>> round(found.fleiss, 3)  # (0.75 - 0.53125) / (1 - 0.53125)
    0.467
    """

    cohen: dict[tuple[str, str], float]
    fleiss: float
    observed: float
    n_items: int


def measure(items: Sequence[Mapping[str, Any]], classes: Sequence[Any]) -> Agreement:
    """Agreement over labels by annotator, item by item."""
    shared = [given for given in items if len(given) > 1]
    names = sorted({annotator for given in items for annotator in given})
    cohen = {(a, b): _cohen(shared, a, b, classes) for a, b in combinations(names, 2)}
    pairs = [a == b for given in shared for a, b in combinations(given.values(), 2)]
    observed = float(np.mean(pairs)) if pairs else math.nan
    return Agreement(cohen, _fleiss(shared, classes), observed, len(shared))


def _cohen(items: Sequence[Mapping[str, Any]], a: str, b: str, classes: Sequence[Any]) -> float:
    both = [(given[a], given[b]) for given in items if a in given and b in given]
    expected_all = len({label for pair in both for label in pair}) < 2
    if not both or expected_all:  # two who only ever say one thing: 0 / 0
        return math.nan
    return float(cohen_kappa_score(*zip(*both, strict=True), labels=list(classes)))


def _fleiss(items: Sequence[Mapping[str, Any]], classes: Sequence[Any]) -> float:
    """Over items with one number of labels, which it asks for: the most frequent one."""
    if not items:
        return math.nan
    inter_rater = optional_import(
        "statsmodels.stats.inter_rater", what="Fleiss' kappa", extra="label"
    )
    ((n_labels, _),) = Counter(len(given) for given in items).most_common(1)
    counts = np.array(
        [
            [list(given.values()).count(label) for label in classes]
            for given in items
            if len(given) == n_labels
        ]
    )
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return math.nan
    return float(inter_rater.fleiss_kappa(counts))
