"""One-shot test selection and adversarial retraining, measured: what is gained, for what budget."""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from ..attacks import resolve_attack
from ..learners._training import final_step
from ..metrics import robust_accuracy_score
from ..strategies import resolve_strategy
from ..utils.budget import as_text, budget_to_count
from ..utils.optional import axes_for
from ..utils.progress import shown
from ..utils.random_state import derive_seed
from ..utils.reports import Report
from ..utils.statistics import half_interval
from ._evaluation_split import EvaluationSplit

BASELINE = "baseline"
_COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
    "#bcbd22", "#17becf", "#000080", "#808000",
)  # fmt: skip
_KEYS = ("strategy", "budget", "seed", "n_selected", "select_time", "retrain_time")


@dataclass(frozen=True, repr=False)
class RetrainingReport(Report):
    """What `retraining_report` measured.

    Attributes
    ----------
    rows : list of dict
        One for each seed, strategy and budget, and one a seed for the model before
        (``"baseline"``, budget 0): ``strategy``, ``budget``, ``seed``, ``n_selected``,
        ``select_time`` and ``retrain_time`` in seconds, ``accuracy``, and the accuracy under
        each attack by its name.

    Notes
    -----
    The table is in percent: means and half of their 95 % intervals over the seeds.
    """

    rows: list[dict[str, Any]]

    @property
    def metrics(self) -> list[str]:
        """``"accuracy"`` and the names of the attacks."""
        return [name for name in self.rows[0] if name not in _KEYS]

    def summary(self, confidence: float = 0.95) -> list[dict[str, Any]]:
        """Means over the seeds, with intervals.

        Parameters
        ----------
        confidence : float in (0, 1), default=0.95

        Returns
        -------
        summary : list of dict
            One for each strategy, budget and metric: ``mean``, ``low`` and ``high`` of Student's
            interval of it; ``gain``, ``gain_low`` and ``gain_high`` of the difference to the
            model before, paired by seed; ``n_seeds``. With one seed the intervals are NaN: it
            tells nothing about the spread.
        """
        before = {row["seed"]: row for row in self.rows if row["strategy"] == BASELINE}
        groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault((row["strategy"], row["budget"]), []).append(row)
        found = []
        for (strategy, budget), rows in groups.items():
            for metric in self.metrics:
                values = np.array([row[metric] for row in rows])
                gains = values - np.array([before[row["seed"]][metric] for row in rows])
                mean, low, high = _interval(values, confidence)
                gain, gain_low, gain_high = _interval(gains, confidence)
                found.append(
                    {
                        "strategy": strategy, "budget": budget, "metric": metric,
                        "mean": mean, "low": low, "high": high,
                        "gain": gain, "gain_low": gain_low, "gain_high": gain_high,
                        "n_seeds": len(rows),
                    }
                )  # fmt: skip
        return found

    @classmethod
    def from_csv(cls, path: str | Path) -> RetrainingReport:
        """Read what `to_csv` wrote.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        report : RetrainingReport
        """
        types = {"strategy": str, "seed": int, "n_selected": int}
        with Path(path).open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        return cls([{k: types.get(k, float)(v) for k, v in line.items()} for line in lines])

    def plot(self, ax: Any = None, *, confidence: float = 0.95) -> Any:
        """Draw each metric against the budget, one line per strategy; needs matplotlib.

        Parameters
        ----------
        ax : sequence of matplotlib Axes or None, default=None
            One for each metric; ``None`` makes a figure.
        confidence : float in (0, 1), default=0.95
            Of the intervals.

        Returns
        -------
        axes : ndarray of Axes
            ``axes[0].figure.savefig(…)`` saves it.
        """
        n, summary = len(self.metrics), self.summary(confidence)
        what, size = f"{type(self).__name__}.plot", (4.5 * n, 3.5)
        axes = np.ravel(axes_for(ax, what=what, ncols=n, figsize=size, layout="tight"))
        for ax, metric in zip(axes, self.metrics, strict=True):
            _draw(ax, metric, [row for row in summary if row["metric"] == metric])
        axes[-1].legend(fontsize="small", bbox_to_anchor=(1.02, 1), loc="upper left")
        return axes

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Like the DRE paper's Table 6: a line per strategy, a column per metric and budget."""
        cells = {
            (row["strategy"], row["metric"], row["budget"]): _cell(row) for row in self.summary()
        }
        budgets = dict.fromkeys(row["budget"] for row in self.rows if row["budget"])
        columns = [(metric, budget) for metric in self.metrics for budget in budgets]
        head = ["strategy", *(f"{metric}, {as_text(budget)}" for metric, budget in columns)]
        return head, [
            [name, *(cells[name, metric, 0.0 if name == BASELINE else b] for metric, b in columns)]
            for name in dict.fromkeys(row["strategy"] for row in self.rows)
        ]


