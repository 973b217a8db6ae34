"""What is left of an accuracy after each part of an attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.drawing import PALETTE
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
    certified : ndarray of shape (n_samples,), dtype bool, or None, default=None
        Which samples are certified: no attack within the radius will ever turn them. ``None``
        without ``certify``.
    n_audited : int or None, default=None
        Certified samples that were attacked all the same; none of them was turned.
    attack : str, default=""
        Which attack it was, in words: name, radius, steps.
    certified_accuracy : float or None
        Share of certified samples, at most `robust_accuracy`.
    rows : list of dict
        ``part``, ``accuracy`` and ``n_samples``, as in `survivors`; last, if any were asked for,
        the certified ones.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.attacks import TabularSquare
    >>> from skactive.metrics import robustness_report
    >>> X, y = np.array([[0.0], [0.4], [0.6], [1.0]]), [0, 0, 1, 1]
    >>> model = LogisticRegression().fit(X, y)  # the boundary is at 0.5
    >>> report = robustness_report(model, X, y, TabularSquare(eps=0.2, n_queries=50))
    >>> report
    | after | accuracy (%) | samples left |
    | --- | ---: | ---: |
    | clean | 100.00 | 4 |
    | tabularsquare | 50.00 | 2 |
    <BLANKLINE>
    TabularSquare, ε = 0.2 (Linf), on 4 samples.
    >>> report.accuracy, report.robust_accuracy, report.correct.tolist()
    (1.0, 0.5, [True, False, False, True])
    """

    accuracy: float
    robust_accuracy: float
    survivors: dict[str, float]
    correct: NDArray[np.bool_]
    zero_gradients: float | None = None
    certified: NDArray[np.bool_] | None = None
    n_audited: int | None = None
    attack: str = ""

    @property
    def certified_accuracy(self) -> float | None:
        """Share of certified samples."""
        return None if self.certified is None else float(self.certified.mean())

    @property
    def rows(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What is left after each part."""
        n, shares = len(self.correct), dict(self.survivors)
        if self.certified_accuracy is not None:
            shares["certified"] = self.certified_accuracy
        return [
            {"part": part, "accuracy": share, "n_samples": round(share * n)}
            for part, share in shares.items()
        ]

    @property
    def notes(self) -> list[str]:  # type: ignore[override]
        """Which attack it was, where white-box attacks were blind, and what was not attacked."""
        notes = [f"{self.attack}, on {len(self.correct)} samples."] if self.attack else []
        if self.zero_gradients:
            notes.append(
                f"{self.zero_gradients:.1%} of the samples have an input gradient of zero."
            )
        if self.certified is not None:
            notes.append(
                f"Of {self.certified.sum()} certified samples {self.n_audited} were attacked all "
                "the same, and none was turned."
            )
        return notes

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """See `Report`."""
        body = [[r["part"], f"{100 * r['accuracy']:.2f}", str(r["n_samples"])] for r in self.rows]
        return ["after", "accuracy (%)", "samples left"], body

    def _draw(self, ax: Any) -> None:
        parts, shares = zip(*((row["part"], row["accuracy"]) for row in self.rows), strict=True)
        bars = ax.bar(parts, shares, color=PALETTE[0], width=0.6)
        ax.bar_label(bars, [f"{100 * share:.1f} %" for share in shares], padding=2)
        ax.set(xlabel="After", ylabel="Accuracy", ylim=(0, 1.08))
        ax.grid(False, axis="x")
