"""A soft threshold of each pixel: a first layer that perturbed ink hardly gets through."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Threshold(nn.Module):
    """Soft threshold of each pixel: 0 below `at`, 1 above it, and a straight line between.

    A pixel of a drawing is ink or paper. Told apart one by one, before a layer adds pixels up, a
    perturbation of .3 is undone where it is harmless, and bounds need not count it. It has no
    parameters to learn. Put it before any net: ``torch.nn.Sequential(Threshold(), LeNet5())``.

    Parameters
    ----------
    at : float, default=0.42
        Where it is one half; about where a learned threshold ends on MNIST.
    slope : float, default=10.0
        Of the line: it goes from 0 to 1 within 1 / `slope`.

    Raises
    ------
    ValueError
        If `slope` ≤ 0.

    Notes
    -----
    Its gradient is zero for most pixels, so that white-box attacks see little: the accuracy that
    PGD leaves says nothing about such a net. Look at its certificates, which do not need
    gradients, and at attacks without gradients.

    Examples
    --------
    >>> import torch
    >>> from skactive.networks import Threshold
    >>> Threshold(at=0.5)(torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0])).tolist()
    [0.0, 0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, at: float = 0.42, slope: float = 10.0) -> None:
        super().__init__()
        if not slope > 0:
            raise ValueError(f"slope must be positive, got {slope}.")
        self.at = at
        self.slope = slope

    def forward(self, X: Tensor) -> Tensor:
        """Thresholded images, of the same shape.

        Parameters
        ----------
        X : Tensor

        Returns
        -------
        maps : Tensor, in [0, 1]
        """
        return torch.clamp(self.slope * (X - self.at) + 0.5, 0, 1)

    def extra_repr(self) -> str:
        """Parameters, as torch shows those of a layer."""
        return f"at={self.at}, slope={self.slope}"
