"""What a notebook shows of a learner: what was bought, by whom, for which model."""

from __future__ import annotations

from typing import Any

from ..utils.html import ShowsFacts, folded
from ._ledger import Ledger
from ._training import final_step

_KNOWN = frozenset({
    "round", "n_taught", "n_labels", "pseudo", "adversarial", "validation", "query_strategy",
    "training", "query_time", "fit_time", "relabeled", "forgotten",
})  # fmt: skip
_MANY = 12  # classes that are written out
_ROWS = 50  # of the ledger that are shown


class LearnerFacts(ShowsFacts):
    """Mixin of learners: strategy, labels, last score, and attack and ε of a net inside."""

    query_strategy: Any
    estimator: Any

    @property
    def ledger_(self) -> Ledger:
        """The rows of ``history_`` as a report: printed, ``to_frame()``, ``plot()``."""
        return Ledger(list(self._history()))

    def _history(self) -> list[dict[str, Any]]:
        return self.history_  # type: ignore[attr-defined]

    def _facts(self) -> dict[str, Any]:
        facts = {"asks by": _strategy(self.query_strategy), **_labels(self)}
        inside = getattr(self, "estimator_", self.estimator)
        own = getattr(final_step(inside), "_facts", None)
        return facts if own is None else {**facts, **own()}

    def _more(self) -> str:
        if not self.__sklearn_is_fitted__():  # type: ignore[attr-defined]
            return ""
        rows = self.ledger_.rows
        last = "" if len(rows) <= _ROWS else f", the last {_ROWS}"
        return folded(f"Ledger ({len(rows)}{last})", Ledger(rows[-_ROWS:])._repr_html_())


def _strategy(strategy: Any) -> str:
    return strategy if isinstance(strategy, str) else " ".join(repr(strategy).split())


def _labels(learner: Any) -> dict[str, Any]:
    if not learner.__sklearn_is_fitted__():
        return {"labels bought": "none yet: not fitted"}
    rows = learner.ledger_.rows
    last = rows[-1]
    beside = [
        f"{last[name]} {word}"
        for name, word in (
            ("adversarial", "adversarial twins"),
            ("pseudo", "pseudo-labels"),
            ("validation", "for validation"),
        )
        if last.get(name)
    ]
    trained = [row for row in rows if row["training"] != "none"][-1]
    n_rounds = last["round"] + 1
    scores = {name: value for name, value in last.items() if name not in _KNOWN}
    return {
        "labels bought": f"{last['n_labels']} in {n_rounds} round{'s' * (n_rounds > 1)}",
        **({"beside them": ", ".join(beside)} if beside else {}),
        "classes": _classes(learner.classes_),
        "last training": f"{trained['training']}, {trained['fit_time']:.1f} s",
        **{name: f"{v:.4g}" if isinstance(v, float) else v for name, v in scores.items()},
    }


def _classes(labels: Any) -> str:
    names = [str(label) for label in labels[:_MANY]]
    more = f", … ({len(labels)} in all)" if len(labels) > _MANY else ""
    return ", ".join(names) + more
