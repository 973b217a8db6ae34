"""LeNet-5 with BatchNorm, for images of 32×32 and less."""

from __future__ import annotations

import torch
from torch import nn

from ._base import Network


class LeNet5(Network):
    """LeNet-5 as in the papers: three convolutions with BatchNorm and ReLU, two linear layers.

    Convolutions 6–16–120 of 5×5, each followed by BatchNorm and ReLU, max-pooling after the
    first two, then 120–84–`n_classes`. 61,990 parameters for ten classes.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=1
        Channels of an image.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 84)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2 or `in_channels` < 1.

    Notes
    -----
    Made for 32×32 images. 28×28 images get a border of two zeros on each side, as in the
    original. 8×8 and 16×16 images (scikit-learn's digits) are enlarged to 32×32 by repeating
    pixels; as this happens inside the network, attacks and distances stay in the units of
    the small image.

    The DRE authors resize 28×28 images to 32×32 rather than pad them; pass
    ``size=32`` to `skactive.datasets.load_mnist` to do the same. Their network ends in a
    log-softmax; this one returns logits, as attacks that look at logit differences need.

    References
    ----------
    LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of
    the IEEE 86(11), 1998, figure 2. Guo et al., "Robust Active Learning", arXiv 2112.02542.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import LeNet5
    >>> LeNet5()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> LeNet5(n_classes=2).embed(torch.rand(5, 1, 8, 8)).shape
    torch.Size([5, 84])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__(n_classes, in_channels)
        self.features = nn.Sequential(
            To32(),
            nn.Conv2d(in_channels, 6, 5),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 120, 5),
            nn.BatchNorm2d(120),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(120, 84),
            nn.ReLU(),
        )
        self.head = nn.Linear(84, n_classes)

    def _accepted_sizes(self) -> str:
        return "h = w = 8, 16, 28 or 32"

    def _accepts_size(self, height: int, width: int) -> bool:
        return height == width and height in (8, 16, 28, 32)


class To32(nn.Module):
    """Make images 32×32: a border of zeros around 28×28, repeated pixels for 8×8 and 16×16."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Images ``(n, channels, h, h)`` to ``(n, channels, 32, 32)``."""
        size = X.shape[-1]
        if size == 32:
            return X
        if size == 28:
            return nn.functional.pad(X, (2, 2, 2, 2))
        return X.repeat_interleave(32 // size, dim=2).repeat_interleave(32 // size, dim=3)
