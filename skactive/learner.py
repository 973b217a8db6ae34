"""The active learner: fit, query, teach."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods

from ._checks import as_labels, check_row_shape, refuse_unknown_labels, stack_all
from ._delegation import DelegatedPrediction
from ._extras import PendingExtras
from ._learner_retraining import RetrainingMixin
from ._pool_memory import check_learns_from_pool, n_pseudo_labels, unlabeled_rows, with_pool
from ._training import (
    changed_params,
    check_warm_startable,
    continue_training,
    final_step,
    seeded_clone,
    trains_warm,
)
from ._weights import check_weights, joined_weights, training_weights, weight_params
from .strategies import resolve_strategy
from .strategies._base import candidate_positions
from .utils.indexing import Rows, n_rows, stack_rows, take_rows
from .utils.labels import aligned_proba
from .utils.random_state import derive_seed

_MODEL, _QUERY, _BOOTSTRAP = 0, 1, 2  # which stream of random numbers a seed is for


class ActiveLearner(
    RetrainingMixin, DelegatedPrediction, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """A classifier that chooses what it is taught.

    ``fit`` on a few labelled samples, ``query`` a pool for the samples whose labels are worth
    most, have them labelled, ``teach`` them, again and again.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn classifier: an `AdversarialNetClassifier`, a Pipeline, a forest, ….
        It is cloned, never fitted itself.
    query_strategy : str, QueryStrategy or callable, default="entropy"
        What to ask next: a name (see `skactive.strategies.all_strategies`), a strategy
        object, or a function ``(estimator, X, n_instances) -> indices``.
    warm_start : bool, default=False
        ``False`` trains a fresh clone on all labelled data each round. ``True`` continues
        from the current weights and optimiser state, as the DRE study does, with the earlier
        steps of a Pipeline as they were fitted: for nets, other estimators with
        ``partial_fit``, logistic regression and MLPs. Forests and boosting, whose own
        ``warm_start`` only adds members to the old ones, are refused. Parameters of `estimator`
        that were changed since the last round (``set_params(estimator__attack=…)``) come into
        force; where another estimator, a changed earlier step, a label without an output or
        naive Bayes (which would count the old rows twice) leave nothing to continue, training
        begins afresh. ``history_`` says which it was.
    classes : array-like or None, default=None
        All labels that may ever occur. ``None`` takes those seen in `fit`; teaching another
        one later is an error then.
    use_pool : bool, default=False
        Hand the pool of the last query on when teaching, less all rows that are labelled: to an
        `AdversarialNetClassifier` with ``unlabeled`` set, as ``X_unlabeled``, or to a classifier
        of `sklearn.semi_supervised` or a Pipeline of either, marked by the label -1.
    random_state : None, int, RandomState or Generator, default=None
        Seeds the queries, bootstraps, and every ``random_state`` of the estimator and the
        strategy that is ``None``. With an integer, a run of rounds is repeated exactly.
    verbose : int, default=0
        1 prints a line for each round.

    Attributes
    ----------
    estimator_ : fitted clone of `estimator`
    classes_ : ndarray of shape (n_classes,)
        Labels, the columns of `predict_proba`.
    X_labeled_, y_labeled_ : the labelled set, in the order it was taught
    sample_weight_ : its weights, or None
    X_twins_, y_twins_ : adversarial twins taught beside it (DFAL), or None
    history_ : list of dict
        One row a round, the label ledger: ``round``; ``n_taught``, labels bought in this
        round; running totals ``oracle`` (labels bought), ``adversarial`` (twins taught under
        a bought label); ``pseudo`` (pseudo-labels in use in this round only, those that the
        estimator gave the pool included);
        ``validation`` (labels the net used to choose its weights: part of ``oracle`` if split
        off by ``validation_fraction``, extra if given as ``validation_data``);
        ``query_strategy``; ``training``, ``"cold"``, ``"warm"`` or, for a model trained
        elsewhere, ``"given"``; ``query_time`` and ``fit_time`` in seconds.
    n_features_in_, feature_names_in_ : where the estimator has them

    See Also
    --------
    AdversarialNetClassifier : The adversarially trained net to put inside.

    Notes
    -----
    A query changes nothing in the model. If teaching fails, or is interrupted, the learner
    is as it was before: nothing taught is lost, and the failed samples may be taught again.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> start, pool = slice(0, None, 15), X
    >>> learner = ActiveLearner(LogisticRegression(), "margin", random_state=0)
    >>> learner = learner.fit(X[start], y[start])
    >>> idx, X_new = learner.query(pool, n=10)
    >>> learner = learner.teach(X_new, y[idx])
    >>> learner.history_[-1]["oracle"]
    20
    """

    _predictor = "estimator_"
    use_pool = False  # for learners that have no such parameter
    _pool: Rows | None
    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "query_strategy": [str, HasMethods(["select"]), callable],
        "warm_start": ["boolean"],
        "classes": ["array-like", None],
        "use_pool": ["boolean"],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any,
        query_strategy: Any = "entropy",
        *,
        warm_start: bool = False,
        classes: Any = None,
        use_pool: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.warm_start = warm_start
        self.classes = classes
        self.use_pool = use_pool
        self.random_state = random_state
        self.verbose = verbose

    # -- learning -----------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> ActiveLearner:
        """Forget everything and learn from a first labelled set.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Kept beside the labelled set; the last step of a Pipeline gets it, or with
            metadata routing switched on, the steps that request it.
        **fit_params
            Passed to the estimator's ``fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `X` and `y` do not fit together, or a parameter is out of range.
        CapabilityError
            If the estimator will lack what the strategy needs.
        """
        self._validate_params()
        strategy = resolve_strategy(self.query_strategy)
        strategy.check_estimator(self.estimator)
        if self.warm_start:
            check_warm_startable(self.estimator)
        if self.use_pool:
            check_learns_from_pool(self.estimator)
        y = as_labels(self, X, y)
        classes = np.unique(y) if self.classes is None else np.unique(self.classes)
        refuse_unknown_labels(y, classes)
        seed = derive_seed(self.random_state)
        weights = check_weights(sample_weight, len(y))
        params = {**weight_params(self.estimator, weights), **fit_params}
        started = time.perf_counter()
        fitted = self._train_cold(X, y, classes, seed, params)
        fit_time = time.perf_counter() - started

        self.estimator_, self.classes_, self.seed_ = fitted, classes, seed
        self._start_ledger(strategy, X, y, weights, fit_time)
        return self

    def teach(
        self,
        X: Any,
        y: Any,
        *,
        only_new: bool = False,
        bootstrap: bool = False,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> ActiveLearner:
        """Add labelled samples and train again.

        Twins (`DFAL`) and pseudo-labels (`CEAL`) that came with the queries since the last
        `teach` are taught along: twins for good, pseudo-labels for this round.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, usually what `query` returned; in any order, in part, or others.
        y : array-like of shape (n_samples,)
            Their labels.
        only_new : bool, default=False
            Train on the new samples only, from the current state where the estimator can.
            They join the labelled set all the same.
        bootstrap : bool, default=False
            Train on a bootstrap sample of the training data.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the new samples; where only some rounds give weights, the others count
            1, as twins and pseudo-labelled samples always do.
        **fit_params
            Passed to the estimator's ``fit`` or ``partial_fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `X` and `y` do not fit together or to the labelled set, or a label is unknown.
            The learner is unchanged then.
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X, y, sample_weight, **fit_params)
        self._validate_params()
        strategy = resolve_strategy(self.query_strategy)
        if self.warm_start:
            check_warm_startable(self.estimator)
        y = as_labels(self, X, y)
        refuse_unknown_labels(y, self.classes_)
        X_labeled = stack_rows(self.X_labeled_, X)
        y_labeled = np.concatenate([self.y_labeled_, y])
        weights = joined_weights(self.sample_weight_, len(self.y_labeled_), sample_weight, len(y))
        new_twins = self._pending.twins_of(X, y)
        all_twins = self._twins_with(new_twins)
        pseudo = self._pending.pseudo_labelled()

        base = (X, y) if only_new else (X_labeled, y_labeled)
        twins = new_twins if only_new else all_twins
        X_train, y_train = stack_all(base, twins, pseudo)
        w_train = training_weights(weights, len(base[1]), len(y_train))
        if bootstrap:
            picked = self._bootstrap(len(y_train))
            X_train, y_train = take_rows(X_train, picked), y_train[picked]
            w_train = None if w_train is None else w_train[picked]
        warm = self._trains_warm(self.warm_start, y_train, only_new)
        pool = None
        if self.use_pool:
            check_learns_from_pool(self.estimator)
            pool = unlabeled_rows(self._pool, X_labeled)
        X_train, y_train, w_train, pool_params = with_pool(
            self.estimator, pool, X_train, y_train, w_train
        )
        fit_params = {**weight_params(self.estimator, w_train), **pool_params, **fit_params}
        started = time.perf_counter()
        fitted = self._train(X_train, y_train, warm, fit_params)
        fit_time = time.perf_counter() - started

        self.estimator_ = fitted
        self.X_labeled_, self.y_labeled_, self.sample_weight_ = X_labeled, y_labeled, weights
        self.X_twins_, self.y_twins_ = all_twins or (None, None)
        n_pseudo = n_pseudo_labels(fitted, pool) + (0 if pseudo is None else len(pseudo[1]))
        self._start_round(strategy, len(y), n_pseudo, fit_time, "warm" if warm else "cold")
        return self

    # -- asking -------------------------------------------------------------------------

    def query(
        self,
        X_pool: Any,
        n: int | None = None,
        *,
        candidates: Any = None,
        return_scores: bool = False,
        n_instances: int | None = None,
    ) -> tuple:
        """Pick the samples of a pool whose labels are wanted most.

        Parameters
        ----------
        X_pool : array-like of shape (n_pool, ...)
            Unlabelled samples; neither copied nor changed.
        n : int, default=1
            How many to pick.
        candidates : array of int or bool, default=None
            Restrict the query to these positions (or this mask) of `X_pool`, so that one
            large pool can be kept and never copied.
        return_scores : bool, default=False
            Also return the score of each pick (``None`` for strategies without scores).
        n_instances : int
            modAL's name for `n`.

        Returns
        -------
        indices : ndarray of shape (n,)
            Distinct positions in `X_pool`, most wanted first.
        X : rows of `X_pool` at `indices`, in the type of `X_pool`
        scores : ndarray of shape (n,) or None
            Only with ``return_scores=True``.

        Raises
        ------
        ValueError
            If `n`, `candidates` or the shape of the rows do not fit.
        CapabilityError
            If the estimator lacks what the strategy needs.
        NotFittedError
            If nothing was learned yet and the strategy needs a model.
        """
        if n is not None and n_instances is not None:
            raise TypeError("Pass either n or n_instances (modAL's name for it), not both.")
        n = n if n is not None else (1 if n_instances is None else n_instances)
        strategy = resolve_strategy(self.query_strategy)
        fitted = self.__sklearn_is_fitted__()
        stage = len(self.history_) - 1 if fitted else 0
        seed = self.seed_ if fitted else derive_seed(self.random_state)
        if fitted:
            check_row_shape(X_pool, self.X_labeled_)
        elif strategy._capabilities():
            raise NotFittedError(
                f"{type(strategy).__name__} asks a fitted model. Call fit with a first labelled "
                "set, or start with a strategy that needs no model, such as RandomSampling."
            )
        started = time.perf_counter()
        found = strategy.select(
            self.estimator_ if fitted else None,
            X_pool,
            n,
            X_labeled=self.X_labeled_ if fitted else None,
            y_labeled=self.y_labeled_ if fitted else None,
            candidates=candidates,
            stage=stage,
            random_state=derive_seed(seed, _QUERY, stage),
        )
        if fitted:
            self._query_time += time.perf_counter() - started
            self._pending.remember(X_pool, found)
            self._pool = Rows(X_pool, candidate_positions(candidates, n_rows(X_pool)))
        rows = take_rows(X_pool, found.indices)
        return (found.indices, rows, found.scores) if return_scores else (found.indices, rows)

    # -- predicting: see DelegatedPrediction ----------------------------------------------

    def _aligned(self, proba: NDArray) -> NDArray:
        """Columns for all classes; 0 for those the estimator has not seen yet."""
        return aligned_proba(proba, self.estimator_.classes_, self.classes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags = replace(inner.classifier_tags, multi_label=False)
        tags.no_validation = inner.no_validation
        return tags

    # -- inside -------------------------------------------------------------------------

    def _train_cold(
        self,
        X: Any,
        y: NDArray,
        classes: NDArray,
        seed: int,
        fit_params: dict[str, Any],
        overrides: dict[str, Any] | None = None,
    ) -> Any:
        params = self.estimator.get_params(deep=True)
        model_seed = None if self.random_state is None else derive_seed(seed, _MODEL)
        fresh = seeded_clone(self.estimator, model_seed)
        final = final_step(fresh)
        if self.classes is not None and final.get_params(deep=False).get("classes", ()) is None:
            final.set_params(classes=classes)
        fresh.set_params(**(overrides or {}))
        fresh.fit(X, y, **fit_params)
        self._trained_params = params
        return fresh

    def _trains_warm(self, warm_start: bool | str, y: NDArray, only_new: bool = False) -> bool:
        params = self.estimator.get_params(deep=True)
        changed = changed_params(self._trained_params, params)
        return trains_warm(warm_start, self.estimator, self.estimator_, changed, y, only_new)

    def _train(
        self,
        X: Any,
        y: NDArray,
        warm: bool,
        fit_params: dict[str, Any],
        overrides: dict[str, Any] | None = None,
    ) -> Any:
        if warm:
            return self._train_warm(X, y, fit_params, overrides)
        return self._train_cold(X, y, self.classes_, self.seed_, fit_params, overrides)

    def _train_warm(
        self,
        X: Any,
        y: NDArray,
        fit_params: dict[str, Any],
        overrides: dict[str, Any] | None = None,
    ) -> Any:
        params = self.estimator.get_params(deep=True)
        changed = {**changed_params(self._trained_params, params), **(overrides or {})}
        trained = continue_training(self.estimator_, X, y, self.classes_, changed, fit_params)
        self._trained_params = params
        return trained

    def _twins_with(self, new: tuple | None) -> tuple | None:
        """All twins taught so far, and new ones."""
        if self.X_twins_ is None or new is None:
            return new if self.X_twins_ is None else (self.X_twins_, self.y_twins_)
        return stack_rows(self.X_twins_, new[0]), np.concatenate([self.y_twins_, new[1]])

    def _bootstrap(self, n: int) -> NDArray:
        seed = derive_seed(self.seed_, _BOOTSTRAP, len(self.history_))
        return np.random.default_rng(seed).integers(n, size=n)

    def _start_ledger(
        self,
        strategy: Any,
        X: Any,
        y: NDArray,
        weights: NDArray | None,
        fit_time: float,
        training: str = "cold",
    ) -> None:
        """Round 0: this labelled set, no twins, no pool."""
        self.X_labeled_, self.y_labeled_, self.sample_weight_ = X, y, weights
        self.X_twins_: Any = None
        self.y_twins_: Any = None
        self.history_: list[dict[str, Any]] = []
        self._pool = None
        self._start_round(strategy, len(y), 0, fit_time, training)

    def _start_round(
        self, strategy: Any, n_taught: int, n_pseudo: int, fit_time: float, training: str
    ) -> None:
        query_time = getattr(self, "_query_time", 0.0) if self.history_ else 0.0
        row = {
            "round": len(self.history_),
            "n_taught": n_taught,
            "oracle": len(self.y_labeled_),
            "pseudo": n_pseudo,
            "adversarial": 0 if self.y_twins_ is None else len(self.y_twins_),
            "validation": int(getattr(final_step(self.estimator_), "n_validation_labels_", 0)),
            "query_strategy": type(strategy).__name__,
            "training": training,
            "query_time": query_time,
            "fit_time": fit_time,
        }
        self.history_.append(row)
        self._pending, self._query_time = PendingExtras(), 0.0
        if self.verbose:
            print(
                f"round {row['round']}: {row['oracle']} labels (+{n_taught}), "
                f"query {query_time:.1f} s, {training} fit {fit_time:.1f} s"
            )
