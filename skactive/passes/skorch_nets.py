"""What skorch does around a module, and a net may do its own way."""

from __future__ import annotations

from collections.abc import Iterable

from skorch import NeuralNet
from skorch.dataset import Dataset
from torch.utils.data import DataLoader

FROM_ROWS = ("get_dataset", "get_iterator")
TO_PROBABILITIES = ("infer", "forward_iter", "predict_proba")


def own_methods(net: NeuralNet, names: Iterable[str]) -> list[str]:
    """Which methods are not skorch's."""
    return [n for n in names if getattr(type(net), n).__module__.split(".")[0] != "skorch"]


def own_inputs(net: NeuralNet) -> list[str]:
    """By what the module reads something else than rows as they are: methods, parameters."""
    own = own_methods(net, FROM_ROWS)
    if net.dataset is not Dataset:
        own.append("dataset")
    if net.iterator_valid is not DataLoader or "collate_fn" in net.get_params_for("iterator_valid"):
        own.append("iterator_valid")
    return own
