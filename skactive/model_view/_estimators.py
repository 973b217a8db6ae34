"""Views of scikit-learn's classifiers, of committees, and of rows without any model."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.utils import get_tags

from ..exceptions import CapabilityError
from ..utils.indexing import Rows
from ..utils.inputs import unlazy
from ..utils.typing import RandomState
from ._capabilities import capabilities_of
from ._view import MAX_ROWS, ModelView

_MAX_DENSE = 1 << 28  # numbers of a sparse matrix made dense (1 GB)


class PlainView(ModelView):
    """A scikit-learn classifier."""

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        return True

    @property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        return capabilities_of(self.estimator)

    def predict_proba(self, X: Any) -> NDArray:
        self.require("predict_proba")
        rows = Rows.of(X)
        proba: NDArray | None = None
        for window, batch in rows.batches(MAX_ROWS):
            block = self.estimator.predict_proba(self.transform(unlazy(batch)))
            if isinstance(block, list):
                raise CapabilityError(
                    f"{self._caller or 'This'} needs one set of class probabilities, but "
                    f"{type(self.estimator).__name__} predicts several outputs."
                )
            if len(block) != window.stop - window.start:
                raise ValueError(
                    f"{type(self.estimator).__name__} gave {len(block)} rows of probabilities for "
                    f"{window.stop - window.start} samples. A step before it must keep all rows."
                )
            if proba is None:
                proba = np.empty((len(rows), *block.shape[1:]), block.dtype)
            proba[window] = block
        if proba is None:
            return np.empty((0, len(self.classes_)))
        if np.isnan(proba).any():
            raise ValueError(
                f"{type(self.estimator).__name__} predicts NaN for "
                f"{int(np.isnan(proba).any(axis=1).sum())} of {len(proba)} samples."
            )
        return proba

    def predict_proba_and_embed(self, X: Any) -> tuple[NDArray, NDArray]:
        return self.predict_proba(X), self.embed(X)

    def logits(self, X: Any) -> NDArray:
        self.require("logits")
        rows = Rows.of(X)
        values = np.concatenate(
            [
                self.estimator.decision_function(self.transform(unlazy(batch)))
                for _, batch in rows.batches(MAX_ROWS)
            ]
        )
        return values.reshape(len(rows), -1)

    def embed(self, X: Any) -> NDArray:
        rows = Rows.of(X)
        features: NDArray | None = None
        for window, batch in rows.batches(MAX_ROWS):
            block = self._flat_features(self.transform(unlazy(batch)), len(rows))
            if np.isinf(block).any():
                raise ValueError("X holds infinite values. Remove or replace them first.")
            if features is None:
                features = np.empty((len(rows), block.shape[1]), block.dtype)
            features[window] = block
        return np.empty((0, 0)) if features is None else self._complete(features)

    def _complete(self, features: NDArray) -> NDArray:
        """Missing values replaced by medians, the same ones for all rows of a query."""
        if not np.isnan(features).any():
            return features
        if not self._takes_nan():
            raise ValueError(
                f"X holds NaN, which {type(self.estimator).__name__} does not take. Put a "
                "SimpleImputer before the classifier in a Pipeline."
            )
        if self._imputer is None:
            self._imputer = SimpleImputer(strategy="median", keep_empty_features=True)
            self._imputer.fit(features)
        return self._imputer.transform(features)

    def _takes_nan(self) -> bool:
        try:
            return get_tags(self.estimator).input_tags.allow_nan
        except AttributeError:  # of another library
            return False

    def _flat_features(self, X: Any, n_rows: int) -> NDArray:
        """Features of a block as a dense matrix; sparse ones only if all rows fit in memory."""
        if sp.issparse(X):
            if n_rows * X.shape[1] > _MAX_DENSE:
                raise CapabilityError(
                    f"{self._caller or 'This'} needs the features as a dense matrix, but X is "
                    f"sparse and {n_rows} x {X.shape[1]} numbers are too many. Put a "
                    "dimensionality reduction such as TruncatedSVD before the classifier in a "
                    "Pipeline, or pass fewer candidates."
                )
            X = X.astype(np.float32).toarray()
        elif hasattr(X, "to_numpy"):
            X = _numbers(X)
        X = np.asarray(X)
        if X.dtype.kind not in "fiub":
            raise CapabilityError(
                f"{self._caller or 'This'} measures distances between numeric features, got dtype "
                f"{X.dtype}. Put the preprocessing into a Pipeline before the classifier; without "
                "a fitted one, start with another strategy, such as 'random'."
            )
        exact = X.dtype == np.float32 or X.dtype.itemsize <= 2
        dtype = np.float32 if exact else np.float64
        return X.reshape(len(X), -1).astype(dtype, copy=False)


def _numbers(frame: Any) -> NDArray:
    """A frame as an array: numbers with a mask, or of Arrow, would be objects."""
    dtypes = list(getattr(frame, "dtypes", ()))
    masked = not all(isinstance(dtype, np.dtype) for dtype in dtypes)
    if not masked or any(getattr(dtype, "kind", "O") not in "fiub" for dtype in dtypes):
        return frame.to_numpy()
    single = all(dtype.kind == "f" and dtype.itemsize == 4 for dtype in dtypes)
    return frame.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)


class InputView(PlainView):
    """The rows themselves, where there is no model: numbers, flattened.

    A missing value (NaN) counts as the median of its column.

    Parameters
    ----------
    caller : str or None, default=None
        Who asks, for messages.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.model_view import InputView
    >>> view = InputView(caller="TypiClust")
    >>> view.embed(np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])).tolist()
    [[1.0, 2.0], [3.0, 2.0]]
    >>> sorted(view.capabilities)
    ['embed']
    """

    def __init__(self, *, caller: str | None = None) -> None:
        super().__init__(None, caller=caller)

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        return False

    def _takes_nan(self) -> bool:
        return True


class CommitteeView(PlainView):
    """Members trained side by side: samples of a network as dropout gives them, only better."""

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        return hasattr(estimator, "vote_proba")

    def vote_proba(self, X: Any) -> NDArray:
        rows = Rows.of(X)
        return np.concatenate(
            [
                self.estimator.vote_proba(self.transform(batch))
                for _, batch in rows.batches(MAX_ROWS)
            ],
            axis=1,
        )

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: RandomState = None
    ) -> NDArray:
        """One pass per member, whatever `n_passes` says."""
        return self.vote_proba(X)
