"""Where in a pool strategies look: a map of it, a panel for each."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from ..distributed import in_memory
from ..learners import ActiveLearner
from ..model_view import InputView, ModelView
from ..strategies import resolve_strategy
from ..strategies._named import named
from ..utils.drawing import HIGHLIGHT, NEUTRAL, axes_for, colour, ink
from ..utils.indexing import Rows, distinct_positions, n_rows
from ..utils.labels import as_labels
from ..utils.reports import Tabular
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike

_MAX_COLUMNS = 3


class PoolMapDisplay(Tabular):
    """Map of a pool in two dimensions, one panel for each strategy, with what it picks.

    Parameters
    ----------
    positions : array-like of shape (n_pool, 2)
        Where the samples lie.
    picks : mapping of str to array-like of int or bool
        Positions in the pool that each strategy picked, most wanted first, or a mask.
    labels : array-like of shape (n_pool,) or None, default=None
        Classes, shown by colour: true ones, or those that a model predicts.
    labeled : array-like of int or bool, or None, default=None
        Positions in the pool that are labelled already, or a mask.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, shape (n_strategies,)
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.analysis import PoolMapDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(), random_state=0).fit(X[::15], y[::15])
    >>> display = PoolMapDisplay.from_estimator(learner, X, ["margin", "coreset"], n=5)
    >>> {name: len(picks) for name, picks in display.picks.items()}
    {'margin': 5, 'coreset': 5}
    """

    def __init__(
        self,
        positions: ArrayLike,
        picks: Mapping[str, ArrayLike],
        labels: ArrayLike | None = None,
        labeled: ArrayLike | None = None,
    ) -> None:
        self.positions = np.asarray(positions, dtype=float)
        if self.positions.ndim != 2 or self.positions.shape[1] != 2:
            raise ValueError(
                f"positions must be of shape (n_pool, 2), got {self.positions.shape}. "
                "from_estimator(…) makes them of any pool."
            )
        if not picks:
            raise ValueError("picks must hold a strategy or more, got none.")
        n = len(self.positions)
        self.picks = {
            name: distinct_positions(found, n, f"picks[{name!r}]") for name, found in picks.items()
        }
        self.labels = None if labels is None else as_labels(self.positions, labels)
        self.labeled = distinct_positions([] if labeled is None else labeled, n, "labeled")

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X_pool: Pool,
        query_strategies: Iterable[StrategyLike] | Mapping[str, StrategyLike] | None = None,
        n: int = 20,
        *,
        y: ArrayLike | None = None,
        embedding: Any = "model",
        random_state: RandomState = 0,
        ax: Any = None,
        **plot_params: Any,
    ) -> PoolMapDisplay:
        """Ask each strategy for `n` samples and draw them; the estimator stays as it is.

        Parameters
        ----------
        estimator : ActiveLearner, or fitted classifier
            A learner leaves out what it has labelled, which the map shows too. One that is not
            fitted serves strategies for a cold start.
        X_pool : array-like of shape (n_pool, ...)
            Of a pool in partitions all rows are read into memory: pass a part of a large one.
        query_strategies : sequence of str, QueryStrategy or callable, mapping, or None
            ``None``, the default, is the learner's own.
        n : int, default=20
            Picks of each.
        y : array-like of shape (n_pool,) or None, default=None
            Labels for the colours; ``None`` takes what a fitted estimator predicts.
        embedding : {"model", "input"}, callable or array-like, default="model"
            What the map is made of: the last layer of a net, of other estimators the features
            that the steps before them give; the input itself; a function of the pool, such as
            ``UMAP().fit_transform``; or an array of shape (n_pool, n_dimensions). More than two
            dimensions are projected by principal components.
        random_state : None, int, RandomState or Generator, default=0
            Of the strategies, where the estimator is no learner.
        ax : sequence of matplotlib Axes or None, default=None
            One for each strategy.
        **plot_params
            See `plot`.

        Returns
        -------
        display : PoolMapDisplay

        Raises
        ------
        ValueError
            If `embedding` has not a row for each sample, or as in `ActiveLearner.query`.
        CapabilityError
            If the estimator lacks what a strategy needs, or the pool holds no numbers to make a
            map of: pass `embedding`.
        """
        X_pool = in_memory(X_pool)
        learner = estimator if isinstance(estimator, ActiveLearner) else None
        if query_strategies is None:
            if learner is None:
                raise ValueError("query_strategies must be given: a classifier has none.")
            query_strategies = [learner.query_strategy]
        asked = named(query_strategies)
        picks = {name: _picks(estimator, s, X_pool, n, random_state) for name, s in asked.items()}
        is_fitted = learner is None or learner.__sklearn_is_fitted__()
        labels = estimator.predict(X_pool) if y is None and is_fitted else y
        labeled = _labelled(learner, X_pool) if learner is not None and is_fitted else None
        positions = project(embedded(estimator if is_fitted else None, X_pool, embedding))
        return cls(positions, picks, labels, labeled).plot(ax, **plot_params)

    def plot(self, ax: Any = None, *, size: float = 12.0, numbered: bool = False) -> PoolMapDisplay:
        """Draw a panel for each strategy.

        Parameters
        ----------
        ax : sequence of matplotlib Axes or None, default=None
            One for each strategy; ``None`` makes a figure.
        size : float, default=12.0
            Area of a sample's dot, in points².
        numbered : bool, default=False
            Write the order of the picks beside them.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        """
        n = len(self.picks)
        columns = 2 if n == 4 else min(n, _MAX_COLUMNS)
        rows = -(-n // columns)
        room = {"nrows": rows, "ncols": columns, "figsize": (3.4 * columns + 1, 3.3 * rows)}
        made = axes_for(ax, what=f"{type(self).__name__}.plot", squeeze=False, **room)
        if np.size(made) < n:
            raise ValueError(f"ax must hold Axes for each of {n} strategies, got {np.size(made)}.")
        self.axes_ = np.ravel(made)[:n]
        for spare in np.ravel(made)[n:] if ax is None else []:
            spare.set_axis_off()
        for one, (name, found) in zip(self.axes_, self.picks.items(), strict=True):
            self._draw_pool(one, size)
            self._draw_picks(one, found, size, numbered)
            one.set(title=name, xticks=[], yticks=[])
            one.grid(False)
            one.spines[:].set_visible(False)
        self.figure_ = self.axes_[0].figure
        self._draw_legend()
        return self

    def _draw_pool(self, ax: Any, size: float) -> None:
        x, y = self.positions.T
        dot: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": len(x) > 5000}
        if self.labels is None:
            ax.scatter(x, y, color=NEUTRAL, alpha=0.45, label="pool", **dot)
        else:
            for number, label in enumerate(np.unique(self.labels)):
                own = self.labels == label
                marker = _MARKERS[number // 6 % len(_MARKERS)]
                style = {"color": colour(number), "marker": marker, "alpha": 0.45, **dot}
                ax.scatter(x[own], y[own], label=str(label), **style)
        if len(self.labeled):
            at = self.positions[self.labeled].T
            ax.scatter(*at, marker="x", s=2 * size, color=ink(ax), linewidths=1, label="labelled")

    def _draw_picks(self, ax: Any, found: NDArray, size: float, numbered: bool) -> None:
        at = self.positions[found]
        look = {"facecolors": HIGHLIGHT, "edgecolors": "black", "linewidths": 1.2}
        ax.scatter(*at.T, s=9 * size, marker="*", label="picked", zorder=3, **look)
        for number, place in enumerate(at if numbered else [], 1):
            ax.annotate(
                str(number), place, (4, 4), textcoords="offset points", fontsize=7, color=ink(ax)
            )

    def _draw_legend(self) -> None:
        handles, labels = self.axes_[0].get_legend_handles_labels()
        if self.figure_.get_layout_engine() is not None:
            self.figure_.legend(
                handles, labels, loc="outside right upper", frameon=False, fontsize="small"
            )
        else:
            self.axes_[-1].legend(handles, labels, frameon=False, fontsize="small")

    def _records(self) -> list[dict[str, Any]]:
        place = {name: {int(i): k for k, i in enumerate(p)} for name, p in self.picks.items()}
        labelled = set(self.labeled.tolist())
        return [
            {
                "position": i,
                "x": float(x),
                "y": float(y),
                **({} if self.labels is None else {"label": self.labels[i]}),
                "labelled": i in labelled,
                **{f"rank, {name}": ranks.get(i) for name, ranks in place.items()},
            }
            for i, (x, y) in enumerate(self.positions)
        ]


_MARKERS = "os^D"


def embedded(estimator: Any, X: Any, embedding: Any) -> NDArray:
    """Numbers of each sample that a map can be made of, shape (n_pool, n_dimensions)."""
    if isinstance(embedding, str):
        if embedding not in ("model", "input"):
            raise ValueError(
                f"embedding must be 'model', 'input', a function or an array, got {embedding!r}."
            )
        caller = "PoolMapDisplay, unless embedding= is an array or a function,"
        by_model = embedding == "model" and estimator is not None
        view = ModelView.of(estimator, caller=caller) if by_model else InputView(caller=caller)
        return view.embed(Rows.of(X))
    values = np.asarray(embedding(X) if callable(embedding) else embedding, dtype=float)
    if len(values) != n_rows(X):
        raise ValueError(
            f"embedding must have a row for each of the {n_rows(X)} samples of the pool, got "
            f"{len(values)}."
        )
    return values.reshape(len(values), -1)


def project(points: NDArray) -> NDArray:
    """The two principal components; points of one or two dimensions as they are."""
    if len(points) == 1:  # which has no components
        points = points[:, :2]
    if points.shape[1] > 2:
        return PCA(n_components=2, random_state=0).fit_transform(points)
    return np.column_stack([points, np.zeros((len(points), 2 - points.shape[1]))])


def _picks(estimator: Any, strategy: Any, X: Any, n: int, random_state: Any) -> NDArray:
    if isinstance(estimator, ActiveLearner):
        # A query writes into the learner only what waits to be taught, and here into a copy.
        asked = copy.copy(estimator).set_params(query_strategy=strategy)
        return asked.query(X, n)[0]
    return resolve_strategy(strategy).select(estimator, X, n, random_state=random_state).indices


def _labelled(learner: ActiveLearner, X: Any) -> NDArray:
    return np.flatnonzero(learner.labeled_.found_in(X))
