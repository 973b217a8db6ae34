"""What a strategy may ask of any estimator: the only place that knows nets and Pipelines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet, NeuralNetClassifier
from torch import Tensor, nn

from .attacks import DeepFool
from .attacks._nearest_boundary import nearest_boundaries
from .exceptions import CapabilityError
from .nets._checks import check_shape
from .passes.gradient_norms import expected_gradient_length
from .passes.inference import NoSuchLayer, check_not_diverged, forward_in_batches
from .passes.logits import logits_module
from .passes.longest_gradients import longest_gradients
from .passes.mc_dropout import mc_dropout_proba
from .passes.modules import module_device, untouched
from .utils.compat import is_search
from .utils.indexing import Rows
from .utils.inputs import as_batch, as_float_tensor
from .utils.random_state import derive_seed

_NET_CAPABILITIES = frozenset(
    {"predict_proba", "logits", "embed", "dropout", "gradients", "boundary"}
)
_PLAIN_BATCH = 1 << 14  # rows a scikit-learn estimator predicts at once
_MAX_PROBA = 1 << 20  # probabilities kept at once while they are scored
_MAX_DENSE = 1 << 28  # numbers of a sparse matrix made dense (1 GB)
_WHO_HAS = {
    "predict_proba": "A classifier with predict_proba",
    "logits": "A net, or a classifier with decision_function",
    "embed": "A net, or a classifier of numeric features",
    "dropout": "A skorch net such as AdversarialNetClassifier",
    "gradients": "A skorch net such as AdversarialNetClassifier",
    "boundary": "A skorch net such as AdversarialNetClassifier",
    "votes": "A Committee",
}


class ModelView:
    """One fitted estimator as the strategies see it.

    Made by `ModelView.of`. Every method takes rows of any container (or a `Rows` view of some),
    works in batches, returns NumPy arrays, and leaves the model as it found it: weights,
    BatchNorm statistics, training flags, gradients, hooks and torch's generators.

    Attributes
    ----------
    estimator : the final estimator
    classes_ : ndarray of shape (n_classes,)
    capabilities : frozenset of str
        Some of ``"predict_proba"``, ``"logits"``, ``"embed"``, ``"dropout"``,
        ``"gradients"``, ``"boundary"``, ``"votes"``.

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
    def of(estimator: Any, *, caller: str | None = None, batch_size: int = 512) -> ModelView:
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
        kind: type[ModelView] = _CommitteeView if hasattr(final, "vote_proba") else _PlainView
        if isinstance(final, NeuralNet):
            kind = NetView
        return kind(final, before, caller=caller, batch_size=batch_size)

    @property
    def classes_(self) -> NDArray:
        """Labels, the columns of `predict_proba`."""
        return np.asarray(self.estimator.classes_)

    def require(self, *capabilities: str) -> None:
        """Raise a `CapabilityError` unless the estimator has all of them."""
        _require(self.estimator, self.capabilities, capabilities, self._caller)

    def transform(self, X: Any) -> Any:
        """Rows as the final estimator sees them: after the earlier steps of a Pipeline."""
        return X if self._before is None else self._before.transform(X)

    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities, shape (n, n_classes)."""
        raise NotImplementedError

    def logits(self, X: Any) -> NDArray:
        """Output of the last linear layer, or the decision function, shape (n, d)."""
        raise self._lacks("logits")

    def score_proba(self, X: Any, score: Callable[[NDArray], NDArray]) -> NDArray:
        """`score` of the class probabilities, one number per row, without keeping those of all."""
        rows = Rows.of(X)
        step = max(_PLAIN_BATCH, _MAX_PROBA // max(1, len(self.classes_)))
        if len(rows) <= step:
            return np.asarray(score(self.predict_proba(rows)))
        scores: NDArray | None = None
        for start in range(0, len(rows), step):
            positions = np.arange(start, min(start + step, len(rows)))
            part = np.asarray(score(self.predict_proba(rows.subset(positions))))
            if scores is None:
                scores = np.empty(len(rows), part.dtype)
            scores[positions[0] : positions[-1] + 1] = part
        assert scores is not None
        return scores

    def embed(self, X: Any) -> NDArray:
        """Embedding, shape (n, d): the last linear layer's input, or the features themselves.

        Of features, a missing value (NaN) counts as the median of its column in the rows that
        are embedded first, if the estimator takes missing values.
        """
        return self.predict_proba_and_embed(X)[1]

    def predict_proba_and_embed(self, X: Any) -> tuple[NDArray, NDArray]:
        """Probabilities and embedding, in one pass where the model allows."""
        raise NotImplementedError

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: Any = None
    ) -> NDArray:
        """Probabilities of sampled networks, shape (n_passes, n, n_classes)."""
        raise self._lacks("dropout")

    def vote_proba(self, X: Any) -> NDArray:
        """Probabilities of each member of a committee, shape (n_members, n, n_classes)."""
        raise self._lacks("votes")

    def gradient_norms(self, X: Any, wrt: str = "parameters") -> NDArray:
        """Expected gradient length Σ_c p_c ‖∇J(x, c)‖₂, shape (n,)."""
        raise self._lacks("gradients")

    def longest_gradients(self, X: Any, n: int, wrt: str = "parameters") -> NDArray:
        """`gradient_norms` of all that can be among the `n` largest; −inf for the others."""
        raise self._lacks("gradients")

    def boundary_distances(self, X: Any, deepfool: DeepFool | None = None) -> NDArray:
        """L2 distance to the decision boundary, shape (n,); inf where none was found."""
        raise self._lacks("boundary")

    def nearest_boundaries(
        self, X: Any, n: int, rng: np.random.Generator, deepfool: DeepFool | None = None
    ) -> NDArray:
        """Distances of all that can be among the `n` nearest, shape (n,); inf for the others."""
        raise self._lacks("boundary")

    def adversarial_twins(
        self, X: Any, deepfool: DeepFool | None = None
    ) -> tuple[NDArray, NDArray]:
        """Samples moved across the boundary, and how far it was."""
        raise self._lacks("boundary")

    def _lacks(self, capability: str) -> CapabilityError:
        try:
            self.require(capability)
        except CapabilityError as error:
            return error
        raise NotImplementedError(capability)


def capabilities_of(estimator: Any) -> frozenset[str]:
    """What an estimator, fitted or not, will be able to tell; a TypeError for a class."""
    if isinstance(estimator, type):
        raise TypeError(
            f"An estimator must be an object, got the class {estimator.__name__}. Create one: "
            f"{estimator.__name__}(…)."
        )
    while (search := is_search(estimator)) or _is_pipeline(estimator):
        estimator = estimator.estimator if search else estimator.steps[-1][1]
    if isinstance(estimator, NeuralNet):
        return _NET_CAPABILITIES
    if hasattr(estimator, "vote_proba"):
        return frozenset({"embed", "predict_proba", "votes", "dropout"})
    methods = {"predict_proba": "predict_proba", "logits": "decision_function"}
    return frozenset({"embed", *(name for name, of in methods.items() if hasattr(estimator, of))})


def require_of(estimator: Any, *capabilities: str, caller: str | None = None) -> None:
    """Raise a `CapabilityError`, before any training, unless `estimator` will have them all."""
    _require(estimator, capabilities_of(estimator), capabilities, caller)


def _require(
    estimator: Any, has: frozenset[str], needs: tuple[str, ...], caller: str | None
) -> None:
    for capability in needs:
        if capability not in has:
            raise CapabilityError(
                f"{caller or 'This'} needs {capability!r}, which {type(estimator).__name__} does "
                f"not have. {_WHO_HAS[capability]} has it."
            )


class _PlainView(ModelView):
    """A scikit-learn classifier."""

    @property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        return capabilities_of(self.estimator)

    def predict_proba(self, X: Any) -> NDArray:
        self.require("predict_proba")
        rows = Rows.of(X)
        proba: NDArray | None = None
        for window, batch in rows.batches(_PLAIN_BATCH):
            block = self.estimator.predict_proba(self.transform(_unlazy(batch)))
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
                self.estimator.decision_function(self.transform(_unlazy(batch)))
                for _, batch in rows.batches(_PLAIN_BATCH)
            ]
        )
        return values.reshape(len(rows), -1)

    def embed(self, X: Any) -> NDArray:
        rows = Rows.of(X)
        features: NDArray | None = None
        for window, batch in rows.batches(_PLAIN_BATCH):
            block = self._flat_features(self.transform(_unlazy(batch)), len(rows))
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
            X = X.to_numpy()
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


class InputView(_PlainView):
    """The rows themselves, where there is no model: numbers, flattened."""

    def __init__(self, *, caller: str | None = None) -> None:
        super().__init__(None, caller=caller)

    def _takes_nan(self) -> bool:
        return True


class _CommitteeView(_PlainView):
    """Members trained side by side: samples of a network as dropout gives them, only better."""

    def vote_proba(self, X: Any) -> NDArray:
        rows = Rows.of(X)
        return np.concatenate(
            [
                self.estimator.vote_proba(self.transform(batch))
                for _, batch in rows.batches(_PLAIN_BATCH)
            ],
            axis=1,
        )

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: Any = None
    ) -> NDArray:
        """One pass per member, whatever `n_passes` says."""
        return self.vote_proba(X)


class NetView(ModelView):
    """A skorch net: everything a torch module can tell."""

    capabilities = _NET_CAPABILITIES

    @property
    def classes_(self) -> NDArray:
        if not hasattr(self.estimator, "classes_"):
            raise CapabilityError(
                f"{self._caller or 'This'} needs a classifier, got {type(self.estimator).__name__}."
            )
        return column_labels(self.estimator)

    @property
    def logits_module(self) -> nn.Module:
        """The module that returns logits (or log-probabilities, which serve as well)."""
        return logits_module(self.estimator)

    @property
    def _eager(self) -> nn.Module:
        return logits_module(self.estimator, eager=True)

    @contextlib.contextmanager
    def _layers_needed(self, capability: str) -> Iterator[None]:
        """Say who asked if the module lacks the layers that a capability rests on."""
        try:
            yield
        except NoSuchLayer as error:
            raise CapabilityError(
                f"{self._caller or 'This'} needs {capability!r}, which this "
                f"{type(self.estimator).__name__} does not have. {error}"
            ) from error

    def net_inputs(self, X: Any) -> Tensor:
        """Rows of the pool as the tensor that the module reads, on its device."""
        X = self.transform(_unlazy(X) if self._before is not None else X)
        if hasattr(self.estimator, "input_shape_") and len(getattr(X, "shape", ())) > 1:
            check_shape(self.estimator, X)
        if hasattr(self.estimator, "as_inputs"):
            return self.estimator.as_inputs(X)
        module = self.estimator.module_
        if any(isinstance(sub, nn.Embedding) for sub in module.modules()):
            return torch.as_tensor(as_batch(X)).to(module_device(module))  # indices of tokens
        inputs = as_float_tensor(X, module_device(module))
        if not torch.isfinite(inputs).all():
            raise ValueError("X holds NaN or infinite values. Remove or impute them first.")
        return inputs

    def net_logits(self, inputs: Tensor) -> Tensor:
        """Logits of one batch of inputs."""
        with torch.no_grad(), untouched(self.logits_module, freeze=False) as module:
            return module(inputs)

    def predict_proba(self, X: Any) -> NDArray:
        logits, _ = forward_in_batches(self._eager, X, self.net_inputs, batch_size=self._batch_size)
        return _softmax(logits, len(self.classes_))

    def logits(self, X: Any) -> NDArray:
        return forward_in_batches(self._eager, X, self.net_inputs, batch_size=self._batch_size)[0]

    def predict_proba_and_embed(self, X: Any) -> tuple[NDArray, NDArray]:
        with self._layers_needed("embed"):
            logits, embedding = forward_in_batches(
                self._eager, X, self.net_inputs, batch_size=self._batch_size, embedding=True
            )
        if embedding is None:
            embedding = np.empty((0, 0), np.float32)
        return _softmax(logits, len(self.classes_)), embedding

    def dropout_proba(
        self, X: Any, n_passes: int = 10, rate: float = 0.1, random_state: Any = None
    ) -> NDArray:
        with self._layers_needed("dropout"):
            return mc_dropout_proba(
                self._eager,
                X,
                self.net_inputs,
                n_passes=n_passes,
                rate=rate,
                seed=derive_seed(random_state),
                batch_size=self._batch_size,
            )

    def gradient_norms(self, X: Any, wrt: str = "parameters") -> NDArray:
        def lengths(inputs: Tensor) -> tuple[Tensor]:
            return (expected_gradient_length(self._eager, inputs, wrt),)

        with self._layers_needed("gradients"):
            (norms,) = self._by_batch(X, lengths)
        check_not_diverged(norms)
        return norms

    def longest_gradients(self, X: Any, n: int, wrt: str = "parameters") -> NDArray:
        rows = Rows.of(X)
        return longest_gradients(
            self._eager,
            self.predict_proba(rows),
            lambda positions: self.net_inputs(rows.take(positions)),
            n,
            wrt,
            self._batch_size,
        )

    def boundary_distances(self, X: Any, deepfool: DeepFool | None = None) -> NDArray:
        attack = self.deepfool(deepfool)
        # Larger batches than the attack's own keep its working set full.
        return self._by_batch(
            X, lambda inputs: (attack(self.logits_module, inputs).distance,), 16 * self._batch_size
        )[0]

    def nearest_boundaries(
        self, X: Any, n: int, rng: np.random.Generator, deepfool: DeepFool | None = None
    ) -> NDArray:
        rows = Rows.of(X)
        logits, _ = forward_in_batches(
            self._eager, rows, self.net_inputs, batch_size=self._batch_size
        )
        return nearest_boundaries(
            self.logits_module,
            logits,
            lambda positions: self.net_inputs(rows.take(positions)),
            n,
            self.deepfool(deepfool),
            rng,
        )

    def adversarial_twins(
        self, X: Any, deepfool: DeepFool | None = None
    ) -> tuple[NDArray, NDArray]:
        attack = self.deepfool(deepfool)
        if self._before is not None:
            raise CapabilityError(
                f"{self._caller or 'This'} makes adversarial twins of the net's own input, "
                "which the earlier steps of a Pipeline cannot be given back. Pass the net alone."
            )

        def twins(inputs: Tensor) -> tuple[Tensor, Tensor]:
            found = attack(self.logits_module, inputs)
            return inputs + found.perturbation, found.distance

        moved, distance = self._by_batch(X, twins, 16 * self._batch_size)
        return moved, distance

    def deepfool(self, deepfool: DeepFool | None = None) -> DeepFool:
        """The attack that is given, or the default one within the net's range of inputs."""
        if deepfool is not None:
            return deepfool
        return DeepFool(bounds=getattr(self.estimator, "bounds_", (0, 1)))

    def per_sample(self, X: Any, compute: Callable[[nn.Module, Tensor], Tensor]) -> NDArray:
        """What ``compute(logits module, inputs)`` gives for each sample, batch by batch."""
        (values,) = self._by_batch(X, lambda inputs: (compute(self.logits_module, inputs),))
        check_not_diverged(values)
        return values

    def _by_batch(
        self, X: Any, compute: Callable[[Tensor], tuple[Tensor, ...]], batch_size: int | None = None
    ) -> list[NDArray]:
        rows = Rows.of(X)
        if len(rows) == 0:
            raise ValueError("X has no rows.")
        parts = [
            [part.detach().cpu().numpy() for part in compute(self.net_inputs(batch))]
            for _, batch in rows.batches(batch_size or self._batch_size)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]