def retraining_report(
    learners: Any,
    X_test: Any,
    y_test: Any,
    *,
    strategies: Sequence[Any] = ("random", "dre"),
    budgets: Sequence[float] = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    attacks: Mapping[str, Any] | Sequence[str] = ("pgd",),
    attack: Any = None,
    eps: float | None = None,
    mix: str = "adversarial",
    epochs: int | None = None,
    warm_start: bool | str = "auto",
    share: float = 0.5,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: bool = False,
) -> RetrainingReport:
    """Measure what test selection and retraining gain.

    For each seed: split the test data (`EvaluationSplit`), measure the model, and for each
    strategy and budget select candidates, label them, retrain a copy and measure it on the same
    evaluation set.

    Parameters
    ----------
    learners : fitted ActiveLearner, or list of them
        Models trained already (see `ActiveLearner.from_fitted`). Of a list, each is one seed: train
        them with different seeds to have the intervals cover the training too. They stay as they
        are.
    X_test : array-like of shape (n_test, ...)
    y_test : array-like of shape (n_test,)
    strategies : sequence of str or QueryStrategy, default=("random", "dre")
    budgets : sequence of int or float, default=(0.01, 0.02, 0.04, 0.06, 0.08, 0.1)
        Counts, or shares of the candidates.
    attacks : dict of str to Attack, or sequence of names, default=("pgd",)
        What robustness is measured with; an empty one measures accuracy alone.
    attack : Attack, str or None, default=None
        Makes the adversarial examples; ``None`` is the net's own training attack.
    eps : float or None, default=None
        Replaces the radius of all of these attacks.
    mix, epochs, warm_start
        See `ActiveLearner.retrain`.
    share : float, default=0.5
        Share of the test data to select from.
    random_state : int, default=0
        Seed of the first learner; the next ones count up.
    n_jobs : int or None, default=None
        Retrainings side by side, through joblib. The result does not depend on it.
    progress : bool, default=False
        Show a progress bar (needs tqdm; one step is a retraining).

    Returns
    -------
    report : RetrainingReport

    Raises
    ------
    ValueError
        If a budget does not fit the candidates, or a strategy or attack is not known; before
        anything is trained.

    References
    ----------
    Guo et al., "Robust Active Learning", section 8 and Table 6 (arXiv 2112.02542).

    Examples
    --------
    >>> from skactive import ActiveLearner, AdversarialNetClassifier
    >>> from skactive.attacks import FGSM
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.retraining import retraining_report
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=FGSM(eps=0.1), max_epochs=2)
    >>> learner = ActiveLearner(net, random_state=0).fit(data.X_train[:200], data.y_train[:200])
    >>> report = retraining_report(learner, data.X_test, data.y_test, budgets=[0.1], eps=0.1)
    >>> print(report.table.splitlines()[0])
    | strategy | accuracy, 10 % | pgd, 10 % |
    """
    learners = list(learners) if isinstance(learners, (list, tuple)) else [learners]
    named = {name: name for name in attacks} if not isinstance(attacks, Mapping) else attacks
    chosen = {_name(strategy): resolve_strategy(strategy) for strategy in strategies}
    settings = {
        "attack": attack, "eps": eps, "mix": mix, "epochs": epochs, "warm_start": warm_start,
        "attacks": dict(named),
    }  # fmt: skip
    rows, tasks = [], []
    for seed, learner in enumerate(learners, random_state):
        split = EvaluationSplit(
            X_test, y_test, share=share, exclude=learner.X_labeled_, random_state=seed
        )
        for budget in budgets:
            budget_to_count(budget, len(split.candidates))
        for name, strategy in chosen.items():
            strategy.check_estimator(learner.estimator_)
            tasks += [(learner, split, name, strategy, budget, seed) for budget in budgets]
        learner._check_retraining(mix, epochs, warm_start)
        rows.append(_row(BASELINE, 0.0, seed, 0, 0.0, 0.0, _scores(learner, split, settings)))
    found = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_retrained)(*task, settings) for task in tasks
    )
    rows += list(shown(found, len(tasks), "retraining", "model") if progress else found)
    return RetrainingReport(rows)


