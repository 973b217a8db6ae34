"""Expected gradient length: Σ_c p_c ‖∇J(x, c)‖₂ for every sample of a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from ..utils.modules import untouched
from .inference import last_linear_input

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# Floats of unfolded activations held at once (256 MB).
_MAX_UNFOLDED = 1 << 26


def expected_gradient_length(module: nn.Module, X: Tensor, wrt: str = "parameters") -> Tensor:
    """Σ_c p_c ‖∇J(x, c)‖₂ with J the cross-entropy to class c.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits. Run in eval mode and left as it was.
    X : Tensor of shape (n, ...)
    wrt : {"parameters", "last_layer", "input"}, default="parameters"
        What the gradient is taken in; of the parameters, those that require a gradient.

    Returns
    -------
    lengths : Tensor of shape (n,)
        Each sample's own: neither averaged over the batch nor dependent on its size.

    Notes
    -----
    The norm of a layer's gradient is computed from its input and the gradient of its output
    (*ghost norms*), so that no gradient of a parameter is ever formed. This covers linear
    layers, 2-d convolutions and BatchNorm that are executed once; other modules go through
    per-sample differentiation, slower and the same.

    References
    ----------
    Goodfellow, "Efficient per-example gradient computations", arXiv 1510.01799; Bu et al.,
    "Scalable and efficient training of large convolutional neural networks with differential
    privacy", NeurIPS 2022 (convolutions).
    """
    wanted = {id(p) for p in module.parameters() if p.requires_grad}
    with torch.enable_grad(), untouched(module):
        return _LENGTHS[wrt](module, X, wanted)


def _wrt_last_layer(module: nn.Module, X: Tensor, wanted: set[int]) -> Tensor:
    with torch.no_grad(), last_linear_input(module) as seen:
        proba = module(X).softmax(dim=1)
    # ‖p − e_c‖² = ‖p‖² − 2 p_c + 1; the bias adds 1 to ‖z‖².
    residual = (proba.square().sum(dim=1, keepdim=True) - 2 * proba + 1).clamp_min(0).sqrt()
    has_bias = seen.layer.bias is not None
    norm = (seen.value.flatten(1).square().sum(dim=1) + float(has_bias)).sqrt()
    return (proba * residual).sum(dim=1) * norm


def _wrt_input(module: nn.Module, X: Tensor, wanted: set[int]) -> Tensor:
    X = X.detach().requires_grad_(True)
    logits = module(X)
    proba = logits.detach().softmax(dim=1)
    total = torch.zeros(len(X), device=X.device, dtype=X.dtype)
    for c, loss in _losses(logits):
        (gradient,) = torch.autograd.grad(loss, X, retain_graph=True)
        total += proba[:, c] * gradient.flatten(1).norm(dim=1)
    return total


def _wrt_parameters(module: nn.Module, X: Tensor, wanted: set[int]) -> Tensor:
    ghost = _GhostNorms(module, wanted)
    if not ghost.covers(X[:1]):
        return _per_sample(module, X, wanted)
    rows = max(1, _MAX_UNFOLDED // max(1, ghost.unfolded_floats))
    return torch.cat([ghost.lengths(part) for part in X.split(rows)])


def _losses(logits: Tensor) -> list[tuple[int, Tensor]]:
    log_proba = F.log_softmax(logits, dim=1)
    return [(c, -log_proba[:, c].sum()) for c in range(logits.shape[1])]


class _GhostNorms:
    """Per-sample gradient norms from the inputs and output gradients of the layers."""

    def __init__(self, module: nn.Module, wanted: set[int]) -> None:
        self.module = module
        self.wanted = wanted
        self.tracked: list[nn.Module] = []
        self.inputs: dict[nn.Module, Tensor] = {}
        self.outputs: dict[nn.Module, Tensor] = {}
        self.calls: dict[nn.Module, int] = {}
        self.unfolded_floats = 0

    def covers(self, first: Tensor) -> bool:
        """Whether every wanted parameter is in a supported layer that is executed once."""
        covered: set[int] = set()
        owners = [sub for sub in self.module.modules() if any(True for _ in sub.parameters(False))]
        for sub in owners:
            if not _supported(sub):
                if any(id(p) in self.wanted for p in sub.parameters(False)):
                    return False
                continue
            if covered & {id(p) for p in sub.parameters(False)}:
                return False  # shared between layers
            covered |= {id(p) for p in sub.parameters(False)}
        self.tracked = [sub for sub in owners if _supported(sub)]
        with torch.no_grad():
            self._forward(first)
        if any(self.calls.get(sub, 0) != 1 for sub in self.tracked):
            return False
        if any(isinstance(s, nn.Linear) and self.inputs[s].dim() != 2 for s in self.tracked):
            return False
        self.unfolded_floats = sum(
            self.inputs[sub].shape[1] * sub.weight[0, 0].numel() * self.outputs[sub][0, 0].numel()
            for sub in self.tracked
            if isinstance(sub, nn.Conv2d)
        )
        return True

    def lengths(self, X: Tensor) -> Tensor:
        logits = self._forward(X.detach().requires_grad_(True))
        proba = logits.detach().softmax(dim=1)
        prepared = {sub: _prepare(sub, self.inputs[sub].detach()) for sub in self.tracked}
        outputs = [self.outputs[sub] for sub in self.tracked]
        total = torch.zeros(len(X), device=X.device, dtype=logits.dtype)
        for c, loss in _losses(logits):
            deltas = torch.autograd.grad(loss, outputs, retain_graph=True)
            squared = torch.zeros_like(total)
            for sub, delta in zip(self.tracked, deltas, strict=True):
                squared += _squared_norm(sub, prepared[sub], delta, self.wanted)
            total += proba[:, c] * squared.sqrt()
        return total

    def _forward(self, X: Tensor) -> Tensor:
        self.inputs, self.outputs, self.calls = {}, {}, {}

        def note(sub: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            self.inputs[sub], self.outputs[sub] = inputs[0], output
            self.calls[sub] = self.calls.get(sub, 0) + 1

        handles = [sub.register_forward_hook(note) for sub in self.tracked]
        try:
            return self.module(X)
        finally:
            for handle in handles:
                handle.remove()


def _supported(sub: nn.Module) -> bool:
    if type(sub) is nn.Conv2d:
        return sub.groups == 1 and sub.padding_mode == "zeros" and not isinstance(sub.padding, str)
    if isinstance(sub, _NORMS):
        return type(sub) in _NORMS and sub.running_mean is not None
    return type(sub) is nn.Linear


def _prepare(sub: Any, inputs: Tensor) -> Tensor:
    """What the layer's gradient norm needs of its input, once for all classes."""
    if isinstance(sub, nn.Linear):
        return inputs.square().sum(dim=1)
    if isinstance(sub, nn.Conv2d):
        return F.unfold(
            inputs,
            sub.kernel_size,
            dilation=sub.dilation,
            padding=sub.padding,  # type: ignore[arg-type]  # no string: see _supported
            stride=sub.stride,
        )
    shape = (1, -1, *[1] * (inputs.dim() - 2))
    scale = (sub.running_var + sub.eps).rsqrt().view(shape)
    return (inputs - sub.running_mean.view(shape)) * scale


