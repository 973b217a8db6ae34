"""The active learner: fit, query, teach."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags

from ..strategies import resolve_strategy
from ..strategies._base import candidate_positions
from ..strategies._registry import check_cold_start
from ..utils.indexing import n_rows, take_rows
from ..utils.labels import aligned_proba
from ..utils.random_state import derive_seed
from ..utils.validation import HasMethods, check_params
from ._checks import as_labels, check_row_shape, explained_single_class, refuse_unknown_labels
from ._delegation import DelegatedPrediction
from ._labeled_set import LabeledSet, reads_pixels
from ._pending import PendingExtras
from ._pool import check_learns_from_pool, n_pseudo_labels, with_pool
from ._retraining import RetrainingMixin
from ._training import (
    changed_params,
    check_warm_startable,
    continue_training,
    final_step,
    seeded_clone,
    trains_warm,
)
from ._weights import as_is_params, weight_params

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
    X_labeled_, y_labeled_ : the labelled set, a copy in the order it was taught
    sample_weight_ : its weights, or None
    X_twins_, y_twins_ : adversarial twins taught beside it (DFAL), or None
    excluded_ : ndarray of int
        Positions of the last pool queried as a whole that were not asked: labelled already.
    history_ : list of dict
        One row a round, the label ledger: ``round``; ``n_taught``, labels bought in this
        round; running totals ``n_labels`` (labels bought), ``adversarial`` (twins taught under
        a bought label); ``pseudo`` (pseudo-labels in use in this round only, those that the
        estimator gave the pool included);
        ``validation`` (labels the net used to choose its weights: part of ``n_labels`` if split
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

    Samples keep their values when they join the labelled set: numbers of two dtypes become one
    that holds both. Bytes (uint8) beside floats are divided by 255 where the estimator is a net,
    which reads them so, and are refused by others if they would fall out of the range.

    A pickle or copy leaves the pool of the last query out; with ``use_pool=True`` it has to be
    queried again before `teach`.

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
    >>> learner.history_[-1]["n_labels"]
    20
    """

    _predictor = "estimator_"
    use_pool = False  # for learners that have no such parameter
    labeled_: LabeledSet
    history_: list[dict[str, Any]]
    _pending: PendingExtras
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
            Copied, but for a torch Dataset.
        y : array-like of shape (n_samples,)
            Labels of any kind; None, NaN and ``""`` are none.
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
        check_params(self)
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
        labeled = LabeledSet.of(X, y, sample_weight, pixels=reads_pixels(self.estimator))
        params = {**weight_params(self.estimator, labeled.weights), **fit_params}
        trained_params = self.estimator.get_params(deep=True)
        started = time.perf_counter()
        fitted = self._train_cold(X, y, classes, seed, params)
        fit_time = time.perf_counter() - started
        self._finish(
            strategy,
            labeled,
            fitted,
            fit_time,
            history_=[],
            classes_=classes,
            seed_=seed,
            _trained_params=trained_params,
        )
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
        check_params(self)
        strategy = resolve_strategy(self.query_strategy)
        if self.warm_start:
            check_warm_startable(self.estimator)
        y = as_labels(self, X, y)
        refuse_unknown_labels(y, self.classes_)
        labeled = self.labeled_.joined(X, y, sample_weight, self._pending.twins_of(X, y))
        pseudo = self._pending.pseudo_labelled()
        data = (labeled.since(self.labeled_) if only_new else labeled).training_data(pseudo)
        if bootstrap:
            data = data.take(self._bootstrap(len(data)))
        warm = self._trains_warm(self.warm_start, data.y, only_new)
        pool = None
        if self.use_pool:
            check_learns_from_pool(self.estimator)
            pool = labeled.left_of(self._pending.known_pool())
        data, pool_params = with_pool(self.estimator, pool, data, pixels=labeled.pixels)
        weights = weight_params(self.estimator, data.weights)
        made = as_is_params(self.estimator, data.as_is)
        params = {**weights, **made, **pool_params, **fit_params}
        trained_params = self.estimator.get_params(deep=True)
        started = time.perf_counter()
        fitted = self._train(data.X, data.y, warm, params)
        fit_time = time.perf_counter() - started
        n_pseudo = n_pseudo_labels(fitted, pool) + (0 if pseudo is None else len(pseudo[1]))
        training = "warm" if warm else "cold"
        self._finish(
            strategy, labeled, fitted, fit_time, training, n_pseudo, _trained_params=trained_params
        )
        return self

    # -- asking -------------------------------------------------------------------------

    def query(
        self,
        X_pool: Any,
        n: int | None = None,
        *,
        candidates: Any = None,
        exclude_labeled: bool = True,
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
        exclude_labeled : bool, default=True
            Without `candidates`, leave out the rows of the pool that are labelled already, told
            by their content (which has the pool read once more; of a torch Dataset, by their
            position in it); ``excluded_`` says which. Copies of a labelled row are left out too.
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
            If `n`, `candidates` or the shape of the rows do not fit, fewer than `n` samples are
            not labelled yet, or bytes meet numbers in [0, 1] that no net divides by 255.
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
        excluded = np.empty(0, dtype=np.intp)
        if fitted:
            check_row_shape(X_pool, self.X_labeled_)
            self.labeled_.check_pool(X_pool)
            strategy.check_estimator(self.estimator_)
            if exclude_labeled and candidates is None:
                excluded, candidates = self._without_labeled(X_pool, n)
        else:
            check_cold_start(strategy)
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
            positions = candidate_positions(candidates, n_rows(X_pool))
            seconds = time.perf_counter() - started
            pending = self._pending.after(X_pool, found, positions, seconds)
            self._swap(_pending=pending, excluded_=excluded)
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
        model_seed = None if self.random_state is None else derive_seed(seed, _MODEL)
        fresh = seeded_clone(self.estimator, model_seed)
        final = final_step(fresh)
        if self.classes is not None and final.get_params(deep=False).get("classes", ()) is None:
            final.set_params(classes=classes)
        fresh.set_params(**(overrides or {}))
        with explained_single_class(y):
            fresh.fit(X, y, **fit_params)
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
        return continue_training(self.estimator_, X, y, self.classes_, changed, fit_params)

    def _bootstrap(self, n: int) -> NDArray:
        seed = derive_seed(self.seed_, _BOOTSTRAP, len(self.history_))
        return np.random.default_rng(seed).integers(n, size=n)

    def _without_labeled(self, X_pool: Any, n: Any) -> tuple[NDArray, NDArray | None]:
        """Positions of a pool that are labelled, and a mask of the others if there are some."""
        labeled = self.labeled_.found_in(X_pool)
        excluded = np.flatnonzero(labeled)
        n_left = len(labeled) - len(excluded)
        if len(excluded) and isinstance(n, Integral) and int(n) > n_left:
            raise ValueError(
                f"n must be between 1 and the number of candidates in the pool ({n_left}), got "
                f"{n}: of its {len(labeled)} rows, {len(excluded)} are labelled already and left "
                "out. Ask for fewer, pass a larger pool, or exclude_labeled=False."
            )
        return excluded, ~labeled if len(excluded) else None

    def _finish(
        self,
        strategy: Any,
        labeled: LabeledSet,
        fitted: Any,
        fit_time: float,
        training: str = "cold",
        n_pseudo: int = 0,
        **state: Any,
    ) -> None:
        """Write a round into the ledger and put all that it changes in force, at once.

        What is printed comes before: whatever fails or interrupts, the round is done as a whole
        or not at all, and nobody has to teach twice because of a closed terminal.
        """
        history = state.pop("history_", None)
        pending = PendingExtras() if history is not None else self._pending
        history = self.history_ if history is None else history
        row = {
            "round": len(history),
            "n_taught": len(labeled) - (history[-1]["n_labels"] if history else 0),
            "n_labels": len(labeled),
            "pseudo": n_pseudo,
            "adversarial": labeled.n_twins,
            "validation": int(getattr(final_step(fitted), "n_validation_labels_", 0)),
            "query_strategy": type(strategy).__name__,
            "training": training,
            "query_time": pending.query_time,
            "fit_time": fit_time,
        }
        if self.verbose:
            _say(row)
        self._swap(
            estimator_=fitted,
            labeled_=labeled,
            history_=[*history, row],
            _pending=pending.taught(),
            **state,
        )

    def _swap(self, **state: Any) -> None:
        """Replace attributes all at once: no exception can come between two of them."""
        self.__dict__ = {**vars(self), **state}

    # -- the labelled set -----------------------------------------------------------------

    @property
    def X_labeled_(self) -> Any:
        """Samples that are labelled, in the order they were taught."""
        return self.labeled_.X

    @property
    def y_labeled_(self) -> NDArray:
        """Their labels."""
        return self.labeled_.y

    @property
    def sample_weight_(self) -> NDArray | None:
        """Their weights, or None."""
        return self.labeled_.weights

    @property
    def X_twins_(self) -> Any:
        """Adversarial twins taught beside them, or None."""
        return self.labeled_.X_twins

    @property
    def y_twins_(self) -> NDArray | None:
        """Labels of the twins, or None."""
        return self.labeled_.y_twins


def _say(row: dict[str, Any]) -> None:
    """Print a round; a terminal that is gone is no reason to lose it."""
    with contextlib.suppress(OSError, ValueError):
        print(
            f"round {row['round']}: {row['n_labels']} labels (+{row['n_taught']}), "
            f"query {row['query_time']:.1f} s, {row['training']} fit {row['fit_time']:.1f} s"
        )
