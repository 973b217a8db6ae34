"""One-shot test selection and adversarial retraining of a learner."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ..strategies import resolve_strategy
from ..utils.random_state import derive_seed
from ..utils.validation import check_params
from ._adversarial_examples import adversarial_examples
from ._checks import as_labels, check_row_shape, refuse_unknown_labels
from ._labeled_set import LabeledSet, reads_pixels
from ._training import check_warm_startable, final_step
from ._weights import as_is_params, weight_params

MIXES = ("adversarial", "both", "clean")
_SELECT, _ATTACK = 1, 3  # which stream of random numbers a seed is for


class RetrainingMixin:
    """`select_tests`, `retrain` and `from_fitted` of `ActiveLearner`."""

    @classmethod
    def from_fitted(
        cls, estimator: Any, X: Any, y: Any, query_strategy: Any = "entropy", **params: Any
    ) -> Any:
        """Make a learner around an estimator that is trained already.

        Parameters
        ----------
        estimator : fitted classifier
            Used as it is; training happens in copies. For searches and later cold trainings a
            clone of it is the learner's ``estimator``.
        X : array-like of shape (n_samples, ...)
            What it was trained on.
        y : array-like of shape (n_samples,)
            Labels of `X`.
        query_strategy : str, QueryStrategy or callable, default="entropy"
        **params
            Other parameters of the learner.

        Returns
        -------
        learner : ActiveLearner
            Fitted; its ledger begins with `X`.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `X` and `y` do not fit together.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skactive import ActiveLearner
        >>> X, y = load_iris(return_X_y=True)
        >>> model = LogisticRegression(max_iter=500).fit(X[::2], y[::2])
        >>> learner = ActiveLearner.from_fitted(model, X[::2], y[::2], "margin")
        >>> len(learner.select_tests(X[1::2], budget=0.1))
        8
        """
        check_is_fitted(estimator)
        make: Any = cls
        return make(clone(estimator), query_strategy, **params)._begin_with(estimator, X, y)

    def _begin_with(self: Any, estimator: Any, X: Any, y: Any) -> Any:
        """Start the ledger with an estimator that is trained already."""
        check_params(self)
        strategy = resolve_strategy(self.query_strategy)
        strategy.check_estimator(estimator)
        y = as_labels(self, X, y)
        classes = np.asarray(estimator.classes_)
        if self.classes is not None:
            classes = np.union1d(classes, self.classes)
        refuse_unknown_labels(y, classes)
        self._finish(
            strategy,
            LabeledSet.of(X, y, pixels=reads_pixels(estimator)),
            estimator,
            0.0,
            "given",
            history_=[],
            classes_=classes,
            seed_=derive_seed(self.random_state),
            _trained_params=self.estimator.get_params(deep=True),
        )
        return self

    def select_tests(self: Any, X_test: Any, budget: float = 0.04) -> NDArray:
        """Select test samples once, to be labelled and used for `retrain`.

        Parameters
        ----------
        X_test : array-like of shape (n_test, ...)
        budget : int or float, default=0.04
            How many (int) or which share of them (float in (0, 1]).

        Returns
        -------
        indices : ndarray of shape (n_selected,)
            Positions in `X_test`.

        Raises
        ------
        ValueError
            If the budget is not positive or larger than the test set, or the rows of `X_test`
            have another shape than those labelled.
        NotFittedError
            If nothing was learned yet.
        """
        check_is_fitted(self)
        check_row_shape(X_test, self.X_labeled_, "X_test")
        self.labeled_.check_pool(X_test)
        strategy = clone(resolve_strategy(self.query_strategy))
        if strategy.random_state is None:
            strategy.set_params(random_state=derive_seed(self.seed_, _SELECT))
        return strategy.select_tests(self.estimator_, X_test, budget, X_labeled=self.X_labeled_)

    def retrain(
        self: Any,
        X: Any,
        y: Any,
        attack: Any = None,
        *,
        mix: str = "adversarial",
        epochs: int | None = None,
        warm_start: bool | str = "auto",
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train again on the labelled set and adversarial examples of selected samples.

        Parameters
        ----------
        X : array-like of shape (n_selected, ...)
            Selected samples, ``X_test[learner.select_tests(X_test)]``.
        y : array-like of shape (n_selected,)
            Their labels, bought now.
        attack : Attack, str or None, default=None
            Makes the adversarial examples, against the present model (see
            `skactive.attacks.resolve_attack`). ``None`` takes the attack the net trains with.
        mix : {"adversarial", "both", "clean"}, default="adversarial"
            What of the selected samples is added to the training data: their adversarial
            examples (as the DRE paper does), those and the samples themselves, or the samples
            alone, which needs no net. Adversarial examples are trained on as they were made: the
            net's training attack, which moves all other samples, leaves them alone.
        epochs : int or None, default=None
            Epochs of this training; ``None`` is the net's ``max_epochs``.
        warm_start : {"auto"} or bool, default="auto"
            ``"auto"`` continues from the present weights where that learns from new data (nets,
            estimators with ``partial_fit``, logistic regression, MLPs; see `ActiveLearner`) and
            trains afresh on all labelled samples where it does not (forests, boosting, naive
            Bayes, k-NN). ``True`` refuses the latter, ``False`` always trains afresh. The
            ledger's ``training`` says which it was.
        sample_weight : array-like of shape (n_selected,) or None, default=None
            Weights of the selected samples themselves; adversarial examples count 1.
        **fit_params
            Passed to the estimator's ``fit`` or ``partial_fit``.

        Returns
        -------
        self
            The selected samples are part of the labelled set from now on, and their adversarial
            examples of the twins: a later `teach` trains on both. ``history_`` counts them as
            ``n_labels`` and ``adversarial``.

        Raises
        ------
        TypeError
            If ``warm_start=True`` is asked of an estimator that cannot continue on new data.
        ValueError
            If labels are missing or unknown, the rows have another shape than those labelled, or
            a parameter is out of range. The learner is unchanged then.
        CapabilityError
            If adversarial examples are asked of an estimator that has no gradients.
        NotFittedError
            If nothing was learned yet.

        References
        ----------
        Guo et al., "Robust Active Learning", section 8 (arXiv 2112.02542).

        Examples
        --------
        >>> from skactive import ActiveLearner, AdversarialNetClassifier
        >>> from skactive.attacks import PGD
        >>> from skactive.datasets import load_digits
        >>> from skactive.networks import LeNet5
        >>> data = load_digits()
        >>> net = AdversarialNetClassifier(LeNet5, attack=PGD(eps=0.1, steps=3), max_epochs=3)
        >>> learner = ActiveLearner(net, "dre", random_state=0)
        >>> learner = learner.fit(data.X_train[:200], data.y_train[:200])
        >>> idx = learner.select_tests(data.X_test, budget=0.1)
        >>> learner = learner.retrain(data.X_test[idx], data.y_test[idx], epochs=2)
        >>> row = learner.history_[-1]
        >>> row["n_labels"] - 200 == len(idx) == row["adversarial"]
        True
        """
        check_is_fitted(self)
        check_params(self)
        overrides = self._check_retraining(mix, epochs, warm_start)
        y = as_labels(self, X, y)
        refuse_unknown_labels(y, self.classes_)
        check_row_shape(X, self.X_labeled_, "X")
        examples = None
        labeled = self.labeled_.joined(X, y, sample_weight)
        if mix != "clean":
            seed = derive_seed(self.seed_, _ATTACK, len(self.history_))
            made = adversarial_examples(self.estimator_, X, y, attack, random_state=seed)
            examples = (made, y)
        labeled = labeled.with_twins(examples)
        trained_on = self.labeled_.with_twins(examples) if mix == "adversarial" else labeled
        data = trained_on.training_data()
        weights = weight_params(self.estimator, data.weights)
        fit_params = {**weights, **as_is_params(self.estimator, data.as_is), **fit_params}
        trained_params = self.estimator.get_params(deep=True)
        started = time.perf_counter()
        warm = self._trains_warm(warm_start, data.y)
        fitted = self._train(data.X, data.y, warm, fit_params, overrides)
        fit_time = time.perf_counter() - started
        fitted.set_params(**{name: self.estimator.get_params()[name] for name in overrides})

        strategy, training = resolve_strategy(self.query_strategy), "warm" if warm else "cold"
        self._finish(strategy, labeled, fitted, fit_time, training, _trained_params=trained_params)
        return self

    def _check_retraining(
        self: Any, mix: str, epochs: int | None, warm_start: bool | str
    ) -> dict[str, Any]:
        """Check the parameters of `retrain`; those of the estimator that it overrides."""
        if mix not in MIXES:
            raise ValueError(f"mix must be one of {list(MIXES)}, got {mix!r}.")
        if not (isinstance(warm_start, (bool, np.bool_)) or warm_start == "auto"):
            raise ValueError(f"warm_start must be 'auto', True or False, got {warm_start!r}.")
        if warm_start != "auto" and warm_start:
            check_warm_startable(self.estimator)
        if epochs is None:
            return {}
        if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
            raise ValueError(f"epochs must be a positive integer or None, got {epochs!r}.")
        final = final_step(self.estimator_)
        if "max_epochs" not in final.get_params(deep=False):
            raise ValueError(
                f"epochs was passed, but {type(final).__name__} has no max_epochs. Leave it out."
            )
        in_pipeline = final is not self.estimator_
        prefix = f"{self.estimator_.steps[-1][0]}__" if in_pipeline else ""
        return {f"{prefix}max_epochs": int(epochs)}
