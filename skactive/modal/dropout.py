"""Monte-Carlo dropout of skorch nets, also for outputs of more than two dimensions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from skorch.utils import to_numpy
from torch import Tensor, nn

from ..passes.modules import untouched
from ..utils.alone import ALONE
from ..utils.indexing import n_rows
from ..utils.inputs import as_array, as_batch
from ..utils.random_state import derive_seed, guarded_draws, seeded_torch
from ._errors import InvalidValue
from .utils.data import is_dict, retrieve_rows
from .utils.selection import pick


def default_logits_adaptor(input_tensor: Tensor, samples: Any) -> Tensor:
    """The output of the net as it is.

    Parameters
    ----------
    input_tensor : Tensor
        What the net returned.
    samples : what the net was given

    Returns
    -------
    logits : Tensor
        `input_tensor` itself.

    Examples
    --------
    An adaptor of one's own is for a net that returns more than logits:

    >>> import torch
    >>> from skactive.modal.dropout import default_logits_adaptor
    >>> logits, embedding = torch.tensor([[1.0, 2.0]]), torch.zeros(1, 64)
    >>> default_logits_adaptor(logits, samples=None).tolist()
    [[1.0, 2.0]]
    >>> def first_output(output, samples):
    ...     return output[0]
    >>> first_output((logits, embedding), samples=None).tolist()
    [[1.0, 2.0]]
    """
    return input_tensor


def mc_dropout_bald(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    dropout_layer_indexes: Sequence[int] = (),
    num_cycles: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Tensor, Any], Tensor] = default_logits_adaptor,
    *,
    random_state: Any = None,
    **mc_dropout_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples about which the sampled networks disagree most (BALD).

    H(mean p) − mean H(p); summed over all positions where the net returns more than one
    distribution per sample.

    Parameters
    ----------
    classifier : learner of an initialised skorch net
    X : array, tensor or dict of them, (n_pool, ...)
    n_instances : int, default=1
    random_tie_break : bool, default=False
        Equal utilities in random order, the best last; else the first first.
    dropout_layer_indexes : sequence of int, default=()
        Positions in ``list(module.modules())`` of the dropout layers to use; all if empty.
    num_cycles : int, default=50
        Sampled networks.
    sample_per_forward_pass : int, default=1000
        Samples the net reads at once. The result does not depend on it but for the masks drawn.
    logits_adaptor : callable, default=default_logits_adaptor
        ``adaptor(output, samples) -> logits``, classes last; NaN marks classes to be left out.
    random_state : None, int, RandomState or Generator, default=None
        Seeds the masks. ``None`` is torch's global generator, as in modAL.
    **mc_dropout_kwargs
        Ignored, as in modAL.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If a number is not positive or `n_instances` does not fit the pool (an `AssertionError`,
        too).
    KeyError
        If an index names a layer that is no dropout.

    References
    ----------
    Gal, Islam & Ghahramani, "Deep Bayesian active learning with image data", ICML 2017.

    Examples
    --------
    The logits are the inputs, each kept (and doubled) or dropped: the first sample is (0.5, 0.5)
    for every sampled network, the second that or (0, 1):

    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from skactive.modal.dropout import mc_dropout_bald
    >>> from skactive.modal.models import DeepActiveLearner
    >>> module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.5))
    >>> weight = nn.init.eye_(module[0].weight)
    >>> net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss)
    >>> learner = DeepActiveLearner(net, query_strategy=mc_dropout_bald)
    >>> X = np.array([[0, 0], [0, 8]], dtype=np.float32)
    >>> query_idx, _, utilities = learner.query(
    ...     X, num_cycles=200, random_state=0, return_metrics=True)
    >>> query_idx.tolist(), utilities.round(1).tolist()
    ([1], [0.2])
    """
    proba = _sampled(
        classifier,
        X,
        dropout_layer_indexes,
        num_cycles,
        sample_per_forward_pass,
        logits_adaptor,
        random_state,
    )
    expected = np.nansum(entr(proba), axis=-1).mean(axis=0)
    bald = np.nansum(entr(proba.mean(axis=0)), axis=-1) - expected
    return pick(_per_sample(bald, np.sum), n_instances, random_tie_break, random_state)


