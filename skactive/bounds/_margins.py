"""Margins over a box: how far one class stays ahead of each other one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ._box import Box
from ._crown import linear_lower_bound
from ._rules import before_softmax

METHODS = ("ibp", "crown")


def margin_bounds(output: Box, y: Tensor, method: str = "ibp") -> Tensor:
    """Lower bounds of ``z_y - z_k`` over a box, for each class k.

    Parameters
    ----------
    output : Box of shape (n, n_classes)
        Bounds of the logits, as a module makes them of a `Box` of inputs. Of a module that ends in
        a softmax over the classes, what that reads: it keeps their order. So with a selection of
        columns, ``logits[:, order]``.
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

    Examples
    --------
    >>> import torch
    >>> from skactive.bounds import Box, margin_bounds
    >>> module = torch.nn.Linear(2, 2)
    >>> with torch.no_grad():
    ...     _ = module.weight.copy_(torch.eye(2)), module.bias.zero_()
    >>> box = Box.around(torch.tensor([[0.75, 0.25]]), eps=0.125, bounds=(0, 1))
    >>> margin_bounds(module(box), torch.tensor([0])).tolist()  # .5, less .125 twice
    [[0.0, 0.25]]
    """
    output = before_softmax(output)
    columns = _selected_columns(output)
    if columns is not None:  # margins are of what they were selected from
        return margin_bounds(output.args[0], columns[y], method)[:, columns]
    if output.function is F.linear and isinstance(output.args[0], Box):
        margins = _elided(output, y)
    else:
        low = output.lower.gather(1, y[:, None]) - output.upper
        margins = low.scatter(1, y[:, None], 0.0)
    if method == "ibp":
        return margins
    if not output.tape:
        raise ValueError("method='crown' needs boxes that remember: Box.around(…, tape=True).")
    return torch.maximum(margins, _relaxed(output, y))


def _selected_columns(output: Box) -> Tensor | None:
    """Which columns of another box `output` holds, if that is how it was made."""
    if output.function is not Tensor.__getitem__ or output.args[0].ndim != 2:
        return None
    index = output.args[1]
    if not isinstance(index, tuple) or len(index) != 2 or not isinstance(index[0], slice):
        return None
    if index[0] != slice(None):
        return None
    columns = torch.arange(output.args[0].shape[1], device=output.device)[index[1]]
    return columns if columns.ndim == 1 else None


def _relaxed(output: Box, y: Tensor) -> Tensor:
    """Lower bounds of the differences by one backward pass of each rival of the label."""
    n_classes = output.shape[1]
    rivals = (y[:, None] + torch.arange(1, n_classes, device=y.device)) % n_classes
    eye = torch.eye(n_classes, dtype=output.dtype, device=output.device)
    found = linear_lower_bound(output, eye[y][None] - eye[rivals.T])
    return torch.zeros_like(output.nominal).scatter(1, rivals, found)


def _elided(output: Box, y: Tensor) -> Tensor:
    """Differences of the centre's logits, less the radius times those of the weights."""
    box, weight, bias = (*output.args, output.kwargs.get("bias"))[:3]
    logits = F.linear(box.centre, weight, bias)
    apart = (weight[y][:, None, :] - weight[None]).abs()
    spread = torch.matmul(apart, box.radius[:, :, None])[:, :, 0]
    return logits.gather(1, y[:, None]) - logits - spread
