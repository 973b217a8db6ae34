"""A law for learning curves, fitted and inverted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from ..utils.validation import Number, check_constraints

_CONSTRAINTS = {"ceiling": [Number("a number > 0", 0, closed="neither"), None]}
_PARAMETERS = 4
_STARTS = [(k, beta) for k in (0.1, 0.5, 2.0) for beta in (0.3, 0.7, 1.0)]
_FLAT = 1e-9  # of the largest score: what a curve must rise by to have a shape
_AT_ONCE = 1 - 1e-12  # delta of a curve without one, above all that are fitted


@dataclass(frozen=True)
class LearningCurveFit:
    """A learning curve as the PALM law has it: ``achievable · (1 - (1 - δ)^((n / unit + α)^β))``.

    Attributes
    ----------
    achievable : float
        The score that the curve tends to.
    delta : float
        δ in (0, 1), coverage efficiency: how much of what is left one unit of labels finds.
    alpha : float
        α >= 0, early performance: what the first labels are worth beyond their number, in units.
    beta : float
        β > 0, scalability: below 1, later labels are worth less.
    unit : float
        Labels in a unit: the median step between stages.
    rmse : float
        Root of the mean squared residual.

    References
    ----------
    Machnio et al., "To label or not to label: PALM, a predictive model for evaluating sample
    efficiency in active learning models", ICCV 2025 (arXiv 2507.15381), equation 4.

    Examples
    --------
    A learner that halves its errors with every 100 labels; see `fit_learning_curve`:

    >>> from skactive.analysis import LearningCurveFit
    >>> fit = LearningCurveFit(achievable=1.0, delta=0.5, alpha=0.0, beta=1.0, unit=100.0, rmse=0.0)
    >>> fit.predict([100, 200, 300]).round(6).tolist()
    [0.5, 0.75, 0.875]
    >>> round(fit.labels_for(0.875), 6), fit.labels_for(1.0)
    (300.0, inf)
    """

    achievable: float
    delta: float
    alpha: float
    beta: float
    unit: float
    rmse: float

    def predict(self, n_labels: ArrayLike) -> NDArray:
        """Scores that the law has for these numbers of labels.

        Parameters
        ----------
        n_labels : array-like of shape (n_points,)

        Returns
        -------
        scores : ndarray of shape (n_points,)
        """
        units = np.asarray(n_labels, dtype=float) / self.unit
        rate = -np.log1p(-self.delta)
        return _law(units, self.achievable, rate, self.alpha, self.beta)

    def labels_for(self, score: float) -> float:
        """Labels at which the law has this score: infinite from `achievable` on, at least 0.

        A constant, as which a curve that does not rise is fitted, has its score without labels.

        Parameters
        ----------
        score : float

        Returns
        -------
        n_labels : float
        """
        if self.delta >= _AT_ONCE and score <= self.achievable * (1 + _FLAT):
            return 0.0
        if score >= self.achievable:
            return float("inf")
        left = 1 - max(score, 0.0) / self.achievable
        units = (np.log(left) / np.log1p(-self.delta)) ** (1 / self.beta) - self.alpha
        return float(max(units, 0.0) * self.unit)


def fit_learning_curve(
    n_labels: ArrayLike, scores: ArrayLike, *, ceiling: float | None = None
) -> LearningCurveFit:
    """Fit the PALM law to a learning curve by least squares.

    Parameters
    ----------
    n_labels : array-like of shape (n_stages,)
        Labels bought, increasing; at least five stages, since the law has four parameters.
    scores : array-like of shape (n_stages,)
        Scores >= 0, such as accuracies; a mean over seeds is a steadier curve than one of them.
    ceiling : float or None, default=None
        No curve tends to more than this. ``None`` is 1 where all scores are at most 1, else
        there is none.

    Returns
    -------
    fit : LearningCurveFit

    Raises
    ------
    ValueError
        If there are fewer than five stages, lengths differ, `n_labels` does not increase, or a
        score is negative, not finite, or above the ceiling.

    Notes
    -----
    What lies beyond the last stage is extrapolated: the law is smooth and bounded, and tells of no
    second rise. A curve that does not rise is fitted by a constant.

    References
    ----------
    Machnio et al., "To label or not to label: PALM, a predictive model for evaluating sample
    efficiency in active learning models", ICCV 2025 (arXiv 2507.15381), equation 4.

    Examples
    --------
    >>> from skactive.analysis import fit_learning_curve
    >>> fit = fit_learning_curve([20, 40, 60, 80, 100], [0.60, 0.74, 0.81, 0.85, 0.88])
    >>> bool(100 < fit.labels_for(0.9) < 150)
    True
    >>> fit.labels_for(1.0)
    inf
    """
    check_constraints(_CONSTRAINTS, {"ceiling": ceiling}, "fit_learning_curve")
    n, y = _checked(n_labels, scores)
    if ceiling is None:
        ceiling = 1.0 if y.max() <= 1 else np.inf
    if y.max() > ceiling:
        raise ValueError(f"scores reach {y.max():g}, above ceiling={ceiling:g}; pass a higher one.")
    unit = float(np.median(np.diff(n)))
    return _fitted(n / unit, y, unit, float(ceiling), None)


def refit(fit: LearningCurveFit, n: NDArray, y: NDArray, ceiling: float) -> LearningCurveFit:
    """Fit a curve that is much like one that was fitted: from that one's parameters."""
    start = (fit.achievable, -np.log1p(-fit.delta), fit.alpha, fit.beta)
    return _fitted(n / fit.unit, y, fit.unit, ceiling, start)


