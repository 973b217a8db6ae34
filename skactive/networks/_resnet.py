"""Residual networks with 18 layers for small images."""

from __future__ import annotations

from torch import Tensor, nn

from ._base import Network


def _conv(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)


class _BasicBlock(nn.Module):
    """Convolution, BatchNorm, ReLU, convolution, BatchNorm; add the input; ReLU."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(n_in, n_out, stride),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            _conv(n_out, n_out),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out)
            )
        self.relu = nn.ReLU()

    def forward(self, X: Tensor) -> Tensor:
        return self.relu(self.body(X) + self.shortcut(X))


class _PreActBlock(nn.Module):
    """BatchNorm and ReLU come before each convolution; nothing follows the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU())
        self.body = nn.Sequential(
            _conv(n_in, n_out, stride), nn.BatchNorm2d(n_out), nn.ReLU(), _conv(n_out, n_out)
        )
        self.shortcut: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)

    def forward(self, X: Tensor) -> Tensor:
        activated = self.activate(X)
        skipped = X if self.shortcut is None else self.shortcut(activated)
        return self.body(activated) + skipped


class _ResNet(Network):
    min_size = 28
    block: type[nn.Module]

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.in_channels = in_channels
        layers = self._stem(in_channels)
        channels = 64
        for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            layers += [self.block(channels, width, stride), self.block(width, width, 1)]
            channels = width
        layers += [*self._tail(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(512, n_classes)

    def _stem(self, in_channels: int) -> list[nn.Module]:
        return [_conv(in_channels, 64)]

    def _tail(self) -> list[nn.Module]:
        return []

    def embed(self, X: Tensor) -> Tensor:
        """Input of the last linear layer, shape (n, 512)."""
        return self.features(X)


class ResNet18(_ResNet):
    """ResNet-18 in its CIFAR form: 3×3 stem, no max-pooling.

    Parameters
    ----------
    n_classes : int, default=10
    in_channels : int, default=3

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import ResNet18
    >>> ResNet18()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    block = _BasicBlock

    def _stem(self, in_channels: int) -> list[nn.Module]:
        return [_conv(in_channels, 64), nn.BatchNorm2d(64), nn.ReLU()]


class PreActResNet18(_ResNet):
    """Pre-activation ResNet-18 in its CIFAR form: 3×3 stem, no max-pooling.

    A last BatchNorm and ReLU come before the average pool, as in the paper.

    Parameters
    ----------
    n_classes : int, default=10
    in_channels : int, default=3

    References
    ----------
    He et al., "Identity mappings in deep residual networks", ECCV 2016.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import PreActResNet18
    >>> PreActResNet18()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    block = _PreActBlock

    def _tail(self) -> list[nn.Module]:
        return [nn.BatchNorm2d(512), nn.ReLU()]
