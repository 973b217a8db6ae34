"""What a strategy may ask of any estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_is_fitted

from ..attacks import DeepFool
from ..attacks._race import Race
from ..exceptions import CapabilityError
from ..passes.longest_gradients import Lengths
from ..utils.indexing import Rows
from ..utils.typing import Estimator, RandomState
from ._capabilities import require, unwrap

MAX_ROWS = 1 << 14  # rows a scikit-learn estimator predicts at once
_MAX_PROBA = 1 << 20  # probabilities kept at once while they are scored


class ModelView:
    """One fitted estimator as the strategies see it.

    Made by `ModelView.of`; in a strategy's hook it is ``query.model``. Every method takes rows of
    any container (``query.X`` as it is), works in batches, returns NumPy arrays, and leaves the
    model as it found it: weights, BatchNorm statistics, training flags, gradients, hooks and
    torch's generators.

    Attributes
    ----------
    estimator : the final estimator
    classes_ : ndarray of shape (n_classes,)
    capabilities : frozenset of str
        Some of ``"predict_proba"``, ``"logits"``, ``"embed"``, ``"dropout"``,
        ``"gradients"``, ``"boundary"``, ``"certificates"``, ``"votes"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.model_view import ModelView
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["no", "no", "yes", "yes"]
    >>> view = ModelView.of(LogisticRegression().fit(X, y), caller="Margin")
    >>> view.predict_proba(X).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    >>> view.require("gradients")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.CapabilityError: Margin needs 'gradients', which LogisticRegression ...
    """

    capabilities: frozenset[str] = frozenset()
    _kinds: ClassVar[list[type[ModelView]]] = []

    def __init__(
        self,
        estimator: Any,
        before: Any = None,
        *,
        caller: str | None = None,
        batch_size: int = 512,
    ) -> None:
        self.estimator = estimator
        self._before = before
        self._caller = caller
        self._batch_size = batch_size
        self._imputer: SimpleImputer | None = None

    @staticmethod
    def of(
        estimator: Estimator | None, *, caller: str | None = None, batch_size: int = 512
    ) -> ModelView:
        """View a fitted estimator.

        Parameters
        ----------
        estimator : fitted classifier
            A scikit-learn classifier, a skorch net, a Pipeline that ends in one (its earlier
            steps are applied first), a learner over one or a fitted search.
        caller : str or None, default=None
            Who asks, for messages.
        batch_size : int, default=512
            Samples a net reads at once.

        Returns
        -------
        view : ModelView

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        CapabilityError
            If it is no classifier.
        """
        if isinstance(estimator, ModelView):
            return estimator
        final, before = unwrap(estimator)
        if final is None:
            raise CapabilityError(f"{caller or 'This'} needs a fitted estimator, got None.")
        check_is_fitted(final)
        kind = next(kind for kind in reversed(ModelView._kinds) if kind.serves(final))
        return kind(final, before, caller=caller, batch_size=batch_size)

    def __init_subclass__(cls) -> None:
        ModelView._kinds.append(cls)

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        """Whether this kind of view is the one of a final estimator; the latest kind is first.

        Parameters
        ----------
        estimator : object
            The last step, if it is a Pipeline.

        Returns
        -------
        serves : bool
        """
        return False

    @property
    def classes_(self) -> NDArray:
        """Labels, the columns of `predict_proba`."""
        return np.asarray(self.estimator.classes_)

    def require(self, *capabilities: str) -> None:
        """Raise a `CapabilityError`, naming what would serve, unless the estimator has all.

        Parameters
        ----------
        *capabilities : str
            Such as ``"embed"`` or ``"gradients"``.
        """
        require(self.estimator, self.capabilities, capabilities, self._caller)

    def transform(self, X: Any) -> Any:
        """Rows as the final estimator sees them: after the earlier steps of a Pipeline.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        X : rows
        """
        return X if self._before is None else self._before.transform(X)

    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities.

        Parameters
        ----------
        X : rows of any container, n of them

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
            Columns in the order of `classes_`.
        """
        raise NotImplementedError

    def logits(self, X: Any) -> NDArray:
        """Output of the last linear layer, or the decision function.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        logits : ndarray of shape (n, d)
        """
        raise self._lacks("logits")

    def score_proba(self, X: Any, score: Callable[[NDArray], NDArray]) -> NDArray:
        """Score class probabilities without keeping those of all rows.

        Parameters
        ----------
        X : rows of any container, n of them
        score : callable
            Probabilities of shape (m, n_classes) -> one number for each of the m rows.

        Returns
        -------
        scores : ndarray of shape (n,)

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skactive.model_view import ModelView
        >>> X, y = load_iris(return_X_y=True)
        >>> view = ModelView.of(LogisticRegression(max_iter=500).fit(X, y))
        >>> view.score_proba(X, lambda proba: 1 - proba.max(axis=1)).shape
        (150,)
        """
        return self._score_in_parts(self.predict_proba, X, score)

    def score_logits(self, X: Any, score: Callable[[NDArray], NDArray]) -> NDArray:
        """Score logits without keeping those of all rows, as `score_proba` does probabilities.

        Parameters
        ----------
        X : rows of any container, n of them
        score : callable
            Logits of shape (m, d) -> one number for each of the m rows.

        Returns
        -------
        scores : ndarray of shape (n,)
        """
        return self._score_in_parts(self.logits, X, score)

    def _score_in_parts(
        self,
        predict: Callable[[Any], NDArray],
        X: Any,
        score: Callable[[NDArray], NDArray],
    ) -> NDArray:
        rows = Rows.of(X)
        step = max(MAX_ROWS, _MAX_PROBA // max(1, len(self.classes_)))
        if len(rows) <= step:
            return np.asarray(score(predict(rows)))
        scores: NDArray | None = None
        for start in range(0, len(rows), step):
            positions = np.arange(start, min(start + step, len(rows)))
            part = np.asarray(score(predict(rows.subset(positions))))
            if scores is None:
                scores = np.empty(len(rows), part.dtype)
            scores[positions[0] : positions[-1] + 1] = part
        assert scores is not None
        return scores

    def embed(self, X: Any) -> NDArray:
        """Embedding: the last linear layer's input, or the features themselves.

        Of features, a missing value (NaN) counts as the median of its column in the rows that
        are embedded first, if the estimator takes missing values.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        embedding : ndarray of shape (n, d)
        """
        return self.predict_proba_and_embed(X)[1]

    def predict_proba_and_embed(self, X: Any) -> tuple[NDArray, NDArray]:
        """Probabilities and embedding, in one pass where the model allows.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
        embedding : ndarray of shape (n, d)
        """
        raise NotImplementedError

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: RandomState = None
    ) -> NDArray:
        """Probabilities of networks sampled by dropout; of a committee, of its members.

        Parameters
        ----------
        X : rows of any container, n of them
        n_passes : int, default=10
        rate : float, default=0.1
            Share of activations left out, where the net has no dropout layers of its own.
        random_state : None, int, RandomState or Generator, default=None
            Each network is the same for all rows.

        Returns
        -------
        proba : ndarray of shape (n_passes, n, n_classes)
        """
        raise self._lacks("dropout")

    def vote_proba(self, X: Any) -> NDArray:
        """Probabilities of each member of a committee.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.

        Returns
        -------
        proba : ndarray of shape (n_members, n, n_classes)
        """
        raise self._lacks("votes")

    def gradient_norms(self, X: Any, wrt: str = "parameters") -> NDArray:
        """Expected gradient length Σ_c p_c ‖∇J(x, c)‖₂.

        Parameters
        ----------
        X : rows of any container, n of them
        wrt : {"parameters", "last_layer", "input"}, default="parameters"
            What the gradient is in.

        Returns
        -------
        lengths : ndarray of shape (n,)
        """
        raise self._lacks("gradients")

    def first_lengths(self, X: Any, n: int, wrt: str = "parameters") -> Lengths:
        """The `n`-th largest of some samples' gradients, for `longest_gradients` of others."""
        raise self._lacks("gradients")

    def longest_gradients(
        self, X: Any, n: int, wrt: str = "parameters", before: Lengths | None = None
    ) -> NDArray:
        """`gradient_norms` of all that can be among the `n` largest; −inf for the others.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.
        n : int
            How many of them are wanted.
        wrt : {"parameters", "inputs"}, default="parameters"
            What the gradients are taken in.
        before : Lengths or None, default=None
            What a race over earlier partitions of the pool left.

        Returns
        -------
        lengths : ndarray of shape (n_rows,)
        """
        raise self._lacks("gradients")

    def boundary_distances(self, X: Any, deepfool: DeepFool | None = None) -> NDArray:
        """L2 distance to the decision boundary.

        Parameters
        ----------
        X : rows of any container, n of them
        deepfool : DeepFool or None, default=None
            How it is found; ``None`` is `DeepFool` within the net's range of inputs.

        Returns
        -------
        distances : ndarray of shape (n,)
            ``inf`` where none was found.
        """
        raise self._lacks("boundary")

    def boundary_race(self, X: Any, n: int, deepfool: DeepFool | None = None) -> Race:
        """The `n` shortest distances of some samples, for `nearest_boundaries` of others."""
        raise self._lacks("boundary")

    def nearest_boundaries(
        self,
        X: Any,
        n: int,
        rng: np.random.Generator,
        deepfool: DeepFool | None = None,
        before: Race | None = None,
    ) -> NDArray:
        """`boundary_distances` of all that can be among the `n` nearest; inf for the others.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.
        n : int
            How many of them are wanted.
        rng : Generator
            Draws the order of the race.
        deepfool : DeepFool or None, default=None
            ``None`` is one with its defaults.
        before : Race or None, default=None
            What a race over earlier partitions of the pool left.

        Returns
        -------
        distances : ndarray of shape (n_rows,)
        """
        raise self._lacks("boundary")

    def adversarial_twins(
        self, X: Any, deepfool: DeepFool | None = None
    ) -> tuple[NDArray, NDArray]:
        """Samples moved across the boundary, and how far it was.

        Parameters
        ----------
        X : rows of a pool
            As the estimator takes them.
        deepfool : DeepFool or None, default=None
            ``None`` is one with its defaults.

        Returns
        -------
        twins : ndarray like X
        distances : ndarray of shape (n,)
        """
        raise self._lacks("boundary")

    def counterexamples(self, X: Any, eps: float | None = None) -> tuple[NDArray, NDArray]:
        """Points within an L∞ ball that are verified to be classified otherwise, the nearest found.

        Parameters
        ----------
        X : rows of any container, n of them
        eps : float or None, default=None
            Radius, as of `certified_margins`.

        Returns
        -------
        points : ndarray like X
            A sample itself where none was found.
        distances : ndarray of shape (n,)
            L∞; ``inf`` where none was found, as of every sample whose prediction is certified.
        """
        raise self._lacks("boundary")

    def certified_margins(
        self, X: Any, eps: float | None = None, method: str = "ibp", y: NDArray | None = None
    ) -> NDArray:
        """Distance by which a class provably stays ahead within an L∞ ball.

        Parameters
        ----------
        X : rows of any container, n of them
        eps : float or None, default=None
            Radius, in units of the net's own input: what the earlier steps of a Pipeline make.
            The ball is cut to the net's range of inputs. ``None`` is the radius that the net was
            trained for, by its loss or its attack; 8/255 where there is none.
        method : {"ibp", "crown"}, default="ibp"
            See `skactive.bounds.margin_bounds`.
        y : ndarray of shape (n,), int, or None, default=None
            The class of each sample, as a column of `predict_proba`; ``None`` is the predicted one.

        Returns
        -------
        margins : ndarray of shape (n,), float64
            Positive: no perturbation changes the prediction (see
            `skactive.bounds.certified_margins`).
        """
        raise self._lacks("certificates")

    def _lacks(self, capability: str) -> CapabilityError:
        try:
            self.require(capability)
        except CapabilityError as error:
            return error
        raise NotImplementedError(capability)
