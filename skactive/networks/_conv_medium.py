"""ConvMedium, a deeper network for certificates that is no larger than ConvSmall."""

from __future__ import annotations

from torch import nn

from ._base import OneSizeNetwork
from ._threshold import Threshold


class ConvMedium(OneSizeNetwork):
    """Four convolutions, two of them strided, and one hidden layer, all with BatchNorm.

    Convolutions 16 of 4×4 with stride 2, 32 of 3×3, 32 of 4×4 with stride 2 and 32 of 3×3, each
    with a border of one zero, then 80–`n_classes`; all but the last followed by BatchNorm and
    ReLU. The medium networks of the certification literature, at half of their width: 157,290
    parameters for ten classes and gray images of 28×28. Slower to train than `ConvSmall`, and more
    of it can be proved.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes.
    in_channels : int, default=1
        Channels of an image.
    input_size : int, default=28
        Height and width of an image, at least 4; `AdversarialNetClassifier` takes it from the
        data.
    threshold : float or None, default=None
        As of `ConvSmall`.

    Attributes
    ----------
    features : torch.nn.Sequential
        Images to embeddings ``(n, 80)``.
    head : torch.nn.Linear
        Embeddings to logits.

    Raises
    ------
    ValueError
        If `n_classes` < 2, `in_channels` < 1 or `input_size` < 4.

    References
    ----------
    After Gowal et al., "On the effectiveness of interval bound propagation for training
    verifiably robust models", arXiv 1810.12715, table 1 (medium). BatchNorm: Shi et al., "Fast
    certified robust training with short warmup", NeurIPS 2021 (arXiv 2103.17268).

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import ConvMedium
    >>> ConvMedium()(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> sum(p.numel() for p in ConvMedium().parameters())
    157290
    """

    def __init__(
        self,
        n_classes: int = 10,
        in_channels: int = 1,
        input_size: int = 28,
        threshold: float | None = None,
    ) -> None:
        super().__init__(n_classes, in_channels, input_size)
        self.features = nn.Sequential(
            *([] if threshold is None else [Threshold(threshold)]),
            *_block(in_channels, 16, kernel=4, stride=2),
            *_block(16, 32, kernel=3, stride=1),
            *_block(32, 32, kernel=4, stride=2),
            *_block(32, 32, kernel=3, stride=1),
            nn.Flatten(),
            nn.Linear(32 * (input_size // 4) ** 2, 80),
            nn.BatchNorm1d(80),
            nn.ReLU(),
        )
        self.head = nn.Linear(80, n_classes)


def _block(in_channels: int, out_channels: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=1)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU()
