"""Learning curves in one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..utils.statistics import mean_height


def area_under_budget_curve(n_labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean height of a learning curve over its budget: trapezoids, divided by the width.

    Parameters
    ----------
    n_labels : array-like of shape (n_stages,)
        Labels bought, increasing.
    scores : array-like of shape (n_stages,)

    Returns
    -------
    area : float
        In the units of `scores`; the score itself for a single stage.

    Raises
    ------
    ValueError
        If the lengths differ, or `n_labels` does not increase.

    Examples
    --------
    >>> from skactive.analysis import area_under_budget_curve
    >>> area_under_budget_curve([100, 200, 400], [0.5, 0.7, 0.9])
    0.7333333333333333
    """
    x, y = np.asarray(n_labels, dtype=float), np.asarray(scores, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0 or not (np.diff(x) > 0).all():
        raise ValueError("n_labels and scores must be 1-d, equally long, n_labels increasing.")
    return mean_height(x, y)
