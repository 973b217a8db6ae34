"""From a protocol's words to data, nets, attacks and strategies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import Tensor
from torch.nn.functional import pad

from ..datasets import ImageDataset, load_dataset
from ..datasets._assemble import assemble
from ..datasets._options import Options
from ..datasets._source import Part, Source
from ..nets import AdversarialNetClassifier
from ..nets._batches import BatchIterator
from ..nets.recipes import BestEpoch
from ..strategies import QueryStrategy, Subsample, all_strategies, resolve_strategy
from ..utils.validation import check_params
from ._config import as_word, parse_value
from ._errors import StudyError
from ._own import imported, is_own, name_of
from ._protocol import NETWORKS, Protocol, known

FULL = "full"  # not a strategy: a model taught the whole pool, the papers' upper line
_PADDING = 4
_OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@lru_cache(maxsize=2)
def _load(name: str, size: Any, n_train: Any, n_test: Any, validation: bool, seed: int) -> Any:
    options: dict[str, Any] = {"size": size, "n_train": n_train, "n_test": n_test,
                               "validation": validation, "random_state": seed}  # fmt: skip
    return _own_data(name, options) if is_own(name) else load_dataset(name, **options)


def _own_data(name: str, options: dict[str, Any]) -> ImageDataset:
    """Images of the user's own, chosen and resized like all others."""
    data = imported(name, "dataset")()
    if not isinstance(data, ImageDataset):
        raise ValueError(
            f"{name} must return a skactive.datasets.ImageDataset, got {type(data).__name__}."
        )
    for labels in (data.y_train, data.y_test):
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or not np.isin(labels, range(len(data.class_names))).all():
            raise ValueError(f"{name}: labels must be positions in its class_names.")
    images = [np.asarray(X) for X in (data.X_train, data.X_test)]
    if any(X.ndim != 4 for X in images):
        raise ValueError(f"{name}: images must be of shape (n, channels, height, width).")
    white = 255 if images[0].dtype == np.uint8 else 1
    train, test = Part.of(images[0], data.y_train), Part.of(images[1], data.y_test)
    own = options["validation"] and data.X_val is not None
    options = {**options, "validation": options["validation"] and not own}
    made = assemble(name, Source(train, test, data.class_names, white), Options(**options))
    return replace(made, X_val=data.X_val, y_val=data.y_val) if own else made


def load_data(protocol: Protocol) -> ImageDataset:
    """The protocol's images; kept in memory for the next task.

    Raises
    ------
    StudyError
        If the data set is not there or is too small for the protocol.
    """
    p = protocol
    try:
        data = _load(p.dataset, p.size, p.n_pool, p.n_test, p.validation, p.data_seed)
    except (OSError, ValueError, TypeError) as error:
        raise StudyError(f"{p.name}: {error}") from error
    needed = p.initial + p.stages * p.per_stage
    if needed > len(data.y_train):
        raise StudyError(
            f"{p.name} buys {p.initial} + {p.stages} · {p.per_stage} = {needed} labels, but the "
            f"pool has {len(data.y_train)} images. Set fewer stages, or a larger n_pool."
        )
    return data


def make_net(
    protocol: Protocol, data: ImageDataset, network: str, device: str, seed: int
) -> AdversarialNetClassifier:
    """A net for standard training, as the initial model is trained."""
    settings = dict(protocol.optimizer)
    cyclic = settings.pop("cyclic", False)
    return AdversarialNetClassifier(
        network_class(network),
        attack=None,
        bounds=(0, 1),
        optimizer=_OPTIMIZERS[settings.pop("name")],
        lr=settings.pop("lr", 1e-3),
        batch_size=protocol.batch_size,
        max_epochs=protocol.initial_epochs or protocol.epochs,
        device=device,
        random_state=seed,
        callbacks=_callbacks(protocol, data, cyclic),
        callbacks__print_log=None,  # it holds print, which Ray replaces: no pickle then
        iterator_train=AugmentedBatches if protocol.augment else BatchIterator,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )


def _callbacks(protocol: Protocol, data: ImageDataset, cyclic: bool) -> list[Any]:
    """A cycle of the learning rate and the choice of the best epoch, where asked for."""
    found: list[Any] = [("cyclic_rate", CyclicRate())] if cyclic else []
    if protocol.best_epoch:  # it chooses, it does not stop
        found.append(BestEpoch("clean", data=(data.X_val, data.y_val), patience=10**6))
    return found


def network_class(name: str) -> Any:
    """A network's class by its name, or ``module:attribute``.

    Raises
    ------
    StudyError
        If it cannot be imported, or makes no module.
    """
    if not is_own(name):
        return NETWORKS[name]
    found = imported(name, "network")
    if not callable(found) or (isinstance(found, type) and not issubclass(found, torch.nn.Module)):
        raise StudyError(f"The network {name!r} must be a class of torch.nn.Module.")
    return found


