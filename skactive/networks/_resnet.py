"""ResNet-18 for 32×32 images."""

from __future__ import annotations

import torch
from torch import nn

from ._base import Network, conv3x3, global_average, residual_stages


class ResNet18(Network):
    """ResNet-18 in its usual form for CIFAR-10: a 3×3 stem and no max-pooling.

    11,173,962 parameters for ten classes and three channels.

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
    He et al., "Deep residual learning for image recognition", CVPR 2016, table 1 and
    section 4.2.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import ResNet18
    >>> ResNet18()(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__(n_classes, in_channels)
        self.features = nn.Sequential(
            conv3x3(in_channels, 64),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            *residual_stages(BasicBlock),
            *global_average(),
        )
        self.head = nn.Linear(512, n_classes)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; ReLU after the sum."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        # One ReLU module for each use: dropout is injected after a ReLU by a forward hook.
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        self.relu2 = nn.ReLU()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Feature maps to feature maps."""
        out = self.relu1(self.bn1(self.conv1(X)))
        return self.relu2(self.bn2(self.conv2(out)) + self.shortcut(X))
