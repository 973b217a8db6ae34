"""What is checked before a net trains: parameters, data, and the module's output."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from skorch.hf import AccelerateMixin

from ..attacks import Attack, check_bounds
from ..losses import Loss, resolve_loss, resolve_pool_loss
from ..passes.modules import untouched
from ..passes.precision import float32_door
from ..utils.compat import given_names
from ..utils.indexing import n_rows
from ..utils.inputs import as_batch, as_float_tensor, is_dataset, label_of
from ..utils.labels import unknown_labels
from ..utils.validation import check_constraints, check_params
from ..utils.weights import check_weights
from ._batches import BatchIterator
from ._certified import check_bounded, enforced_bounds
from ._fresh_rows import FreshRows, labels_of_items
from ._objective import is_plain
from ._processes import OneProcess
from ._views import check_views

_MAX_WEIGHT = 1e30
_CHANNELS_FIRST = (
    "Images have their channels first here, (n, channels, height, width): use "
    "X.transpose(0, 3, 1, 2), or X.permute(0, 3, 1, 2) of a tensor."
)


def check_settings(net: Any) -> None:
    """Raise unless the net's own parameters are in range and fit together."""
    check_constraints(net._parameter_constraints, net.get_params(deep=False), type(net).__name__)
    if net.module is None:
        raise ValueError(
            f"module is None: {type(net).__name__} has no network to train. Pass a torch module "
            "class or instance; only a teacher takes the module of the net that it teaches."
        )
    check_views(net)
    check_nested_arguments(net)
    _check_losses(net)
    _check_device(net.device)
    _check_processes(net)
    _check_iterators(net)
    _check_monitors(net)


def _check_losses(net: Any) -> None:
    """Raise unless the losses are known, in range, and have what they need."""
    for name, resolve in (("loss", resolve_loss), ("unlabeled", resolve_pool_loss)):
        loss = resolve(getattr(net, name))
        if loss is None:
            continue
        check_params(loss)
        if loss.needs_attack and net.attack is None:
            raise ValueError(f"{name}={getattr(net, name)!r} needs an attack, but attack is None.")
    _check_criterion(net, resolve_loss(net.loss))


def _check_criterion(net: Any, loss: Loss) -> None:
    """Raise unless the criterion trains logits, and the losses read all that it says."""
    kind = net.criterion if inspect.isclass(net.criterion) else type(net.criterion)
    if issubclass(kind, torch.nn.NLLLoss):
        raise ValueError(
            f"criterion={kind.__name__} takes log-probabilities, but in skorch the logarithm of "
            "them once more. Leave the default, CrossEntropyLoss: it takes logits and, of a "
            "module that ends in LogSoftmax, log-probabilities alike, and class weights."
        )
    given = None
    if kind is torch.nn.CrossEntropyLoss:  # nobody else's code runs before the training
        given = net.initialized_instance(net.criterion, net.get_params_for("criterion"))
    _check_read(net, loss, given)


def _check_read(net: Any, loss: Loss, given: torch.nn.CrossEntropyLoss | None) -> None:
    """Raise unless the losses read all that cross-entropy, or another criterion, says."""
    if not loss.reads_criterion and not is_plain(given):
        raise ValueError(
            f"loss={net.loss!r} has a cross-entropy of its own and reads no other criterion, class "
            "weights, reduction or ignored label, but the criterion has one. Leave the default, "
            "CrossEntropyLoss, or use loss='adversarial'."
        )
    if not loss.reads_smoothing and given is not None and given.label_smoothing:
        raise ValueError(
            f"loss={net.loss!r} takes no label smoothing, but criterion__label_smoothing is "
            f"{given.label_smoothing:g}. Leave it out, or use 'trades' or 'adversarial'."
        )
    if net.unlabeled is not None and not is_plain(given):
        raise ValueError(
            "Learning from unlabelled samples needs the loss of each sample: use the default "
            "criterion, CrossEntropyLoss without class weights, reduction or ignored label."
        )


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


