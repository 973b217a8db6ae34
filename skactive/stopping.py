"""When to stop asking: criteria that watch a learner from round to round."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring, cohen_kappa_score
from sklearn.utils._param_validation import Interval

from .kernels.uncertainty import entropy
from .model_view import ModelView

Watch = Callable[[Any], bool]


class StoppingCriterion(BaseEstimator):
    """Base class: ``watch = criterion.start()``, then ``watch(learner)`` after each round.

    A criterion itself has no state; each `start` makes a fresh watch. Criteria combine:
    ``a | b`` stops when either does, ``a & b`` when both do in the same round.
    """

    _parameter_constraints: ClassVar[dict] = {}

    def start(self) -> Watch:
        """Begin to watch a run.

        Returns
        -------
        watch : callable
            ``watch(learner) -> bool``: whether to stop, asked once after each round, round 0
            included.
        """
        self._validate_params()
        return self._start()

    def _start(self) -> Watch:
        raise NotImplementedError(f"{type(self).__name__} must implement _start().")

    def __or__(self, other: StoppingCriterion) -> StoppingCriterion:
        return AnyOf([self, other])

    def __and__(self, other: StoppingCriterion) -> StoppingCriterion:
        return AllOf([self, other])


class _Combination(StoppingCriterion):
    def __init__(self, criteria: list[StoppingCriterion]) -> None:
        self.criteria = criteria

    _parameter_constraints: ClassVar[dict] = {"criteria": [list, tuple]}


def _all_asked(watches: list[Watch], learner: Any) -> list[bool]:
    """Answers of all watches: each has to see every round."""
    return [watch(learner) for watch in watches]


class AnyOf(_Combination):
    """Stop when one of several criteria does.

    Parameters
    ----------
    criteria : list of StoppingCriterion
    """

    def _start(self) -> Watch:
        watches = [criterion.start() for criterion in self.criteria]
        return lambda learner: any(_all_asked(watches, learner))


class AllOf(_Combination):
    """Stop when all of several criteria do in the same round.

    Parameters
    ----------
    criteria : list of StoppingCriterion
    """

    def _start(self) -> Watch:
        watches = [criterion.start() for criterion in self.criteria]
        return lambda learner: all(_all_asked(watches, learner))


class MaxLabels(StoppingCriterion):
    """Stop once that many labels are bought.

    Parameters
    ----------
    n : int
    """

    _parameter_constraints: ClassVar[dict] = {"n": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n: int) -> None:
        self.n = n

    def _start(self) -> Watch:
        return lambda learner: learner.history_[-1]["oracle"] >= self.n


class MaxRounds(StoppingCriterion):
    """Stop after that many rounds of asking (round 0 is none).

    Parameters
    ----------
    n : int
    """

    _parameter_constraints: ClassVar[dict] = {"n": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n: int) -> None:
        self.n = n

    def _start(self) -> Watch:
        return lambda learner: len(learner.history_) > self.n


class Plateau(StoppingCriterion):
    """Stop when a score on validation data has not risen for some rounds.

    Parameters
    ----------
    X, y : array-like
        Validation data; its labels cost, too.
    scoring : str, callable or None, default=None
        As in scikit-learn; ``make_robust_scorer(…)`` watches robust accuracy. ``None`` is the
        learner's ``score``.
    patience : int, default=3
        Rounds without a rise.
    min_delta : float, default=0.0
        What counts as a rise.
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "y": "no_validation",
        "scoring": [str, callable, None],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "min_delta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, X: Any, y: Any, scoring: Any = None, patience: int = 3, min_delta: float = 0.0
    ) -> None:
        self.X = X
        self.y = y
        self.scoring = scoring
        self.patience = patience
        self.min_delta = min_delta

    def _start(self) -> Watch:
        best, waited = -np.inf, 0

        def watch(learner: Any) -> bool:
            nonlocal best, waited
            score = check_scoring(learner, scoring=self.scoring)(learner, self.X, self.y)
            if score > best + self.min_delta:
                best, waited = score, 0
            else:
                waited += 1
            return waited >= self.patience

        return watch


class PredictionStability(StoppingCriterion):
    """Stop when successive models agree on unlabelled reference data. Costs no labels.

    Parameters
    ----------
    X : array-like
        Reference data, not to be labelled.
    threshold : float, default=0.99
        Cohen's kappa between the predictions of two rounds.
    patience : int, default=3
        Rounds in a row that must agree.

    References
    ----------
    Bloodgood & Vijay-Shanker, "A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping", CoNLL 2009.
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, X: Any, threshold: float = 0.99, patience: int = 3) -> None:
        self.X = X
        self.threshold = threshold
        self.patience = patience

    def _start(self) -> Watch:
        last, agreed = None, 0

        def watch(learner: Any) -> bool:
            nonlocal last, agreed
            predicted = learner.predict(self.X)
            if last is not None:
                alike = np.array_equal(last, predicted)  # kappa is 0/0 for a single class
                kappa = 1.0 if alike else cohen_kappa_score(last, predicted)
                agreed = agreed + 1 if kappa >= self.threshold else 0
            last = predicted
            return agreed >= self.patience

        return watch


class UncertaintyThreshold(StoppingCriterion):
    """Stop when the model is sure of all reference data.

    Parameters
    ----------
    X : array-like
        Reference data, such as the pool, not to be labelled.
    threshold : float, default=0.1
        Stop when the `quantile` of the entropies (in nats) is below this.
    quantile : float in [0, 1], default=1.0
        1 looks at the most uncertain sample.

    References
    ----------
    Zhu et al., "Confidence-based stopping criteria for active learning for data annotation",
    ACM TSLP 2010.
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "threshold": [Interval(Real, 0, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, X: Any, threshold: float = 0.1, quantile: float = 1.0) -> None:
        self.X = X
        self.threshold = threshold
        self.quantile = quantile

    def _start(self) -> Watch:
        def watch(learner: Any) -> bool:
            view = ModelView.of(learner, caller="UncertaintyThreshold")
            scores = entropy(view.predict_proba(self.X))
            return bool(np.quantile(scores, self.quantile) < self.threshold)

        return watch
