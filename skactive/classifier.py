"""A skorch classifier trained on attacked batches."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data
from skorch import NeuralNetClassifier
from torch import Tensor
from torch.nn import functional as F

from ._batches import ArrayDataset, BatchIterator
from ._best_epoch import BestEpoch, TrainingDone, split_off
from ._net_checks import (
    check_attack_arguments,
    check_output,
    check_settings,
    check_shape,
    check_training_data,
    check_weights,
)
from .attacks import Attack, check_bounds, resolve_attack
from .kernels.inference import forward_in_batches
from .losses import divergence, mart_loss, trades_loss
from .utils.indexing import Rows
from .utils.inputs import as_batch, as_float_tensor
from .utils.modules import untouched
from .utils.random_state import derive_seed, seeded_torch, torch_generator

_INIT, _TRAIN, _ATTACK, _SPLIT = range(4)  # which stream of random numbers a seed is for
_TRADES_NOISE = 1e-3  # standard deviation of the start of TRADES' attack, from its paper


class AdversarialNetClassifier(NeuralNetClassifier):
    """A skorch ``NeuralNetClassifier`` trained on attacked batches.

    Parameters
    ----------
    module : torch module class or instance
        Returns logits of shape (n, n_classes). If the class takes ``n_classes``,
        ``in_channels``, ``input_size`` (images) or ``n_features`` (tables) and they are not
        set as ``module__…``, they are taken from the data.
    attack : Attack, str, torchattacks class or None, default="pgd"
        Replaces each training batch by its attacked counterpart: an attack object such as
        ``PGD(eps=0.3, alpha=0.01, steps=40)``, whose parameters can be set and searched as
        ``attack__eps``; a name (see `skactive.attacks.resolve_attack`);
        ``TorchAttack("FFGSM", …)``. ``None`` is standard training.
    loss : {"adversarial", "trades", "mart"}, default="adversarial"
        ``"adversarial"``: `criterion` on the attacked batch (Madry et al.). ``"trades"``,
        ``"mart"``: see `skactive.losses`; the attack of TRADES maximises the divergence.
    beta : float, default=6.0
        Weight of the divergence in TRADES and MART.
    bounds : (float, float) or None, default=None
        Range of the inputs; ``None`` takes the attack's, (0, 1) by default. Put any
        normalisation inside the module.
    classes : array-like or None, default=None
        All labels that may ever occur, for labelled sets that may miss some.
    early_stopping : {"clean", "robust"} or None, default=None
        Keep the weights of the epoch with the best accuracy on validation samples, clean or
        under `attack`, and stop after `patience` epochs without a better one. These samples'
        labels are counted in ``n_validation_labels_``.
    validation_fraction : float, default=0.1
        Share of the training samples held out for it, stratified where possible.
    validation_data : (X, y) or None, default=None
        Validation samples to use instead.
    patience : int, default=10
    random_state : None, int, RandomState or Generator, default=None
        Seeds initial weights, order of the batches, dropout and attacks: two fits with the
        same integer are equal bit by bit on one machine. Torch's global generators are left
        as they were.
    channels_last : bool, default=False
        Keep weights and images in channels-last memory format (for GPUs).
    optimizer : torch optimizer class, default=torch.optim.Adam
    lr : float, default=1e-3
    max_epochs : int, default=10
    batch_size : int, default=100
    criterion : torch criterion class, default=torch.nn.CrossEntropyLoss
        On logits.
    **kwargs
        All other parameters of skorch's ``NeuralNetClassifier``: ``callbacks``, ``device``,
        ``compile``, ``warm_start``, ``verbose``, ``optimizer__…``, ``module__…``, ….
        ``train_split`` is ``None`` and ``verbose`` 0 here by default.

    Attributes
    ----------
    module_ : torch.nn.Module
    attack_ : Attack or None
    classes_ : ndarray of shape (n_classes,)
        Never shrinks in ``partial_fit``.
    n_features_in_ : int
    input_shape_ : tuple of int
        Shape of one sample.
    n_validation_labels_ : int
    history_ : skorch.History

    Notes
    -----
    Batches are attacked with the module in **eval mode**: BatchNorm uses its running
    statistics and does not update them from the many intermediate adversarial batches, and
    dropout does not make the gradient noisy. The gradient step that follows is taken in train
    mode, so that the statistics see each batch once, attacked as it is trained on. Each
    sub-module's mode is restored in between.

    Inputs are arrays or tensors in `bounds`, cast to float32; bytes (uint8) are divided by
    255. With an attack, inputs outside `bounds` are refused, in fit and in prediction; after a
    scaler use ``MinMaxScaler(clip=True)``. Ctrl-C leaves a usable net, trained so far, and is
    passed on, so that a script stops
    (skorch goes on silently).

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.attacks import PGD
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=PGD(eps=0.05, steps=3), random_state=0)
    >>> net.fit(X[:500], y[:500]).predict(X[:3]).shape
    (3,)
    >>> net.set_params(attack__eps=0.1).attack.eps
    0.1
    """

    def __init__(
        self,
        module: Any,
        *,
        attack: Any = "pgd",
        loss: str = "adversarial",
        beta: float = 6.0,
        bounds: tuple[float, float] | None = None,
        classes: Any = None,
        early_stopping: str | None = None,
        validation_fraction: float = 0.1,
        validation_data: tuple | None = None,
        patience: int = 10,
        random_state: Any = None,
        channels_last: bool = False,
        criterion: Any = torch.nn.CrossEntropyLoss,
        optimizer: Any = torch.optim.Adam,
        lr: float = 1e-3,
        max_epochs: int = 10,
        batch_size: int = 100,
        iterator_train: Any = BatchIterator,
        iterator_train__shuffle: bool = True,
        iterator_valid: Any = BatchIterator,
        train_split: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            iterator_train=iterator_train,
            iterator_train__shuffle=iterator_train__shuffle,
            iterator_valid=iterator_valid,
            train_split=train_split,
            verbose=verbose,
            classes=classes,
            **kwargs,
        )
        self.attack = attack
        self.loss = loss
        self.beta = beta
        self.bounds = bounds
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_data = validation_data
        self.patience = patience
        self.random_state = random_state
        self.channels_last = channels_last

    # -- parameters ---------------------------------------------------------------------

    def set_params(self, **params: Any) -> AdversarialNetClassifier:
        """Set parameters, those of the attack (``attack__eps``) included.

        Changing the attack keeps the weights.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        own = {name: params.pop(name) for name in list(params) if name == "attack"}
        nested = {
            name.removeprefix("attack__"): params.pop(name)
            for name in list(params)
            if name.startswith("attack__")
        }
        if own:
            self.attack = own["attack"]
        if nested:
            if self.attack is None:
                raise ValueError(
                    f"attack__{next(iter(nested))} cannot be set: attack is None (standard "
                    "training). Set attack=PGD(…) first."
                )
            self.attack = resolve_attack(self.attack).set_params(**nested)
        for name in [name for name in params if name.startswith("iterator_")]:
            # Read when a pass begins: no need for skorch to re-initialise anything.
            setattr(self, name, params.pop(name))
            self._params_to_validate.add(name)
        if params:
            super().set_params(**params)
        return self

    def get_params(self, deep: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Parameters by name, those of the attack included as ``attack__…``."""
        params = super().get_params(deep=deep, **kwargs)
        params.pop("_params_to_validate", None)
        return params

    def _validate_params(self) -> None:
        check_attack_arguments(self)
        super()._validate_params()

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Parameters of one component; the module's sizes are filled in from the data."""
        params = super().get_params_for(prefix)
        if prefix == "module" and inspect.isclass(self.module) and hasattr(self, "input_shape_"):
            accepted = inspect.signature(self.module.__init__).parameters
            for name, value in self._sizes().items():
                if name in accepted:
                    params.setdefault(name, value)
        return params

    def _sizes(self) -> dict[str, int]:
        sizes = {"n_classes": len(self.classes_)}
        if len(self.input_shape_) == 3:
            sizes["in_channels"], sizes["input_size"] = self.input_shape_[0], self.input_shape_[2]
        if len(self.input_shape_) == 1:
            sizes["n_features"] = self.input_shape_[0]
        return sizes

    @property
    def _default_callbacks(self) -> list:
        # skorch's valid_acc compares predicted labels with encoded ones.
        return [cb for cb in super()._default_callbacks if cb[0] != "valid_acc"]

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

    # -- training -----------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **fit_params: Any) -> Any:
        """Train from fresh weights (or go on, with ``warm_start=True``).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), or Dataset of ``x`` or ``(x, y)``
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,) or None, default=None
        **fit_params
            Passed on to skorch.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any training, if the data, the module's output or a parameter is wrong.
        """
        fresh = not (self.warm_start and self.initialized_)
        return self._learn(X, y, sample_weight, None, fresh, "fit", fit_params)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train for ``max_epochs`` more, from the present weights and optimiser state.

        Parameters
        ----------
        X, y, sample_weight, **fit_params
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
        return self._learn(X, y, sample_weight, classes, fresh, "partial_fit", fit_params)

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: Any,
        fresh: bool,
        method: str,
        fit_params: dict[str, Any],
    ) -> Any:
        check_settings(self)
        attack = self._resolved_attack()
        X, y, known = check_training_data(self, X, y, classes, attack, fresh)
        weights = check_weights(sample_weight, len(y))
        if fresh:
            self._begin(X, known)
        encoded = np.searchsorted(self.classes_, y).astype(np.int64)
        self.attack_ = attack
        seed = derive_seed(self.seed_, _TRAIN, self.n_fits_)
        self.n_fits_ += 1
        with seeded_torch(seed):
            self._train(X, encoded, weights, seed, method, fit_params)
        return self

    def _resolved_attack(self) -> Attack | None:
        if self.attack is None:
            return None
        attack = resolve_attack(self.attack, bounds=self.bounds)
        attack._check_params()
        return attack

    def _begin(self, X: NDArray, classes: NDArray) -> None:
        """Fresh weights, optimiser, history and random numbers."""
        self.classes_fitted_ = classes
        self.input_shape_ = X.shape[1:]
        self.seed_ = derive_seed(self.random_state)
        self.n_fits_ = 0
        if str(self.device).startswith("cuda"):
            torch.cuda.init()  # so that its generator is restored, too
        with seeded_torch(derive_seed(self.seed_, _INIT)):
            self.initialize()
        try:
            check_output(self, X)
        except ValueError:
            self.initialized_ = False  # a module that does not fit is no fitted net
            raise

    def _train(
        self,
        X: NDArray,
        y: NDArray,
        weights: NDArray | None,
        seed: int,
        method: str,
        fit_params: dict[str, Any],
    ) -> None:
        device = next(iter(self.module_.parameters())).device
        self.attack_generator_ = torch_generator(seed, _ATTACK, device=device)
        X, y, weights, best = self._hold_out(X, y, weights, seed, device)
        arrays = (X, y) if weights is None else (X, y, weights)
        if best is not None:
            self.callbacks_.append(("best_epoch", best))
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(ArrayDataset(*arrays), None, _routing_method=method, **fit_params)
        except TrainingDone:
            pass
        except KeyboardInterrupt as error:
            if not _raised_by_callback(error):
                raise
        finally:
            del self.attack_generator_
            if best is not None:
                self.callbacks_.pop()
                best.restore(self)
        self.notify("on_train_end", X=X, y=y)

    def _hold_out(
        self, X: NDArray, y: NDArray, weights: NDArray | None, seed: int, device: torch.device
    ) -> tuple:
        """Training data without the validation samples, and who watches those."""
        self.n_validation_labels_ = 0
        if self.early_stopping is None:
            return X, y, weights, None
        if self.validation_data is not None:
            X_val, y_val = self.validation_data
            X_val, y_val, _ = check_training_data(self, X_val, y_val, None, self.attack_, False)
            y_val = np.searchsorted(self.classes_, y_val).astype(np.int64)
        else:
            rows = np.arange(len(y))
            split = derive_seed(seed, _SPLIT)
            rows, val, _, y_val = split_off(rows, y, self.validation_fraction, split)
            X, X_val, y = X[rows], X[val], y[rows]
            weights = None if weights is None else weights[rows]
        self.n_validation_labels_ = len(y_val)
        best = BestEpoch(
            as_float_tensor(X_val, device),
            torch.as_tensor(y_val, device=device),
            self.attack_ if self.early_stopping == "robust" else None,
            self.patience,
            seed,
        )
        return X, y, weights, best

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """The arrays as they are; anything else as skorch does."""
        return X if isinstance(X, ArrayDataset) else super().get_dataset(X, y)

    def check_data(self, X: Any, y: Any) -> None:
        """Nothing is left to check here: see `fit`."""

    def initialize_module(self) -> Any:
        """Create the module, in channels-last memory format if asked."""
        super().initialize_module()
        if self.channels_last:
            self.module_.to(memory_format=torch.channels_last)
        return self

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Attack one batch and compute the gradients of the loss on it."""
        device = next(iter(self.module_.parameters())).device
        X, y, *weights = (part.to(device) for part in batch)
        if self.channels_last and X.dim() == 4:
            X = X.contiguous(memory_format=torch.channels_last)
        self._set_training(True)
        logits, losses = self._losses(X, y)
        if weights:
            if losses.dim() == 0:
                raise ValueError(
                    "sample_weight needs the loss of each sample: use the default criterion, "
                    "CrossEntropyLoss without class weights."
                )
            weight = weights[0]
            loss = (losses * weight).sum() / weight.sum()
        else:
            loss = losses.mean()
        loss.backward()
        return {"loss": loss, "y_pred": logits}

    def _losses(self, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the loss of each sample (or of the batch, for other criteria)."""
        if self.loss == "adversarial":
            logits = self.infer(self._attacked(X, y))
            criterion = self.criterion_
            if type(criterion) is torch.nn.CrossEntropyLoss and criterion.weight is None:
                smoothing = criterion.label_smoothing
                return logits, F.cross_entropy(
                    logits, y, reduction="none", label_smoothing=smoothing
                )
            return logits, self.get_loss(logits, y, X=X, training=True)
        if self.loss == "trades":
            attacked = self._attacked_by_divergence(X, y)
            both = self.infer(torch.cat([X, attacked]))
            logits, logits_adv = both.chunk(2)
            return logits, trades_loss(logits, logits_adv, y, self.beta)
        both = self.infer(torch.cat([X, self._attacked(X, y)]))
        logits, logits_adv = both.chunk(2)
        return logits, mart_loss(logits, logits_adv, y, self.beta)

    def _attacked(self, X: Tensor, y: Tensor) -> Tensor:
        if self.attack_ is None:
            return X
        return self.attack_(self.module_, X, y, generator=self.attack_generator_)

    def _attacked_by_divergence(self, X: Tensor, y: Tensor) -> Tensor:
        """TRADES' attack: as far as possible from the clean prediction, labels aside."""
        with torch.no_grad(), untouched(self.module_, freeze=False):
            clean = self.module_(X)
        noise = torch.randn(
            X.shape, generator=self.attack_generator_, device=X.device, dtype=X.dtype
        )
        assert self.attack_ is not None
        return self.attack_.from_start(
            self.module_,
            X,
            y,
            start=(X + _TRADES_NOISE * noise).clamp(*self.bounds_),
            loss=lambda logits: divergence(clean, logits).sum(),
            generator=self.attack_generator_,
        )

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
        return torch.softmax(torch.from_numpy(logits), dim=1).numpy()

    def predict(self, X: Any) -> NDArray:
        """Predicted labels, shape (n_samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def as_inputs(self, X: Any) -> Tensor:
        """Rows of any container, checked, as the float32 tensor that the module reads."""
        X = validate_data(self, as_batch(X), dtype=np.float32, allow_nd=True, reset=False)
        check_shape(self, X)
        if self.attack_ is not None:
            check_bounds(X, self.attack_.bounds)
        inputs = as_float_tensor(X, next(iter(self.module_.parameters())).device)
        if self.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    def _valid_batch_size(self) -> int:
        return int(super().get_params_for("iterator_valid").get("batch_size", 512))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_fitted_") and self.initialized_


def _raised_by_callback(error: BaseException) -> bool:
    """Whether a skorch callback (EarlyStopping) ended the training, not the user."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith(
        "skorch.callbacks"
    )
