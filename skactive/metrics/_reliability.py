"""Whether probabilities mean what they say: accuracy by confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from ..model_view import column_labels
from ..utils.drawing import NEUTRAL, axes_for, legend, n_series, series
from ..utils.labels import encode_labels
from ..utils.reports import Tabular
from ..utils.typing import Estimator, Pool
from ..utils.validation import COUNT, StrOptions, check_constraints

_CONSTRAINTS = {"n_bins": [COUNT], "binning": [StrOptions({"uniform", "quantile"})]}


class ReliabilityDisplay(Tabular):
    """Accuracy of predictions by their confidence, for any number of classes.

    scikit-learn's ``CalibrationDisplay`` is for two classes; here the confidence is the largest
    probability, and whether its class is right is counted. Uncertainty strategies rest on these
    probabilities; nets trained on few labels claim far too much.

    Parameters
    ----------
    confidence : array-like of shape (n_bins,)
        Mean confidence of the bins.
    accuracy : array-like of shape (n_bins,)
        Share that is right.
    n_samples : array-like of int, shape (n_bins,)
    name : str or None, default=None
        Label of the curve.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
    errorbar_ : matplotlib ErrorbarContainer

    References
    ----------
    Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, eq. 3.

    Examples
    --------
    >>> from skactive.metrics import ReliabilityDisplay
    >>> ReliabilityDisplay([0.5, 0.9], [0.5, 0.7], [10, 30], name="net").error
    0.15
    """

    def __init__(
        self,
        confidence: ArrayLike,
        accuracy: ArrayLike,
        n_samples: ArrayLike,
        name: str | None = None,
    ) -> None:
        self.confidence = np.asarray(confidence, dtype=float)
        self.accuracy = np.asarray(accuracy, dtype=float)
        self.n_samples = np.asarray(n_samples, dtype=int)
        self.name = name
        shapes = {self.confidence.shape, self.accuracy.shape, self.n_samples.shape}
        if len(shapes) > 1 or self.confidence.ndim != 1:
            raise ValueError(
                "confidence, accuracy and n_samples must have the same shape (n_bins,), got "
                f"{self.confidence.shape}, {self.accuracy.shape} and {self.n_samples.shape}."
            )
        if len(self.n_samples) == 0 or self.n_samples.min() < 1:
            raise ValueError(
                f"n_samples must hold a bin or more, with samples each, got {self.n_samples}. "
                "Leave empty bins out."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        *,
        n_bins: int = 10,
        binning: str = "uniform",
        name: str | None = None,
        ax: Any = None,
        **line_kwargs: Any,
    ) -> ReliabilityDisplay:
        """Predict and draw.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_proba``.
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        n_bins : int, default=10
        binning : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equally many samples. A bin holds its upper edge, and not its
            lower one, whichever way it was rounded; the first one holds 0. Samples of one
            confidence stay together. Empty bins are left out.
        name : str or None, default=None
            Label of the curve; ``None`` is the name of the estimator's class.
        ax : matplotlib Axes or None, default=None
            Draw into those of an earlier display, ``ax=before.ax_``, to compare.
        **line_kwargs
            See `plot`.

        Returns
        -------
        display : ReliabilityDisplay

        Examples
        --------
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from skactive.metrics import ReliabilityDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> model = GaussianNB().fit(X[:900], y[:900])
        >>> display = ReliabilityDisplay.from_estimator(model, X[900:], y[900:])
        >>> display.error > 0.1  # naive Bayes claims too much
        True
        """
        proba = estimator.predict_proba(X)  # type: ignore[attr-defined]
        classes = np.asarray(estimator.classes_)  # type: ignore[attr-defined]
        if len(classes) != (n_columns := np.shape(proba)[-1]):  # outputs that were never taught
            classes = column_labels(estimator, n_columns)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(
            y, proba, classes, n_bins=n_bins, binning=binning, name=name, ax=ax, **line_kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        y: ArrayLike,
        proba: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        n_bins: int = 10,
        binning: str = "uniform",
        name: str | None = None,
        ax: Any = None,
        **line_kwargs: Any,
    ) -> ReliabilityDisplay:
        """Bin probabilities and draw.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
        proba : array-like of shape (n_samples, n_classes)
        classes : array-like of shape (n_classes,) or None, default=None
            Labels of the columns; ``None`` is 0, 1, ….
        n_bins, binning, name, ax, **line_kwargs
            As in `from_estimator`.

        Returns
        -------
        display : ReliabilityDisplay

        Raises
        ------
        ValueError
            If the shapes do not fit, `y` holds labels that are none of the classes (``"3"`` for 3
            is none), or a parameter is out of range.
        """
        check_constraints(_CONSTRAINTS, {"n_bins": n_bins, "binning": binning}, cls.__name__)
        p, truth = _as_floats(proba), np.asarray(y)
        names = np.arange(p.shape[-1]) if classes is None else np.asarray(classes)
        if p.ndim != 2 or p.shape != (len(truth), len(names)) or len(truth) == 0:
            raise ValueError(
                "proba must be of shape (n_samples, n_classes) = "
                f"({len(truth)}, {len(names)}), with samples, got {p.shape}."
            )
        right = p.argmax(axis=1) == encode_labels(truth, names)
        found = binned(p.max(axis=1), right, n_bins, binning)
        return cls(*found, name=name).plot(ax, **line_kwargs)

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of accuracy and confidence, by samples."""
        apart = np.abs(self.accuracy - self.confidence)
        return float(np.average(apart, weights=self.n_samples).round(12))

    def plot(
        self, ax: Any = None, *, name: str | None = None, **line_kwargs: Any
    ) -> ReliabilityDisplay:
        """Draw the curve beside the diagonal, with 95 % intervals of each bin (Wilson's).

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
        name : str or None, default=None
            Label; ``None`` keeps the display's own.
        **line_kwargs
            For ``ax.errorbar``.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        """
        ax = axes_for(ax, what=f"{type(self).__name__}.plot")
        number = n_series(ax)
        if number == 0:
            ax.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle="--", zorder=1)
        shown = self.name if name is None else name
        label = f"{shown or 'calibration error'}{' (error' if shown else ''} {self.error:.3f}"
        style = {**series(number), "label": f"{label}{')' if shown else ''}", "elinewidth": 0.9}
        self.errorbar_ = ax.errorbar(
            self.confidence, self.accuracy, yerr=self._intervals(), **{**style, **line_kwargs}
        )
        self.line_ = self.errorbar_.lines[0]
        ax.set(
            xlabel="Confidence", ylabel="Accuracy", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal"
        )
        legend(ax, loc="upper left", bbox_to_anchor=None)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _intervals(self) -> NDArray:
        """How far each interval reaches below and above."""
        right = np.rint(self.accuracy * self.n_samples).astype(int)
        found = [
            binomtest(int(k), int(n)).proportion_ci(method="wilson")
            for k, n in zip(right, self.n_samples, strict=True)
        ]
        ends = np.array([[self.accuracy[i] - c.low, c.high - self.accuracy[i]]
                         for i, c in enumerate(found)]).reshape(-1, 2)  # fmt: skip
        return np.maximum(ends.T, 0)

    def _records(self) -> list[dict[str, Any]]:
        columns = (self.confidence.tolist(), self.accuracy.tolist(), self.n_samples.tolist())
        return [
            {"confidence": c, "accuracy": a, "n_samples": n}
            for c, a, n in zip(*columns, strict=True)
        ]


