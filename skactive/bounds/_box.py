"""A box of values that goes through ordinary torch code: intervals by operator overloading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..exceptions import UnsupportedOperationError

Rule = Callable[..., "Box"]
RULES: dict[Any, Rule] = {}
# What code may name in a call, in the order in which torch's functions take it.
_POSITIONAL = ("input", "tensors", "weight", "other", "mat2", "bias")
_DTYPES = (torch.float32, torch.float64)


class Box:
    """Lower and upper bounds of a tensor, and its value at the unperturbed input.

    The bounds are held as ends or as centre and radius, whichever a function made, and turned
    into the other when it is asked for.

    A module is called with a `Box` in place of a tensor; torch hands each function that it calls
    to the rule registered for it, and control flow that looks at shapes runs as it always does.

    Parameters
    ----------
    lower, upper : Tensor of shape (n, ...)
    nominal : Tensor of shape (n, ...)
        Value at the clean input: what BatchNorm takes its statistics from in training.
    function : callable or None, default=None
        What made this box, `args` and `kwargs` what it was called with: the tape that backward
        bounds are propagated along. ``None`` for an input.

    Attributes
    ----------
    centre, radius : Tensor of shape (n, ...)
        Of the same bounds.
    tape : bool
        Whether boxes remember all that they were made of. Without, only the last two steps: what
        intervals need, in the memory of a few layers.

    Examples
    --------
    >>> import torch
    >>> from skactive.bounds import Box
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU())
    >>> _ = module[0].weight.data.copy_(torch.tensor([[1.0, -1.0]]))
    >>> box = Box.around(torch.tensor([[0.5, 0.125]]), 0.25, bounds=(0, 1))
    >>> box.lower.tolist(), box.upper.tolist()
    ([[0.25, 0.0]], [[0.75, 0.375]])
    >>> output = module(box)  # max(0, x_0 - x_1)
    >>> output.lower.tolist(), output.nominal.tolist(), output.upper.tolist()
    ([[0.0]], [[0.375]], [[0.75]])
    """

    def __init__(
        self,
        lower: Tensor,
        upper: Tensor,
        nominal: Tensor,
        function: Any = None,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._ends: tuple[Tensor, Tensor] | None = (lower, upper)
        self._ball: tuple[Tensor, Tensor] | None = None
        self.pending: Callable[[], tuple[Tensor, Tensor]] | None = None
        self._gradients = torch.is_grad_enabled()  # what is computed later is computed as now
        self.nominal = nominal
        self.function = function
        self.args = args
        self.kwargs = kwargs or {}
        self.tape = True
        self.channel_map: tuple[Tensor, Tensor] | None = None  # scale and shift, of a BatchNorm

    @classmethod
    def later(cls, ball: Callable[[], tuple[Tensor, Tensor]], nominal: Tensor) -> Box:
        """A box whose centre and radius are computed when they are asked for."""
        box = cls(nominal, nominal, nominal)
        box._ends, box.pending = None, ball
        return box

    @classmethod
    def ball(cls, centre: Tensor, radius: Tensor, nominal: Tensor) -> Box:
        """A box by its centre and radius."""
        box = cls(nominal, nominal, nominal)
        box._ends, box._ball = None, (centre, radius)
        return box

    @classmethod
    def around(
        cls, X: Tensor, eps: float, bounds: tuple[float, float], *, tape: bool = True
    ) -> Box:
        """The L∞ ball of radius `eps` around each sample, cut to `bounds`."""
        box = cls((X - eps).clamp(*bounds), (X + eps).clamp(*bounds), X)
        box.tape = tape
        return box

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        rule = RULES.get(func)
        if rule is None:
            raise UnsupportedOperationError(_name(func))
        if kwargs.pop("out", None) is not None:
            raise UnsupportedOperationError(f"{func.__name__} with out=")
        kwargs.pop("inplace", None)  # the boxes before stay what they were
        args = (*args, *(kwargs.pop(name) for name in _POSITIONAL if name in kwargs))
        made = rule(func, *args, **kwargs)
        if made.dtype not in _DTYPES:  # rounding, which no bound follows
            raise UnsupportedOperationError(f"{func.__name__} to {made.dtype}")
        if made.function is None and not any(made is value for value in args):
            made.function, made.args, made.kwargs = func, args, kwargs
            made.tape = all(source.tape for source in made.sources())
            if not made.tape:
                made._forget()
        return made

    def sources(self) -> list[Box]:
        """The boxes that this one was made of."""
        listed = self.args and isinstance(self.args[0], (list, tuple))  # of a concatenation
        values = self.args[0] if listed else self.args
        return [value for value in values if isinstance(value, Box)]

    def _forget(self) -> None:
        """Let go of what the boxes two steps back were made of."""
        for source in self.sources():
            for older in source.sources():
                older.function, older.args, older.kwargs = None, (), {}

    def map(self, function: Callable[[Tensor], Tensor]) -> Box:
        """The image under a monotone function, element by element or on sorted positions."""
        return Box(function(self.lower), function(self.upper), function(self.nominal))

    def map_linear(self, function: Callable[[Tensor], Tensor]) -> Box:
        """The image under a linear function that is monotone: of the ends, or of the ball."""
        if self._ends is not None:
            return self.map(function)
        return Box.ball(function(self.centre), function(self.radius), function(self.nominal))

    # -- the bounds ----------------------------------------------------------------------

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds."""
        if self._ends is None:
            centre, radius = self._as_ball()
            with torch.set_grad_enabled(self._gradients):
                self._ends = centre - radius, centre + radius
        return self._ends

    def _as_ball(self) -> tuple[Tensor, Tensor]:
        if self._ball is None:
            with torch.set_grad_enabled(self._gradients):
                self._ball = _ball_of(*self.ends) if self.pending is None else self.pending()
            self.pending = None
        return self._ball

    @property
    def lower(self) -> Tensor:
        """Lower bounds."""
        return self.ends[0]

    @property
    def upper(self) -> Tensor:
        """Upper bounds."""
        return self.ends[1]

    @property
    def centre(self) -> Tensor:
        """Middle of the bounds."""
        return self._as_ball()[0]

    @property
    def radius(self) -> Tensor:
        """Half of their distance."""
        return self._as_ball()[1]

    # -- what code asks a tensor for ------------------------------------------------------

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor that is bounded."""
        return self.nominal.shape

    @property
    def ndim(self) -> int:
        """Number of its dimensions."""
        return self.nominal.ndim

    @property
    def dtype(self) -> torch.dtype:
        """Its dtype."""
        return self.nominal.dtype

    @property
    def device(self) -> torch.device:
        """Its device."""
        return self.nominal.device

    def size(self, dim: int | None = None) -> Any:
        """Its shape, or one entry of it."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """Number of its dimensions."""
        return self.ndim

    def numel(self) -> int:
        """Number of its elements."""
        return self.nominal.numel()

    def is_floating_point(self) -> bool:
        """Whether it holds floating point numbers."""
        return self.nominal.is_floating_point()

    def __len__(self) -> int:
        return len(self.nominal)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(Tensor, name):
            raise AttributeError(f"A box of bounds has no attribute {name!r}.")
        method = getattr(Tensor, name)
        if not callable(method):
            raise UnsupportedOperationError(f"torch.Tensor.{name}")
        return lambda *args, **kwargs: self.__torch_function__(method, (), (self, *args), kwargs)

    def __add__(self, other: Any) -> Any:
        return self.__torch_function__(torch.add, (), (self, other))

    def __sub__(self, other: Any) -> Any:
        return self.__torch_function__(torch.sub, (), (self, other))

    def __mul__(self, other: Any) -> Any:
        return self.__torch_function__(torch.mul, (), (self, other))

    def __truediv__(self, other: Any) -> Any:
        return self.__torch_function__(torch.div, (), (self, other))

    def __neg__(self) -> Any:
        return self.__torch_function__(torch.neg, (), (self,))

    def __rsub__(self, other: Any) -> Any:
        return self.__torch_function__(torch.rsub, (), (self, other))

    def __getitem__(self, index: Any) -> Any:
        return self.__torch_function__(Tensor.__getitem__, (), (self, index))

    __array_ufunc__ = None  # numbers of NumPy leave it to the box what they make of it
    __radd__ = __add__
    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> Any:
        return self.__torch_function__(torch.matmul, (), (self, other))

    def __rmatmul__(self, other: Any) -> Any:
        return self.__torch_function__(torch.matmul, (), (other, self))


# Python would answer these by itself, and say nothing true about all points of a box.
_WITHOUT_BOUNDS = (
    "__bool__", "__float__", "__int__", "__index__", "__eq__", "__ne__", "__lt__", "__le__",
    "__gt__", "__ge__", "__pow__", "__rpow__", "__rtruediv__", "__floordiv__", "__rfloordiv__",
    "__mod__", "__abs__", "__and__", "__or__", "__invert__", "__setitem__", "__array__",
)  # fmt: skip


def _refused(name: str) -> Callable[..., Any]:
    def method(self: Box, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedOperationError(f"torch.Tensor.{name}")

    return method


for _special in _WITHOUT_BOUNDS:
    setattr(Box, _special, _refused(_special))


def _ball_of(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    centre = torch.lerp(lower, upper, 0.5)
    return centre, upper - centre


def _name(func: Any) -> str:
    module = getattr(func, "__module__", None) or "torch.Tensor"
    return f"{module}.{getattr(func, '__name__', func)}"
