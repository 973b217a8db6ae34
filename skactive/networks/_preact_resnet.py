"""Pre-activation ResNet-18 for 32×32 images."""

from __future__ import annotations

import torch
from torch import nn

from ._base import Network, conv3x3, global_average, residual_stages


class PreActResNet18(Network):
    """Pre-activation ResNet-18 in its usual form for CIFAR-10 and adversarial training.

    BatchNorm and ReLU stand before each convolution, and once more after the last block.
    11,172,170 parameters for ten classes and three channels.

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

    Notes
    -----
    Some public code leaves out the last BatchNorm and ReLU (11,171,146 parameters). He et al.
    have them (appendix), and so does the code of Wong et al., whose training recipe the DRE
    study follows on CIFAR-10.

    References
    ----------
    He et al., "Identity mappings in deep residual networks", ECCV 2016. Wong, Rice and
    Kolter, "Fast is better than free: revisiting adversarial training", ICLR 2020.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import PreActResNet18
    >>> PreActResNet18().embed(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 512])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__(n_classes, in_channels)
        self.features = nn.Sequential(
            conv3x3(in_channels, 64),
            *residual_stages(PreActBlock),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            *global_average(),
        )
        self.head = nn.Linear(512, n_classes)


class PreActBlock(nn.Module):
    """BatchNorm, ReLU, 3×3 convolution, twice, beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU()
        self.conv2 = conv3x3(out_channels, out_channels)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Feature maps to feature maps."""
        activated = self.relu1(self.bn1(X))
        # A shortcut that changes the shape starts after the first activation, one that does
        # not leaves the input as it is.
        shortcut = X if self.shortcut is None else self.shortcut(activated)
        return self.conv2(self.relu2(self.bn2(self.conv1(activated)))) + shortcut
