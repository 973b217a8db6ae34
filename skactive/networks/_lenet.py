"""LeNet-5 as the two papers use it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ._base import Network


class LeNet5(Network):
    """LeNet-5 with BatchNorm: three convolutions (6, 16, 120), 120–84–classes.

    Each convolution is followed by BatchNorm and ReLU, the first two by max-pooling as well.

    Parameters
    ----------
    n_classes : int, default=10
    in_channels : int, default=1

    Notes
    -----
    Made for 32×32 images, to which the papers resize MNIST; 28×28 images are padded by two
    zero pixels on each side, as in the original LeNet-5. Small images (below 28 pixels, such
    as scikit-learn's 8×8 digits) are enlarged to 32×32 by repeating pixels inside the network,
    so that attacks and distances stay in the units of the small image.

    References
    ----------
    LeCun et al., "Gradient-based learning applied to document recognition", 1998; Guo et
    al., "Robust Active Learning", arXiv 2112.02542.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import LeNet5
    >>> LeNet5()(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    min_size = 8

    def __init__(self, n_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.features = nn.Sequential(
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
        )
        self.hidden = nn.Sequential(nn.Linear(120, 84), nn.ReLU())
        self.head = nn.Linear(84, n_classes)

    def embed(self, X: Tensor) -> Tensor:
        """Input of the last linear layer, shape (n, 84)."""
        return self.hidden(self.features(_to_32(X)))

    def _check(self, X: Tensor) -> None:
        super()._check(X)
        size = tuple(X.shape[2:])
        if size not in ((32, 32), (28, 28)) and (size[0] != size[1] or 32 % size[0]):
            raise ValueError(
                f"LeNet5 takes 32×32 or 28×28 images, or small ones that divide 32 (8×8, 16×16), "
                f"got {size[0]}×{size[1]}. Resize them first."
            )


def _to_32(X: Tensor) -> Tensor:
    size = X.shape[-1]
    if size == 32:
        return X
    if size == 28:
        return F.pad(X, (2, 2, 2, 2))
    return X.repeat_interleave(32 // size, dim=2).repeat_interleave(32 // size, dim=3)