def binned(
    confidence: NDArray, correct: NDArray, n_bins: int, binning: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Mean confidence, accuracy and size of the bins that hold samples.

    Examples
    --------
    >>> import numpy as np
    >>> binned(np.array([0.1, 0.6, 0.8]), np.array([False, True, False]), 2, "uniform")
    (array([0.1, 0.7]), array([0. , 0.5]), array([1, 2]))
    """
    edges = _edges(confidence, n_bins, binning)
    numbers = np.searchsorted(edges, confidence, side="left")
    sizes = np.bincount(numbers, minlength=n_bins)
    kept = sizes > 0
    sums = (np.bincount(numbers, weights=w, minlength=n_bins)[kept] for w in (confidence, correct))
    means = [total / sizes[kept] for total in sums]
    return means[0], means[1], sizes[kept]


def _edges(confidence: NDArray, n_bins: int, binning: str) -> NDArray:
    """Where each bin but the last ends; it holds what lies at its end, the next one does not."""
    steps = np.arange(1, n_bins)
    if binning == "quantile":  # the samples from which np.quantile goes on to the next ones
        return np.sort(confidence)[steps * (len(confidence) - 1) // n_bins]
    rounding = max(1e-12, 2 * float(np.finfo(confidence.dtype).eps))
    return steps / n_bins + rounding  # six of ten votes lie at 0.6, however they were added


def _as_floats(values: ArrayLike) -> NDArray:
    """Floats in the precision they have, up to double."""
    array = np.asarray(values)
    return array if array.dtype in (np.float16, np.float32) else array.astype(float)
