"""Robust accuracy over the radius of the attack, and its picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d

from ..utils.drawing import axes_for, band, legend, n_series, series
from ..utils.indexing import Rows
from ..utils.reports import Tabular
from ..utils.statistics import mean_height
from ..utils.typing import AttackLike, Estimator, Pool, RandomState
from ._evaluation import Evaluation


def robustness_curve(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    eps: ArrayLike,
    attack: AttackLike = "pgd",
    *,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    random_state: RandomState = 0,
    certified: bool | str = False,
    audit: float = 0.02,
    progress: bool = False,
) -> tuple[NDArray[np.float64], ...]:
    """Robust accuracy at each of several radii, and certified accuracy below it.

    Parameters
    ----------
    estimator, X, y, bounds, batch_size, random_state, progress
        As in `robust_accuracy_score`.
    eps : array-like of shape (n_radii,)
        Radii in input units; 0 is clean accuracy.
    attack : Attack, str or torchattacks class, default="pgd"
        Its radius is replaced; a step size that is set explicitly stays.
    certified : bool, "ibp" or "crown", default=False
        Also return the certified accuracy, and attack only what is not certified: ``certify`` of
        `robustness_report`.
    audit : float in [0, 1], default=0.02
        As in `robustness_report`.

    Returns
    -------
    eps : ndarray of shape (n_radii,)
        In increasing order.
    accuracy : ndarray of shape (n_radii,)
        Never increasing: a sample that a smaller radius breaks is broken at all larger ones,
        whose balls contain that adversarial example, and is not attacked again.
    certified : ndarray of shape (n_radii,)
        Only if `certified`: never above `accuracy`, and never increasing, since what is certified
        at one radius is at all smaller ones.

    Raises
    ------
    ValueError
        If a radius is negative or not finite, or as in `robust_accuracy_score`.
    BrokenCertificateError
        If the attack turns a certified sample.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import robustness_curve
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> eps, accuracy = robustness_curve(net, X[500:600], y[500:600], [0.1, 0.0, 0.05])
    >>> eps
    array([0.  , 0.05, 0.1 ])
    >>> bool(accuracy[0] == net.score(X[500:600], y[500:600]))
    True
    """
    radii = np.sort(np.atleast_1d(np.asarray(eps, dtype=float)))
    if radii.ndim != 1 or len(radii) == 0 or not np.isfinite(radii).all() or radii[0] < 0:
        raise ValueError(f"eps must be one or more finite radii >= 0, got {eps!r}.")
    rows, truth = Rows.of(X), column_or_1d(y, warn=True)
    left = np.arange(len(truth))
    accuracy = np.zeros(len(radii))
    proved = np.zeros((len(radii), len(truth)), dtype=bool)
    for i, radius in enumerate(radii):
        if len(left) == 0 and i > 0:
            break
        evaluation = Evaluation(
            estimator,
            rows.subset(left) if i else rows,
            truth[left],
            attack,
            eps=float(radius) if radius > 0 else None,
            bounds=bounds,
            batch_size=batch_size,
            random_state=random_state,
            certify=certified if radius > 0 else False,
            audit=audit,
        )
        if radius == 0:
            correct = evaluation.clean()
            proved[i, left] = correct
        else:
            report = evaluation.run(progress=progress)
            correct = report.correct
            proved[i, left] = False if report.certified is None else report.certified
        left = left[correct]
        accuracy[i] = len(left) / len(truth)
    if not certified:
        return radii, accuracy
    return radii, accuracy, np.logical_or.accumulate(proved[::-1])[::-1].mean(axis=1)


class RobustnessCurveDisplay(Tabular):
    """Plot of robust accuracy over the radius; made by `from_estimator` or `from_curve`.

    Parameters
    ----------
    eps : array-like of shape (n_radii,)
        Radii >= 0, in any order; kept in increasing order.
    accuracy : array-like of shape (n_radii,)
    name : str or None, default=None
        Label of the curve.
    certified : ndarray of shape (n_radii,) or None, default=None
        Certified accuracy: the truth lies in the band between the two.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
    certified_line_ : matplotlib Line2D
    band_ : matplotlib PolyCollection
        Set by `plot`, the last two if there is a certified accuracy.

    Examples
    --------
    >>> from skactive.metrics import RobustnessCurveDisplay
    >>> display = RobustnessCurveDisplay([0, 0.1, 0.2], [0.95, 0.8, 0.4], name="net")
    >>> float(display.area)
    0.7375
    """

    def __init__(
        self,
        eps: ArrayLike,
        accuracy: ArrayLike,
        name: str | None = None,
        certified: ArrayLike | None = None,
    ) -> None:
        self.eps, self.accuracy = np.asarray(eps, dtype=float), np.asarray(accuracy, dtype=float)
        self.name = name
        self.certified = None if certified is None else np.asarray(certified, dtype=float)
        self._check()
        # Accuracy never rises: of one radius the higher one is first.
        order = np.lexsort((-self.accuracy, self.eps))
        self.eps, self.accuracy = self.eps[order], self.accuracy[order]
        self.certified = None if self.certified is None else self.certified[order]

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        eps: ArrayLike,
        attack: AttackLike = "pgd",
        *,
        name: str | None = None,
        ax: Any = None,
        line_kwargs: dict[str, Any] | None = None,
        **params: Any,
    ) -> RobustnessCurveDisplay:
        """Attack at each radius and plot.

        Parameters
        ----------
        estimator, X, y, eps, attack, **params
            As in `robustness_curve`; ``certified=True`` draws the band between the accuracy
            under attack and the certified one.
        name : str or None, default=None
            Label of the curve; ``None`` is the name of the estimator's class.
        ax : matplotlib Axes or None, default=None
            Where to plot; ``None`` makes a new figure.
        line_kwargs : dict or None, default=None
            Passed to ``ax.plot``.

        Returns
        -------
        display : RobustnessCurveDisplay
        """
        radii, accuracy, *certified = robustness_curve(estimator, X, y, eps, attack, **params)
        name = type(estimator).__name__ if name is None else name
        return cls(radii, accuracy, name, *certified).plot(ax=ax, **(line_kwargs or {}))

    def _check(self) -> None:
        columns = [self.eps, self.accuracy]
        columns += [] if self.certified is None else [self.certified]
        shapes = [column.shape for column in columns]
        known = np.isfinite(self.eps).all() and (self.eps >= 0).all()
        if len(set(shapes)) > 1 or self.eps.ndim != 1 or self.eps.size == 0 or not known:
            raise ValueError(
                "A curve needs one or more finite radii >= 0, shape (n_radii,), and accuracies of "
                f"the same shape, got eps={self.eps} and shapes {shapes}."
            )

    @property
    def area(self) -> float:
        """Mean robust accuracy over the range of radii (area under the curve, normalised)."""
        return mean_height(self.eps, self.accuracy)

    def plot(
        self, ax: Any = None, *, name: str | None = None, **line_kwargs: Any
    ) -> RobustnessCurveDisplay:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
        name : str or None, default=None
            Label; ``None`` keeps the display's own.
        **line_kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        """
        ax = axes_for(ax, what=f"{type(self).__name__}.plot")
        label = self.name if name is None else name
        style = {**series(n_series(ax)), "linestyle": "-", "label": label, **line_kwargs}
        (self.line_,) = ax.plot(self.eps, self.accuracy, **style)
        if self.certified is not None:
            below = {"color": self.line_.get_color(), "linestyle": "--", "linewidth": 1.2}
            (self.certified_line_,) = ax.plot(
                self.eps, self.certified, marker=self.line_.get_marker(), markersize=3, **below
            )
            self.band_ = band(ax, self.eps, self.certified, self.accuracy, below["color"])
        ax.set(xlabel="Radius ε", ylabel="Robust accuracy", ylim=(0, 1.02))
        legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _records(self) -> list[dict[str, Any]]:
        columns = {"eps": self.eps, "accuracy": self.accuracy}
        if self.certified is not None:
            columns["certified"] = self.certified
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in values]
