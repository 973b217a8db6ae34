"""Ask a query strategy in modAL's way."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._errors import InvalidType
from ..utils.combination import accepts
from ..utils.data import retrieve_rows


class Querying:
    """Ask a query strategy: learners and committees alike."""

    query_strategy: Any
    random_state: Any = None

    def _ask(self, X_pool: Any, args: tuple, return_metrics: bool, kwargs: dict[str, Any]) -> tuple:
        strategy = self.query_strategy
        if not callable(strategy):
            raise InvalidType(f"query_strategy must be callable, got {strategy!r}.")
        if "n" in kwargs and not accepts(strategy, "n"):
            if "n_instances" in kwargs:
                raise TypeError("Pass either n_instances or n (skactive's name for it), not both.")
            kwargs["n_instances"] = kwargs.pop("n")
        if self.random_state is not None and accepts(strategy, "random_state"):
            kwargs.setdefault("random_state", self._generator())
        answer = strategy(self, X_pool, *args, **kwargs)
        # By type: an array or a list of two indices is not (indices, metrics).
        pair = isinstance(answer, tuple) and len(answer) == 2
        indices, metrics = answer if pair else (answer, None)
        rows = retrieve_rows(X_pool, indices)
        if not return_metrics:
            return indices, rows
        if metrics is None:
            warnings.warn(
                "The query strategy returned no metrics: return_metrics=True gives None. Let it "
                "return (indices, metrics).",
                stacklevel=3,
            )
        return indices, rows, metrics

    def _generator(self) -> np.random.RandomState:
        """NumPy's global generator, as in modAL, unless `random_state` was given."""
        if self.random_state is None:
            return check_random_state(None)
        if getattr(self, "_rng_seed", None) != self.random_state:
            self._rng = check_random_state(self.random_state)
            self._rng_seed = self.random_state
        return self._rng
