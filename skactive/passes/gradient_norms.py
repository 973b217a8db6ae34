"""Expected gradient length: Σ_c p_c ‖∇J(x, c)‖₂ for every sample of a batch at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from .inference import last_linear_input
from .modules import untouched
from .precision import at_least_float32, in_float32

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# Floats of unfolded activations, or of per-sample gradients, held at once (128 MB).
_MAX_FLOATS = 1 << 25


def expected_gradient_length(module: nn.Module, X: Tensor, wrt: str = "parameters") -> Tensor:
    """Σ_c p_c ‖∇J(x, c)‖₂ with J the cross-entropy to class c.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits of shape (n, n_classes). Run in eval mode and left as it was.
    X : Tensor of shape (n, ...)
        Not modified.
    wrt : {"parameters", "last_layer", "input"}, default="parameters"
        What the gradient is taken in. Of the parameters, those that require a gradient;
        ``"last_layer"`` is weight and bias of the linear layer executed last, whose outputs
        are taken for the logits: Σ_c p_c ‖p − e_c‖ √(‖z‖² + 1), with z its input.

    Returns
    -------
    lengths : Tensor of shape (n,), dtype of the logits
        Each sample's own: neither averaged over the batch nor dependent on its size.

    Raises
    ------
    ValueError
        If `wrt` is none of the three, or is ``"last_layer"`` and no linear layer is executed.

    Notes
    -----
    The norm of a layer's gradient is computed from its input and the gradient of its output
    (*ghost norms*), so that no gradient of a parameter is ever formed. This covers linear
    layers, 2-d convolutions, batch, layer and group normalisation that are executed once. It
    is compared with autograd on the first sample; a module with other parameters, or with
    the same in other places, goes through per-sample differentiation: slower, and the same.

    References
    ----------
    Settles & Craven, "An analysis of active learning strategies for sequence labeling tasks",
    EMNLP 2008, section 3.4 (the score); Goodfellow, "Efficient per-example gradient
    computations", arXiv 1510.01799, section 4 (linear layers); Bu et al., "Scalable and
    efficient training of large convolutional neural networks with differential privacy",
    NeurIPS 2022, section 3 (convolutions, choice between the two products).

    Examples
    --------
    >>> import torch
    >>> from skactive.passes.gradient_norms import expected_gradient_length
    >>> module = torch.nn.Linear(2, 2)
    >>> _ = module.load_state_dict({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)})
    >>> expected_gradient_length(module, torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([0.7071, 3.6056])
    """
    proba, norms = norms_by_class(module, X, wrt)
    return (proba * norms).sum(dim=1)


@in_float32()
def norms_by_class(module: nn.Module, X: Tensor, wrt: str = "parameters") -> tuple[Tensor, Tensor]:
    """Class probabilities p and gradient norms ‖∇J(x, c)‖₂, both of shape (n, n_classes).

    See `expected_gradient_length`, which is their product summed over the classes.
    """
    if wrt not in _NORMS:
        raise ValueError(f"wrt must be one of {sorted(_NORMS)}, got {wrt!r}.")
    with torch.inference_mode(False), torch.enable_grad():
        X = X.clone() if X.is_inference() else X.detach()
        return _NORMS[wrt](module, X)


def _wrt_last_layer(module: nn.Module, X: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad(), untouched(module, freeze=False) as net, last_linear_input(net) as seen:
        proba = net(X.clone()).softmax(dim=1)  # it may overwrite what it gets
    # ‖p − e_c‖² = ‖p‖² − 2 p_c + 1; the bias adds 1 to ‖z‖².
    residual = (proba.square().sum(dim=1, keepdim=True) - 2 * proba + 1).clamp_min(0).sqrt()
    has_bias = seen.layer.bias is not None
    norm = (seen.value.flatten(1).square().sum(dim=1) + float(has_bias)).sqrt()
    return proba, residual * norm[:, None]


def _wrt_input(module: nn.Module, X: Tensor) -> tuple[Tensor, Tensor]:
    with untouched(module) as net:
        logits = net(X.requires_grad_(True).clone())
        norms = [
            torch.autograd.grad(loss, X, retain_graph=True)[0].flatten(1).norm(dim=1)
            for loss in _losses(logits)
        ]
    return logits.detach().softmax(dim=1), torch.stack(norms, dim=1)


@in_float32()
def lengths_and_slopes(module: nn.Module, X: Tensor, wrt: str) -> tuple[Tensor, Tensor]:
    """Expected gradient lengths, and the largest ‖∇z_k − ∇z_c‖ over the samples.

    Shapes (n,) and (n_classes, n_classes), with z the logits. In the input, the slopes are exact;
    in parameters, whose gradients are never formed, they are bounds: ∇z_k − ∇z_c is
    ∇J(x, c) − ∇J(x, k), no longer than both together.
    """
    if wrt != "input":
        proba, norms = norms_by_class(module, X, wrt)
        slopes = (norms[:, :, None] + norms[:, None, :]).amax(dim=0)
        return (proba * norms).sum(dim=1), slopes
    with torch.inference_mode(False), torch.enable_grad(), untouched(module) as net:
        X = X.clone() if X.is_inference() else X.detach()
        logits = net(X.requires_grad_(True).clone())
        gradients = torch.stack(
            [
                torch.autograd.grad(loss, X, retain_graph=True)[0].flatten(1)
                for loss in _losses(logits)
            ],
            dim=1,
        )
    lengths = (logits.detach().softmax(dim=1) * gradients.norm(dim=2)).sum(dim=1)
    squared = gradients.square().sum(dim=2)
    product = gradients @ gradients.transpose(1, 2)
    slopes = squared[:, :, None] + squared[:, None, :] - 2 * product
    return lengths, slopes.amax(dim=0).clamp_min(0).sqrt()


def _wrt_parameters(module: nn.Module, X: Tensor) -> tuple[Tensor, Tensor]:
    with untouched(module, freeze=False) as net:
        names = {name for name, p in net.named_parameters() if p.requires_grad}
        max_rows = _GhostNorms(net, names).rows_at_once(X[:1]) if names and len(X) else 0
    with untouched(module) as net:
        if not names or not len(X):
            with torch.no_grad():
                proba = net(X.clone()).softmax(dim=1)
            return proba, torch.zeros_like(proba)
        if not max_rows:
            return _by_sample(net, X, names)
        ghost = _GhostNorms(net, names)
        proba, norms = zip(*(ghost.norms(part) for part in X.split(max_rows)), strict=True)
        return torch.cat(proba), torch.cat(norms)


def _losses(logits: Tensor) -> list[Tensor]:
    """Cross-entropy to each class, summed: each sample's gradient is its own."""
    log_proba = F.log_softmax(logits, dim=1)
    return [-log_proba[:, c].sum() for c in range(logits.shape[1])]


class _GhostNorms:
    """Per-sample gradient norms from the inputs and output gradients of the layers."""

    def __init__(self, module: nn.Module, names: set[str]) -> None:
        self.module = module
        self.wanted = {id(p) for name, p in module.named_parameters() if name in names}
        self.tracked = [sub for sub in module.modules() if self._is_tracked(sub)]

    def rows_at_once(self, first: Tensor) -> int:
        """How many samples fit; 0 if, on one, the norms are not those that autograd finds."""
        layers, logits = self._forward(first)
        if len({id(layer.module) for layer in layers}) < len(layers):
            return 0  # executed twice: the gradient is a sum, its norm is not
        # Any direction will do, but that of a sure sample's loss is zero.
        direction = torch.linspace(-1, 1, logits.shape[1]).to(logits)
        target = (logits * direction).sum()
        parameters = {id(p): p for p in self.module.parameters() if id(p) in self.wanted}
        gradients = torch.autograd.grad(
            target, list(parameters.values()), retain_graph=True, allow_unused=True
        )
        squared = {
            key: at_least_float32(gradient).square().sum()
            for key, gradient in zip(parameters, gradients, strict=True)
            if gradient is not None
        }
        rounding = 1e-6 * float(sum(squared.values()))
        if not rounding < float("inf"):
            return 0  # NaN: nothing to compare
        for layer, found in zip(layers, self._squared_norms(layers, target), strict=True):
            owned = [squared.pop(id(p)) for p in layer.module.parameters() if id(p) in squared]
            expected = sum(owned, torch.zeros_like(target))
            if not torch.allclose(found[0], expected, rtol=_tolerance(layers), atol=rounding):
                return 0
        if squared:
            return 0  # parameters of layers that are not covered
        return max(1, _MAX_FLOATS // max(1, sum(layer.floats for layer in layers)))

    def norms(self, X: Tensor) -> tuple[Tensor, Tensor]:
        layers, logits = self._forward(X)
        squared = [
            torch.stack(self._squared_norms(layers, loss)).sum(dim=0) for loss in _losses(logits)
        ]
        return logits.detach().softmax(dim=1), torch.stack(squared, dim=1).sqrt()

    def _is_tracked(self, sub: nn.Module) -> bool:
        return _supported(sub) and any(id(p) in self.wanted for p in sub.parameters(False))

    def _squared_norms(self, layers: list[_Layer], target: Tensor) -> list[Tensor]:
        outputs = [layer.output for layer in layers]
        deltas = torch.autograd.grad(target, outputs, retain_graph=True)
        return [
            layer.squared_norm(delta, self.wanted)
            for layer, delta in zip(layers, deltas, strict=True)
        ]

    def _forward(self, X: Tensor) -> tuple[list[_Layer], Tensor]:
        layers: list[_Layer] = []

        def note(sub: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if not output.requires_grad:
                output.requires_grad_(True)  # nothing before it does: parameters are frozen
            layers.append(_Layer(sub, inputs[0].detach(), output))
            return output.clone()  # which nn.ReLU(inplace=True) may overwrite

        handles = [sub.register_forward_hook(note) for sub in self.tracked]
        try:
            return layers, self.module(X.clone())
        finally:
            for handle in handles:
                handle.remove()


class _Layer:
    """One executed layer: weight gradient Σ_t δ_t ⊗ a_t over its positions t, per sample.

    The products are taken in groups: those of a convolution; of a normalisation, whose weight
    meets one input each, one group per weight.
    """

    def __init__(self, module: nn.Module, inputs: Tensor, output: Tensor) -> None:
        self.module: Any = module
        self.output = output
        self.inputs = _positions(self.module, at_least_float32(inputs))
        n_inputs, n_positions = self.inputs.shape[2:]
        self.floats = self.inputs[0].numel()
        # ‖Σ_t δ_t ⊗ a_t‖² = Σ_st ⟨a_s, a_t⟩⟨δ_s, δ_t⟩, cheaper where positions are few.
        self.by_gram = n_positions <= n_inputs
        if self.by_gram:
            self.inputs = self.inputs.transpose(2, 3) @ self.inputs

    def squared_norm(self, delta: Tensor, wanted: set[int]) -> Tensor:
        """Squared norm of the gradient in the layer's wanted parameters, shape (n,)."""
        delta = _output_positions(self.module, at_least_float32(delta))
        squared = torch.zeros_like(delta[:, 0, 0, 0])
        if self.module.weight is not None and id(self.module.weight) in wanted:
            if self.by_gram:
                products = self.inputs * (delta.transpose(2, 3) @ delta)
            elif delta.shape[2] == self.inputs.shape[2] == 1:
                products = (delta * self.inputs).sum(dim=3).square()
            else:
                products = (delta @ self.inputs.transpose(2, 3)).square()
            squared = squared + products.flatten(1).sum(dim=1).clamp_min(0)
        if self.module.bias is not None and id(self.module.bias) in wanted:
            squared = squared + delta.sum(dim=3).square().flatten(1).sum(dim=1)
        return squared


def _tolerance(layers: list[_Layer]) -> float:
    """Relative difference that rounding explains: bfloat16 keeps three digits."""
    return 1e-3 if all(layer.output.dtype.itemsize >= 4 for layer in layers) else 5e-2


def _supported(sub: nn.Module) -> bool:
    if type(sub) is nn.Conv2d:
        return sub.padding_mode == "zeros" and not isinstance(sub.padding, str)
    if type(sub) in _BATCH_NORMS:
        return sub.running_mean is not None  # else samples share their batch's statistics
    return type(sub) in (nn.Linear, nn.LayerNorm, nn.GroupNorm)


def _positions(sub: Any, inputs: Tensor) -> Tensor:
    """What the weights meet, shape (n, groups, inputs per group, positions)."""
    if isinstance(sub, nn.Linear):
        return inputs.reshape(len(inputs), 1, -1, inputs.shape[-1]).transpose(2, 3)
    if isinstance(sub, nn.Conv2d):
        unfolded = F.unfold(
            inputs,
            sub.kernel_size,
            dilation=sub.dilation,
            padding=sub.padding,  # type: ignore[arg-type]  # no string: see _supported
            stride=sub.stride,
        )
        return unfolded.unflatten(1, (sub.groups, -1))
    if isinstance(sub, nn.LayerNorm):
        normed = F.layer_norm(inputs, sub.normalized_shape, eps=sub.eps)
    elif isinstance(sub, nn.GroupNorm):
        normed = F.group_norm(inputs, sub.num_groups, eps=sub.eps)
    else:
        normed = F.batch_norm(
            inputs, sub.running_mean.to(inputs), sub.running_var.to(inputs), eps=sub.eps
        )
    return _output_positions(sub, normed)


def _output_positions(sub: Any, output: Tensor) -> Tensor:
    """Outputs in the same order, shape (n, groups, outputs per group, positions)."""
    if isinstance(sub, nn.Linear):
        return output.reshape(len(output), 1, -1, output.shape[-1]).transpose(2, 3)
    if isinstance(sub, nn.Conv2d):
        return output.flatten(2).unflatten(1, (sub.groups, -1))
    if isinstance(sub, nn.LayerNorm):
        n_weights = math.prod(sub.normalized_shape)
        return output.reshape(len(output), -1, n_weights).transpose(1, 2)[:, :, None]
    return output.reshape(*output.shape[:2], 1, -1)


def _by_sample(module: nn.Module, X: Tensor, names: set[str]) -> tuple[Tensor, Tensor]:
    """The same by differentiating each sample on its own."""
    params = {name: p.detach() for name, p in module.named_parameters() if name in names}

    def loss(params: dict[str, Tensor], x: Tensor, c: Tensor) -> Tensor:
        logits = functional_call(module, params, (x[None].clone(),))
        return -F.log_softmax(logits, dim=1)[0].gather(0, c[None])[0]

    chunk = max(1, _MAX_FLOATS // sum(p.numel() for p in params.values()))
    gradients_of: Callable[..., dict[str, Tensor]] = grad(loss)
    with torch.no_grad():
        proba = module(X.clone()).softmax(dim=1)
    classes = torch.arange(proba.shape[1], device=X.device)
    try:
        in_batches = vmap(gradients_of, in_dims=(None, 0, None), chunk_size=chunk)
        norms = [_total_norm(in_batches(params, X, c), 1) for c in classes]
        return proba, torch.stack(norms, dim=1)
    except RuntimeError:  # what vmap cannot batch: recurrent layers, branches on values
        one_by_one = [_total_norm(gradients_of(params, x, c), 0) for x in X for c in classes]
        return proba, torch.stack(one_by_one).view_as(proba)


def _total_norm(gradients: dict[str, Tensor], batch_dims: int) -> Tensor:
    """Norm over all parameters, one per sample if there is a batch dimension."""
    flat = [
        at_least_float32(g).unsqueeze(-1).flatten(batch_dims).square().sum(dim=-1)
        for g in gradients.values()
    ]
    return torch.stack(flat).sum(dim=0).sqrt()


_NORMS: dict[str, Callable[[nn.Module, Tensor], tuple[Tensor, Tensor]]] = {
    "parameters": _wrt_parameters,
    "last_layer": _wrt_last_layer,
    "input": _wrt_input,
}
