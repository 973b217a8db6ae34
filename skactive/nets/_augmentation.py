"""Augmentation of training batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def augmented(
    augment: Any, X: Tensor, bounds: tuple[float, float] | None, name: str = "augment"
) -> Tensor:
    """A batch as `augment` changes it, clipped to the range of the inputs.

    Transforms of torchvision draw once a call, and are therefore called once a sample; anything
    else is called with the whole batch. `name` is what an error calls it.

    Raises
    ------
    ValueError
        If what comes back is no finite floating point tensor of the same shape.
    """
    with torch.no_grad():
        if type(augment).__module__.startswith("torchvision.transforms"):
            made = torch.stack([augment(x) for x in X])
        else:
            made = augment(X.clone())
    shape = tuple(getattr(made, "shape", ()))
    if not isinstance(made, Tensor) or shape != tuple(X.shape) or not made.is_floating_point():
        raise ValueError(
            f"{name} must return a floating point tensor of the batch's shape {tuple(X.shape)}; "
            f"it returned {shape or type(made).__name__} {getattr(made, 'dtype', '')}. Normalise "
            "and resize outside of it."
        )
    if not torch.isfinite(made).all():
        raise ValueError(f"{name} returned NaN or infinite values.")
    made = made.detach().to(X)
    return made if bounds is None else made.clamp(*bounds)
