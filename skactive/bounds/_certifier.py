"""Certified margins of many samples: one float64 copy of a module, batches that fit in memory."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..exceptions import UnsupportedOperationError
from ..passes.logits import in_float64
from ..utils.ranges import RADIUS, RANGE, check_bounds, check_width
from ..utils.validation import StrOptions, check_constraints
from ._box import Box
from ._crown import keeps_samples, outputs_first
from ._margins import METHODS, margin_bounds
from ._rules import before_softmax

# What float32 evaluation of a net may add to a margin, relative to its largest logit; or so many
# times what it does at the sample itself, if that is more (large values that cancel, TF32).
ROUNDING, _AT_THE_SAMPLE = 1e-5, 4.0
# With CROWN also of the largest value inside, which may cancel: intervals see that anyway.
_INNER_ROUNDING = 1e-6
_MOST = 1 << 23  # float64 numbers kept of one batch (64 MB)
_CONSTRAINTS = {"eps": [RADIUS], "bounds": [RANGE], "method": [StrOptions(set(METHODS))]}


class Certifier:
    """Proves how far classes stay ahead within an L∞ ball, for samples that come in batches.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits, in float32 or float64. It is copied, and left as it is.
    eps : float
        Radius, in input units.
    bounds : (float, float), default=(0, 1)
        Range of the inputs; the ball is cut to it.
    method : {"ibp", "crown"}, default="ibp"
        See `margin_bounds`.

    Raises
    ------
    ValueError
        If a parameter is out of range, `eps` longer than `bounds` are wide, or the module is of
        half precision.

    Examples
    --------
    >>> import torch
    >>> from skactive.bounds import Certifier
    >>> module = torch.nn.Linear(2, 2, bias=False)
    >>> _ = module.weight.data.copy_(torch.eye(2))
    >>> certifier = Certifier(module, eps=0.2)
    >>> (certifier.margins(torch.tensor([[0.1, 0.9], [0.6, 0.4]])) > 0).tolist()
    [True, False]
    """

    def __init__(
        self,
        module: nn.Module,
        eps: float,
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
        method: str = "ibp",
    ) -> None:
        given = {"eps": eps, "bounds": bounds, "method": method}
        check_constraints(_CONSTRAINTS, given, "A certificate")
        if not isinstance(module, nn.Module):
            raise ValueError(f"module must be a torch.nn.Module, got {type(module).__name__}.")
        check_width("eps", eps, bounds)
        self.eps = float(eps)
        self.bounds = bounds
        self.method = method
        # A step that an attack takes in float32 may end a rounding beyond the ball.
        self._reach = self.eps + 2**-23 * max(self.eps, *map(abs, bounds))
        self._exact = in_float64(module)
        dtypes = [p.dtype for p in module.parameters() if p.is_floating_point()]
        self._dtype = dtypes[0] if dtypes else torch.float32
        self._rounded = copy.deepcopy(self._exact).to(self._dtype)  # as it is attacked
        self._n_rows: dict[str, int] = {}  # samples at once, known after the first one
        self._is_checked = False

    def margins(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        """Certified margin of each sample.

        Parameters
        ----------
        X : Tensor of shape (n, ...)
            Inputs within `bounds`.
        y : Tensor of shape (n,), int64, or None, default=None
            Class that is to stay ahead; ``None`` is the one that the module predicts.

        Returns
        -------
        margins : Tensor of shape (n,), float64
            See `certified_margins`.

        Raises
        ------
        ValueError
            If `X` leaves `bounds`, the module returns anything but logits, or its predictions
        depend on chance or on the other samples of the batch.
        UnsupportedOperationError
            If the module does something to its input that there is no bound for.
        """
        X, y = self._tensors(X, y)
        return self._proved(X, y, self.method)

    def certified(self, X: Tensor, y: Tensor | None = None) -> Tensor:
        """Which samples provably keep their class within the whole ball: of a positive margin.

        CROWN, never looser than intervals and slower, is asked only about those that intervals do
        not certify.

        Parameters
        ----------
        X, y
            As of `margins`.

        Returns
        -------
        certified : bool Tensor of shape (n,)
        """
        X, y = self._tensors(X, y)
        certified = self._proved(X, y, "ibp") > 0
        if self.method != "ibp":
            rows = (~certified).nonzero()[:, 0]
            of = None if y is None else y[rows]
            certified[rows] = self._proved(X[rows], of, self.method) > 0
        return certified

    def _tensors(self, X: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if not torch.is_tensor(X) or not X.is_floating_point():
            kind = X.dtype if torch.is_tensor(X) else type(X).__name__
            raise ValueError(
                f"X must be a floating point tensor, got {kind}. For rows of other containers, and "
                "fitted estimators, there is skactive.metrics.certified_accuracy_score."
            )
        check_bounds(X, self.bounds, caller="the certificate")
        return X, None if y is None else torch.as_tensor(y, device=X.device)

    def _proved(self, X: Tensor, y: Tensor | None, method: str) -> Tensor:
        """Margins, as many samples at once as fit in memory."""
        if len(X) and not self._is_checked:
            self._check_module(X[:1])
            self._is_checked = True
        found = torch.empty(len(X), dtype=torch.float64, device=X.device)
        start = 0
        while start < len(X):
            rows = slice(start, start + self._n_rows.get(method, 1))
            found[rows] = self._of_batch(X[rows], None if y is None else y[rows], method)
            start = rows.stop
        return found

    def _of_batch(self, X: Tensor, y: Tensor | None, method: str) -> Tensor:
        tape = method != "ibp" or method not in self._n_rows
        box = Box.around(X.double(), self._reach, self.bounds, tape=tape)
        with torch.no_grad():
            returned = _checked(self._exact(box), len(X))
            output = before_softmax(returned)
            y = _classes(y, output)
            moved = (output.nominal - self._logits(X, output is returned)).abs().amax(dim=1)
        if method not in self._n_rows:
            self._n_rows[method] = max(1, _MOST // _numbers_a_row(output, method))
        scale = torch.maximum(output.lower.abs(), output.upper.abs()).amax(dim=1)
        rounding = torch.maximum(ROUNDING * (1 + scale), _AT_THE_SAMPLE * moved)
        with torch.no_grad():
            margins = margin_bounds(output, y) - rounding[:, None]
            if method != "ibp":
                rounding = rounding + _INNER_ROUNDING * _largest_inside(output)
                tighter = margin_bounds(output, y, method) - rounding[:, None]
                margins = torch.maximum(margins, tighter)
        return margins.scatter(1, y[:, None], torch.inf).amin(dim=1)

    def _logits(self, X: Tensor, plain: bool) -> Tensor:
        """What the module makes of the samples in its own precision, before any softmax."""
        X = X.to(self._dtype, copy=True)  # the module may overwrite it
        return self._rounded(X) if plain else before_softmax(self._rounded(Box(X, X, X))).nominal

    def _check_module(self, X: Tensor) -> None:
        """Raise unless predictions depend on their sample alone, and a box goes the way it went."""
        three = torch.cat([X, sum(self.bounds) - X, X]).double()
        with torch.no_grad():
            try:
                box = Box.around(three, self._reach, self.bounds)
                followed = _checked(self._exact(box), 3).nominal
                all_three, two = self._exact(three.clone()), self._exact(three[:2].clone())
            except RuntimeError as error:
                if isinstance(error, NotImplementedError):  # it names what has no bounds
                    raise
                raise ValueError(
                    f"A certificate is computed in float64, in which the module does not run: "
                    f"{error}. Does it cast its inputs, as X.float() does?"
                ) from error
        remembers = isinstance(all_three, Box)  # of what it was called with before
        if remembers or not _close(all_three[:2], two) or not _close(all_three[2], two[0]):
            raise ValueError(
                "A certificate needs a module whose prediction for a sample depends on nothing "
                "else. This one draws random numbers in eval mode (F.dropout without training=), "
                "or its prediction depends on the other samples of the batch (BatchNorm without "
                "running statistics, a mean over the batch), or on those that it saw before."
            )
        check_followed(followed, all_three, 1e-8)


def check_followed(followed: Tensor, output: Tensor, tolerance: float) -> None:
    """Raise unless a module makes of the samples in a box what it makes of a tensor of them.

    Up to `tolerance` of the largest number that it makes of a sample, which others are rounded by.
    """
    size = output.abs().amax(dim=1, keepdim=True).clamp(min=1)
    one, two = followed / size, output / size
    if not torch.allclose(one, two, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise UnsupportedOperationError(
            "a value that is read again after an operation has overwritten it (inplace=True), "
            "or code that asks whether its input is a tensor"
        )


def _close(one: Tensor, two: Tensor) -> bool:
    return torch.allclose(one, two, rtol=1e-8, atol=1e-8, equal_nan=True)


def _largest_inside(output: Box) -> Tensor:
    """The largest value that each sample takes anywhere in the module, or any of them."""
    boxes = [box for box in outputs_first(output) if box.numel()]
    if not keeps_samples(boxes, len(output)):
        return torch.stack([box.nominal.abs().amax() for box in boxes]).amax()
    inside = [box.nominal.abs().reshape(len(output), -1) for box in boxes]
    return torch.stack([values.amax(dim=1) for values in inside]).amax(dim=0)


def _numbers_a_row(output: Box, method: str) -> int:
    """What bounds of a sample keep at once: a few layers, or all and lines through the largest."""
    sizes = [box.numel() // len(output) for box in outputs_first(output)]
    lines = 4 * max(sizes)
    return 3 * lines if method == "ibp" else 5 * sum(sizes) + output.shape[1] * lines


def certified_margins(
    module: nn.Module,
    X: Tensor,
    y: Tensor | None,
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
    y : Tensor of shape (n,), int64, or None
        Class indices; ``None`` is what the module itself predicts.
    eps : float
        Radius, in input units.
    bounds : (float, float), default=(0, 1)
        Range of the inputs; the ball is cut to it.
    method : {"ibp", "crown"}, default="ibp"
        See `margin_bounds`.

    Returns
    -------
    margins : Tensor of shape (n,), float64
        Smallest lower bound of ``z_y - z_k`` over the other classes, less what covers the
        rounding of the net in float32: 1e-5 (1 + the largest logit), or 4 times what it does to
        the logits at the sample itself, if that is more (it is in TF32), and for CROWN 1e-6 of
        the largest value inside the net. The ball is widened by
        the rounding of a step in float32. Positive: no perturbation changes the prediction.

    Raises
    ------
    ValueError
        If a parameter is out of range, `eps` longer than `bounds` are wide, `X` leaves `bounds`,
        or the module returns anything but logits or is of half precision.
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
    return Certifier(module, eps, bounds=bounds, method=method).margins(X, y)


def _checked(output: object, n: int) -> Box:
    """The output, if it is a box of one logit for each class."""
    shape = tuple(getattr(output, "shape", ()))
    if isinstance(output, Box) and len(shape) == 2 and shape[0] == n and shape[1] > 1:
        return output
    raise ValueError(
        "A certificate needs a module that returns logits made of its input, shape (n, n_classes "
        f">= 2); for {n} samples this one returned {shape or type(output).__name__}."
    )


def _classes(y: Tensor | None, output: Box) -> Tensor:
    """Class indices of a batch, one for each row of the output."""
    if y is None:
        return output.nominal.argmax(dim=1)
    n, n_classes = output.shape
    if y.shape != (n,) or y.is_floating_point() or (n and not 0 <= y.min() <= y.max() < n_classes):
        raise ValueError(
            f"y must hold one class index per sample, 0 to {n_classes - 1}, got shape "
            f"{tuple(y.shape)}, {y.dtype}."
        )
    return y.to(device=output.device, dtype=torch.int64)