def mc_dropout_mean_st(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    dropout_layer_indexes: Sequence[int] = (),
    num_cycles: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Tensor, Any], Tensor] = default_logits_adaptor,
    *,
    random_state: Any = None,
    **mc_dropout_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest standard deviation, averaged over the classes.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, dropout_layer_indexes, num_cycles
        As in `mc_dropout_bald`.
    sample_per_forward_pass, logits_adaptor, random_state, **mc_dropout_kwargs
        As in `mc_dropout_bald`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    References
    ----------
    Gal, Islam & Ghahramani, "Deep Bayesian active learning with image data", ICML 2017.

    Examples
    --------
    The logits are the inputs, each kept (and doubled) or dropped: the first sample is (0.5, 0.5)
    for every sampled network, the second that or (0, 1):

    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from skactive.modal.dropout import mc_dropout_mean_st
    >>> from skactive.modal.models import DeepActiveLearner
    >>> module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.5))
    >>> weight = nn.init.eye_(module[0].weight)
    >>> net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss)
    >>> learner = DeepActiveLearner(net, query_strategy=mc_dropout_mean_st)
    >>> X = np.array([[0, 0], [0, 8]], dtype=np.float32)
    >>> query_idx, _, utilities = learner.query(
    ...     X, num_cycles=400, random_state=0, return_metrics=True)
    >>> query_idx.tolist(), utilities.round(2).tolist()
    ([1], [0.25])
    """
    proba = _sampled(
        classifier,
        X,
        dropout_layer_indexes,
        num_cycles,
        sample_per_forward_pass,
        logits_adaptor,
        random_state,
    )
    spread = np.nanmean(proba.std(axis=0), axis=-1)
    return pick(_per_sample(spread, np.mean), n_instances, random_tie_break, random_state)


def mc_dropout_max_entropy(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    dropout_layer_indexes: Sequence[int] = (),
    num_cycles: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Tensor, Any], Tensor] = default_logits_adaptor,
    *,
    random_state: Any = None,
    **mc_dropout_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest entropy H(mean p) of the mean prediction.

    modAL computes the mean entropy of the sampled networks instead, averaged over the classes.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, dropout_layer_indexes, num_cycles
        As in `mc_dropout_bald`.
    sample_per_forward_pass, logits_adaptor, random_state, **mc_dropout_kwargs
        As in `mc_dropout_bald`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    References
    ----------
    Gal, Islam & Ghahramani, "Deep Bayesian active learning with image data", ICML 2017.

    Examples
    --------
    The logits are the inputs, each kept (and doubled) or dropped: the first sample is (0.5, 0.5)
    for every sampled network, the second that or (0, 1):

    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from skactive.modal.dropout import mc_dropout_max_entropy
    >>> from skactive.modal.models import DeepActiveLearner
    >>> module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.5))
    >>> weight = nn.init.eye_(module[0].weight)
    >>> net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss)
    >>> learner = DeepActiveLearner(net, query_strategy=mc_dropout_max_entropy)
    >>> X = np.array([[0, 0], [0, 8]], dtype=np.float32)
    >>> query_idx, _, utilities = learner.query(
    ...     X, num_cycles=200, random_state=0, return_metrics=True)
    >>> query_idx.tolist(), utilities.round(3).tolist()
    ([0], [0.693])
    """
    proba = _sampled(
        classifier,
        X,
        dropout_layer_indexes,
        num_cycles,
        sample_per_forward_pass,
        logits_adaptor,
        random_state,
    )
    entropy = np.nansum(entr(proba.mean(axis=0)), axis=-1)
    return pick(_per_sample(entropy, np.mean), n_instances, random_tie_break, random_state)


