"""Madry's network for MNIST."""

from __future__ import annotations

from torch import nn

from ._base import OneSizeNetwork


class MadryMNIST(OneSizeNetwork):
    """The network of "Towards deep learning models resistant to adversarial attacks" for MNIST.

    Convolutions 32–64 of 5×5 that keep the size, each followed by ReLU and 2×2 max-pooling,
    then 1024–`n_classes`. 3,274,634 parameters for ten classes and gray images of 28×28.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=1
        Channels of an image.
    input_size : int, default=28
        Height and width of an image, at least 4; `AdversarialNetClassifier` takes it from the
        data.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 1024)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2, `in_channels` < 1 or `input_size` < 4.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018,
    section 5 and its published code.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import MadryMNIST
    >>> MadryMNIST()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    """

    def __init__(self, n_classes: int = 10, in_channels: int = 1, input_size: int = 28) -> None:
        super().__init__(n_classes, in_channels, input_size)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * (input_size // 4) ** 2, 1024),
            nn.ReLU(),
        )
        self.head = nn.Linear(1024, n_classes)