def _checked(n_labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray, NDArray]:
    n, y = np.asarray(n_labels, dtype=float), np.asarray(scores, dtype=float)
    if n.shape != y.shape or n.ndim != 1 or (np.diff(n) <= 0).any() or not (n > 0).all():
        raise ValueError(
            "n_labels and scores must be 1-d, equally long, n_labels positive and increasing; got "
            f"shapes {n.shape} and {y.shape}."
        )
    if len(n) <= _PARAMETERS:
        raise ValueError(
            f"a curve of {len(n)} stages does not determine a law of {_PARAMETERS} parameters: buy "
            "the labels in at least 5 stages, or read the curve itself."
        )
    if not np.isfinite(y).all() or (y < 0).any():
        raise ValueError("scores must be finite and not negative, such as accuracies.")
    return n, y


def _law(x: NDArray, achievable: float, rate: float, alpha: float, beta: float) -> NDArray:
    return achievable * -np.expm1(-rate * (x + alpha) ** beta)


def _fitted(
    x: NDArray, y: NDArray, unit: float, ceiling: float, start: tuple | None
) -> LearningCurveFit:
    if np.ptp(y) <= _FLAT * max(y.max(), _FLAT):
        return LearningCurveFit(float(y.mean()), _AT_ONCE, 1.0, 1.0, unit, 0.0)
    # A curve may go on far above its last score: what is found there is data's to say.
    highest = min(ceiling, 10 * y.max())
    bounds = ([y.max() * 0.5, 1e-6, 0.0, 0.05], [highest, 25.0, 50.0, 5.0])
    first = min(highest, 1.05 * y.max())
    starts = [start] if start else [(first, k, 0.5, beta) for k, beta in _STARTS]
    found = [
        least_squares(lambda p: _law(x, *p) - y, np.clip(s, *bounds), bounds=bounds, x_scale="jac")
        for s in starts
    ]
    best = min(found, key=lambda result: result.cost)
    achievable, rate, alpha, beta = map(float, best.x)
    rmse = float(np.sqrt(2 * best.cost / len(x)))
    return LearningCurveFit(achievable, float(-np.expm1(-rate)), alpha, beta, unit, rmse)