def mc_dropout_max_variationRatios(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    dropout_layer_indexes: Sequence[int] = (),
    num_cycles: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Tensor, Any], Tensor] = default_logits_adaptor,
    *,
    random_state: Any = None,
    **mc_dropout_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest 1 − max of the mean prediction, as in modAL.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, dropout_layer_indexes, num_cycles
        As in `mc_dropout_bald`.
    sample_per_forward_pass, logits_adaptor, random_state, **mc_dropout_kwargs
        As in `mc_dropout_bald`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    References
    ----------
    Gal, Islam & Ghahramani, "Deep Bayesian active learning with image data", ICML 2017; there it is
    the share of the sampled networks that do not predict the most frequent class.

    Examples
    --------
    The logits are the inputs, each kept (and doubled) or dropped: the first sample is (0.5, 0.5)
    for every sampled network, the second that or (0, 1):

    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from skactive.modal.dropout import mc_dropout_max_variationRatios
    >>> from skactive.modal.models import DeepActiveLearner
    >>> module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.5))
    >>> weight = nn.init.eye_(module[0].weight)
    >>> net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss)
    >>> learner = DeepActiveLearner(net, query_strategy=mc_dropout_max_variationRatios)
    >>> X = np.array([[0, 0], [0, 8]], dtype=np.float32)
    >>> query_idx, _, utilities = learner.query(
    ...     X, num_cycles=200, random_state=0, return_metrics=True)
    >>> query_idx.tolist(), utilities.round(3).tolist()
    ([0], [0.5])
    """
    proba = _sampled(
        classifier,
        X,
        dropout_layer_indexes,
        num_cycles,
        sample_per_forward_pass,
        logits_adaptor,
        random_state,
    )
    ratios = 1 - np.nanmax(proba.mean(axis=0), axis=-1)
    return pick(_per_sample(ratios, np.mean), n_instances, random_tie_break, random_state)


def get_predictions(
    classifier: Any,
    X: Any,
    dropout_layer_indexes: Sequence[int] = (),
    num_predictions: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Tensor, Any], Tensor] = default_logits_adaptor,
    *,
    random_state: Any = None,
) -> list[NDArray]:
    """Class probabilities of networks sampled by dropout.

    Parameters
    ----------
    classifier : learner of an initialised skorch net
    X : array, tensor or dict of them, (n_samples, ...)
    dropout_layer_indexes, sample_per_forward_pass, logits_adaptor, random_state
        See `mc_dropout_bald`.
    num_predictions : int, default=50
        Sampled networks.

    Returns
    -------
    predictions : list of ndarray of shape (n_samples, ..., n_classes)
        Each row sums to 1, NaN where the logits are NaN.

    Raises
    ------
    ValueError
        If a number is not positive (an `AssertionError`, too).
    KeyError
        If an index names a layer that is no dropout.

    Notes
    -----
    Only dropout is random: everything else runs in eval mode, and all modes are as before
    afterwards. A net trained with ``NLLLoss`` returns probabilities: they are taken as they are.

    Examples
    --------
    The logits are the inputs, each kept (and doubled) or dropped; dropped they are (0, 0):

    >>> import numpy as np
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from skactive.modal.dropout import get_predictions
    >>> from skactive.modal.models import DeepActiveLearner
    >>> module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.5))
    >>> weight = nn.init.eye_(module[0].weight)
    >>> net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss)
    >>> X = np.array([[0, 8]], dtype=np.float32)
    >>> predictions = get_predictions(
    ...     DeepActiveLearner(net), X, num_predictions=30, random_state=0)
    >>> len(predictions), predictions[0].shape
    (30, (1, 2))
    >>> sorted({round(float(proba[0, 1]), 3) for proba in predictions})
    [0.5, 1.0]
    """
    for name, value in (
        ("num_predictions", num_predictions),
        ("sample_per_forward_pass", sample_per_forward_pass),
    ):
        if value <= 0:
            raise InvalidValue(f"{name} must be larger than zero, got {value}.")
    net = classifier.estimator
    read = as_batch if hasattr(net, "as_inputs") else _as_given
    batches = list(_split(X, sample_per_forward_pass, read))
    masks = (
        contextlib.nullcontext()
        if random_state is None
        else seeded_torch(derive_seed(random_state))
    )
    drawn = guarded_draws()
    with ALONE, drawn, untouched(net.module_, freeze=False) as module, torch.no_grad(), masks:
        set_dropout_mode(module, dropout_layer_indexes, train_mode=True)
        sampled = _with_module(net, module)
        return [
            np.concatenate([_proba(sampled, samples, logits_adaptor) for samples in batches])
            for _ in range(num_predictions)
        ]


def entropy_sum(values: NDArray, axis: int = -1) -> NDArray:
    """Sum of −v log v along an axis, in nats; NaN counts nothing.

    Parameters
    ----------
    values : ndarray
        Probabilities.
    axis : int, default=-1

    Returns
    -------
    entropy : ndarray without that axis

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.dropout import entropy_sum
    >>> entropy_sum(np.array([[0.5, 0.5, np.nan], [1.0, 0.0, 0.0]])).round(3).tolist()
    [0.693, 0.0]
    """
    return np.nansum(entr(values), axis=axis)


def set_dropout_mode(
    model: nn.Module, dropout_layer_indexes: Sequence[int], train_mode: bool
) -> None:
    """Put dropout layers in train mode or eval mode.

    Parameters
    ----------
    model : torch.nn.Module
    dropout_layer_indexes : sequence of int
        Positions in ``list(model.modules())``; all dropout layers if empty.
    train_mode : bool

    Raises
    ------
    KeyError
        If an index names a layer that is no dropout.

    Examples
    --------
    >>> from torch import nn
    >>> from skactive.modal.dropout import set_dropout_mode
    >>> net = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2), nn.Dropout()).eval()
    >>> set_dropout_mode(net, [], train_mode=True)
    >>> [layer.training for layer in net]
    [True, False, True]
    >>> set_dropout_mode(net, [3], train_mode=False)  # 0 is the net itself
    >>> [layer.training for layer in net]
    [True, False, False]
    """
    modules = list(model.modules())
    chosen = [modules[i] for i in dropout_layer_indexes] or [m for m in modules if _is_dropout(m)]
    for index, module in zip(dropout_layer_indexes, chosen, strict=False):
        if not _is_dropout(module):
            known = [i for i, m in enumerate(modules) if _is_dropout(m)]
            raise KeyError(
                f"Layer {index} is {type(module).__name__}, not dropout; dropout layers are {known}"
            )
    for module in chosen:
        module.train(bool(train_mode))


def _is_dropout(module: nn.Module) -> bool:
    return type(module).__name__.startswith("Dropout")


def _sampled(*arguments: Any) -> NDArray:
    """`get_predictions` as one array, (num_cycles, n, ..., n_classes)."""
    *positional, random_state = arguments
    predictions = get_predictions(*positional, random_state=random_state)
    return np.stack(predictions).astype(float)


def _per_sample(utility: NDArray, combine: Callable) -> NDArray:
    """One number per sample where the net returns several distributions for each."""
    return combine(utility.reshape(len(utility), -1), axis=1)


def _split(X: Any, size: int, read: Callable[[Any], Any]) -> Iterator[Any]:
    n = n_rows(next(iter(X.values())) if is_dict(X) else X)
    for start in range(0, n, size):
        rows = retrieve_rows(X, slice(start, start + size))
        if isinstance(rows, dict):
            yield {key: torch.as_tensor(part) for key, part in rows.items()}
        else:
            batch = read(rows)
            is_tensor = isinstance(batch, torch.Tensor)
            yield batch if is_tensor else torch.from_numpy(np.ascontiguousarray(batch))


def _as_given(rows: Any) -> Any:
    """As skorch reads rows: it divides no bytes."""
    return rows.detach() if isinstance(rows, torch.Tensor) else as_array(rows)


def _with_module(net: Any, module: nn.Module) -> Any:
    """The same net over another module; `net` itself is only read."""
    other = object.__new__(type(net))
    other.__dict__.update({**net.__dict__, "module_": module})
    return other


def _proba(net: Any, samples: Any, logits_adaptor: Callable[[Tensor, Any], Tensor]) -> NDArray:
    output = logits_adaptor(net.infer(samples), samples)
    if isinstance(net.criterion_, nn.NLLLoss) and logits_adaptor is default_logits_adaptor:
        return to_numpy(output.exp() if bool((output < 0).any()) else output)
    padded = output.isnan()
    proba = output.masked_fill(padded, -torch.inf).softmax(-1)
    return to_numpy(proba.masked_fill(padded, torch.nan))
