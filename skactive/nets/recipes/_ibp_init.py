"""Initial weights through which intervals keep their width."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...utils.random_state import torch_generator
from ._recipe import Recipe

_SEED = 1  # which of the run's random numbers


class IBPInit(Recipe):
    """Begin with weights N(0, √(2π) / fan-in), so that bounds stay as wide from layer to layer.

    Common initial weights make intervals wider by orders of magnitude in a few layers, and the
    first epochs of certified training only undo that. Weights of linear layers and convolutions
    are drawn anew in each ``fit``, those of a module instance too; biases and BatchNorm stay. A
    training that goes on (``partial_fit``, ``warm_start``) keeps its weights.

    References
    ----------
    Shi et al., "Fast certified robust training with short warmup", NeurIPS 2021 (arXiv
    2103.17268), section 3.2.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import IBPInit, IBPRegularizer
    >>> from skactive.losses import IBP
    >>> from skactive.networks import ConvSmall
    >>> net = AdversarialNetClassifier(
    ...     ConvSmall, module__batch_norm=True, attack=None, loss=IBP(eps=0.3),
    ...     callbacks=[IBPInit(), IBPRegularizer()])
    """

    def on_run_begin(self, net: Any, **kwargs: Any) -> None:
        """Draw the weights, unless they are trained already."""
        if not net.run.fresh:
            return
        generator = torch_generator(net.run.seed, _SEED, device=net.run.device)
        for layer in net.module_.modules():
            if isinstance(layer, _WEIGHTED):
                draw(layer.weight, generator)


_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def draw(weight: Tensor, generator: torch.Generator) -> None:
    """Fill a weight of shape (out, in, ...) with N(0, √(2π) / fan-in)."""
    fan_in = weight[0].numel()
    with torch.no_grad():
        weight.normal_(0.0, math.sqrt(2 * math.pi) / fan_in, generator=generator)
