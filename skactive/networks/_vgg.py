"""VGG networks with BatchNorm, for 32×32 images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from ._base import Network, global_average


class _VGG(Network):
    """Blocks of 3×3 convolutions, max-pooling where `_LAYERS` says ``"pool"``, one linear layer."""

    _LAYERS: ClassVar[Sequence[int | str]]

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__(n_classes, in_channels)
        layers: list[nn.Module] = []
        width = in_channels
        for layer in self._LAYERS:
            if isinstance(layer, int):
                conv = nn.Conv2d(width, layer, 3, padding=1)
                layers += [conv, nn.BatchNorm2d(layer), nn.ReLU()]
                width = layer
            else:
                # ceil_mode changes nothing at 32×32; it lets 28×28 and 8×8 survive five halvings.
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers, *global_average())
        self.head = nn.Linear(width, n_classes)


class VGG8(_VGG):
    """VGG8 as the DRE study uses it on SVHN: convolutions 64–128–256–512–512, one linear layer.

    Each 3×3 convolution is followed by BatchNorm and ReLU, the first three blocks by
    max-pooling, the last by the global average. 3,918,858 parameters for ten classes and
    three channels.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=3
        Channels of an image. Any height and width from 8 up; meant for 32×32.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 512)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2 or `in_channels` < 1.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542. The architecture is the one of
    Tian et al., "Contrastive representation distillation", ICLR 2020.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import VGG8
    >>> VGG8()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    _LAYERS = (64, "pool", 128, "pool", 256, "pool", 512, 512)


class VGG16(_VGG):
    """VGG16 with BatchNorm in its usual form for CIFAR-10: one linear layer on 512 features.

    Thirteen 3×3 convolutions, each followed by BatchNorm and ReLU, in five blocks that end
    in max-pooling. 14,728,266 parameters for ten classes and three channels.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=3
        Channels of an image. Any height and width from 8 up; meant for 32×32.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 512)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2 or `in_channels` < 1.

    References
    ----------
    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, table 1, column D.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import VGG16
    >>> VGG16().embed(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 512])
    """

    _LAYERS = (
        *(64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool"),
        *(512, 512, 512, "pool", 512, 512, 512, "pool"),
    )
