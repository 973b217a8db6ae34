"""One look for all plots: colours the colour-blind tell apart, lines that survive greyscale."""

from __future__ import annotations

from typing import Any

from .optional import optional_import

# Okabe & Ito, "Color Universal Design", 2008: black is ink, yellow below.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
HIGHLIGHT = "#F0E442"  # the yellow: filled, with a black edge
NEUTRAL = "#7A7A7A"  # baselines and references; read on white as on black
BASELINES = frozenset({"random", "baseline"})
_MARKERS = "os^DvPX"  # with 6 colours and 4 lines: 84 pairs before one returns
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_SERIES = "series"
_MOST_MARKS = 15  # on one line: beyond, they hide it


def axes_for(ax: Any, *, what: str, **subplots: Any) -> Any:
    """`ax`, or the axes of a new figure for `what`, in the look of the house.

    Parameters
    ----------
    ax : matplotlib Axes, array of them, or None
    what : str
        Who draws: the first words of the message where matplotlib is missing.
    **subplots
        For ``matplotlib.pyplot.subplots``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    plt = optional_import("matplotlib.pyplot", what=what, extra="plot")
    if ax is not None:
        return ax
    made = plt.subplots(**{"layout": "constrained", **subplots})[1]
    for one in getattr(made, "flat", [made]):
        tidy(one)
    return made


def tidy(ax: Any) -> None:
    """No frame, and a grid that stays behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color=NEUTRAL, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def colour(number: int) -> str:
    """Colour of the series of this number."""
    return PALETTE[number % len(PALETTE)]


def series(number: int, name: str | None = None, *, n_points: int = 0) -> dict[str, Any]:
    """Colour, line and marker of the series of this number; a baseline's are grey and dotted.

    Parameters
    ----------
    number : int
    name : str or None, default=None
    n_points : int, default=0
        Of a line of more than 15, only some bear the marker, and not the same as its neighbours.

    Returns
    -------
    style : dict
        For ``ax.plot`` and ``ax.errorbar``.

    Examples
    --------
    >>> series(0)["color"], series(1)["marker"]
    ('#0072B2', 's')
    >>> series(1, n_points=99)["markevery"]
    (1, 7)
    """
    shape: dict[str, Any] = {"linewidth": 1.7, "markersize": 4.5, "gid": f"{_SERIES}-{number}"}
    if n_points > _MOST_MARKS:
        step = -(-n_points // _MOST_MARKS)
        shape["markevery"] = (number % step, step)
    if name in BASELINES:
        return {"color": NEUTRAL, "linestyle": ":", "marker": ".", **shape}
    line, marker = _LINES[number % len(_LINES)], _MARKERS[number % len(_MARKERS)]
    return {"color": colour(number), "linestyle": line, "marker": marker, **shape}


def n_series(ax: Any) -> int:
    """How many series of ours are drawn already: what comes next looks different."""
    return sum(str(line.get_gid()).startswith(_SERIES) for line in ax.get_lines())


def band(ax: Any, x: Any, low: Any, high: Any, color: Any, *, among: int = 1) -> Any:
    """An interval around a line of this colour, the fainter the more of them there are."""
    alpha = 0.18 if among <= 4 else 0.08
    return ax.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)


def ink(ax: Any) -> Any:
    """Colour of the text of these axes: for what must read on any background."""
    return ax.xaxis.label.get_color()


def legend(ax: Any, **params: Any) -> None:
    """A legend beside the axes where the layout makes room for it, or where it covers least."""
    n_labels = len(ax.get_legend_handles_labels()[1])
    if n_labels == 0:
        return
    beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
    has_room = n_labels > 2 and ax.figure.get_layout_engine() is not None
    look = {"frameon": False, "fontsize": "small", **(beside if has_room else {})}
    ax.legend(**{**look, **params})
