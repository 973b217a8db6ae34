"""What every net of this package does: fit, go on, predict."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data
from torch import Tensor

from ..attacks import check_bounds, resolve_attack
from ..passes.inference import forward_in_batches
from ..utils.indexing import Rows
from ..utils.inputs import as_batch, as_float_tensor
from ._certified import enforced_bounds
from ._checks import check_logits, check_shape, refuse_channels_last
from ._pretrained import module_and_classes
from ._training import TrainedNet


class NetClassifier(TrainedNet):
    """Methods of `AdversarialNetClassifier` and `FixMatch`, their base class."""

    @property
    def classes_(self) -> NDArray:
        """Labels, the columns of `predict_proba`."""
        try:
            return self.classes_fitted_
        except AttributeError:
            raise AttributeError("classes_ is known once the net is fitted.") from None

    @property
    def bounds_(self) -> tuple[float, float]:
        """Range of the inputs in force."""
        if self.bounds is not None:
            return self.bounds
        return (0, 1) if self.attack is None else resolve_attack(self.attack).bounds

    @classmethod
    def from_module(cls, module: Any, classes: Any = None, X: Any = None, **params: Any) -> Any:
        """A fitted net around a module that was trained elsewhere.

        Parameters
        ----------
        module : torch.nn.Module, or fitted skorch net
            Returns logits (skorch nets: whatever their criterion reads). Copied, never changed. A
            ``threshold`` of its own other than 0.5 shifts the logits, and so the probabilities:
            the larger one is that of the class it predicts.
            Normalisation belongs inside, so that attacks work in the range of the raw inputs:
            ``nn.Sequential(Normalize(mean, std), module)``.
        classes : array-like of shape (n_classes,)
            The label of each output, in the order of the outputs; a skorch net's own by default.
        X : array-like of shape (n_samples, ...) or None, default=None
            A few inputs, by which shape, range and output are checked now rather than later.
        **params
            Parameters of the net: ``attack``, ``bounds``, ``max_epochs``, ….

        Returns
        -------
        net : AdversarialNetClassifier
            Every later training, by `fit` too, starts from these weights.

        Raises
        ------
        TypeError
            If `module` is neither of the two.
        ValueError
            If the classes do not fit, the module returns no logits for `X`, or a skorch net does
            more than its module (a ``dataset`` or ``predict_nonlinearity`` of its own).

        Examples
        --------
        >>> import torch
        >>> from skactive import ActiveLearner, AdversarialNetClassifier
        >>> module = torch.nn.Linear(4, 3)  # trained, say
        >>> net = AdversarialNetClassifier.from_module(module, classes=["a", "b", "c"])
        >>> X, y = torch.rand(6, 4), ["a", "b", "c", "a", "b", "c"]
        >>> learner = ActiveLearner.from_fitted(net, X, y, "margin")
        >>> len(learner.query(torch.rand(20, 4), n=5)[0])
        5
        """
        module, labels = module_and_classes(module, classes)
        make: Any = cls
        net = make(module, classes=labels, **params)
        net._adopt(labels, X)
        return net

    # -- training -----------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_unlabeled: Any = None,
        as_is: Any = None,
        y_unlabeled: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train from fresh weights (or go on, with ``warm_start=True``).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), list of PIL images, or Dataset
        y : array-like of shape (n_samples,)
            Labels of any kind. With `unlabeled` set, numeric labels of -1 mark samples
            without one, unless -1 is declared in `classes`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Those of samples without a label are not used.
        X_unlabeled : container of shape (n_unlabeled, ...) or None, default=None
            Samples without labels, in any container with rows; read batch by batch.
        as_is : array-like of bool of shape (n_samples,) or None, default=None
            Samples that are not attacked in training, because they are adversarial examples
            already: another attack would move them to twice the radius. Whatever `loss` is, they
            take `criterion` (cross-entropy with TRADES and MART) on themselves, and they are not
            held out for validation. ``None`` attacks all.
        y_unlabeled : array-like of shape (n_unlabeled,) or None, default=None
            Pseudo-labels that you have already, of the points without a label in their order: no
            teacher is trained. ``teacher.predict(pool)`` once serves several nets.
        **fit_params
            Passed on to skorch.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any training, if the data, the module's output or a parameter is wrong; after
            it, if its weights are NaN.
        """
        fresh = not (self.warm_start and self.initialized_)
        return self._learn(
            X, y, sample_weight, X_unlabeled, y_unlabeled, None, as_is, fresh, "fit", fit_params
        )

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
        X_unlabeled: Any = None,
        as_is: Any = None,
        y_unlabeled: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train for ``max_epochs`` more, from the present weights and optimiser state.

        Parameters
        ----------
        X, y, sample_weight, X_unlabeled, as_is, y_unlabeled, **fit_params
            As in `fit`.
        classes : array-like or None, default=None
            All labels there are, for the first call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in `fit`; also if `y` holds a label that the net does not know.
        """
        fresh = not self.__sklearn_is_fitted__()
        return self._learn(
            X, y, sample_weight, X_unlabeled, y_unlabeled, classes, as_is, fresh, "partial_fit",
            fit_params,
        )  # fmt: skip

    # -- predicting ---------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities, softmax of the logits.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes), float32
        """
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call fit first."
            )
        rows = Rows.of(X if hasattr(X, "__getitem__") else np.asarray(X))
        if len(rows) == 0:
            self.as_inputs(rows.materialise())  # says that there is nothing to predict
        logits, _ = forward_in_batches(
            self.module_, rows, self.as_inputs, batch_size=self._valid_batch_size()
        )
        if not hasattr(self, "input_shape_"):  # nothing has been checked yet: see from_module
            check_logits(self, torch.from_numpy(logits), len(rows))
        return torch.softmax(torch.from_numpy(logits), dim=1).numpy()

    def predict(self, X: Any) -> NDArray:
        """Predicted labels, shape (n_samples,).

        Parameters
        ----------
        X : array-like of shape (n_samples, …), Dataset or list of images
            In `bounds`; bytes are divided by 255.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def as_inputs(self, X: Any) -> Tensor:
        """Rows of any container, checked, as the float32 tensor that the module reads.

        Parameters
        ----------
        X : array-like, tensor, Dataset or list of images

        Returns
        -------
        inputs : Tensor of shape (n_samples, …), float32
        """
        X = as_batch(X)
        refuse_channels_last(self, X)
        X = validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False)
        check_shape(self, X)
        bounds = enforced_bounds(self, self.attack_)
        if bounds is not None:
            check_bounds(X, bounds)
        inputs = as_float_tensor(X, next(iter(self.module_.parameters())).device)
        if self.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    def _valid_batch_size(self) -> int:
        return int(super().get_params_for("iterator_valid").get("batch_size", 512))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_fitted_") and self.initialized_
