"""VGG networks with BatchNorm for small images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._base import Network


class _VGG(Network):
    min_size = 28

    def __init__(self, blocks: Sequence[Sequence[int]], n_classes: int, in_channels: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers: list[nn.Module] = []
        channels = in_channels
        for block in blocks:
            for width in block:
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                channels = width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels, n_classes)

    def embed(self, X: Tensor) -> Tensor:
        """Input of the last linear layer, shape (n, 512)."""
        return self.features(X)


class VGG8(_VGG):
    """VGG8 with BatchNorm: one convolution a block (64, 128, 256, 512, 512).

    Parameters
    ----------
    n_classes : int, default=10
    in_channels : int, default=3

    References
    ----------
    Simonyan & Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015; used on SVHN by Guo et al., arXiv 2112.02542.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import VGG8
    >>> VGG8()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__([[64], [128], [256], [512], [512]], n_classes, in_channels)


class VGG16(_VGG):
    """VGG16 with BatchNorm, in its CIFAR form: 13 convolutions and one linear layer.

    Parameters
    ----------
    n_classes : int, default=10
    in_channels : int, default=3

    References
    ----------
    Simonyan & Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import VGG16
    >>> VGG16()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        blocks = [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]
        super().__init__(blocks, n_classes, in_channels)
