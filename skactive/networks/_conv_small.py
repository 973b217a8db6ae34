"""ConvSmall, the small convolutional network of the certification literature."""

from __future__ import annotations

from torch import nn

from ._base import OneSizeNetwork
from ._threshold import Threshold


class ConvSmall(OneSizeNetwork):
    """Two strided convolutions and one hidden layer, in which bounds stay tight.

    Convolutions 16–32 of 4×4 with stride 2 and a border of one zero, then
    100–`n_classes`, each but the last followed by ReLU: no pooling, so that intervals lose
    little on the way. 166,406 parameters for ten classes and gray images of 28×28.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=1
        Channels of an image.
    input_size : int, default=28
        Height and width of an image, at least 4; `AdversarialNetClassifier` takes it from the
        data.
    batch_norm : bool, default=False
        BatchNorm before each ReLU, as in fast certified training.
    threshold : float or None, default=None
        Where a `Threshold` before the first convolution tells ink from paper; ``None``: no such
        layer, as in the literature. With .42 far more of MNIST can be proved right; photographs
        gain nothing.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 100)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2, `in_channels` < 1 or `input_size` < 4.

    References
    ----------
    Wong and Kolter, "Provable defenses against adversarial examples via the convex outer
    adversarial polytope", ICML 2018. BatchNorm: Shi et al., "Fast certified robust training
    with short warmup", NeurIPS 2021 (arXiv 2103.17268).

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import ConvSmall
    >>> ConvSmall()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> sum(p.numel() for p in ConvSmall().parameters())
    166406
    """

    def __init__(
        self,
        n_classes: int = 10,
        in_channels: int = 1,
        input_size: int = 28,
        batch_norm: bool = False,
        threshold: float | None = None,
    ) -> None:
        super().__init__(n_classes, in_channels, input_size)
        layers = [
            *([] if threshold is None else [Threshold(threshold)]),
            nn.Conv2d(in_channels, 16, 4, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (input_size // 4) ** 2, 100),
            nn.BatchNorm1d(100),
            nn.ReLU(),
        ]
        norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        kept = [layer for layer in layers if batch_norm or not isinstance(layer, norms)]
        self.features = nn.Sequential(*kept)
        self.head = nn.Linear(100, n_classes)
