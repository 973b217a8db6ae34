"""One-shot test selection and adversarial retraining, measured."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import clone

from ..attacks import resolve_attack
from ..learners import ActiveLearner
from ..learners._training import final_step
from ..metrics import robust_accuracy_score
from ..strategies import QueryStrategy, resolve_strategy
from ..strategies._named import named
from ..utils.budget import budget_to_count
from ..utils.progress import shown
from ..utils.random_state import derive_seed
from ..utils.typing import AttackLike, Pool, StrategyLike
from ._budgets import as_given
from ._evaluation_split import EvaluationSplit
from ._report import BASELINE, RetrainingReport


def retraining_report(
    learners: ActiveLearner | Sequence[ActiveLearner],
    X_test: Pool,
    y_test: ArrayLike,
    *,
    strategies: Sequence[StrategyLike] | Mapping[str, StrategyLike] = ("random", "dre"),
    budgets: Sequence[float] = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    attacks: Mapping[str, AttackLike] | Sequence[str] = ("pgd",),
    attack: AttackLike | None = None,
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
    strategies : sequence of str or QueryStrategy, or mapping by name, default=("random", "dre")
        Two of one class need names of their own: a mapping.
    budgets : sequence of int or float, default=(0.01, 0.02, 0.04, 0.06, 0.08, 0.1)
        Counts, or shares of the candidates: 1 is a sample, 1.0 all of them.
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
        Show a progress bar, or lines where tqdm is not installed; one step is a retraining.

    Returns
    -------
    report : RetrainingReport

    Raises
    ------
    ValueError
        If a budget does not fit the candidates, a strategy or attack is not known, or two
        strategies have one name; before anything is trained.

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
    learners = list(learners) if isinstance(learners, Sequence) else [learners]
    measured = attacks if isinstance(attacks, Mapping) else {name: name for name in attacks}
    chosen = _chosen(strategies)
    how = {"mix": mix, "epochs": epochs, "warm_start": warm_start}
    scores = functools.partial(_scores, attacks=dict(measured), eps=eps)
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
        learner._check_retraining(**how)
        rows.append({
            "strategy": BASELINE, "budget": 0.0, "seed": seed, "n_selected": 0,
            "select_time": 0.0, "retrain_time": 0.0, **scores(learner, split),
        })  # fmt: skip
    found = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_retrained)(*task, attack, eps, how, scores) for task in tasks
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
    attack: Any,
    eps: float | None,
    how: dict[str, Any],
    scores: Callable[[Any, EvaluationSplit], dict[str, float]],
) -> dict[str, Any]:
    """One strategy at one budget: selected, labelled, retrained, measured."""
    trained, split = copy.deepcopy(learner), copy.deepcopy(split)
    asked = clone(strategy)
    if asked.random_state is None:
        asked.set_params(random_state=derive_seed(seed))
    trained.set_params(query_strategy=asked)
    started = time.perf_counter()
    picked = trained.select_tests(split.X_candidates, budget)
    selected = time.perf_counter()
    if attack is not None or eps is not None:
        own: Any = getattr(final_step(trained.estimator_), "attack_", None)
        attack = resolve_attack(own if attack is None else attack, eps=eps)
    X, y = split.label(picked)
    labelled = time.perf_counter()
    trained.retrain(X, y, attack, **how)
    return {
        "strategy": name, "budget": as_given(budget), "seed": seed, "n_selected": len(picked),
        "select_time": selected - started, "retrain_time": time.perf_counter() - labelled,
        **scores(trained, split),
    }  # fmt: skip


def _scores(
    learner: Any, split: EvaluationSplit, attacks: dict[str, Any], eps: float | None
) -> dict[str, float]:
    X, y = split.X_evaluation, split.y_evaluation
    return {
        "accuracy": split.score(learner),
        **{name: robust_accuracy_score(learner, X, y, a, eps=eps) for name, a in attacks.items()},
    }


def _chosen(strategies: Any) -> dict[str, QueryStrategy]:
    found = {n: resolve_strategy(s) for n, s in named(strategies, "strategies").items()}
    if BASELINE in found:
        raise ValueError(
            f"strategies must not be named {BASELINE!r}: {BASELINE!r} is the model before."
        )
    return found
