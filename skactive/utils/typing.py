"""Types of public signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import Dataset


@runtime_checkable
class Estimator(Protocol):
    """A classifier of scikit-learn's kind: a skorch net, a Pipeline, a forest."""

    def fit(self, X: Any, y: Any, /) -> Any:
        """Train."""

    def predict(self, X: Any, /) -> Any:
        """Labels."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name."""

    def set_params(self, **params: Any) -> Any:
        """Change parameters."""


class DataFrame(Protocol):
    """A table of pandas, polars or another library."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def __len__(self) -> int: ...


# Rows that can be counted and taken.
Pool: TypeAlias = ArrayLike | sp.spmatrix | sp.sparray | DataFrame | Tensor | Dataset
# What seeds: None is different each time.
RandomState: TypeAlias = int | np.random.RandomState | np.random.Generator | None
# The name of an attack or preset, an `Attack`, or a class of torchattacks.
AttackLike: TypeAlias = str | Callable[..., Any]
# The name of a strategy, a `QueryStrategy`, or a function in modAL's form.
StrategyLike: TypeAlias = str | Callable[..., Any]
