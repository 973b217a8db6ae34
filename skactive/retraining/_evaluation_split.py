"""Test data in two parts: one to select from, one that measures, and nothing in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import check_scoring
from sklearn.utils.validation import check_is_fitted

from ..exceptions import DataLeakageError
from ..utils.indexing import distinct_positions, n_rows, take_rows
from ..utils.labels import refuse_missing_labels, unknown_labels
from ..utils.random_state import numpy_generator
from ..utils.row_keys import row_readings
from ..utils.typing import Pool, RandomState
from ..utils.validation import Number, check_constraints

_CONSTRAINTS = {"share": [Number("a share in (0, 1)", 0, 1)]}


class EvaluationSplit:
    """Split test data into candidates for selection and an evaluation set.

    What is selected comes out of the candidates, what measures is the evaluation set, and it is
    the same whatever was selected: a strategy that picks the hard samples leaves no easier ones
    behind to be measured on. Rows of equal content are always in the same part.

    Parameters
    ----------
    X : array-like of shape (n_test, ...)
        Test data.
    y : array-like of shape (n_test,)
        Its labels. Those of candidates are given out by `label` alone.
    share : float in (0, 1), default=0.5
        Share of the candidates.
    exclude : array-like of shape (n_samples, ...) or None, default=None
        Data the model was trained on: test rows that occur in it never measure. Data sets hold
        such duplicates.
    random_state : None, int, RandomState or Generator, default=None
        Decides what goes where; each class is split in the same ratio.

    Attributes
    ----------
    candidates, evaluation : ndarray of int
        Positions in `X`.
    n_labels : int
        How many labels of candidates were given out.

    Raises
    ------
    ValueError
        If `X` and `y` do not fit together, labels are missing, or a part would be empty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.retraining import EvaluationSplit
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> learner = learner.fit(X[::5], y[::5])
    >>> split = EvaluationSplit(X[1::5], y[1::5], random_state=0)
    >>> picked = learner.select_tests(split.X_candidates, budget=0.2)
    >>> learner = learner.retrain(*split.label(picked), mix="clean", warm_start=False)
    >>> bool(split.score(learner) > 0.8)
    True
    >>> learner = learner.teach(split.X_evaluation[:1], split.y_evaluation[:1])
    >>> split.score(learner)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DataLeakageError: 1 of the ... samples that are to measure the model ...
    """

    def __init__(
        self,
        X: Pool,
        y: ArrayLike,
        *,
        share: float = 0.5,
        exclude: Pool | None = None,
        random_state: RandomState = None,
    ) -> None:
        y = np.asarray(y)
        if y.ndim != 1 or n_rows(X) != len(y):
            raise ValueError(
                f"X and y must have the same number of samples: X has {n_rows(X)}, y has shape "
                f"{y.shape}."
            )
        refuse_missing_labels(y)
        check_constraints(_CONSTRAINTS, {"share": share}, type(self).__name__)
        self._X, self._y = X, y
        keys = list(row_readings(X))
        known = np.zeros(len(y), dtype=bool)
        if exclude is not None:
            known = _among(keys, exclude)
        chosen = _stratified(keys, y, share, known, numpy_generator(random_state))
        self.candidates, self.evaluation = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        if len(self.candidates) == 0 or len(self.evaluation) == 0:
            raise ValueError(
                f"A share of {share} of {len(y)} test samples leaves {len(self.candidates)} to "
                f"select from and {len(self.evaluation)} to measure with. Pass more test data."
            )
        self._measuring = list({keys[i] for i in self.evaluation})
        self._given = np.zeros(len(self.candidates), dtype=bool)

    @property
    def X_candidates(self) -> Any:
        """What may be selected."""
        return take_rows(self._X, self.candidates)

    @property
    def X_evaluation(self) -> Any:
        """What measures."""
        return take_rows(self._X, self.evaluation)

    @property
    def y_evaluation(self) -> NDArray:
        """Labels of what measures."""
        return self._y[self.evaluation]

    @property
    def n_labels(self) -> int:
        """How many labels of candidates were given out."""
        return int(self._given.sum())

    def label(self, indices: ArrayLike) -> tuple[Any, NDArray]:
        """Candidates and their labels: the oracle.

        Parameters
        ----------
        indices : array-like of int or bool
            Distinct positions in ``X_candidates``, or a mask.

        Returns
        -------
        X : rows of ``X_candidates``
        y : ndarray of shape (n_selected,)

        Raises
        ------
        ValueError
            If they are no distinct positions in ``X_candidates``: those of another test set, or
            of the whole one.
        """
        indices = distinct_positions(indices, len(self.candidates), "indices")
        self._given[indices] = True
        return take_rows(self._X, self.candidates[indices]), self._y[self.candidates[indices]]

    def check(self, learner: Any) -> None:
        """Raise if a learner was taught what is to measure it.

        Parameters
        ----------
        learner : learner with ``X_labeled_``, or ``X_training`` (modAL), or array-like of samples

        Raises
        ------
        DataLeakageError
            If one of its samples has the content of one in the evaluation set, with bytes read
            as plain numbers or as pixels in [0, 1]; a `ValueError`.
        TypeError
            If it is an estimator that does not tell what it was trained on.
        """
        taught = getattr(learner, "X_labeled_", getattr(learner, "X_training", learner))
        if taught is learner and hasattr(learner, "predict"):
            check_is_fitted(learner)
            name = type(learner).__name__
            raise TypeError(
                f"{name} does not tell what it was trained on, which may be what is to measure it. "
                "Pass ActiveLearner.from_fitted(estimator, X_train, y_train), which keeps the "
                "estimator as it is."
            )
        n_leaked = _among(self._measuring, taught).sum()
        if n_leaked:
            raise DataLeakageError(
                f"{n_leaked} of the {len(self.evaluation)} samples that are to measure the "
                "model are among those it was trained on. Retrain on candidates only (label), and "
                "pass its training data as exclude= if the data set holds duplicates."
            )

    def score(self, learner: Any, scoring: Any = None) -> float:
        """Score on the evaluation set, after `check`.

        Parameters
        ----------
        learner : fitted learner
        scoring : str, callable or None, default=None
            As in scikit-learn, such as ``make_robust_scorer("pgd", eps=0.3)``; ``None`` is the
            learner's ``score``.

        Returns
        -------
        score : float

        Raises
        ------
        DataLeakageError
            See `check`.
        ValueError
            If the learner knows none of the labels.
        """
        self.check(learner)
        unknown = unknown_labels(self.y_evaluation, getattr(learner, "classes_", self._y))
        if len(unknown) == len(np.unique(self.y_evaluation)):
            raise ValueError(
                f"The learner knows none of the labels {unknown} that are to measure it: it knows "
                f"{np.asarray(learner.classes_).tolist()}. Pass labels as they were in fit."
            )
        scorer = check_scoring(learner, scoring=scoring)
        return float(scorer(learner, self.X_evaluation, self.y_evaluation))


def _among(keys: Sequence[tuple[bytes, bytes]], taught: Any) -> NDArray[np.bool_]:
    """Which rows were taught, read in one way or in the other: a model may read bytes so or so."""
    own = list(row_readings(taught))
    pixels, numbers = {key for key, _ in own}, {key for _, key in own}
    return np.array([one in pixels or other in numbers for one, other in keys], dtype=bool)


def _stratified(
    keys: list[Any], y: NDArray, share: float, known: NDArray, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which rows are candidates: a share of each class, equal rows together."""
    position: dict[Any, int] = {}
    group = np.array([position.setdefault(key, len(position)) for key in keys])
    _, first = np.unique(group, return_index=True)
    chosen = np.zeros(len(first), dtype=bool)
    for label in np.unique(y):
        members = np.flatnonzero(y[first] == label)
        rng.shuffle(members)
        # Rounded up or down at random, so that small classes do not all go to one side.
        chosen[members[: int(len(members) * share + rng.random())]] = True
    return (chosen | known[first])[group]