def _check_processes(net: Any) -> None:
    """Raise if skorch's Accelerate mixin is mixed in: its training step attacks nothing."""
    if isinstance(net, AccelerateMixin) and type(net.processes) is OneProcess:
        raise ValueError(
            f"{type(net).__name__} takes its training step from skorch's AccelerateMixin, which "
            "attacks no batch. Use skactive.AcceleratedNetClassifier(module, accelerator=…), "
            "which mixes the two."
        )


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
                "is no validation data. Use BestEpoch('clean') or BestEpoch('robust') of "
                "skactive.callbacks, monitor='train_loss', or "
                "train_split=skorch.dataset.ValidSplit(5)."
            )


def check_training_data(
    net: Any, X: Any, y: Any, classes: Any, attack: Attack | None, fresh: bool
) -> tuple[NDArray, NDArray, NDArray]:
    """Inputs as float32, labels as they are, and all labels there may be."""
    X, y = with_labels(X, y)
    bounds = enforced_bounds(net, attack)
    read = _fresh_rows if is_dataset(X) else _arrays
    X, y = read(net, X, y, bounds, fresh)
    check_classification_targets(y)
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


def check_inputs(net: Any, X: Any, bounds: Any) -> NDArray:
    """Inputs without labels as float32, by which the net knows its features from now on."""
    X = validate_data(net, as_batch(X), dtype=np.float32, allow_nd=True, reset=True)
    if bounds is not None:
        check_bounds(X, bounds)
    return X


def _arrays(net: Any, X: Any, y: Any, bounds: Any, fresh: bool) -> tuple[NDArray, NDArray]:
    X = as_batch(X)
    if not fresh:
        refuse_channels_last(net, X)
    X, y = validate_data(net, X, y, dtype=np.float32, allow_nd=True, reset=fresh)
    if bounds is not None:
        check_bounds(X, bounds)
    return X, column_or_1d(y, warn=True)


def _fresh_rows(net: Any, X: Any, y: Any, bounds: Any, fresh: bool) -> tuple[FreshRows, NDArray]:
    """Rows of a Dataset, of which only the first is read now: others when it is their turn."""
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_consistent_length(X, y)
    rows = FreshRows(X, bounds=bounds)
    validate_data(net, rows[:1].numpy(), dtype=np.float32, allow_nd=True, reset=fresh)
    return rows, y


def check_shape(net: Any, X: Any) -> None:
    """Raise unless samples have the shape that the net was trained on, where that is known."""
    if not hasattr(net, "input_shape_"):
        return
    refuse_channels_last(net, X)
    shape, expected = _sample_shape(X), tuple(net.input_shape_)
    if shape != expected:
        raise ValueError(
            f"X has samples of shape {shape}, but the net was trained on samples of shape "
            f"{expected}."
        )


def _sample_shape(X: Any) -> tuple[int, ...]:
    return X.input_shape if isinstance(X, FreshRows) else tuple(getattr(X, "shape", ()))[1:]


def refuse_channels_last(net: Any, X: Any) -> None:
    """Raise if images have the net's shape, but with their channels last."""
    shape, expected = _sample_shape(X), tuple(getattr(net, "input_shape_", ()))
    if len(shape) == 3 and shape != expected and (shape[2], *shape[:2]) == expected:
        raise ValueError(
            f"X has samples of shape {shape}, but the net was trained on samples of shape "
            f"{expected}. {_CHANNELS_FIRST}"
        )


def _check_channels_first(net: Any) -> None:
    """Raise if images with channels last meet a module that takes their height for channels."""
    shape = tuple(net.input_shape_)
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or min(shape[:2]) <= 4:
        return
    convolutions = [sub for sub in net.module_.modules() if isinstance(sub, torch.nn.Conv2d)]
    guessed = "module__in_channels" not in net.get_params(deep=False)
    if convolutions and convolutions[0].in_channels == shape[0] and guessed:
        raise ValueError(
            f"X has samples of shape {shape}, which look like images with channels last, but "
            f"the module would read {shape[0]} channels. {_CHANNELS_FIRST}"
        )


def check_output(net: Any, X: Any) -> None:
    """Check, before any training, that the module returns logits, one per class."""
    _check_channels_first(net)
    inputs = as_float_tensor(X[:8], next(iter(net.module_.parameters())).device)
    with torch.no_grad(), untouched(net.module_, freeze=False) as module:
        output = _output(float32_door(module), inputs)
    check_logits(net, output, len(inputs))
    check_bounded(net, inputs)


