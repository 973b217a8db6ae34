"""The view of skorch's own nets, whose modules read what skorch makes of the rows."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.dataset import unpack_data
from torch import Tensor, nn

from ..exceptions import CapabilityError
from ..passes.modules import module_device, untouched
from ..passes.precision import HALF
from ..passes.skorch_nets import TO_PROBABILITIES, own_inputs, own_methods
from ..utils.indexing import Rows
from ..utils.inputs import as_array, is_dataset
from ._net import NetView

_PROBED = 64  # rows of logits


class SkorchView(NetView):
    """A skorch net that is none of ours: everything a torch module can tell.

    The module gets what skorch would give it: rows with the dtype they have, bytes not divided,
    or what a ``dataset`` of its own makes of them. Where the net has its own way from the
    module's output to probabilities, these are what its ``predict_proba`` says.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skactive.model_view import ModelView
    >>> net = NeuralNetClassifier(torch.nn.Linear(2, 2), train_split=None, max_epochs=1, verbose=0)
    >>> net = net.set_params(criterion=torch.nn.CrossEntropyLoss)
    >>> net = net.fit(np.eye(2, dtype="float32"), np.array([0, 1]))
    >>> ModelView.of(net).predict_proba(np.eye(2)).shape
    (2, 2)
    """

    @classmethod
    def serves(cls, estimator: Any) -> bool:
        return isinstance(estimator, NeuralNet) and not hasattr(estimator, "as_inputs")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reads: dict[torch.dtype, bool] = {}

    # -- what the module reads ----------------------------------------------------------------

    def net_inputs(self, X: Any) -> Tensor:
        X = self._of_the_net(X)
        if _has_own_inputs(self.estimator, X):
            inputs = self._through_skorch(X)
        else:
            inputs = X.detach() if torch.is_tensor(X) else torch.as_tensor(_plain_array(X))
        # A copy: the module may overwrite what it gets.
        inputs = self._readable(inputs.to(module_device(self.estimator.module_), copy=True))
        if inputs.is_floating_point() and not torch.isfinite(inputs).all():
            raise ValueError("X holds NaN or infinite values. Remove or impute them first.")
        return inputs

    def _through_skorch(self, X: Any) -> Tensor:
        """What the net's own dataset and iterator make of rows."""
        net = self.estimator
        with torch.random.fork_rng(devices=[]):  # every iterator of torch draws a seed
            parts = [unpack_data(batch)[0] for batch in net.get_iterator(net.get_dataset(X))]
        if not all(torch.is_tensor(part) for part in parts):
            raise CapabilityError(
                f"{self._caller or 'This'} needs the net's input as one tensor, but its dataset "
                f"gives a {type(parts[0]).__name__}. Strategies that need 'predict_proba' alone "
                "serve it."
            )
        return torch.cat(parts)

    def refuse_earlier_steps(self, what: str) -> None:
        super().refuse_earlier_steps(what)
        if _has_own_inputs(self.estimator, None):
            raise CapabilityError(
                f"{self._caller or 'This'} makes {what} of the net's own input, which its dataset "
                "or iterator cannot be given back. Move what these do into the module."
            )

    def _readable(self, inputs: Tensor) -> Tensor:
        """Numbers of the module's precision; whole ones as they are if it reads these."""
        module = self.estimator.module_
        dtypes = (p.dtype for p in module.parameters() if p.is_floating_point())
        dtype = next(dtypes, torch.float32)
        dtype = torch.float32 if dtype in HALF else dtype
        if inputs.is_floating_point() or inputs.is_complex():
            return inputs.to(dtype)
        if inputs.dtype not in self._reads:
            self._reads[inputs.dtype] = _runs(module, inputs[:1])
        if self._reads[inputs.dtype]:
            return inputs
        if inputs.dtype == torch.uint8:
            raise ValueError(
                f"X holds bytes (uint8), but the module of this {type(self.estimator).__name__} "
                f"reads {str(dtype).removeprefix('torch.')}. Pass the numbers that it was fitted "
                "on, such as X / 255; an AdversarialNetClassifier divides bytes itself."
            )
        return inputs.to(dtype)

    # -- what it tells ------------------------------------------------------------------------

    def _module(self, of: Callable[..., nn.Module], **options: bool) -> nn.Module:
        net = self.estimator
        own = own_methods(net, TO_PROBABILITIES)
        if not own and _changes_order(net.predict_nonlinearity, len(self.classes_)):
            own = ["predict_nonlinearity"]
        if own:
            raise CapabilityError(
                f"{self._caller or 'This'} needs logits, but this {type(net).__name__} has its "
                f"own {own[0]}, and its predictions need not be those of the module's largest "
                "output. Strategies that need 'predict_proba' alone serve it."
            )
        return super()._module(of, **options)

    def predict_proba(self, X: Any) -> NDArray:
        net = self.estimator
        usual = not own_methods(net, TO_PROBABILITIES)
        if usual and not callable(net.predict_nonlinearity) and not _has_own_inputs(net, X):
            return super().predict_proba(X)
        with self._alone() as alone:
            parts = [
                np.asarray(alone.predict_proba(self._of_the_net(batch)))
                for _, batch in Rows.of(X).batches(self._batch_size)
            ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes_)), np.float32)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[NeuralNet]:
        """A net that predicts as this one does, with modules of its own to switch."""
        net = self.estimator
        twin = net.__class__.__new__(net.__class__)
        with (
            untouched(net.module_, freeze=False) as module,
            torch.random.fork_rng(devices=[]),
        ):
            own = {"module_": module, "criterion_": copy.copy(net.criterion_)}
            vars(twin).update({**vars(net), **own})
            yield twin


def _plain_array(X: Any) -> NDArray:
    """Rows as an array that torch reads, in the byte order of the machine."""
    array = np.ascontiguousarray(as_array(X))
    if array.dtype.kind not in "biuf":
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _runs(module: nn.Module, inputs: Tensor) -> bool:
    try:
        with torch.no_grad(), untouched(module, freeze=False) as own:
            own(inputs.clone())
    except RuntimeError:  # of two dtypes that do not go together
        return False
    return True


def _has_own_inputs(net: NeuralNet, X: Any) -> bool:
    """Whether the module reads something else than rows as they are, or a Dataset's items."""
    own = own_inputs(net)
    return own != ["dataset"] if own and is_dataset(X) else bool(own)


def _changes_order(nonlinearity: Any, n_classes: int) -> bool:
    """Whether what skorch does to outputs, tried on some, changes which one is the largest."""
    if not callable(nonlinearity):
        return False
    logits = 3 * torch.randn(_PROBED, n_classes, generator=torch.Generator().manual_seed(0))
    try:
        found = nonlinearity(logits.clone())
        return not torch.equal(found.argmax(dim=1), logits.argmax(dim=1))
    except Exception:  # whatever its owner does with outputs of another kind
        return True
