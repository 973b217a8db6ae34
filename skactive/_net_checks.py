"""What is checked before a net trains: parameters, data, and the module's output."""

from __future__ import annotations

import inspect
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ._batches import ArrayDataset, BatchIterator
from .attacks import Attack, check_bounds, resolve_attack
from .utils.inputs import as_batch, as_float_tensor
from .utils.labels import unknown_labels
from .utils.modules import untouched

_MAX_WEIGHT = 1e30

_RECIPE: dict[str, list] = {
    "unlabeled": [StrOptions({"rst", "uat-ft", "uat-kl", "uat++"}), None],
    "unlabeled_fraction": [Interval(Real, 0, 1, closed="neither")],
    "unlabeled_weight": [Interval(Real, 0, None, closed="neither")],
    "eps_warmup": [Interval(Real, 0, 1, closed="both")],
    "awp_gamma": [Interval(Real, 0, None, closed="left")],
    "averaging": [StrOptions({"ema", "swa"}), None],
    "averaging_decay": [Interval(Real, 0, 1, closed="left")],
    "averaging_start": [Interval(Real, 0, 1, closed="left")],
    "overfitting_guard": [StrOptions({"warn", "restore"}), None],
}


def check_settings(net: Any) -> None:
    """Raise unless the net's own parameters are in range and fit together."""
    if net.loss not in ("adversarial", "trades", "mart"):
        raise ValueError(f"loss must be 'adversarial', 'trades' or 'mart', got {net.loss!r}.")
    if net.loss != "adversarial" and net.attack is None:
        raise ValueError(f"loss={net.loss!r} needs an attack, but attack is None.")
    if net.early_stopping not in (None, "clean", "robust"):
        raise ValueError(
            f"early_stopping must be None, 'clean' or 'robust', got {net.early_stopping!r}."
        )
    if net.early_stopping == "robust" and net.attack is None:
        raise ValueError("early_stopping='robust' needs an attack, but attack is None.")
    if net.early_stopping is None and net.validation_data is not None:
        raise ValueError("validation_data is only used with early_stopping='clean' or 'robust'.")
    if not isinstance(net.beta, Real) or not float(net.beta) >= 0:
        raise ValueError(f"beta must be a number >= 0, got {net.beta!r}.")
    if not isinstance(net.patience, Integral) or net.patience < 1:
        raise ValueError(f"patience must be an integer >= 1, got {net.patience!r}.")
    fraction = net.validation_fraction
    if not isinstance(fraction, Real) or not 0 < float(fraction) < 1:
        raise ValueError(f"validation_fraction must be in (0, 1), got {fraction!r}.")
    check_attack_arguments(net)
    _check_recipe(net)
    _check_device(net.device)
    _check_iterators(net)
    _check_monitors(net)


def _check_device(device: Any) -> None:
    """Raise unless there is such a device here."""
    if device is None:
        return
    choice = "Pass 'cpu', or 'cuda' if torch.cuda.is_available() else 'cpu'."
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is no torch device. {choice}") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}, but torch sees no GPU here. {choice}")


def _check_iterators(net: Any) -> None:
    """Raise if arguments of a DataLoader are given to the iterator that slices arrays."""
    for name in ("iterator_train", "iterator_valid"):
        if getattr(net, name) is not BatchIterator:
            continue
        given = {key for key in vars(net) if key.startswith(f"{name}__")}
        known = {f"{name}__{key}" for key in inspect.signature(BatchIterator).parameters}
        if given - known:
            raise ValueError(
                f"{', '.join(sorted(given - known))}: {name} slices batches out of arrays in "
                f"memory and only takes {', '.join(sorted(known - {f'{name}__dataset'}))}. For a "
                f"Dataset that takes time to read, pass {name}=torch.utils.data.DataLoader too."
            )


def _check_monitors(net: Any) -> None:
    """Raise if a callback of skorch waits for a validation score that nobody computes."""
    if net.train_split is not None or not isinstance(net.callbacks, (list, tuple)):
        return
    for callback in (cb[-1] if isinstance(cb, tuple) else cb for cb in net.callbacks):
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith(("valid_loss", "valid_acc")):
            raise ValueError(
                f"{type(callback).__name__} monitors {monitor!r}, but without a train_split there "
                "is no validation data. Use early_stopping='clean' or 'robust' with patience=… "
                "(which records 'valid_clean_acc' or 'valid_robust_acc'), monitor='train_loss', or "
                "train_split=skorch.dataset.ValidSplit(5)."
            )


def _check_recipe(net: Any) -> None:
    """Raise unless pool, warm-up, perturbation, averaging and guard are in range."""
    given = {name: getattr(net, name) for name in _RECIPE}
    validate_parameter_constraints(_RECIPE, given, caller_name=type(net).__name__)
    if net.unlabeled in ("uat-kl", "uat++", "uat-ft") and net.attack is None:
        raise ValueError(f"unlabeled={net.unlabeled!r} needs an attack, but attack is None.")
    plain = net.criterion is torch.nn.CrossEntropyLoss
    if net.unlabeled is not None and not (
        plain and getattr(net, "criterion__weight", None) is None
    ):
        raise ValueError(
            "Learning from unlabelled samples needs the loss of each sample: use the default "
            "criterion, CrossEntropyLoss without class weights."
        )
    if net.eps_warmup and net.attack is not None and resolve_attack(net.attack).eps == np.inf:
        raise ValueError("eps_warmup needs an attack with a radius eps; this one has none.")