def _squared_norm(sub: Any, prepared: Tensor, delta: Tensor, wanted: set[int]) -> Tensor:
    """Squared norm of the gradient in the layer's wanted parameters, per sample."""
    weight = float(sub.weight is not None and id(sub.weight) in wanted)
    bias = float(sub.bias is not None and id(sub.bias) in wanted)
    if isinstance(sub, nn.Linear):
        return delta.square().sum(dim=1) * (weight * prepared + bias)
    delta = delta.flatten(2) if delta.dim() > 2 else delta[..., None]
    squared = bias * delta.sum(dim=2).square().sum(dim=1)
    if not weight:
        return squared
    if isinstance(sub, nn.Conv2d):
        gradient = torch.bmm(delta, prepared.transpose(1, 2)).flatten(1)
    else:
        prepared = prepared.flatten(2) if prepared.dim() > 2 else prepared[..., None]
        gradient = (delta * prepared).sum(dim=2)
    return squared + gradient.square().sum(dim=1)


def _per_sample(module: nn.Module, X: Tensor, wanted: set[int]) -> Tensor:
    """The same by differentiating each sample on its own."""
    params = {name: p.detach() for name, p in module.named_parameters() if id(p) in wanted}

    def loss(params: dict[str, Tensor], x: Tensor, c: Tensor) -> Tensor:
        logits = functional_call(module, params, (x[None],))
        return -F.log_softmax(logits, dim=1)[0].gather(0, c[None])[0]

    with torch.no_grad():
        proba = module(X).softmax(dim=1)
    total = torch.zeros_like(proba[:, 0])
    gradients_of = vmap(grad(loss), in_dims=(None, 0, None), chunk_size=32)
    for c in range(proba.shape[1]):
        gradients = gradients_of(params, X, torch.tensor(c, device=X.device))
        squared = sum(g.flatten(1).square().sum(dim=1) for g in gradients.values())
        total += proba[:, c] * squared.sqrt()
    return total


_LENGTHS: dict[str, Callable[[nn.Module, Tensor, set[int]], Tensor]] = {
    "parameters": _wrt_parameters,
    "last_layer": _wrt_last_layer,
    "input": _wrt_input,
}
