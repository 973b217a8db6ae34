"""What an evaluation asks of a model: a net's logits, or the answers of any classifier."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp
import torch
from sklearn.ensemble import AdaBoostClassifier
from torch import Tensor, nn

from ..exceptions import CapabilityError
from ..model_view import ModelView, NetView
from ..passes.modules import untouched
from ..utils.indexing import Rows
from ..utils.inputs import frame_of, unlazy
from ..utils.labels import encode_labels

_TINY = 1e-300  # logarithms of probabilities that are 0
_LEAD = 1e-6  # of a class that its score alone would not put on top


class NetTarget:
    """A net: the attack moves its inputs, after the earlier steps of a Pipeline."""

    def __init__(self, view: NetView) -> None:
        self._view = view
        self.module = view.deciding_module

    def inputs(self, batch: Any) -> Tensor:
        """Rows as what is attacked."""
        return self._view.float_inputs(batch)

    def predicted(self, inputs: Tensor) -> Tensor:
        """Column of the class that each sample gets."""
        logits = self._logits(inputs)
        if logits.ndim != 2:
            raise CapabilityError(
                "The module must return one logit per class, shape (n, n_classes); it returned "
                f"{tuple(logits.shape)}."
            )
        return logits.argmax(dim=1)

    def n_classes(self, inputs: Tensor) -> int:
        """Scores that the net gives each sample."""
        return self._logits(inputs[:1]).shape[1]

    def _logits(self, inputs: Tensor) -> Tensor:
        with torch.no_grad(), untouched(self.module, freeze=False) as module:
            return module(inputs.clone())  # it may overwrite what it gets

    def fingerprint(self) -> str:
        """Digest of the model."""
        digest = hashlib.blake2b(digest_size=16)
        for name, tensor in self.module.state_dict().items():
            digest.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
        return digest.hexdigest()


class BlackBoxTarget:
    """Any classifier: the attack moves the rows as they are passed, before all steps.

    Parameters
    ----------
    view : ModelView
    rows : Rows
        What will be attacked.
    """

    def __init__(self, view: ModelView, rows: Rows) -> None:
        first = rows.take(slice(0, 1))
        self._view = view
        self._frame = first if hasattr(first, "columns") else None
        self.module = _Answers(self)

    def inputs(self, batch: Any) -> Tensor:
        """Rows as what is attacked: numbers, in the precision they have."""
        if sp.issparse(batch):
            raise TypeError("X is sparse, but an attack moves every feature. Pass X.toarray().")
        array = np.asarray(unlazy(batch))
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"An attack moves numbers, but X has dtype {array.dtype}. Attack the classifier "
                "behind the steps that encode it, on what they return."
            )
        dtype = np.float32 if array.dtype == np.float32 else np.float64
        return torch.from_numpy(np.array(array, dtype=dtype, order="C"))

    def predicted(self, inputs: Tensor) -> Tensor:
        """Column of the class that each sample gets: of ``predict``, whatever the scores say."""
        labels = self._view.estimator.predict(self._rows(inputs))
        return torch.from_numpy(encode_labels(labels, self._view.classes_))

    def n_classes(self, inputs: Tensor) -> int:
        """Classes that the estimator knows."""
        return len(self._view.classes_)

    def scores(self, inputs: Tensor) -> Tensor:
        """One score per class: the decision function where there is one, or log-probabilities."""
        estimator, rows = self._view.estimator, self._rows(inputs)
        n_classes = len(self._view.classes_)
        if hasattr(estimator, "decision_function"):
            scores = np.array(estimator.decision_function(rows), dtype=float)
            if scores.ndim == 1 and n_classes == 2:
                scores = np.column_stack([-scores, scores])
            elif _is_pairwise(scores, n_classes, estimator):
                scores = _of_classes(scores, n_classes)
            if scores.shape == (len(inputs), n_classes):
                return torch.from_numpy(scores)
        if not hasattr(estimator, "predict_proba"):
            raise CapabilityError(
                f"robust_accuracy_score needs predict_proba or a decision_function with a score "
                f"per class, which {_name(self._view)} does not have: black-box attacks are led by "
                "it. CalibratedClassifierCV adds probabilities."
            )
        proba = np.asarray(estimator.predict_proba(rows), dtype=float)
        return torch.from_numpy(np.log(np.maximum(proba, _TINY)))

    def fingerprint(self) -> str:
        """Digest of the model."""
        return str(joblib.hash((self._view.estimator, self._view._before)))

    def _rows(self, inputs: Tensor) -> Any:
        values: Any = inputs.detach().cpu().numpy()
        if self._frame is not None:
            values = frame_of(values, self._frame)
        return self._view.transform(values)


class _Answers(nn.Module):
    """A classifier's scores as a module, for attacks that never ask for a gradient.

    Where ``predict`` decides otherwise, by a threshold of its own, or between classes that tie, the
    class it gives is on top, by the less the lower its score is: an attack sees where the decision
    turns, and is led there.
    """

    def __init__(self, target: BlackBoxTarget) -> None:
        super().__init__()
        self._target = target

    def forward(self, inputs: Tensor) -> Tensor:
        column = self._target.predicted(inputs)[:, None]
        scores = self._target.scores(inputs).clamp(-1 / _TINY, 1 / _TINY)  # inf - inf is nan
        others = scores.scatter(1, column, -float("inf"))
        scores -= others.amax(dim=1, keepdim=True)  # a lead is not rounded off beside a 0
        own = scores.gather(1, column)
        return scores.scatter(1, column, own.clamp(min=_LEAD / (1 - own.clamp(max=0))))


def _is_pairwise(scores: np.ndarray, n_classes: int, estimator: Any) -> bool:
    """Whether a decision function has a score per pair of classes, as that of an SVC may."""
    if n_classes < 3 or scores.shape[1:] != (n_classes * (n_classes - 1) // 2,):
        return False
    if n_classes > 3:
        return True
    # Three classes have three pairs. RFE and bagging hand scores on, boosting makes its own.
    if not isinstance(estimator, AdaBoostClassifier):
        estimator = getattr(estimator, "estimator_", estimator)
    return getattr(estimator, "decision_function_shape", "ovr") == "ovo"


def _of_classes(scores: np.ndarray, n_classes: int) -> np.ndarray:
    """Scores of pairs, (0, 1), (0, 2), …, as votes for classes, ties broken by their margins."""
    votes, margins = np.zeros((2, len(scores), n_classes))
    for pair, (i, j) in enumerate(combinations(range(n_classes), 2)):
        won = scores[:, pair] > 0
        votes[:, i] += won
        votes[:, j] += ~won
        margins[:, i] += scores[:, pair]
        margins[:, j] -= scores[:, pair]
    return votes + margins / (3 * (np.abs(margins) + 1))


def _name(view: ModelView) -> str:
    return type(view.estimator).__name__
