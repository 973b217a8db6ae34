"""Certified margins: how far the true class stays ahead, whatever the perturbation."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ._box import Box
from ._crown import linear_lower_bound

# What float32 evaluation of a net may add to a margin, relative to its largest logit.
ROUNDING = 1e-5
METHODS = ("ibp", "crown")


def margin_bounds(output: Box, y: Tensor, method: str = "ibp") -> Tensor:
    """Lower bounds of ``z_y - z_k`` over a box, for each class k.

    Parameters
    ----------
    output : Box of shape (n, n_classes)
        Bounds of the logits, as a module makes them of a `Box` of inputs.
    y : Tensor of shape (n,), int64
        Class indices.
    method : {"ibp", "crown"}, default="ibp"
        ``"ibp"``: intervals, the differences taken in the weights of the last linear layer
        (elision), which is tighter than between bounds of logits. ``"crown"``: the larger of that
        and of CROWN-IBP.

    Returns
    -------
    margins : Tensor of shape (n, n_classes)
        0 at `y`.
    """
    if output.function is F.linear and isinstance(output.args[0], Box):
        margins = _elided(output, y)
    else:
        low = output.lower.gather(1, y[:, None]) - output.upper
        margins = low.scatter(1, y[:, None], 0.0)
    if method == "ibp":
        return margins
    n_classes = output.shape[1]
    eye = torch.eye(n_classes, dtype=output.dtype, device=output.device)
    coefficients = eye[y][None] - eye[:, None, :]
    return torch.maximum(margins, linear_lower_bound(output, coefficients))


def _elided(output: Box, y: Tensor) -> Tensor:
    box, weight, bias = (*output.args, output.kwargs.get("bias"))[:3]
    difference = weight[y][:, None, :] - weight[None]
    centre, radius = (box.lower + box.upper) / 2, (box.upper - box.lower) / 2
    low = torch.einsum("nkd,nd->nk", difference, centre)
    low = low - torch.einsum("nkd,nd->nk", difference.abs(), radius)
    return low if bias is None else low + bias[y][:, None] - bias[None]


def certified_margins(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    eps: float,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    method: str = "ibp",
) -> Tensor:
    """Distance by which the true class provably wins within an L∞ ball, for each sample.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits. It is copied, evaluated in float64 and eval mode, and left as it is.
    X : Tensor of shape (n, ...)
        Inputs within `bounds`.
    y : Tensor of shape (n,), int64
        Class indices.
    eps : float
        Radius, in input units.
    bounds : (float, float), default=(0, 1)
        Range of the inputs; the ball is cut to it.
    method : {"ibp", "crown"}, default="ibp"
        See `margin_bounds`.

    Returns
    -------
    margins : Tensor of shape (n,), float64
        Smallest lower bound of ``z_y - z_k`` over the other classes, less 1e-5 of the largest
        logit, which covers what rounding does to the net in float32. Positive: no perturbation
        changes the prediction.

    Raises
    ------
    UnsupportedOperationError
        If the module does something to its input that there is no bound for.

    References
    ----------
    Gowal et al., arXiv 1810.12715 (intervals); Zhang et al., arXiv 1906.06316 (CROWN-IBP).

    Examples
    --------
    >>> import torch
    >>> from skactive.bounds import certified_margins
    >>> module = torch.nn.Linear(2, 2, bias=False)
    >>> _ = module.weight.data.copy_(torch.eye(2))
    >>> X, y = torch.tensor([[0.9, 0.1], [0.6, 0.4]]), torch.tensor([0, 0])
    >>> (certified_margins(module, X, y, eps=0.2) > 0).tolist()  # 0.8 - 0.4, 0.2 - 0.4
    [True, False]
    """
    exact = copy.deepcopy(module).double().eval()
    with torch.no_grad():
        output = exact(Box.around(X.double(), float(eps), bounds))
        margins = margin_bounds(output, y, method)
    others = margins.scatter(1, y[:, None], torch.inf).amin(dim=1)
    scale = torch.maximum(output.lower.abs(), output.upper.abs()).amax(dim=1)
    return others - ROUNDING * (1 + scale)
