"""The learners, and how each is tuned once for a data set."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from skactive import AdversarialNetClassifier

from ._data import budget, tuning_part

_SPLITS = 5


class MLP(nn.Module):
    """Two hidden layers with dropout."""

    def __init__(self, n_features: int, n_classes: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, n_classes),
        )  # fmt: skip

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.layers(X)


class CommonRange(TransformerMixin, BaseEstimator):
    """All features to [0, 1] by one range, so that distances keep their proportions."""

    def fit(self, X: NDArray, y: Any = None) -> CommonRange:
        """Note the range."""
        self.low_, self.high_ = float(X.min()), float(X.max())
        return self

    def transform(self, X: NDArray) -> NDArray:
        """Scale, and clip what is beyond."""
        return np.clip((X - self.low_) / (self.high_ - self.low_), 0, 1)


def _logistic(n_features: int, n_classes: int) -> BaseEstimator:
    return LogisticRegression(max_iter=300, tol=1e-3)


def _boosting(n_features: int, n_classes: int) -> BaseEstimator:
    return GradientBoostingClassifier(n_estimators=30, max_features="sqrt", random_state=0)


def _net(n_features: int, n_classes: int) -> BaseEstimator:
    return AdversarialNetClassifier(
        MLP,
        module__n_features=n_features,
        module__n_classes=n_classes,
        attack=None,
        optimizer=torch.optim.Adam,
        batch_size=32,
        classes=np.arange(n_classes),
        random_state=0,
    )


# Nets take inputs in [0, 1].
SCALERS = {"each": MinMaxScaler(clip=True), "common": CommonRange(), "standard": StandardScaler()}
_TO_UNIT = ["each", "common"]
LEARNERS: dict[str, tuple[Any, dict[str, list]]] = {
    "logistic": (
        _logistic,
        {"scale": list(SCALERS), "learn__C": [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]},
    ),
    "boosting": (
        _boosting,
        {"scale": _TO_UNIT, "learn__learning_rate": [0.1, 0.3], "learn__max_depth": [2, 4]},
    ),
    "net": (
        _net,
        {"scale": _TO_UNIT, "learn__lr": [1e-3, 5e-3], "learn__max_epochs": [20, 40]},
    ),
}


class Tuned(NamedTuple):
    """What tuning found: a name in `SCALERS`, settings, and the accuracy in cross-validation."""

    scale: str
    params: dict[str, Any]
    accuracy: float


def tune(dataset: str, learner: str) -> Tuned:
    """Best scaling and settings by cross-validation with as many labels as will be bought."""
    X, y = tuning_part(dataset)
    n_classes = len(np.unique(y))
    make, grid = LEARNERS[learner]
    size = min(budget(dataset, n_classes), len(y) - max(10, 2 * n_classes))
    cv = StratifiedShuffleSplit(_SPLITS, train_size=size, random_state=0)
    model = Pipeline([("scale", None), ("learn", make(X.shape[1], n_classes))])
    grid = grid | {"scale": [SCALERS[name] for name in grid["scale"]]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = GridSearchCV(model, grid, cv=cv, refit=False).fit(X.astype(np.float32), y)
    best = dict(search.best_params_)
    kept = best.pop("scale")
    scale = next(name for name, scaler in SCALERS.items() if type(scaler) is type(kept))
    params = {name.removeprefix("learn__"): value for name, value in best.items()}
    return Tuned(scale, params, float(search.best_score_))


def tuned_learner(dataset: str, learner: str, tuned: Tuned) -> BaseEstimator:
    """The learner with the settings that were found."""
    X, y = tuning_part(dataset)
    make, _ = LEARNERS[learner]
    return make(X.shape[1], len(np.unique(y))).set_params(**tuned.params)


def scaler(dataset: str, tuned: Tuned) -> TransformerMixin:
    """The scaling that was found, fitted on the tuning part."""
    return clone(SCALERS[tuned.scale]).fit(tuning_part(dataset)[0])
