"""What all networks share: an input check, an embedding and a head."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A classifier of images in two parts: ``embed(X)`` -> (n, d), ``head`` -> logits.

    Attributes
    ----------
    head : torch.nn.Linear
        The last linear layer; its input is what strategies call the penultimate embedding.
    """

    head: nn.Linear
    in_channels: int
    min_size: int

    def embed(self, X: Tensor) -> Tensor:
        """Input of the last linear layer, shape (n, d)."""
        raise NotImplementedError

    def forward(self, X: Tensor) -> Tensor:
        """Logits, shape (n, n_classes)."""
        self._check(X)
        return self.head(self.embed(X))

    def _check(self, X: Tensor) -> None:
        if X.dim() != 4 or X.shape[1] != self.in_channels or min(X.shape[2:]) < self.min_size:
            raise ValueError(
                f"{type(self).__name__} takes images of shape (n, {self.in_channels}, height, "
                f"width), at least {self.min_size} pixels a side, got {tuple(X.shape)}."
            )
        if not X.is_floating_point():
            raise ValueError(
                f"{type(self).__name__} takes floating point images, got {X.dtype}. Convert them, "
                "for instance with X.float() / 255."
            )
