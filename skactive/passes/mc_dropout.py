"""Monte-Carlo dropout: sampled networks, also for modules that have no dropout."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..utils.indexing import Rows
from .inference import NoSuchLayer, check_not_diverged
from .modules import untouched
from .precision import in_float32
from .private_copy import private_copy
from .shortcuts.pooling import optimize_copy, same_outputs
from .shortcuts.replay import Replay

_PER_CHANNEL = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
_ALPHA = (nn.AlphaDropout, nn.FeatureAlphaDropout)
_DROPOUTS = (nn.Dropout, *_PER_CHANNEL, *_ALPHA)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SELU_FLOOR = -1.7580993408473766  # what alpha dropout sets dropped values to: -scale·alpha
_EXAMPLES = 2
# Floats of kept activations held at once (256 MB).
_MAX_FLOATS = 1 << 26


@in_float32()
def mc_dropout_proba(
    module: nn.Module,
    X: Any,
    prepare: Callable[[Any], Tensor],
    *,
    n_passes: int = 10,
    rate: float = 0.1,
    seed: int = 0,
    batch_size: int = 512,
) -> NDArray:
    """Class probabilities of `n_passes` networks sampled by dropout.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits. Its own dropout layers are used, with their own rates; a module
        that executes none gets dropout after every ReLU of its convolutional part, which ends
        at the first linear layer (after every ReLU before the last linear layer if it has no
        convolutions). ReLUs must be ``nn.ReLU`` modules: a functional ``F.relu`` cannot be
        hooked.
    X : any container or Rows
        Walked in batches, never copied whole.
    prepare : callable
        Rows -> what the module reads, on its device.
    n_passes : int, default=10
        Number of sampled networks.
    rate : float in (0, 1), default=0.1
        Share that injected dropout drops; dropout layers of the module keep their own.
    seed : int, default=0
        Decides the masks.
    batch_size : int, default=512
        Samples read at once; fewer where their activations would take too much memory.

    Returns
    -------
    proba : ndarray of shape (n_passes, n, n_classes), float32

    Raises
    ------
    NoSuchLayer
        If the module executes neither dropout layers nor ReLU modules; a ValueError.
    ValueError
        If the module returns NaN.

    Notes
    -----
    One mask per pass and layer is shared by all samples, so that a pass is *one* network, as in
    BALD's formula, and the result depends neither on the batch size nor on the order of the
    pool. Everything else runs in eval mode. What comes before the first dropout is computed
    once per batch and not once per pass. All this happens in a private copy that shares the
    parameters; hooks, modes, BatchNorm statistics and torch's generators are as before
    afterwards.

    References
    ----------
    Gal & Ghahramani, "Dropout as a Bayesian approximation", ICML 2016, equation 6; Houlsby et
    al., "Bayesian active learning for classification and preference learning", arXiv 1112.5745.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.passes.mc_dropout import mc_dropout_proba
    >>> module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> mc_dropout_proba(module, torch.ones(4, 5), lambda rows: rows, n_passes=2).shape
    (2, 4, 3)
    """
    rows = Rows.of(X)
    if len(rows) == 0:
        return np.empty((n_passes, 0, 0), np.float32)
    proba: NDArray | None = None
    with torch.inference_mode(), untouched(module, freeze=False) as net:
        example = prepare(rows.take(slice(0, _EXAMPLES)))
        with _sampler(net, example, n_passes, rate, seed) as sampler:
            for window, batch in rows.batches(min(batch_size, sampler.max_rows)):
                for number, logits in enumerate(sampler.passes(prepare(batch))):
                    sampled = torch.softmax(logits.float(), dim=1)
                    if proba is None:
                        proba = np.empty((n_passes, len(rows), sampled.shape[1]), np.float32)
                    proba[number, window] = sampled.cpu().numpy()
    assert proba is not None
    check_not_diverged(proba.transpose(1, 0, 2))
    return proba


@contextlib.contextmanager
def _sampler(
    module: nn.Module, example: Tensor, n_passes: int, rate: float, seed: int
) -> Iterator[_Sampler]:
    """Sampler of an optimised private copy, or of `module` itself where that is not the same."""
    twin = private_copy(module)  # before there are hooks to copy
    with contextlib.closing(_Sampler(module, example, n_passes, rate, seed)) as plain:
        fast = None if twin is None else _fast_sampler(twin, plain, example, n_passes, rate, seed)
        yield fast or plain


def _fast_sampler(
    twin: nn.Module, plain: _Sampler, example: Tensor, n_passes: int, rate: float, seed: int
) -> _Sampler | None:
    try:
        fast = _Sampler(twin, example, n_passes, rate, seed)
    except NoSuchLayer:  # it runs the layers of the original
        return None
    expected = list(plain.passes(example))
    same = same_outputs(lambda: fast.sped_up(example.clone()).passes(example), expected)
    return fast if same else None


class _Sampler:
    """The logits of the sampled networks, pass by pass."""

    def __init__(
        self, net: nn.Module, example: Tensor, n_passes: int, rate: float, seed: int
    ) -> None:
        self.net = net
        self.max_rows = _MAX_FLOATS
        self._points = _dropout_points(net, example, rate)
        self._generators = [
            torch.Generator().manual_seed(seed * 1_000_003 + number) for number in range(n_passes)
        ]
        self._number: int | None = None
        self._replay: Replay | None = None
        self._handles = [sub.register_forward_hook(self._drop) for sub in self._points]

    def passes(self, inputs: Tensor) -> Iterator[Tensor]:
        """Logits of each sampled network in turn."""
        for number in range(len(self._generators)):
            if self._replay is not None:
                self._replay.start(record=number == 0)
            self._number = number
            for point in self._points.values():
                point.calls = 0
            yield self.net(inputs.clone())  # it may overwrite what it gets
        self._number = None

    def sped_up(self, example: Tensor) -> _Sampler:
        """Replace layers; compute what precedes the first dropout once per batch."""
        optimize_copy(self.net, example)
        self._replay = Replay(self.net, example, self._points)
        self.net(example)
        self.max_rows = max(1, _MAX_FLOATS * len(example) // max(1, self._replay.n_floats))
        return self

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _drop(self, sub: nn.Module, _: Any, output: Tensor) -> Tensor:
        if self._number is None:
            return output
        generator = self._generators[self._number]
        return self._points[sub].drop(output, self._number, generator)


class _Point:
    """Dropout of one module's output, with one mask per pass and call.

    Parameters
    ----------
    rate : float
    per_channel : bool
        Drop whole channels.
    alpha : bool
        Alpha dropout: keeps mean and variance of self-normalising networks.
    max_calls : float
        Calls within a pass after which the output is left alone.
    """

    def __init__(
        self,
        rate: float,
        per_channel: bool = False,
        alpha: bool = False,
        max_calls: float = math.inf,
    ) -> None:
        self.rate = rate
        self.per_channel = per_channel
        self.alpha = alpha
        self.max_calls = max_calls
        self.calls = 0
        self._masks: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {}

    def drop(self, output: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """Apply the mask of pass `number`, drawn when it is first asked for."""
        self.calls += 1
        if self.calls > self.max_calls:
            return output
        key = number, self.calls
        if key not in self._masks:
            self._masks[key] = self._draw(output, generator)
        scale, shift = self._masks[key]
        return output * scale if shift is None else torch.addcmul(shift, output, scale)

    def _draw(self, output: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        shape = output.shape[1:2] if self.per_channel else output.shape[1:]
        keep = (torch.rand(shape, generator=generator) >= self.rate).to(output)
        if self.per_channel:
            keep = keep.view(-1, *[1] * (output.dim() - 2))
        if self.rate >= 1:
            return keep, None
        if not self.alpha:
            return keep / (1 - self.rate), None
        scale = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        return keep * scale, (1 - keep - self.rate) * (scale * _SELU_FLOOR)


def _dropout_points(net: nn.Module, example: Tensor, rate: float) -> dict[nn.Module, _Point]:
    """Modules whose output is to be dropped: its own dropout layers, or else ReLUs."""
    order = _execution_order(net, example)
    own = [sub for sub in order if isinstance(sub, _DROPOUTS) and sub.p > 0]
    if own:
        return {
            sub: _Point(sub.p, isinstance(sub, _PER_CHANNEL), isinstance(sub, _ALPHA))
            for sub in own
        }
    linear = [i for i, sub in enumerate(order) if isinstance(sub, nn.Linear)]
    convolutional = any(isinstance(sub, _CONVOLUTIONS) for sub in order)
    end = linear[0 if convolutional else -1] if linear else len(order)
    calls = Counter(sub for sub in order[:end] if isinstance(sub, nn.ReLU))
    if not calls:
        raise NoSuchLayer(
            f"{type(net).__name__} executes neither dropout layers nor nn.ReLU modules after "
            "which dropout could be injected (a functional F.relu cannot be hooked). Add "
            "nn.Dropout layers, or use nn.ReLU modules."
        )
    return {sub: _Point(rate, max_calls=n_calls) for sub, n_calls in calls.items()}


def _execution_order(net: nn.Module, example: Tensor) -> list[nn.Module]:
    order: list[nn.Module] = []
    kinds = (nn.ReLU, nn.Linear, *_CONVOLUTIONS, *_DROPOUTS)
    handles = [
        sub.register_forward_hook(lambda sub, *_: order.append(sub))
        for sub in net.modules()
        if isinstance(sub, kinds)
    ]
    try:
        net(example.clone())
    finally:
        for handle in handles:
            handle.remove()
    return order
