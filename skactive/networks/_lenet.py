"""LeNet-5 with BatchNorm, for gray images of 8×8, 28×28 and 32×32."""

from __future__ import annotations

from torch import nn

from ._base import ImageNetwork


class LeNet5(ImageNetwork):
    """LeNet-5 as in the papers: three convolutions with BatchNorm and ReLU, two linear layers.

    Convolutions 6–16–120 of 5×5, each followed by BatchNorm and ReLU, max-pooling after the
    first two, then 120–84–`n_classes`. 61,990 parameters for ten classes.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=1
        Channels of an image.
    input_size : {8, 28, 32}, default=32
        Height and width of the images. 28 and 32 name the same network, which takes both
        sizes: 28×28 images get a border of two zeros on each side, as in the original.
        8 is a variant for 8×8 images (scikit-learn's digits): the first two convolutions are
        3×3 and keep the size, the third is 2×2, so that it sees the whole map as in the
        original.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 84)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `input_size` is none of the three, `n_classes` < 2 or `in_channels` < 1.

    Notes
    -----
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
    >>> LeNet5(n_classes=2, input_size=8).embed(torch.rand(5, 1, 8, 8)).shape
    torch.Size([5, 84])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 1, input_size: int = 32) -> None:
        super().__init__(n_classes, in_channels)
        if input_size not in (8, 28, 32):
            raise ValueError(f"input_size must be 8, 28 or 32, got {input_size!r}.")
        self.input_size = input_size
        small = input_size == 8
        kernel, padding, last = (3, 1, 2) if small else (5, 0, 5)
        self.features = nn.Sequential(
            nn.Identity() if small else PadTo32(),
            nn.Conv2d(in_channels, 6, kernel, padding=padding),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel, padding=padding),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 120, last),
            nn.BatchNorm2d(120),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(120, 84),
            nn.ReLU(),
        )
        self.head = nn.Linear(84, n_classes)

    def _accepted_sizes(self) -> str:
        return "h = w = 8" if self.input_size == 8 else "h = w = 28 or 32"

    def _accepts_size(self, height: int, width: int) -> bool:
        return height == width and height in ((8,) if self.input_size == 8 else (28, 32))


class PadTo32(nn.Module):
    """Border of zeros that makes an image 32×32; nothing on one that is."""

    def forward(self, X):
        """Pad height and width alike."""
        border = (32 - X.shape[-1]) // 2
        return nn.functional.pad(X, (border,) * 4) if border else X
