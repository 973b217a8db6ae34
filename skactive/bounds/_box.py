"""A box of values that goes through ordinary torch code: intervals by operator overloading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..exceptions import UnsupportedOperationError

Rule = Callable[..., "Box"]
RULES: dict[Any, Rule] = {}


class Box:
    """Lower and upper bounds of a tensor, and its value at the unperturbed input.

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
    tape : bool
        Whether boxes remember all that they were made of. Without, only the last two steps: what
        intervals need, in the memory of a few layers.
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
        self.lower = lower
        self.upper = upper
        self.nominal = nominal
        self.function = function
        self.args = args
        self.kwargs = kwargs or {}
        self.tape = True

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
        kwargs.pop("inplace", None)  # the boxes before stay what they were
        made = rule(func, *args, **kwargs)
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
        if name.startswith("__") or not callable(getattr(Tensor, name, None)):
            raise AttributeError(f"A box of bounds has no attribute {name!r}.")
        method = getattr(Tensor, name)
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


def _name(func: Any) -> str:
    module = getattr(func, "__module__", None) or "torch.Tensor"
    return f"{module}.{getattr(func, '__name__', func)}"
