"""Meta-estimators that predict through a fitted estimator inside."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..utils.inputs import detached
from ..utils.typing import Pool


def _inside_has(method: str) -> Any:
    def check(meta: Any) -> bool:
        getattr(getattr(meta, meta._predictor, meta.estimator), method)
        return True

    return check


class DelegatedPrediction:
    """Predictions, and what was seen in fit, of the attribute named by ``_predictor``."""

    _predictor: ClassVar[str]

    def _inside(self) -> Any:
        check_is_fitted(self)
        return getattr(self, self._predictor)

    def predict(self, X: Pool) -> NDArray:
        """Predicted labels, shape (n_samples,).

        Parameters
        ----------
        X : array-like of shape (n_samples, …), or another pool
            Rows as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._inside().predict(detached(X))

    @available_if(_inside_has("predict_proba"))
    def predict_proba(self, X: Pool) -> NDArray:
        """Class probabilities, shape (n_samples, n_classes), columns as in ``classes_``.

        There where the estimator has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, …), or another pool
            Rows as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        return self._aligned(self._inside().predict_proba(detached(X)))

    @available_if(_inside_has("decision_function"))
    def decision_function(self, X: Pool) -> NDArray:
        """Decision function of the estimator, where it has one.

        Parameters
        ----------
        X : array-like of shape (n_samples, …), or another pool
            Rows as in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._inside().decision_function(detached(X))

    @property
    def n_features_in_(self) -> int:
        """Number of features the estimator was fitted on."""
        return self._inside().n_features_in_

    @property
    def feature_names_in_(self) -> NDArray:
        """Names of the features the estimator was fitted on."""
        return self._inside().feature_names_in_

    def _aligned(self, proba: NDArray) -> NDArray:
        return proba

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._predictor)
