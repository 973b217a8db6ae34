"""Query by committee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.validation import check_is_fitted

from ..exceptions import CapabilityError
from ..model_view import ModelView, capabilities_of
from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.labels import aligned_proba
from ..utils.random_state import derive_seed, numpy_generator
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike
from ..utils.validation import COUNT
from ._learner import ActiveLearner
from ._training import TrainingData, seeded_clone


class MemberEnsemble(ClassifierMixin, BaseEstimator):
    """Members trained side by side, with the classes of all of them aligned.

    What a fitted `Committee` keeps as ``estimator_``.

    Parameters
    ----------
    estimators : list of classifiers
    bootstrap : bool, default=False
        Train each member on a bootstrap sample of its own.
    classes : array-like or None, default=None
        All labels; ``None`` takes those in ``y``.
    random_state : None, int, RandomState or Generator, default=None

    Attributes
    ----------
    members_ : list of fitted estimators
    classes_ : ndarray of shape (n_classes,)
    """

    def __init__(
        self,
        estimators: Sequence[Estimator],
        bootstrap: bool = False,
        classes: ArrayLike | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimators = estimators
        self.bootstrap = bootstrap
        self.classes = classes
        self.random_state = random_state

    @classmethod
    def of_fitted(cls, members: list) -> MemberEnsemble:
        """Members that are trained already, as they are."""
        ensemble = cls([clone(member) for member in members])
        ensemble.members_ = list(members)
        ensemble.classes_ = np.unique(np.concatenate([member.classes_ for member in members]))
        return ensemble

    def fit(
        self,
        X: Pool,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        as_is: Any = None,
        **fit_params: Any,
    ) -> MemberEnsemble:
        """Train all members; nets do not attack the samples marked in `as_is`."""
        y = np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        data = TrainingData(X, y, weights, as_is)
        # Of all members before any is trained, as one may take no weights.
        of_members = [{**fit_params, **data.fit_params(each)} for each in self.estimators]
        self.classes_ = np.unique(y if self.classes is None else np.asarray(self.classes))
        seed = derive_seed(self.random_state)
        self.members_ = []
        pairs = zip(self.estimators, of_members, strict=True)
        for number, (estimator, params) in enumerate(pairs):
            member = seeded_clone(estimator, derive_seed(seed, number))
            rows = self._bootstrap(X, y, derive_seed(seed, number))
            taken = (X, y)
            if rows is not None:
                taken = (take_rows(X, rows), y[rows])
                params = {name: _of_rows(value, rows, len(y)) for name, value in params.items()}
            self.members_.append(member.fit(*taken, **params))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        members = [get_tags(estimator).input_tags for estimator in self.estimators]
        for name in ("sparse", "allow_nan", "categorical", "string", "three_d_array"):
            setattr(tags.input_tags, name, all(getattr(member, name) for member in members))
        return tags

    def _bootstrap(self, X: Any, y: NDArray, seed: int) -> NDArray | None:
        """Rows of a bootstrap sample in which no class is missing altogether."""
        if not self.bootstrap:
            return None
        if isinstance(X, np.ndarray) and not self.__sklearn_tags__().input_tags.allow_nan:
            assert_all_finite(X, input_name="X")  # the sample might miss the bad rows
        rng = numpy_generator(seed)
        rows = rng.integers(len(y), size=len(y))
        for label in np.setdiff1d(y, y[rows]):
            _, of, counts = np.unique(y[rows], return_inverse=True, return_counts=True)
            spare = np.flatnonzero(counts[of] > 1)  # never the last row of another class
            rows[rng.choice(spare)] = rng.choice(np.flatnonzero(y == label))
        return rows

    @property
    def n_features_in_(self) -> int:
        """Number of features the members were fitted on."""
        return self.members_[0].n_features_in_

    def vote_proba(self, X: Pool) -> NDArray:
        """Probabilities of each member, shape (n_members, n, n_classes), 0 for unseen classes."""
        rows = Rows.of(X)
        votes = np.empty((len(self.members_), len(rows), len(self.classes_)))
        for member, into in zip(self.members_, votes, strict=True):
            view = ModelView.of(member, caller="Committee")
            view.require("predict_proba")
            into[:] = aligned_proba(view.predict_proba(rows), view.classes_, self.classes_)
        return votes

    def vote(self, X: Pool) -> NDArray:
        """Label each member predicts, shape (n, n_members)."""
        return np.stack([member.predict(X) for member in self.members_], axis=1)

    def predict_proba(self, X: Pool) -> NDArray:
        """Mean of the members' probabilities, shape (n, n_classes)."""
        return self.vote_proba(X).mean(axis=0)

    def predict(self, X: Pool) -> NDArray:
        """Most likely label, shape (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _of_rows(value: Any, rows: NDArray, n: int) -> Any:
    """A parameter of `fit`, restricted to some rows if it holds one value per sample."""
    per_sample = hasattr(value, "shape") or isinstance(value, list | tuple)
    return take_rows(value, rows) if per_sample and n_rows(value) == n else value


class Committee(ActiveLearner):
    """An `ActiveLearner` of several members that asks where they disagree.

    Parameters
    ----------
    estimators : list of classifiers, or a classifier
        The members; one classifier stands for `n_members` clones of it, which differ by their
        ``random_state`` or their bootstrap samples.
    query_strategy : str, QueryStrategy or callable, default="vote_entropy"
        ``"vote_entropy"``, ``"consensus_entropy"``, ``"max_disagreement"``, or any other
        strategy: `BALD` takes the members in place of dropout samples.
    n_members : int, default=5
        Clones of a single classifier; ignored for a list.
    bootstrap : bool, default=False
        Train each member on a bootstrap sample of its own.
    classes, random_state, verbose
        See `ActiveLearner`.

    Attributes
    ----------
    members_ : list of fitted estimators
    classes_, X_labeled_, y_labeled_, history_ : as in `ActiveLearner`

    References
    ----------
    Seung et al., "Query by committee", COLT 1992; McCallum & Nigam, "Employing EM and
    pool-based active learning for text classification", ICML 1998.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skactive import Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> committee = Committee(DecisionTreeClassifier(), n_members=3, bootstrap=True, random_state=0)
    >>> idx, X_new = committee.fit(X[::10], y[::10]).query(X, n=5)
    >>> committee.teach(X_new, y[idx]).vote(X).shape
    (150, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        **{k: v for k, v in ActiveLearner._parameter_constraints.items() if k != "estimator"},
        "estimators": "no_validation",
        "n_members": [COUNT],
        "bootstrap": ["boolean"],
    }

    def __init__(
        self,
        estimators: Estimator | Sequence[Estimator],
        query_strategy: StrategyLike = "vote_entropy",
        *,
        n_members: int = 5,
        bootstrap: bool = False,
        classes: ArrayLike | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.query_strategy = query_strategy
        self.n_members = n_members
        self.bootstrap = bootstrap
        self.classes = classes
        self.random_state = random_state
        self.verbose = verbose

    warm_start = False  # members are trained anew each round

    @classmethod
    def from_fitted(
        cls,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        query_strategy: StrategyLike = "vote_entropy",
        **params: Any,
    ) -> Committee:
        """Make a committee of members that are trained already.

        Parameters
        ----------
        estimator : list of fitted classifiers, or fitted MemberEnsemble
            Used as they are. The committee's ``estimators`` are clones of them, which later
            rounds (`teach`, `retrain`) train anew.
        X : array-like of shape (n_samples, ...)
            What they were trained on.
        y : array-like of shape (n_samples,)
            Labels of `X`.
        query_strategy : str, QueryStrategy or callable, default="vote_entropy"
        **params
            Other parameters of the committee.

        Returns
        -------
        committee : Committee
            Fitted; its ledger begins with `X`.

        Raises
        ------
        TypeError
            If a single classifier is passed.
        NotFittedError
            If a member is not fitted.
        CapabilityError
            If a member has no ``predict_proba``.
        ValueError
            If there is no member, or `X` and `y` do not fit together.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> from skactive import Committee
        >>> X, y = load_iris(return_X_y=True)
        >>> members = [kind().fit(X[::2], y[::2]) for kind in (GaussianNB, DecisionTreeClassifier)]
        >>> committee = Committee.from_fitted(members, X[::2], y[::2])
        >>> committee.retrain(X[1::2], y[1::2], mix="clean").history_[-1]["n_labels"]
        150
        """
        if isinstance(estimator, MemberEnsemble):
            check_is_fitted(estimator)
            params = {"bootstrap": estimator.bootstrap, **params}
            members = estimator.members_
        elif isinstance(estimator, (list, tuple)):
            members = list(estimator)
        else:
            raise TypeError(
                "Committee.from_fitted takes a list of fitted classifiers or a fitted "
                f"MemberEnsemble, got {type(estimator).__name__}. Around a single model use "
                "ActiveLearner.from_fitted."
            )
        committee = cls([clone(member) for member in members], query_strategy, **params)
        _ = committee.estimator  # which names members that cannot be one
        for member in members:
            check_is_fitted(member)
        return committee._given(MemberEnsemble.of_fitted(members), X, y)

    @property
    def estimator(self) -> MemberEnsemble:
        """The members as one classifier, not fitted."""
        if isinstance(self.estimators, (list, tuple)):
            members = list(self.estimators)
        else:
            members = [self.estimators] * self.n_members
        if not members:
            raise ValueError("estimators is empty: a committee needs at least one member.")
        for number, member in enumerate(members):
            if "predict_proba" not in capabilities_of(member):
                raise CapabilityError(
                    f"Committee needs 'predict_proba' of every member; member {number}, "
                    f"{type(member).__name__}, does not have it."
                )
        return MemberEnsemble(members, bootstrap=self.bootstrap)

    @property
    def members_(self) -> list:
        """Fitted members."""
        return self.estimator_.members_

    def vote(self, X: Pool) -> NDArray:
        """Label each member predicts, shape (n_samples, n_members).

        Parameters
        ----------
        X : array-like of shape (n_samples, …), or another pool
            Rows as in `fit`.

        Returns
        -------
        votes : ndarray of shape (n_samples, n_members)
        """
        return self.estimator_.vote(X)

    def vote_proba(self, X: Pool) -> NDArray:
        """Probabilities of each member, shape (n_members, n_samples, n_classes).

        Parameters
        ----------
        X : array-like of shape (n_samples, …), or another pool
            Rows as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_members, n_samples, n_classes)
            Columns as `classes_`.
        """
        return self.estimator_.vote_proba(X)
