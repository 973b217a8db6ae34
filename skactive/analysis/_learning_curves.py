"""The picture of strategies at equal label cost: scores against labels, over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..learners import active_learning_curve
from ..learners._curve import drawn_splits
from ..strategies._named import named
from ..utils.drawing import axes_for, band, legend, n_series, series
from ..utils.names import did_you_mean
from ..utils.random_state import derive_seed
from ..utils.reports import Tabular
from ..utils.statistics import half_interval
from ..utils.typing import Estimator, Pool, StrategyLike
from ..utils.validation import Number, check_constraints

_CONSTRAINTS = {"confidence": [Number("a share in (0, 1)", 0, 1), None]}


class ActiveLearningCurveDisplay(Tabular):
    """Scores of several strategies against the labels bought, with intervals over the runs.

    Made by `from_estimator`, which runs them, or by `from_results`, from what
    `active_learning_curve` returned.

    Parameters
    ----------
    curves : mapping of str to (n_labels, scores)
        By strategy: label counts of shape (n_rounds,), in any order, scores of shape
        (n_rounds, n_runs), NaN where a run has none.
    score_name : str, default="score"
        What the scores are; the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Means, in the order of `curves`.
    bands_ : list of matplotlib PolyCollection or None
        Intervals; None for a strategy of a single run.

    See Also
    --------
    skactive.analysis.compare_strategies : Tests of what the picture suggests.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.analysis import ActiveLearningCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = ActiveLearningCurveDisplay.from_estimator(
    ...     LogisticRegression(max_iter=500), X, y, ["random", "margin"], budget=30, cv=3,
    ...     random_state=0)
    >>> [line.get_label() for line in display.lines_]
    ['random', 'margin']
    """

    def __init__(
        self, curves: Mapping[str, tuple[ArrayLike, ArrayLike]], *, score_name: str = "score"
    ) -> None:
        if not curves:
            raise ValueError("curves must hold a strategy or more, got none.")
        self.curves = {name: _curve(name, *pair) for name, pair in curves.items()}
        self.score_name = score_name

    @classmethod
    def from_results(
        cls,
        results: Mapping[str, tuple],
        *,
        score_name: str | None = None,
        ax: Any = None,
        **plot_params: Any,
    ) -> ActiveLearningCurveDisplay:
        """Draw what was measured.

        Parameters
        ----------
        results : mapping of str to tuple
            By strategy, what `active_learning_curve` returned for it.
        score_name : str or None, default=None
            Which of several scorers is drawn; of a single one only the label of the axis.
        ax : matplotlib Axes or None, default=None
        **plot_params
            See `plot`.

        Returns
        -------
        display : ActiveLearningCurveDisplay

        Raises
        ------
        ValueError
            If there are several scorers and none is named, or another.

        Examples
        --------
        >>> import matplotlib; matplotlib.use("Agg")
        >>> from skactive.analysis import ActiveLearningCurveDisplay
        >>> results = {"random": ([10, 20], None, [[0.5, 0.6], [0.7, 0.7]]),
        ...            "margin": ([10, 20], None, [[0.6, 0.6], [0.8, 0.9]])}
        >>> display = ActiveLearningCurveDisplay.from_results(results, score_name="accuracy")
        >>> display.lines_[1].get_ydata()
        array([0.6 , 0.85])
        """
        curves = {name: (found[0], _one(found[-1], score_name)) for name, found in results.items()}
        return cls(curves, score_name=score_name or "score").plot(ax, **plot_params)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        query_strategies: Iterable[StrategyLike] | Mapping[str, StrategyLike] = (
            "random",
            "entropy",
        ),
        *,
        score_name: str | None = None,
        ax: Any = None,
        plot_params: dict[str, Any] | None = None,
        **params: Any,
    ) -> ActiveLearningCurveDisplay:
        """Run each strategy on the same splits and seeds, and draw.

        Splits and seeds are drawn once, also where nothing makes them repeatable.

        Parameters
        ----------
        estimator, X, y, **params
            As in `active_learning_curve`.
        query_strategies : sequence of str, QueryStrategy or callable, or mapping of them by name
            What is compared.
        score_name : str or None, default=None
            Which of several scorers is drawn; ``None`` is the name in ``scoring``.
        ax : matplotlib Axes or None, default=None
        plot_params : dict or None, default=None
            See `plot`.

        Returns
        -------
        display : ActiveLearningCurveDisplay

        Raises
        ------
        ValueError
            If two strategies have one name, or as in `active_learning_curve`.
        """
        compared = named(query_strategies)
        params.update(_drawn(estimator, X, y, params))
        results = {
            name: active_learning_curve(estimator, X, y, query_strategy=strategy, **params)
            for name, strategy in compared.items()
        }
        scoring = params.get("scoring")
        if score_name is None and isinstance(scoring, str):
            score_name = scoring
        return cls.from_results(results, score_name=score_name, ax=ax, **(plot_params or {}))

    def plot(
        self, ax: Any = None, *, confidence: float | None = 0.95, **line_kwargs: Any
    ) -> ActiveLearningCurveDisplay:
        """Draw a line for each strategy, and a band around it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            ``None`` makes a figure.
        confidence : float in (0, 1) or None, default=0.95
            Of Student's interval of the mean over the runs, which the band shows. Folds share
            training data: it is narrower than that of as many separate data sets. ``None``
            draws no band.
        **line_kwargs
            For ``ax.plot``.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        ValueError
            If `confidence` is no share.
        """
        caller = f"{type(self).__name__}.plot"
        check_constraints(_CONSTRAINTS, {"confidence": confidence}, caller)
        ax = axes_for(ax, what=caller)
        self.lines_, self.bands_ = [], []
        start = n_series(ax)
        for number, (name, (n_labels, scores)) in enumerate(self.curves.items(), start):
            mean, half = _means(scores), _half_intervals(scores, confidence)
            look = series(number, name, n_points=len(n_labels))
            style = {**look, "label": name, **line_kwargs}
            (line,) = ax.plot(n_labels, mean, **style)
            known = np.isfinite(half).any()
            edges = (mean - half, mean + half)
            self.lines_.append(line)
            look = {"color": line.get_color(), "among": len(self.curves)}
            self.bands_.append(band(ax, n_labels, *edges, **look) if known else None)
        ax.set(xlabel="Labels bought", ylabel=self.score_name.replace("_", " ").capitalize())
        legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _records(self) -> list[dict[str, Any]]:
        return [
            {"strategy": name, "n_labels": int(n), "run": run, self.score_name: float(score)}
            for name, (n_labels, scores) in self.curves.items()
            for n, row in zip(n_labels, scores, strict=True)
            for run, score in enumerate(row)
        ]


def _drawn(estimator: Estimator, X: Pool, y: ArrayLike, params: dict[str, Any]) -> dict[str, Any]:
    """Splits and an integer seed, drawn once for all strategies."""
    seed = params.get("random_state")
    return {
        "cv": drawn_splits(estimator, X, np.asarray(y), params.get("cv")),
        "random_state": seed if isinstance(seed, Integral) else derive_seed(seed),
    }


def _one(scores: Any, name: str | None) -> Any:
    """The scores of one scorer."""
    if not isinstance(scores, Mapping):
        return scores
    if name is None and len(scores) == 1:
        return next(iter(scores.values()))
    if name not in scores:
        hint = "" if name is None else did_you_mean(name, scores)
        raise ValueError(
            f"score_name must be one of the scorers, {', '.join(scores)}, got {name!r}.{hint}"
        )
    return scores[name]


def _curve(name: str, n_labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray, NDArray]:
    counts, values = np.asarray(n_labels), np.asarray(scores, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if counts.ndim != 1 or values.ndim != 2 or len(counts) != len(values):
        raise ValueError(
            f"The curve of {name!r} must be label counts of shape (n_rounds,) and scores of shape "
            f"(n_rounds, n_runs), got {counts.shape} and {values.shape}."
        )
    order = np.argsort(counts, kind="stable")
    return counts[order], values[order]


def _means(scores: NDArray) -> NDArray:
    """Means of the runs that have a score at each stage."""
    return np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan
                     for row in scores])  # fmt: skip


def _half_intervals(scores: NDArray, confidence: float | None) -> NDArray:
    """Half of the interval at each stage; NaN where there is none to draw."""
    runs = [row[np.isfinite(row)] for row in scores]
    if confidence is None:
        return np.full(len(runs), np.nan)
    return np.array([
        half_interval(float(run.std(ddof=1)) if len(run) > 1 else 0.0, len(run), confidence)
        for run in runs
    ])  # fmt: skip