def check_logits(net: Any, output: Any, n: int) -> None:
    """Raise unless what the module returned for `n` samples are logits, one per class."""
    n_classes = len(net.classes_)
    shape = tuple(getattr(output, "shape", ()))
    if shape != (n, n_classes):
        raise ValueError(
            f"The module must return logits of shape ({n}, {n_classes}), one column "
            f"per class, for {n} samples; it returned {shape or type(output)}. Give "
            "it one output per class (module__…), or declare all labels with classes=…; the "
            f"labels are {net.classes_.tolist()[:20]}."
        )
    total = output.sum(dim=1)
    if n_classes > 1 and (output >= 0).all() and torch.allclose(total, torch.ones_like(total)):
        raise ValueError(
            "The module returns probabilities, but attacks and the loss need logits. Remove "
            "the softmax at its end; predict_proba applies it."
        )


def _output(module: Any, inputs: torch.Tensor) -> Any:
    """What the module returns; its own error with the shape, and the way out, before it."""
    try:
        return module(inputs.clone())  # it may overwrite what it gets
    except (RuntimeError, ValueError, TypeError) as error:
        shape = tuple(inputs.shape[1:])
        last = len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] not in (1, 3, 4)
        hint = f" {_CHANNELS_FIRST}" if last else ""
        if isinstance(error, TypeError):
            hint = " Its forward must be a function of one input, a batch of samples."
        raise ValueError(
            f"The module cannot read samples of shape {shape}: {error}{hint}"
        ) from error


def check_trained(net: Any) -> None:
    """Raise if a training ended in weights that are no numbers."""
    weights = dict(net.module_.named_parameters())
    broken = [name for name, value in weights.items() if value.isnan().any()]
    if broken:
        raise ValueError(
            f"The training diverged: {broken[0]} of {type(net.module_).__name__} is NaN. Lower the "
            f"learning rate, now lr={net.lr!r}, or clip gradients "
            "(skorch.callbacks.GradientClipping). A net that was fitted is as it was before."
        )


def check_nested_arguments(net: Any) -> None:
    """Raise if parameters of the attack or of a loss were given to the net's constructor."""
    for owner, example in (("attack", "PGD(eps=…)"), ("loss", "TRADES(beta=…)"),
                           ("unlabeled", "UATKL(beta=…)")):  # fmt: skip
        misplaced = sorted(key for key in given_names(net) if key.startswith(f"{owner}_"))
        if misplaced:
            raise ValueError(
                f"{', '.join(misplaced)} is no constructor argument: parameters of {owner} are "
                f"given to an object, {owner}={example}, or set with set_params."
            )


def with_labels(X: Any, y: Any) -> tuple[Any, Any]:
    """Training data with its labels, which a Dataset of pairs or dicts holds itself."""
    if y is not None:
        return X, y
    if is_dataset(X) and len(X) > 0:
        return X, labels_of_items(X)
    label_of(None)  # says what is missing
    raise AssertionError


def usable_weights(sample_weight: Any, n: int) -> NDArray | None:
    """Weights as float32, or None; raise unless a loss can be weighted with them."""
    given = check_weights(sample_weight, n)
    if given is None:
        return None
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError("sample_weight must hold finite, non-negative numbers.")
    if given.max() > _MAX_WEIGHT:
        raise ValueError(
            f"sample_weight goes up to {given.max():.3g}, with which sums overflow. Only ratios "
            "count: divide the weights by their mean."
        )
    weights = given.astype(np.float32)
    if not weights.any():
        raise ValueError("sample_weight is zero for all samples: there is nothing to train on.")
    return weights


def check_mask(as_is: Any, X: Any) -> NDArray | None:
    """Which samples are trained on as they are; None for none, raise unless one flag a sample."""
    if as_is is None:
        return None
    mask = np.asarray(as_is)
    if mask.dtype != bool or mask.shape != (n_rows(X),):
        raise ValueError(
            f"as_is must hold one True or False per sample, shape ({n_rows(X)},), got "
            f"{mask.dtype} of shape {mask.shape}."
        )
    return mask if mask.any() else None
