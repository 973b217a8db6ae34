"""Views of training batches: random maps of each sample, and what a user may pass for one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor
from torch.nn import functional as F

from ..utils.validation import Number, StrOptions, check_params
from ._augmentation import augmented


class RandomAffine(BaseEstimator):
    """Turn, scale, shear and shift each image of a batch by a map of its own.

    Parameters
    ----------
    strength : float, default=1.0
        Multiplies the four below; 0 changes nothing.
    rotation : float, radians, default=0.35
        Largest angle in either direction. This, scale, shear and shift are drawn uniformly, for
        each image anew.
    scale : float, default=0.2
        Largest change of the size, as a share of it.
    shear : float, default=0.3
        Largest slope.
    shift : float, default=0.2
        Largest shift along either axis, as a share of half the image.
    padding : {"zeros", "border", "reflection"}, default="zeros"
        What comes in from outside of the image.

    Notes
    -----
    One call of `torch.nn.functional.grid_sample` (bilinear) for the whole batch. Values never
    leave the range of the image and, with zeros, of 0.

    Examples
    --------
    >>> import torch
    >>> from skactive.nets import RandomAffine
    >>> X = torch.rand(5, 1, 28, 28)
    >>> RandomAffine(0.3)(X, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([5, 1, 28, 28])
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **{
            name: [Number("a number >= 0", 0, closed="left")]
            for name in ("strength", "rotation", "scale", "shear", "shift")
        },
        "padding": [StrOptions({"zeros", "border", "reflection"})],
    }

    def __init__(
        self,
        strength: float = 1.0,
        *,
        rotation: float = 0.35,
        scale: float = 0.2,
        shear: float = 0.3,
        shift: float = 0.2,
        padding: str = "zeros",
    ) -> None:
        self.strength = strength
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.padding = padding

    def __call__(self, X: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images of shape (n, channels, height, width), each moved.

        Parameters
        ----------
        X : Tensor
        generator : torch.Generator or None, default=None
            ``None`` draws from torch's global one, which a net seeds while it trains.

        Returns
        -------
        moved : Tensor of the same shape

        Raises
        ------
        ValueError
            If `X` holds no images, or a parameter is out of range.
        """
        check_params(self)
        if X.dim() != 4:
            raise ValueError(
                f"RandomAffine moves images, batches of shape (n, channels, height, width); got "
                f"{tuple(X.shape)}. Pass None, or a function of a batch, for other data."
            )
        return _warped(X, self.maps(X, generator), self.padding)

    def maps(self, X: Tensor, generator: torch.Generator | None) -> Tensor:
        """One map an image, shape (n, 2, 3), from places in the view to places in the image."""
        n, _, height, width = X.shape
        drawn = torch.rand(5, n, generator=generator, device=X.device, dtype=X.dtype)
        turn, size, slope, *shifts = float(self.strength) * (2 * drawn - 1)
        size = 1 + self.scale * size
        slope = self.shear * slope
        cos, sin = size * torch.cos(self.rotation * turn), size * torch.sin(self.rotation * turn)
        # Places are counted in halves of height and width: angles stay angles in other formats.
        rows = [
            [cos, (slope * cos - sin) * (height / width), self.shift * shifts[0]],
            [sin * (width / height), slope * sin + cos, self.shift * shifts[1]],
        ]
        return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1)


def resolve_view(view: Any) -> Callable[..., Tensor] | None:
    """What a user passes for a view as a function of a batch, or None: a number is a strength."""
    if isinstance(view, Real) and not isinstance(view, bool):
        return RandomAffine(float(view))
    return view


def check_views(net: Any) -> None:
    """Raise unless what a net is given for its views are views."""
    for name in net._views:
        view = getattr(net, name)
        if isinstance(view, str) and view in net._view_words:
            continue
        made = resolve_view(view)
        if made is not None and (not callable(made) or inspect.isclass(made)):
            words = "".join(f", {word!r}" for word in sorted(net._view_words))
            raise ValueError(
                f"{name} must be None or a function of a batch, a number (the strength of random "
                f"affine maps of images){words}, got {view!r}. An example: "
                f"{name}=torchvision.transforms.RandomCrop(28, padding=2)."
            )
        if isinstance(made, RandomAffine):
            check_params(made)


def seen(
    views: dict[str, Any],
    parts: list[Tensor],
    bounds: tuple[float, float] | None,
    generator: torch.Generator,
) -> Tensor:
    """Parts of a batch, each through its view, as one; affine maps of all in one pass."""
    made = [resolve_view(view) for view in views.values()]
    affine = [view for view in made if isinstance(view, RandomAffine)]
    if len(affine) == len(made) and len({view.padding for view in affine}) == 1:
        maps = torch.cat([view.maps(X, generator) for view, X in zip(affine, parts, strict=True)])
        return augmented(
            lambda X: _warped(X, maps, affine[0].padding), torch.cat(parts), bounds, "A view"
        )
    through = zip(views, made, parts, strict=True)
    return torch.cat([_through(view, X, bounds, generator, name) for name, view, X in through])


def _through(view: Any, X: Tensor, bounds: Any, generator: torch.Generator, name: str) -> Tensor:
    if view is None:
        return X
    if isinstance(view, RandomAffine):
        return augmented(lambda batch: view(batch, generator), X, bounds, name)
    return augmented(view, X, bounds, name)


def _warped(X: Tensor, maps: Tensor, padding: str) -> Tensor:
    grid = affine_grid(maps, X.shape[2], X.shape[3])
    return F.grid_sample(X, grid, padding_mode=padding, align_corners=False)


def affine_grid(maps: Tensor, height: int, width: int) -> Tensor:
    """`torch.nn.functional.affine_grid` without corners, faster on a CPU.

    Parameters
    ----------
    maps : Tensor of shape (n, 2, 3)
    height, width : int

    Returns
    -------
    grid : Tensor of shape (n, height, width, 2)
    """
    rows, columns = ((2 * torch.arange(size).to(maps) + 1) / size - 1 for size in (height, width))
    across, down = columns.expand(height, width), rows[:, None].expand(height, width)
    places = torch.stack([across, down, torch.ones_like(across)]).flatten(1)
    grid = maps.reshape(-1, 3) @ places  # one product for all images
    return grid.reshape(len(maps), 2, height, width).permute(0, 2, 3, 1)
