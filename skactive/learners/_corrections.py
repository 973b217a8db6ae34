"""Labels that were wrong, samples that should not count, and labels that came by another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError

from ..utils.indexing import n_rows
from ..utils.typing import Pool

if TYPE_CHECKING:
    from typing import Self

    from ._labeled_set import LabeledSet


class LabelCorrections:
    """Corrections of a learner's labelled set: no training, a row in the ledger, all or nothing."""

    labeled_: LabeledSet
    _pending: Any
    _round: Any
    _note: Any
    __sklearn_is_fitted__: Any

    def relabel(
        self, rows: ArrayLike | None = None, y: ArrayLike | None = None, *, ids: Any = None
    ) -> Self:
        """Change labels of samples that are labelled already.

        Twins made of them (`DFAL`, `retrain`) take their new label. The model stays as it is
        until the next `teach`; ``learner.teach()`` trains without new samples.

        Parameters
        ----------
        rows : array-like of int or bool
            Positions in ``X_labeled_``, or a mask of it.
        y : array-like of shape (n_rows,)
            Their labels from now on.
        ids : array-like of int or str
            The samples by the `ids` they were taught with, in place of `rows`.

        Returns
        -------
        self
            ``history_`` has a row more, in which ``relabeled`` counts the labels that changed;
            none if none did.

        Raises
        ------
        ValueError
            If samples are named wrongly or twice, or a label is missing or unknown. The learner
            is unchanged then.
        NotFittedError
            If nothing was learned yet.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skactive import ActiveLearner
        >>> X, y = load_iris(return_X_y=True)
        >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin")
        >>> learner = learner.fit(X[::10], y[::10], ids=range(0, 150, 10))
        >>> learner.relabel(ids=[20, 30], y=[1, 0]).history_[-1]["relabeled"]  # 30 was a 0
        1
        >>> learner.teach().history_[-1]["n_labels"]
        15
        """
        self._check_learned("relabel")
        at = self.labeled_.at(rows, ids)
        with self._round() as new:
            new.labeled_ = self.labeled_.relabeled(at, y)
            changed = int(np.count_nonzero(new.labeled_.y != self.labeled_.y))
            if changed:
                new._note("none", relabeled=changed)
        return self

    def forget(self, rows: ArrayLike | None = None, *, ids: Any = None) -> Self:
        """Take samples out of the labelled set, and the twins made of them.

        The model stays as it is until the next `teach`. A later `query` may ask for them again.

        Parameters
        ----------
        rows : array-like of int or bool
            Positions in ``X_labeled_``, or a mask of it; the others move up.
        ids : array-like of int or str
            The samples by the `ids` they were taught with, in place of `rows`.

        Returns
        -------
        self
            ``history_`` has a row more, in which ``forgotten`` counts the samples.

        Raises
        ------
        ValueError
            If samples are named wrongly or twice, or none would be left. The learner is
            unchanged then.
        NotFittedError
            If nothing was learned yet.
        """
        self._check_learned("forget")
        at = self.labeled_.at(rows, ids)
        if len(at):
            with self._round() as new:
                new.labeled_ = self.labeled_.without(at)
                new._note("none", forgotten=len(at))
        return self

    def add(
        self,
        X: Pool,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> Self:
        """Add labelled samples without training, as `teach` would add them.

        The next `teach` trains on them too (with ``only_new=True`` it does not).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples; those of a query whose answers are still out bring their twins along.
        y : array-like of shape (n_samples,)
            Their labels.
        sample_weight : array-like of shape (n_samples,) or None, default=None
        ids : array-like of int or str, shape (n_samples,), or None, default=None
            See `ActiveLearner.fit`.

        Returns
        -------
        self
            ``history_`` has a row more, in which ``n_taught`` counts the samples.

        Raises
        ------
        ValueError
            If `X` and `y` do not fit together or to the labelled set, or a label is unknown. The
            learner is unchanged then.
        NotFittedError
            If nothing was learned yet.
        """
        self._check_learned("add")
        with self._round() as new:
            new.labeled_ = self.labeled_.joined(X, y, sample_weight, self._pending.twins, ids)
            if n_rows(new.labeled_.y) > n_rows(self.labeled_.y):
                new._pending = self._pending.less(new.labeled_.since(self.labeled_))
                new._note("none")
        return self

    def _check_learned(self, method: str) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"{type(self).__name__}.{method} corrects what was taught, but nothing was yet. "
                "Call fit with a first labelled set."
            )
