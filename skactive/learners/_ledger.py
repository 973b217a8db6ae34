"""The ledger of labels as a table and a picture: bought, and trained on beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..utils.drawing import axes_for, colour, legend
from ..utils.reports import Report, Tabular

_COUNTS = {
    "n_labels": "bought",
    "adversarial": "adversarial twins",
    "pseudo": "pseudo-labels",
    "validation": "validation labels",
}
_TOLD = {  # columns of the table; those after the third are shown where something happened
    "round": "round", "n_labels": "labels", "n_taught": "new", "adversarial": "adversarial",
    "pseudo": "pseudo", "validation": "validation", "relabeled": "relabelled",
    "forgotten": "forgotten", "query_strategy": "strategy", "training": "training",
    "query_time": "query s", "fit_time": "fit s",
}  # fmt: skip
_ALWAYS = ("round", "n_labels", "n_taught")
_LOGARITHMIC = 50  # from which ratio of counts on


@dataclass(frozen=True, repr=False)
class Ledger(Report):
    """The rows of ``learner.history_`` as a report: printed, as a data frame, as a picture.

    Attributes
    ----------
    rows : list of dict
        As in ``history_`` of `skactive.ActiveLearner`, columns of your own included.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> idx, X_new = learner.fit(X[::15], y[::15]).query(X, n=5)
    >>> learner = learner.teach(X_new, y[idx])
    >>> [row["n_labels"] for row in learner.ledger_]
    [10, 15]
    >>> print(learner.ledger_.table.splitlines()[0])
    | round | labels | new | strategy | training | query s | fit s |
    """

    rows: list[dict[str, Any]]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Texts of the table: counts that are zero throughout are left out."""
        names = [name for name in _TOLD if name in _ALWAYS or self._happened(name)]
        names += [name for name in self._columns() if name not in _TOLD]
        head = [_TOLD.get(name, name) for name in names]
        return head, [[_text(row.get(name)) for name in names] for row in self.rows]

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def _happened(self, name: str) -> bool:
        return any(row.get(name) for row in self.rows)

    def _records(self) -> list[dict[str, Any]]:
        return [{name: row.get(name) for name in self._columns()} for row in self.rows]

    def _draw(self, ax: Any) -> None:
        LedgerDisplay(self.rows).plot(ax)


class LedgerDisplay(Tabular):
    """Labels by round: bought, and the adversarial, pseudo- and validation labels beside them.

    Parameters
    ----------
    rows : sequence of dict
        ``learner.history_``.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : dict of str to matplotlib BarContainer
        By kind of label, those that occur.

    Notes
    -----
    Bars of bought and adversarial labels are running totals, those of pseudo-labels what the
    round was trained on. Where one kind is more than fifty times another, the axis is logarithmic.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skactive.analysis import LedgerDisplay
    >>> display = LedgerDisplay([{"round": 0, "n_labels": 10}, {"round": 1, "n_labels": 20,
    ...                           "pseudo": 70}]).plot()
    >>> list(display.bars_)
    ['bought', 'pseudo-labels']
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            raise ValueError("rows must hold a round or more, got none: nothing was taught yet.")
        self.rows = list(rows)

    @classmethod
    def from_estimator(cls, learner: Any, *, ax: Any = None) -> LedgerDisplay:
        """Draw the ledger of a learner.

        Parameters
        ----------
        learner : fitted ActiveLearner, Committee or BudgetedLearner
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        display : LedgerDisplay

        Raises
        ------
        NotFittedError
            If nothing was taught yet.
        """
        check_is_fitted(learner)
        return cls(list(learner.ledger_)).plot(ax)

    def plot(self, ax: Any = None) -> LedgerDisplay:
        """Draw bars side by side, a group for each row.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            ``None`` makes a figure.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        """
        ax = axes_for(ax, what=f"{type(self).__name__}.plot")
        counts = {
            title: [row.get(name, 0) for row in self.rows]
            for name, title in _COUNTS.items()
            if any(row.get(name, 0) for row in self.rows)
        }
        width, self.bars_ = 0.8 / max(len(counts), 1), {}
        for number, (title, values) in enumerate(counts.items()):
            x = [i + (number - (len(counts) - 1) / 2) * width for i in range(len(values))]
            style = {"color": colour(number), "hatch": _HATCHES[number], "edgecolor": "white"}
            self.bars_[title] = ax.bar(x, values, width, label=title, linewidth=0, **style)
        positive = [v for values in counts.values() for v in values if v > 0]
        if positive and max(positive) > _LOGARITHMIC * min(positive):
            ax.set_yscale("log")
        ax.set(xlabel="Round", ylabel="Labels", xticks=range(len(self.rows)))
        ax.set_xticklabels([_tick(row) for row in self.rows])
        ax.grid(False, axis="x")
        legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _records(self) -> list[dict[str, Any]]:
        return Ledger(self.rows)._records()


_HATCHES = ("", "//", "..", "xx")


def _tick(row: dict[str, Any]) -> str:
    return f"{row['round']}*" if row.get("training") == "none" else str(row["round"])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
