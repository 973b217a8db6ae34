"""From a protocol's words to data, nets, attacks and strategies."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.nn.functional import pad

from .._batches import BatchIterator
from ..classifier import AdversarialNetClassifier
from ..datasets import ImageDataset, load_dataset
from ..strategies import QueryStrategy, Subsample, resolve_strategy
from ._config import parse_value
from ._errors import StudyError
from ._protocol import NETWORKS, Protocol

FULL = "full"  # not a strategy: a model taught the whole pool, the papers' upper line
_PADDING = 4
_OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@lru_cache(maxsize=2)
def _load(name: str, size: Any, n_train: Any, n_test: Any, validation: bool, seed: int) -> Any:
    return load_dataset(
        name, size=size, n_train=n_train, n_test=n_test, validation=validation, random_state=seed
    )


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
    except (FileNotFoundError, ValueError) as error:
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
    net = AdversarialNetClassifier(
        NETWORKS[network],
        attack=None,
        bounds=(0, 1),
        optimizer=_OPTIMIZERS[settings.pop("name")],
        lr=settings.pop("lr", 1e-3),
        batch_size=protocol.batch_size,
        max_epochs=protocol.initial_epochs or protocol.epochs,
        device=device,
        random_state=seed,
        callbacks=[("cyclic_rate", CyclicRate())] if cyclic else None,
        callbacks__print_log=None,  # it holds print, which Ray replaces: no pickle then
        iterator_train=AugmentedBatches if protocol.augment else BatchIterator,
        **{f"optimizer__{name}": value for name, value in settings.items()},
    )
    if protocol.best_epoch:
        net.set_params(
            early_stopping="clean",
            validation_data=(data.X_val, data.y_val),
            patience=10**6,  # it chooses, it does not stop
        )
    return net


def mode_params(protocol: Protocol, mode: str) -> dict[str, Any]:
    """Parameters of the net after the initial model, for one training mode."""
    params: dict[str, Any] = {"max_epochs": protocol.epochs}
    if mode == "robust":
        params["attack"] = protocol.attack(protocol.train_attack)
        if protocol.best_epoch:
            params["early_stopping"] = "robust"
    return params


def make_strategy(spec: str, protocol: Protocol) -> QueryStrategy:
    """A strategy from ``name`` or ``name:setting=value,setting=value``.

    Raises
    ------
    StudyError
        If the name (the nearest is suggested) or a setting is not known.
    """
    name, _, text = spec.partition(":")
    params = dict(protocol.strategy_params.get(name, {}))
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise StudyError(f"Strategy {spec!r}: settings are written name:setting=value.")
        params[key.strip()] = parse_value(value.strip())
    size = params.pop("subsample", None)
    try:
        strategy = resolve_strategy(name).set_params(**params)
        strategy._validate_params()
    except ValueError as error:
        raise StudyError(f"Strategy {spec!r}: {error}") from error
    return strategy if size is None else Subsample(strategy, size=size)


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