def column_labels(estimator: Any, n_columns: int = 0) -> NDArray:
    """Label of each column of a fitted classifier's probabilities, where they are `n_columns`.

    skorch's own classifier does not encode labels: they are the numbers of its outputs, those that
    it was never taught included, though its ``classes_`` are what was in ``y``.
    """
    final, _ = unwrap(estimator)
    classes = np.asarray(final.classes_)
    plain = getattr(type(final), "classes_", None) is NeuralNetClassifier.classes_
    if plain and classes.dtype.kind in "iu" and classes.size and classes.min() >= 0:
        return np.arange(max(classes.max() + 1, n_columns))
    return classes


def unwrap(estimator: Any) -> tuple[Any, Any]:
    """The final estimator inside learners, searches and Pipelines, and the steps before it."""
    before = None
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "learner_") and hasattr(estimator, "n_labels_"):
            estimator = estimator.learner_
        elif hasattr(estimator, "estimator_") and hasattr(estimator, "X_labeled_"):
            estimator = estimator.estimator_
        elif _is_pipeline(estimator):
            if len(estimator.steps) > 1:
                steps = estimator[:-1]
                before = steps if before is None else Pipeline([*before.steps, *steps.steps])
            estimator = estimator.steps[-1][1]
        else:
            return estimator, before


def _is_pipeline(estimator: Any) -> bool:
    """Whether it is a Pipeline, of scikit-learn or of another library."""
    return isinstance(getattr(estimator, "steps", None), list)


def _softmax(logits: NDArray, n_classes: int) -> NDArray:
    if len(logits) == 0:
        return np.empty((0, n_classes), np.float32)
    if logits.ndim != 2:
        raise CapabilityError(
            f"The module must return one logit per class, shape (n, {n_classes}); it returned "
            f"{logits.shape}."
        )
    return torch.softmax(torch.from_numpy(logits), dim=1).numpy()


def _unlazy(X: Any) -> Any:
    """Rows of a torch Dataset or tensor as an array; anything else as it is."""
    if isinstance(X, torch.Tensor):
        return X.detach().cpu().numpy()
    if isinstance(X, torch.utils.data.Dataset) and not hasattr(X, "shape"):
        return np.asarray(as_batch(X))
    return X