def mode_params(protocol: Protocol, mode: str) -> dict[str, Any]:
    """Parameters of the net after the initial model, for one training mode."""
    params: dict[str, Any] = {"max_epochs": protocol.epochs}
    if mode == "robust":
        params["attack"] = protocol.attack(protocol.train_attack)
        if protocol.best_epoch:
            params["callbacks__best_epoch__monitor"] = "robust"
    return params


def make_strategy(spec: str, protocol: Protocol) -> QueryStrategy:
    """A strategy from ``name`` or ``name:setting=value,setting=value``.

    The name may be ``module:attribute`` of a class, an object or a function.

    Raises
    ------
    StudyError
        If the name (the nearest is suggested) or a setting is not known.
    """
    name, text = _name_and_settings(spec)
    params = dict(protocol.strategy_params.get(name, {}))
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise StudyError(f"Strategy {spec!r}: settings are written name:setting=value.")
        params[key.strip()] = parse_value(value.strip())
    size = params.pop("subsample", None)
    try:
        strategy = _strategy(name).set_params(**params)
        check_params(strategy)
    except (ValueError, TypeError) as error:
        raise StudyError(f"Strategy {spec!r}: {error}") from error
    return strategy if size is None else Subsample(strategy, size=size)


def _name_and_settings(spec: str) -> tuple[str, str]:
    """The parts of ``name:settings``; the name itself may be ``module:attribute``."""
    name, _, rest = spec.partition(":")
    attribute, _, text = rest.partition(":")
    if name not in all_strategies() and is_own(f"{name}:{attribute}"):
        return f"{name}:{attribute}", text
    return name, rest


def _strategy(name: str) -> QueryStrategy:
    own = is_own(name)
    found = imported(name, "strategy") if own else known(name, all_strategies(), "strategy")
    if isinstance(found, type) and not issubclass(found, QueryStrategy):
        raise TypeError(f"{name} is no class of QueryStrategy.")
    if isinstance(found, type):
        found = found()
    # A strategy object of a module is everybody's: settings go into a copy.
    return clone(found) if isinstance(found, QueryStrategy) else resolve_strategy(found)


def strategy_spec(strategy: Any) -> str:
    """How a strategy is written: a string as it is; an object by its class and settings.

    Raises
    ------
    StudyError
        If it cannot be written so that another process makes an equal one.
    """
    if isinstance(strategy, str):
        return strategy
    if not isinstance(strategy, QueryStrategy):
        return name_of(strategy, "strategy")
    kind = type(strategy)
    name = next((n for n, c in all_strategies().items() if c is kind), None)
    name = name or name_of(kind, "strategy")
    default = kind().get_params(deep=False)
    changed = {k: v for k, v in strategy.get_params(deep=False).items() if v is not default[k]}
    settings = {k: as_word(v, f"{name}: {k}") for k, v in changed.items() if v != default[k]}
    return name + "".join(f"{':,'[i > 0]}{k}={v}" for i, (k, v) in enumerate(settings.items()))


class AugmentedBatches(BatchIterator):
    """Training batches of images, each shifted by up to four pixels and flipped at random."""

    def __iter__(self) -> Iterator[list[Tensor]]:
        for images, *rest in super().__iter__():
            yield [crop_and_flip(images), *rest]


def crop_and_flip(images: Tensor) -> Tensor:
    """Each image cropped from a border of zeros of four pixels, and mirrored half the time.

    Draws from torch's global generator, which is seeded while a net trains.
    """
    n, _, height, width = images.shape
    padded = pad(images, (_PADDING,) * 4)
    top, left = torch.randint(2 * _PADDING + 1, (2, n))
    rows = top[:, None] + torch.arange(height)
    columns = left[:, None] + torch.arange(width)
    flipped = torch.rand(n) < 0.5
    columns[flipped] = columns[flipped].flip(1)
    at = torch.arange(n)[:, None, None]
    # Advanced indices around a slice put the channels last.
    return padded[at, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


class CyclicRate(Callback):
    """Raise the learning rate from 0 to `lr` over two fifths of a stage, then lower it to 0.

    The triangle of "Fast is better than free" (Wong et al., 2020), batch by batch.
    """

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Learn how many batches there will be."""
        self.n_batches_ = len(AugmentedBatches(y, net.batch_size)) * net.max_epochs
        self.done_ = 0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rate of this batch."""
        if training:
            self.done_ += 1
            rate = np.interp(self.done_ / self.n_batches_, [0, 0.4, 1], [0, net.lr, 0])
            for group in net.optimizer_.param_groups:
                group["lr"] = float(rate)
