"""The heat map of bias against robustness (DRE paper, figure 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..utils.drawing import axes_for
from ..utils.reports import Tabular
from ._correlation import bias_robustness_correlation


class SelectionBiasDisplay(Tabular):
    """Correlation of selection bias and robustness: characteristics down, stages across.

    The colour of a square is the correlation, its side the magnitude.

    Parameters
    ----------
    correlation : array-like of shape (n_characteristics, n_stages)
        Pearson's r; NaN leaves a square out.
    characteristics : sequence of str
    stages : sequence of int or None, default=None
        ``None`` numbers them from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    skactive.analysis.bias_robustness_correlation : The numbers.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> from skactive.analysis import SelectionBiasDisplay
    >>> bias = {"entropy": [[0.1, 0.4, 0.8]], "class": [[0.1, 0.2, 0.2]]}
    >>> display = SelectionBiasDisplay.from_bias(bias, [[0.6, 0.5, 0.3]])
    >>> display.correlation.shape
    (2, 1)
    """

    def __init__(
        self,
        correlation: ArrayLike,
        characteristics: Sequence[str],
        stages: Sequence[int] | None = None,
    ) -> None:
        self.correlation = np.atleast_2d(np.asarray(correlation, dtype=float))
        self.characteristics = list(characteristics)
        n_stages = self.correlation.shape[1]
        self.stages = list(range(1, n_stages + 1)) if stages is None else list(stages)
        if self.correlation.shape != (len(self.characteristics), len(self.stages)):
            raise ValueError(
                "correlation must have shape (n_characteristics, n_stages) = "
                f"({len(self.characteristics)}, {len(self.stages)}), got "
                f"{self.correlation.shape}."
            )

    @classmethod
    def from_bias(
        cls,
        bias: Mapping[str, ArrayLike],
        robustness: ArrayLike,
        *,
        stages: Sequence[int] | None = None,
        ax: Any = None,
        **plot_params: Any,
    ) -> SelectionBiasDisplay:
        """Compute the correlations and draw them.

        Parameters
        ----------
        bias : mapping of str to array-like of shape (n_stages, n_strategies)
            One entry for each characteristic.
        robustness : array-like of shape (n_stages, n_strategies)
        stages : sequence of int or None, default=None
        ax : matplotlib Axes or None, default=None
        **plot_params
            See `plot`.

        Returns
        -------
        display : SelectionBiasDisplay
        """
        rows = [bias_robustness_correlation(b, robustness).statistic for b in bias.values()]
        return cls(rows, list(bias), stages).plot(ax=ax, **plot_params)

    def plot(
        self, ax: Any = None, *, cmap: str = "RdBu", colorbar: bool = True
    ) -> SelectionBiasDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            ``None`` makes a figure.
        cmap : str, default="RdBu"
        colorbar : bool, default=True

        Returns
        -------
        display : SelectionBiasDisplay
            Itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_for(ax, what=f"{type(self).__name__}.plot")
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.patches import Rectangle

        colors = ScalarMappable(Normalize(-1, 1), cmap)
        for (row, column), r in np.ndenumerate(self.correlation):
            if np.isfinite(r):
                side = max(abs(r), 0.05)
                corner = (column - side / 2, row - side / 2)
                ax.add_patch(Rectangle(corner, side, side, color=colors.to_rgba(r)))
        n_rows, n_columns = self.correlation.shape
        ax.set(
            xlim=(-0.5, n_columns - 0.5),
            ylim=(n_rows - 0.5, -0.5),
            xticks=range(n_columns),
            xticklabels=self.stages,
            yticks=range(n_rows),
            yticklabels=self.characteristics,
            xlabel="Stage",
            aspect="equal",
        )
        if colorbar:
            ax.figure.colorbar(colors, ax=ax, label="Pearson correlation", shrink=0.7)
        ax.grid(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _records(self) -> list[dict[str, Any]]:
        return [
            {"characteristic": name, "stage": stage, "correlation": float(r)}
            for name, row in zip(self.characteristics, self.correlation, strict=True)
            for stage, r in zip(self.stages, row, strict=True)
        ]
