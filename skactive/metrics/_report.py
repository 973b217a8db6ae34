"""What is left of an accuracy after each part of an attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.reports import Report


@dataclass(frozen=True, repr=False)
class RobustnessReport(Report):
    """What `robustness_report` returns: a sequence of what each part of the attack left.

    Attributes
    ----------
    accuracy : float
        Clean accuracy.
    robust_accuracy : float
        Share of samples that no part of the attack turns.
    survivors : dict of str to float
        Share of samples still classified correctly: ``"clean"``, then after each part.
    correct : ndarray of shape (n_samples,), dtype bool
        Which samples survive everything.
    zero_gradients : float or None
        Share of samples classified correctly with an input gradient of exactly zero; ``None``
        where it was not measured: for attacks of one part.
    rows : list of dict
        ``part``, ``accuracy`` and ``n_samples``, as in `survivors`.
    """

    accuracy: float
    robust_accuracy: float
    survivors: dict[str, float]
    correct: NDArray[np.bool_]
    zero_gradients: float | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What is left after each part."""
        n = len(self.correct)
        return [
            {"part": part, "accuracy": share, "n_samples": round(share * n)}
            for part, share in self.survivors.items()
        ]

    @property
    def notes(self) -> list[str]:  # type: ignore[override]
        """Where white-box attacks were blind."""
        if not self.zero_gradients:
            return []
        return [f"{self.zero_gradients:.1%} of the samples have an input gradient of zero."]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """See `Report`."""
        body = [[r["part"], f"{100 * r['accuracy']:.2f}", str(r["n_samples"])] for r in self.rows]
        return ["after", "accuracy (%)", "samples left"], body

    def _draw(self, ax: Any) -> None:
        ax.bar(list(self.survivors), list(self.survivors.values()))
        ax.set(xlabel="after", ylabel="accuracy", ylim=(0, 1.02))
