"""A net around a module that was trained elsewhere."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from torch import Tensor, nn

from ..passes.logits import deciding_module
from ..passes.skorch_nets import TO_PROBABILITIES, own_inputs, own_methods
from ..utils.labels import output_labels


class ReorderedColumns(nn.Module):
    """A module whose logits are put into the order of sorted labels."""

    def __init__(self, module: nn.Module, order: NDArray) -> None:
        super().__init__()
        self.module = module
        self.register_buffer("order", torch.as_tensor(order), persistent=False)

    def forward(self, X: Tensor) -> Tensor:
        """Logits, one column per class in sorted order."""
        return self.module(X)[:, self.order]


def module_and_classes(trained: Any, classes: Any) -> tuple[nn.Module, NDArray]:
    """A copy of a trained module that returns logits in the order of the sorted classes.

    Raises
    ------
    TypeError
        If `trained` is neither a module nor a fitted skorch net.
    ValueError
        If the classes are unknown, or one occurs twice; if a skorch net does more than its module,
        which would be lost.
    """
    if isinstance(trained, NeuralNet):
        check_is_fitted(trained)
        _check_module_is_all(trained)
        if classes is None and hasattr(trained, "classes_"):
            declared = getattr(trained, "classes", None) is not None
            classes = trained.classes_ if declared else output_labels(trained)
        trained = deciding_module(trained, eager=True)
    if not isinstance(trained, nn.Module):
        raise TypeError(
            "module must be a trained torch module or a fitted skorch net, got "
            f"{trained.__name__ + ', a class' if isinstance(trained, type) else trained!r}."
        )
    if classes is None:
        raise ValueError("Pass classes=[…], the labels that the module's outputs stand for.")
    labels = np.asarray(classes)
    order = np.argsort(labels, kind="stable")
    if labels.ndim != 1 or len(np.unique(labels)) != len(labels) or len(labels) < 2:
        raise ValueError(
            f"classes must be at least two different labels, one per output, got {classes!r}."
        )
    module = copy.deepcopy(trained)
    if (order != np.arange(len(order))).any():
        module = ReorderedColumns(module, order)
    return module.eval(), labels[order]


def _check_module_is_all(net: NeuralNet) -> None:
    """Refuse a skorch net whose predictions are not those of its module on the rows."""
    if hasattr(net, "as_inputs"):  # one of ours
        return
    own = own_inputs(net) + own_methods(net, TO_PROBABILITIES)
    if callable(net.predict_nonlinearity):
        own.append("predict_nonlinearity")
    if own:
        raise ValueError(
            f"This {type(net).__name__} has its own {' and '.join(own)}, which would be lost: of a "
            "skorch net its module is taken. If the module alone says the class, pass "
            "net.module_ and classes=[…]; else move what they do into the module."
        )