def _retrained(
    learner: Any,
    split: EvaluationSplit,
    name: str,
    strategy: Any,
    budget: float,
    seed: int,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """One strategy at one budget: selected, labelled, retrained, measured."""
    trained, split = copy.deepcopy(learner), copy.deepcopy(split)
    asked = clone(strategy)
    if asked.random_state is None:
        asked.set_params(random_state=derive_seed(seed))
    trained.set_params(query_strategy=asked)
    started = time.perf_counter()
    picked = trained.select_tests(split.X_candidates, budget)
    select_time = time.perf_counter() - started
    X, y = split.label(picked)
    attack = settings["attack"]
    if attack is not None or settings["eps"] is not None:
        attack = _with_eps(trained, attack, settings["eps"])
    started = time.perf_counter()
    trained.retrain(
        X,
        y,
        attack,
        mix=settings["mix"],
        epochs=settings["epochs"],
        warm_start=settings["warm_start"],
    )
    retrain_time = time.perf_counter() - started
    scores = _scores(trained, split, settings)
    return _row(name, float(budget), seed, len(picked), select_time, retrain_time, scores)


def _with_eps(learner: Any, attack: Any, eps: float | None) -> Any:
    own: Any = getattr(final_step(learner.estimator_), "attack_", None)
    return resolve_attack(own if attack is None else attack, eps=eps)


def _scores(learner: Any, split: EvaluationSplit, settings: dict[str, Any]) -> dict[str, float]:
    scores = {"accuracy": split.score(learner)}
    for name, attack in settings["attacks"].items():
        scores[name] = robust_accuracy_score(
            learner, split.X_evaluation, split.y_evaluation, attack, eps=settings["eps"]
        )
    return scores


def _row(
    strategy: str,
    budget: float,
    seed: int,
    n_selected: int,
    select_time: float,
    retrain_time: float,
    scores: dict[str, float],
) -> dict[str, Any]:
    values = (strategy, budget, seed, n_selected, select_time, retrain_time)
    return {**dict(zip(_KEYS, values, strict=True)), **scores}


def _name(strategy: Any) -> str:
    return strategy if isinstance(strategy, str) else type(strategy).__name__


def _interval(values: Any, confidence: float) -> tuple[float, float, float]:
    """Mean, and Student's interval of it; NaN for a single value."""
    mean, n = float(np.mean(values)), len(values)
    half = half_interval(float(np.std(values, ddof=1)) if n > 1 else 0.0, n, confidence)
    return mean, mean - half, mean + half


def _cell(row: dict[str, Any]) -> str:
    half = (row["high"] - row["low"]) / 2
    return f"{100 * row['mean']:.2f}" + (f" ± {100 * half:.2f}" if half == half else "")


def _draw(ax: Any, metric: str, rows: list[dict[str, Any]]) -> None:
    names = [name for name in dict.fromkeys(row["strategy"] for row in rows) if name != BASELINE]
    percent = all(row["budget"] < 1 for row in rows)
    span = max(row["budget"] for row in rows) * (100 if percent else 1)
    for row in rows:
        if row["strategy"] == BASELINE:
            ax.axhline(row["mean"], color="black", linestyle="--", linewidth=1, label="before")
    for number, name in enumerate(names):
        own = sorted((r for r in rows if r["strategy"] == name), key=lambda r: r["budget"])
        # Side by side: intervals of strategies would hide each other.
        shift = (number - (len(names) - 1) / 2) * 0.015 * span
        ax.errorbar(
            [r["budget"] * (100 if percent else 1) + shift for r in own],
            [r["mean"] for r in own],
            yerr=[[r["mean"] - r["low"] for r in own], [r["high"] - r["mean"] for r in own]],
            color=_COLOURS[number % len(_COLOURS)],
            marker="os^Dv"[number // len(_COLOURS) % 5],
            markersize=3,
            linewidth=1,
            elinewidth=0.7,
            label=name,
        )
    ax.set_xlabel("share of the candidates (%)" if percent else "budget")
    ax.set_ylabel(metric if metric == "accuracy" else f"accuracy under {metric}")
