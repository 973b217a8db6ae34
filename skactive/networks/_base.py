"""What the networks share: the check of the images, and the head on top of the embedding."""

from __future__ import annotations

import itertools

import torch
from torch import nn


class Network(nn.Module):
    """Base of the networks: ``forward(X) == head(embed(X))``, whatever the convolutions are.

    A subclass sets ``features``, a module that maps images ``(n, in_channels, h, w)`` to the
    embedding ``(n, d)``, and ``head``, the last linear layer.

    Parameters
    ----------
    n_classes : int
        Number of classes, at least 2.
    in_channels : int
        Channels of an image: 1 for gray, 3 for color.
    min_size : int
        Smallest height and width that `features` can work with.

    Raises
    ------
    ValueError
        If `n_classes` or `in_channels` is too small.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.networks import Network
    >>> class Small(Network):
    ...     def __init__(self, n_classes=10, in_channels=1):
    ...         super().__init__(n_classes, in_channels)
    ...         self.features = nn.Sequential(
    ...             nn.Conv2d(in_channels, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d(2),
    ...             nn.Flatten())
    ...         self.head = nn.Linear(16, n_classes)
    >>> net, X = Small(), torch.rand(5, 1, 8, 8)
    >>> tuple(net.embed(X).shape), tuple(net(X).shape)
    ((5, 16), (5, 10))
    >>> torch.equal(net(X), net.head(net.embed(X)))
    True
    """

    features: nn.Module
    head: nn.Linear

    def __init__(self, n_classes: int, in_channels: int, *, min_size: int = 8) -> None:
        super().__init__()
        for name, value, least in (("n_classes", n_classes, 2), ("in_channels", in_channels, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}.")
        self.n_classes = n_classes
        self.in_channels = in_channels
        self.min_size = min_size

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits.

        Parameters
        ----------
        X : Tensor of shape (n, in_channels, h, w), floating point
            Images.

        Returns
        -------
        logits : Tensor of shape (n, n_classes)

        Raises
        ------
        ValueError
            If `X` is not a batch of floating point images of a shape that the network takes.
        """
        return self.head(self.embed(X))

    def embed(self, X: torch.Tensor) -> torch.Tensor:
        """Input of the last linear layer.

        Parameters
        ----------
        X : Tensor of shape (n, in_channels, h, w), floating point
            Images.

        Returns
        -------
        embedding : Tensor of shape (n, d), d = ``head.in_features``

        Raises
        ------
        ValueError
            If `X` is not a batch of floating point images of a shape that the network takes.
        """
        self._check_images(X)
        return self.features(X)

    def _accepted_sizes(self) -> str:
        """Sizes in words, for the error."""
        return f"h and w of at least {self.min_size}"

    def _accepts_size(self, height: int, width: int) -> bool:
        return min(height, width) >= self.min_size

    def _check_images(self, X: torch.Tensor) -> None:
        if not (
            X.ndim == 4 and X.shape[1] == self.in_channels and self._accepts_size(*X.shape[2:])
        ):
            hint = (
                " The channel axis is missing: use X[:, None]."
                if X.ndim == 3
                else f" Build the network with in_channels={X.shape[1]}?"
                if X.ndim == 4 and X.shape[1] in (1, 3) and X.shape[1] != self.in_channels
                else ""
            )
            raise ValueError(
                f"X must be images of shape (n, {self.in_channels}, h, w) with "
                f"{self._accepted_sizes()} for this {type(self).__name__}, got shape "
                f"{tuple(X.shape)}.{hint}"
            )
        if not X.is_floating_point():
            raise ValueError(
                f"X must be floating point images, got {X.dtype}. Bytes become float32 in "
                "[0, 1] by X.float() / 255."
            )


class OneSizeNetwork(Network):
    """Base of networks whose first linear layer fixes the size of the images.

    Parameters
    ----------
    n_classes, in_channels : int
        See `Network`.
    input_size : int
        Height and width of an image, at least 4.
    """

    def __init__(self, n_classes: int, in_channels: int, input_size: int) -> None:
        if input_size < 4:
            raise ValueError(f"input_size must be at least 4, got {input_size}.")
        super().__init__(n_classes, in_channels, min_size=input_size)
        self.input_size = input_size

    def _accepted_sizes(self) -> str:
        return f"h = w = {self.input_size} (input_size)"

    def _accepts_size(self, height: int, width: int) -> bool:
        return height == width == self.input_size


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """3×3 convolution that keeps the size (or divides it by `stride`), without a bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def global_average() -> tuple[nn.Module, nn.Module]:
    """Layers that turn feature maps ``(n, d, h, w)`` into their means ``(n, d)``."""
    return nn.AdaptiveAvgPool2d(1), nn.Flatten()


def residual_stages(block: type[nn.Module]) -> list[nn.Module]:
    """Return the eight blocks of an 18-layer residual network, 64 to 512 channels.

    `block` is built as ``block(in_channels, out_channels, stride)``.
    """
    widths = (64, 64, 128, 256, 512)
    blocks: list[nn.Module] = []
    for stage, (before, after) in enumerate(itertools.pairwise(widths)):
        blocks += [block(before, after, 1 if stage == 0 else 2), block(after, after, 1)]
    return blocks
