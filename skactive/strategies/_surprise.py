"""Surprise adequacy, by the package dnn-tip: what test prioritisation is compared with."""

from __future__ import annotations

import contextlib
import io
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.selection import top_k
from ..utils.alone import ALONE
from ..utils.optional import optional_import
from ..utils.typing import RandomState
from ..utils.validation import StrOptions
from ._base import Query, QueryStrategy, Selection

_METHODS = ("dsa", "lsa", "mdsa", "mlsa", "pc-lsa", "pc-mdsa")


class SurpriseAdequacy(QueryStrategy):
    """Ask for the samples whose activations differ most from those of the training data.

    A peer to compare with: computed by the package ``dnn-tip`` (``pip install "skactive[tip]"``)
    from the embedding, not part of `all_strategies`.

    Parameters
    ----------
    method : {"dsa", "lsa", "mdsa", "mlsa", "pc-lsa", "pc-mdsa"}, default="dsa"
        Distance-based, likelihood-based, by Mahalanobis distance, by a Gaussian mixture; ``pc-``
        per predicted class.
    subsampling : float in (0, 1], default=1.0
        Share of the training data that "dsa" compares with: it is quadratic.
    random_state : None, int, RandomState or Generator, default=None
        Seeds ties.

    References
    ----------
    Kim et al., "Guiding deep learning system testing using surprise adequacy", ICSE 2019; Weiss
    et al., "A review and refinement of surprise adequacy", DeepTest 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import SurpriseAdequacy
    >>> X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), [0, 0, 1, 1]
    >>> tests = np.array([[0.5], [1.0], [9.0]])
    >>> model = LogisticRegression().fit(X, y)
    >>> found = SurpriseAdequacy(random_state=0).select(model, tests, n=3, X_labeled=X)
    >>> found.indices.tolist(), found.scores.tolist()  # 9 is 4 from 5, which is 4 from class 0
    ([2, 0, 1], [1.0, 0.125, 0.0])
    """

    _requires: ClassVar[tuple[str, ...]] = ("predict_proba", "embed")
    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "method": [StrOptions(set(_METHODS))],
        "subsampling": [float],
    }

    def __init__(
        self, method: str = "dsa", *, subsampling: float = 1.0, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.method = method
        self.subsampling = subsampling

    def _select(self, query: Query) -> Selection:
        if query.X_labeled is None:
            raise ValueError(
                "SurpriseAdequacy compares with the training data: pass it as X_labeled."
            )
        known = _layers(query.model, query.X_labeled)
        tests = _layers(query.model, query.X)
        scores = self._surprise(known, tests)
        scores = np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
        indices = top_k(scores, query.n, query.rng)
        return Selection(indices, scores[indices])

    def _surprise(self, known: tuple, tests: tuple) -> NDArray:
        surprise = optional_import("dnn_tip.surprise", what=type(self).__name__, extra="tip")
        kinds = {"lsa": surprise.LSA, "mdsa": surprise.MDSA, "mlsa": surprise.MLSA}
        with (
            ALONE,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            if self.method == "dsa":
                measure = surprise.DSA(*known, subsampling=self.subsampling)
            elif self.method.startswith("pc-"):
                kind = kinds[self.method[3:]]
                measure = surprise.MultiModalSA.build_by_class(*known, lambda a, p: kind(a))
            else:
                measure = kinds[self.method](known[0])
            return np.asarray(measure(*tests))


def _layers(model: Any, X: Any) -> tuple[list[NDArray], NDArray]:
    """Activations and predicted classes, as dnn-tip takes them."""
    proba, embedded = model.predict_proba_and_embed(X)
    return [embedded.astype(float)], proba.argmax(axis=1)
