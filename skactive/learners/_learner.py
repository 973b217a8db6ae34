"""The active learner: fit, query, teach."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..distributed import is_partitioned, partitioned
from ..exceptions import CapabilityError
from ..model_view import column_labels
from ..strategies import QueryStrategy, resolve_strategy
from ..strategies._base import candidate_positions
from ..strategies._registry import check_cold_start
from ..utils.indexing import AllBut, n_rows
from ..utils.labels import aligned_proba
from ..utils.random_state import derive_seed, undrawn_on_error
from ..utils.saving import SavableWithData
from ..utils.typing import AttackLike, Estimator, Pool, RandomState, StrategyLike
from ..utils.validation import HasMethods, StrOptions, check_constraints, check_params
from ._adversarial_examples import adversarial_examples
from ._corrections import LabelCorrections
from ._delegation import DelegatedPrediction
from ._facts import LearnerFacts
from ._in_parts import answer, in_parts
from ._labeled_set import LabeledSet
from ._pending import PendingExtras
from ._training import (
    TrainingData,
    check_epochs,
    check_learns_from_pool,
    explained_single_class,
    final_step,
    reads_pixels,
    seeded_clone,
    trained_for,
)
from ._warm_start import changed_params, check_warm_startable, continue_training, trains_warm

_RETRAINING = {
    "mix": [StrOptions({"adversarial", "both", "clean"})],
    "warm_start": ["boolean", StrOptions({"auto"})],
}
# Which stream of random numbers a seed is for.
_MODEL, _QUERY, _SELECT, _BOOTSTRAP, _ATTACK = 0, 1, 1, 2, 3


class ActiveLearner(
    LearnerFacts,
    SavableWithData,
    LabelCorrections,
    DelegatedPrediction,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
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
    ids_ : what the samples are called, as passed by `ids`, or None
    X_twins_, y_twins_ : adversarial twins taught beside it (DFAL), or None
    excluded_ : ndarray of int
        Positions of the last pool queried as a whole that were not asked: labelled already.
    history_ : list of dict
        One row a round, the label ledger: ``round``; ``n_taught``, labels bought in this
        round; running totals ``n_labels`` (labels bought, less those forgotten), ``adversarial``
        (twins taught under a bought label); ``pseudo`` (pseudo-labels in use in this round only,
        those that the estimator gave the pool included);
        ``validation`` (labels the net used to choose its weights: part of ``n_labels`` if split
        off by `BestEpoch`, extra if given as its ``data``);
        ``query_strategy``; ``training``, ``"cold"``, ``"warm"`` or, for a model trained
        elsewhere, ``"given"``; ``query_time`` and ``fit_time`` in seconds. A correction
        (`relabel`, `forget`, `add`) is a row too, in the round it comes after: ``training`` is
        ``"none"``, ``relabeled`` and ``forgotten`` say how many labels it changed or took away.
    ledger_ : Ledger
        ``history_`` as a report: a table when printed, ``to_frame()``, ``to_csv(path)``,
        ``plot()``.
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
    estimator: Any  # of a Committee a property
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
        estimator: Estimator,
        query_strategy: StrategyLike = "entropy",
        *,
        warm_start: bool = False,
        classes: ArrayLike | None = None,
        use_pool: bool = False,
        random_state: RandomState = None,
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

    def fit(
        self,
        X: Pool,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        ids: ArrayLike | None = None,
        **fit_params: Any,
    ) -> ActiveLearner:
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
        ids : array-like of int or str, shape (n_samples,), or None, default=None
            Names of the samples, distinct, by which `relabel` and `forget` find them; for all
            samples that are ever taught, or for none.
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
        self._checked().check_estimator(self.estimator)
        with undrawn_on_error(self.random_state), self._round() as new:
            new._begin_with(X, y, sample_weight, self.classes, reads_pixels(self.estimator), ids)
            new._learn(new.labeled_.training_data(), fit_params)
        return self

    def teach(
        self,
        X: Pool | None = None,
        y: ArrayLike | None = None,
        *,
        only_new: bool = False,
        bootstrap: bool = False,
        sample_weight: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        **fit_params: Any,
    ) -> ActiveLearner:
        """Add labelled samples and train again.

        Twins (`DFAL`) and pseudo-labels (`CEAL`) that came with the queries since the last
        `teach` are taught along: twins for good, pseudo-labels for this round.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, usually what `query` returned; in any order, in part, or others. ``None``,
            like `y`, trains again on what is labelled, as after a correction (`relabel`).
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
        ids : array-like of int or str, shape (n_samples,), or None, default=None
            Names of the new samples, if those taught before have some; see `fit`.
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
            labels: Any = y  # fit refuses None in words
            return self.fit(X, labels, sample_weight, ids=ids, **fit_params)
        self._checked()
        with self._round() as new:
            new.labeled_ = self._joined(X, y, sample_weight, ids, only_new)
            taught = new.labeled_.since(self.labeled_) if only_new else new.labeled_
            pending = self._pending.less(new.labeled_.since(self.labeled_))
            data = taught.training_data(pending.pseudo_labelled())
            if bootstrap:
                data = data.take(self._bootstrap(len(data)))
            warm = self._trains_warm(self.warm_start, data.y, only_new)
            if self.use_pool:
                left = new.labeled_.left_of(self._pending.known_pool())
                data = data.with_pool(left, self.estimator)
            new._learn(data, fit_params, warm)
        return self

    # -- asking -------------------------------------------------------------------------

    def query(
        self,
        X_pool: Pool,
        n: int | None = None,
        *,
        candidates: ArrayLike | None = None,
        exclude_labeled: bool = True,
        return_scores: bool = False,
        n_instances: int | None = None,
        ids: Any = None,
    ) -> tuple:
        """Pick the samples of a pool whose labels are wanted most.

        Parameters
        ----------
        X_pool : array-like of shape (n_pool, ...)
            Unlabelled samples; neither copied nor changed. Pools of Dask, Ray, PyArrow, Hugging
            Face and xarray are read in partitions, where they are (see `skactive.distributed`).
        n : int, default=1
            How many to pick.
        candidates : array of int or bool, default=None
            Restrict the query to these positions (or this mask) of `X_pool`, so that one
            large pool can be kept and never copied. Of a pool in partitions also a mask of its own
            kind, or the name of a column of truth values.
        exclude_labeled : bool, default=True
            Without `candidates`, leave out the rows of the pool that are labelled already, told
            by their content (which has the pool read once more; of a torch Dataset, by their
            position in it); ``excluded_`` says which. Copies of a labelled row are left out too.
        return_scores : bool, default=False
            Also return the score of each pick (``None`` for strategies without scores).
        n_instances : int
            modAL's name for `n`.
        ids : array-like of shape (n_pool,), str or None, default=None
            What the samples are called: one for each, or of a pool in partitions the name of the
            column that says so, which is no feature then.

        Returns
        -------
        indices : ndarray of shape (n,)
            Distinct positions in `X_pool`, most wanted first; with `ids`, what those are called.
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
        stage = self.history_[-1]["round"] if fitted else 0
        seed = self.seed_ if fitted else derive_seed(self.random_state)
        excluded = np.empty(0, dtype=np.intp)
        model = self.estimator_ if fitted else None
        pool = in_parts(X_pool, candidates, ids, model, use_pool=self.use_pool)
        if pool is not None:
            X_pool, candidates = pool, None
        if fitted:
            self.labeled_.check_pool(X_pool)
            strategy.check_estimator(self.estimator_)
            if exclude_labeled and candidates is None:
                if pool is None:
                    excluded, candidates = self._without_labeled(X_pool, n)
                elif not pool.is_restricted:
                    X_pool = pool = pool.without(self.X_labeled_, pixels=self.labeled_.pixels)
        else:
            check_cold_start(strategy)
        started = time.perf_counter()
        found = strategy.select(
            model,
            X_pool,
            n,
            X_labeled=self.X_labeled_ if fitted else None,
            y_labeled=self.y_labeled_ if fitted else None,
            candidates=candidates,
            stage=stage,
            random_state=derive_seed(seed, _QUERY, stage),
        )
        seconds = time.perf_counter() - started
        indices, rows = answer(X_pool, found.indices, ids)
        if fitted:
            positions = None
            if pool is None:
                positions = candidate_positions(candidates, n_rows(X_pool))
            else:
                excluded = pool.excluded
            pending = self._pending.after(X_pool, found, positions, seconds)
            with self._round() as new:
                new._pending, new.excluded_ = pending, excluded
        return (indices, rows, found.scores) if return_scores else (indices, rows)

    # -- retraining ---------------------------------------------------------------------

    @classmethod
    def from_fitted(
        cls,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        query_strategy: StrategyLike = "entropy",
        **params: Any,
    ) -> ActiveLearner:
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
        return cls(clone(estimator), query_strategy, **params)._given(estimator, X, y)

    def select_tests(self, X_test: Pool, budget: float = 0.04) -> NDArray:
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
        X_test = partitioned(X_test) if is_partitioned(X_test) else X_test
        self.labeled_.check_pool(X_test, "X_test")
        strategy = clone(resolve_strategy(self.query_strategy))
        if strategy.random_state is None:
            strategy.set_params(random_state=derive_seed(self.seed_, _SELECT))
        return strategy.select_tests(self.estimator_, X_test, budget, X_labeled=self.X_labeled_)

    def retrain(
        self,
        X: Pool,
        y: ArrayLike,
        attack: AttackLike | None = None,
        *,
        mix: str = "adversarial",
        epochs: int | None = None,
        warm_start: bool | str = "auto",
        sample_weight: ArrayLike | None = None,
        ids: ArrayLike | None = None,
        **fit_params: Any,
    ) -> ActiveLearner:
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
            logistic regression, MLPs, others with ``partial_fit`` but naive Bayes; see
            `ActiveLearner`) and trains afresh on all labelled samples where it does not (forests,
            boosting, naive Bayes, k-NN). ``True`` refuses the latter, but for naive Bayes, which
            begins afresh then, too; ``False`` always trains afresh. The ledger's ``training``
            says which it was.
        sample_weight : array-like of shape (n_selected,) or None, default=None
            Weights of the selected samples themselves; adversarial examples count 1.
        ids : array-like of int or str, shape (n_selected,), or None, default=None
            Names of the selected samples, if those taught before have some; see `fit`.
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
        self._check_retraining(mix, epochs, warm_start)
        with self._round() as new:
            new.labeled_ = trained_on = self.labeled_.joined(X, y, sample_weight, ids=ids)
            if mix != "clean":
                added = np.arange(len(self.labeled_), len(trained_on))
                labels = trained_on.y[added]
                made = self._adversarial_examples(X, labels, attack)
                new.labeled_ = trained_on = trained_on.with_twins(made, labels, added)
            if mix == "adversarial":
                trained_on = self.labeled_.with_twins(made, labels, added)
            data = trained_on.training_data()
            new._learn(data, fit_params, self._trains_warm(warm_start, data.y), epochs)
        return self

    def _check_retraining(self, mix: str, epochs: int | None, warm_start: bool | str) -> None:
        given = {"mix": mix, "warm_start": warm_start}
        check_constraints(_RETRAINING, given, f"{type(self).__name__}.retrain")
        if warm_start != "auto" and warm_start:
            check_warm_startable(self.estimator)
        check_epochs(self.estimator_, epochs)

    def _adversarial_examples(self, X: Any, y: Any, attack: Any) -> NDArray:
        seed = derive_seed(self.seed_, _ATTACK, self._next_round())
        try:
            return adversarial_examples(self.estimator_, X, y, attack, random_state=seed)
        except CapabilityError as error:
            raise CapabilityError(
                f"{error} Or pass mix='clean', which trains on the selected samples themselves."
            ) from error

    # -- predicting: see DelegatedPrediction ----------------------------------------------

    def _aligned(self, proba: NDArray) -> NDArray:
        """Columns for all classes; 0 for those the estimator has not seen yet."""
        known = column_labels(self.estimator_, proba.shape[1])
        return aligned_proba(proba, known, self.classes_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags = replace(inner.classifier_tags, multi_label=False)
        tags.no_validation = inner.no_validation
        return tags

    # -- inside -------------------------------------------------------------------------

    def _checked(self) -> QueryStrategy:
        """Check the parameters; the strategy they name."""
        check_params(self)
        if self.warm_start:
            check_warm_startable(self.estimator)
        if self.use_pool:
            check_learns_from_pool(self.estimator)
        return resolve_strategy(self.query_strategy)

    @contextlib.contextmanager
    def _round(self) -> Iterator[ActiveLearner]:
        """A draft of this learner; all that is changed in it comes in force at the end, at once.

        Whatever fails or interrupts, the round is done as a whole or not at all.
        """
        draft, before = object.__new__(type(self)), dict(vars(self))
        draft.__dict__.update(before)
        yield draft
        new = {k: v for k, v in vars(draft).items() if k not in before or before[k] is not v}
        self.__dict__ = {**vars(self), **new}

    def _begin_with(
        self, X: Any, y: Any, sample_weight: Any, classes: Any, pixels: bool, ids: Any = None
    ) -> None:
        """Forget everything but a first labelled set."""
        self.labeled_ = LabeledSet.of(X, y, sample_weight, ids=ids, classes=classes, pixels=pixels)
        self.seed_ = derive_seed(self.random_state)
        self.history_, self._pending = [], PendingExtras()

    def _given(self, estimator: Any, X: Any, y: Any) -> ActiveLearner:
        """Begin with an estimator that is trained already."""
        self._checked().check_estimator(estimator)
        classes = np.asarray(estimator.classes_)
        if self.classes is not None:
            classes = np.union1d(classes, self.classes)
        with self._round() as new:
            new._begin_with(X, y, None, classes, reads_pixels(estimator))
            new._trained_params = self.estimator.get_params(deep=True)
            new._enter(estimator, "given")
        return self

    def _joined(self, X: Any, y: Any, weights: Any, ids: Any, only_new: bool) -> LabeledSet:
        """The labelled set and what is taught, if anything is."""
        if X is not None or y is not None:
            return self.labeled_.joined(X, y, weights, self._pending.twins, ids)
        if only_new:
            raise ValueError("only_new=True trains on new samples: pass X and y.")
        return self.labeled_

    def _trains_warm(self, warm_start: bool | str, y: NDArray, only_new: bool = False) -> bool:
        changed = self._changed_params()
        return trains_warm(warm_start, self.estimator, self.estimator_, changed, y, only_new)

    def _changed_params(self) -> dict[str, Any]:
        """Parameters of the estimator that were changed since it was trained."""
        return changed_params(self._trained_params, self.estimator.get_params(deep=True))

    def _learn(
        self,
        data: TrainingData,
        fit_params: dict[str, Any],
        warm: bool = False,
        epochs: int | None = None,
    ) -> None:
        """Train, go on training if `warm`, and write the round into the ledger."""
        fit_params = {**data.fit_params(self.estimator), **fit_params}
        params = self.estimator.get_params(deep=True)
        started = time.perf_counter()
        model = self._continued() if warm else self._fresh()
        with trained_for(model, epochs):
            if warm:
                continue_training(model, data, self.classes_, fit_params)
            else:
                with explained_single_class(data.y):
                    model.fit(data.X, data.y, **fit_params)
        self._trained_params = params
        seconds = time.perf_counter() - started
        self._enter(model, "warm" if warm else "cold", seconds, data.n_pseudo_labels(model))

    def _fresh(self) -> Any:
        """An estimator to be trained from the beginning."""
        seed = None if self.random_state is None else derive_seed(self.seed_, _MODEL)
        fresh = seeded_clone(self.estimator, seed)
        final = final_step(fresh)
        if self.classes is not None and final.get_params(deep=False).get("classes", ()) is None:
            final.set_params(classes=self.classes_)
        return fresh

    def _continued(self) -> Any:
        """A copy of the estimator as it is trained; the original stays as it is."""
        copied = copy.deepcopy(self.estimator_)
        changed = self._changed_params()
        return copied.set_params(**changed) if changed else copied

    def _bootstrap(self, n: int) -> NDArray:
        seed = derive_seed(self.seed_, _BOOTSTRAP, self._next_round())
        return np.random.default_rng(seed).integers(n, size=n)

    def _without_labeled(self, X_pool: Any, n: Any) -> tuple[NDArray, AllBut | None]:
        """Positions of a pool that are labelled, and all others if there are such."""
        labeled = self.labeled_.found_in(X_pool)
        excluded = np.flatnonzero(labeled)
        n_left = len(labeled) - len(excluded)
        if len(excluded) and isinstance(n, Integral) and int(n) > n_left:
            raise ValueError(
                f"n must be between 1 and the number of candidates in the pool ({n_left}), got "
                f"{n}: of its {len(labeled)} rows, {len(excluded)} are labelled already and left "
                "out. Ask for fewer, pass a larger pool, or exclude_labeled=False."
            )
        return excluded, AllBut(len(labeled), excluded) if len(excluded) else None

    def _enter(self, fitted: Any, training: str, fit_time: float = 0.0, n_pseudo: int = 0) -> None:
        """Write a round into the ledger."""
        self.estimator_ = fitted
        spent = {"query_time": self._pending.query_time, "fit_time": fit_time}
        self._note(training, round=self._next_round(), pseudo=n_pseudo, **spent)
        self._pending = self._pending.taught()
        if self.verbose:  # before the round is in force: it is not done twice for a lost terminal
            _say(self.history_[-1])

    def _note(self, training: str, **entries: Any) -> None:
        """Write a row into the ledger: a round, or a correction."""
        n_before = self.history_[-1]["n_labels"] if self.history_ else 0
        row = {
            "round": self._next_round() - 1,
            "n_taught": len(self.labeled_) - n_before + entries.get("forgotten", 0),
            "n_labels": len(self.labeled_),
            "pseudo": 0,
            "adversarial": self.labeled_.n_twins,
            "validation": int(getattr(final_step(self.estimator_), "n_validation_labels_", 0)),
            "query_strategy": type(resolve_strategy(self.query_strategy)).__name__,
            "training": training,
            "query_time": 0.0,
            "fit_time": 0.0,
            "relabeled": 0,
            "forgotten": 0,
        }
        self.history_ = [*self.history_, {**row, **entries}]

    def _next_round(self) -> int:
        """Number of the round to come; corrections are none."""
        return self.history_[-1]["round"] + 1 if self.history_ else 0

    # -- the labelled set -----------------------------------------------------------------

    @property
    def classes_(self) -> NDArray:
        """Labels, the columns of `predict_proba`."""
        return self.labeled_.classes

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
    def ids_(self) -> NDArray | None:
        """What they are called, or None."""
        return self.labeled_.ids

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