def check_training_data(
    net: Any, X: Any, y: Any, classes: Any, attack: Attack | None, fresh: bool
) -> tuple[NDArray, NDArray, NDArray]:
    """Inputs as float32, labels as they are, and all labels there may be."""
    if y is None:
        X, y = _split_pairs(X)
    X, y = validate_data(
        net,
        as_batch(X),
        y,
        dtype=np.float32,
        allow_nd=True,
        reset=fresh,
    )
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    if attack is not None:
        check_bounds(X, attack.bounds)
    if not fresh:
        check_shape(net, X)
        known = net.classes_
        hint = "Train afresh with fit, after declaring all labels with classes=…."
    else:
        declared = classes if classes is not None else net.classes
        known = np.unique(y if declared is None else np.asarray(declared))
        hint = "Add them to classes=…."
    if len(known) < 2:
        raise ValueError(
            f"y holds only one class, {known.tolist()}, and a net needs at least two. Declare all "
            "labels with classes=…, or begin with samples of several classes."
        )
    unknown = unknown_labels(y, known)
    if unknown:
        raise ValueError(
            f"y holds labels that the net does not know: {unknown}; known are "
            f"{known.tolist()}. {hint}"
        )
    return X, y, known


def check_shape(net: Any, X: NDArray) -> None:
    """Raise unless samples have the shape that the net was trained on."""
    if tuple(X.shape[1:]) != tuple(net.input_shape_):
        raise ValueError(
            f"X has samples of shape {tuple(X.shape[1:])}, but the net was trained on samples "
            f"of shape {tuple(net.input_shape_)}."
        )


def check_output(net: Any, X: NDArray) -> None:
    """Check, before any training, that the module returns logits, one per class."""
    inputs = as_float_tensor(X[:8], net.device)
    with torch.no_grad(), untouched(net.module_, freeze=False):
        output = net.module_(inputs)
    n_classes = len(net.classes_)
    shape = tuple(getattr(output, "shape", ()))
    if shape != (len(inputs), n_classes):
        raise ValueError(
            f"The module must return logits of shape ({len(inputs)}, {n_classes}), one column "
            f"per class, for {len(inputs)} samples; it returned {shape or type(output)}. Give "
            "it one output per class (module__…), or declare all labels with classes=…; the "
            f"labels are {net.classes_.tolist()[:20]}."
        )
    total = output.sum(dim=1)
    if n_classes > 1 and (output >= 0).all() and torch.allclose(total, torch.ones_like(total)):
        raise ValueError(
            "The module returns probabilities, but attacks and the loss need logits. Remove "
            "the softmax at its end; predict_proba applies it."
        )


def check_attack_arguments(net: Any) -> None:
    """Raise if parameters of the attack were given to the net's constructor."""
    misplaced = sorted(key for key in net._params_to_validate if key.startswith("attack"))
    if misplaced:
        attack = None if net.attack is None else resolve_attack(net.attack)
        known = ", ".join(sorted(attack.get_params())) if attack is not None else "none"
        raise ValueError(
            f"{', '.join(misplaced)} is no constructor argument: parameters of the attack are "
            f"given to the attack object, attack=PGD(eps=…), or set with set_params. "
            f"This attack has: {known}."
        )


def _split_pairs(X: Any) -> tuple[Any, Any]:
    """Inputs and labels of a Dataset of pairs."""
    if isinstance(X, torch.utils.data.Dataset) and len(X) > 0:  # type: ignore[arg-type]
        items = [X[i] for i in range(len(X))]  # type: ignore[arg-type]
        if all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
            inputs = ArrayDataset([item[0] for item in items])
            return inputs, np.asarray([item[1] for item in items])
    raise ValueError(
        "AdversarialNetClassifier requires y to be passed, but the target y is None. Pass y, or a "
        "Dataset whose items are (x, y) pairs."
    )


def check_weights(sample_weight: Any, n: int) -> NDArray | None:
    """Weights as float32, or None; raise unless there is a usable one per sample."""
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float32)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"sample_weight must hold one finite, non-negative number per sample, shape ({n},), "
            f"got shape {weights.shape}."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for all samples: there is nothing to train on.")
    if weights.max() > _MAX_WEIGHT:
        raise ValueError(
            f"sample_weight goes up to {weights.max():.3g}, with which sums overflow. Only ratios "
            "count: divide the weights by their mean."
        )
    return weights


def without_weightless(X: Any, y: NDArray, weights: NDArray | None) -> tuple:
    """Training data less the samples of weight zero, of which a batch might be full."""
    if weights is None or weights.all():
        return X, y, weights
    kept = np.flatnonzero(weights)
    return X[kept], y[kept], weights[kept]
