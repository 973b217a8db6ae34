"""Every attack of torchattacks, run so that it leaves no trace and cannot go wrong silently."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..utils.alone import ALONE
from ..utils.names import did_you_mean
from ..utils.random_state import guarded_draws, seeded_elsewhere, seeded_torch
from ..utils.ranges import check_range
from ..utils.typing import RandomState
from ..utils.validation import Number, check_constraints
from ._base import Attack, Loss
from ._heads import are_log_probabilities

_OWN = ("attack", "bounds", "random_state")
_IN_INPUT_UNITS = ("eps", "alpha")
_ALSO_IN_INPUT_UNITS = {
    "GN": ("std",), "JSMA": ("theta",), "PGDRS": ("noise_sd",), "PGDRSL2": ("noise_sd",),
    "PIFGSM": ("max_epsilon",), "PIFGSMPP": ("max_epsilon",), "SPSA": ("delta", "lr"),
}  # fmt: skip
_RADIUS = {"PIFGSM": "max_epsilon", "PIFGSMPP": "max_epsilon"}
_MIN_CLASSES = {"APGDT": 4, "AutoAttack": 4, "JSMA": 10}
_COLOR_ONLY = ("TIFGSM", "PIFGSM", "PIFGSMPP")
_COLOR_ONLY_IN_3_3 = ("Pixle",)
_SQUARE_ONLY = ("DIFGSM", "Pixle", "TIFGSM")
_NOT_IN_3_3 = ("EADEN", "EADL1", "JSMA", "PIFGSM", "PIFGSMPP", "SPSA")
_SINGLE_STEP = ("FGSM", "FFGSM")
_BLACK_BOX = ("Square", "OnePixel", "Pixle")
_NO_CALL_ALONE = {
    "MultiAttack": "it takes other attacks instead of a module. Use skactive.attacks.AutoAttack, "
    "or call attacks one after another",
    "LGV": "it trains a surrogate on data of its own. Collect the models with torchattacks itself",
}


class TorchAttack(Attack):
    """An attack of torchattacks as an `Attack`.

    Parameters
    ----------
    attack : class or str
        A torchattacks class, ``torchattacks.FFGSM``, or its name, ``"FFGSM"``.
    bounds : (float, float), default=(0, 1)
        Range of the inputs. torchattacks itself only knows [0, 1]; inputs and radii are
        translated.
    random_state : None, int, RandomState or Generator, default=None
        Seeds each call that is not given a generator.
    **settings
        Parameters of the torchattacks class: ``eps``, ``alpha``, ``steps``, …. Radii, steps and
        noise of the inputs are in input units, whatever their name: ``std`` of GN, ``theta`` of
        JSMA, ``noise_sd`` of PGDRS, ``max_epsilon`` of PIFGSM, ``delta`` and ``lr`` of SPSA.
        They take part in ``get_params``, ``set_params`` and ``clone``.

    Notes
    -----
    torchattacks on its own resets or advances torch's global generators, writes parameter
    gradients, switches sub-modules between modes, returns tensors that carry a graph, clamps
    any input into [0, 1] without a word, and fails on tabular, float64 or channels-last data
    and on other class counts than 10. Here inputs of any shape and floating dtype are accepted
    (rows of features are attacked as images of one line; black-box attacks that move windows of
    neighbouring pixels are weak on them, DIFGSM, TIFGSM and Pixle take square images alone), the
    class count is taken from the module, what comes back is detached, clipped and checked, and
    module and generators are left as they were.

    The ``loss`` of a call is not used: each class has its own.

    torchattacks runs APGD, APGDT and FAB with 10 steps by default, where the published AutoAttack
    runs 100: see `AutoAttack`. Releases 3.3 and 3.5 serve; 3.3 lacks EADEN, EADL1, JSMA, PIFGSM,
    PIFGSMPP and SPSA, and its Pixle is for colour images.

    Examples
    --------
    >>> import torch
    >>> from skactive.attacks import TorchAttack
    >>> module = torch.nn.Linear(4, 3)
    >>> X, y = torch.rand(8, 4), torch.randint(3, (8,))
    >>> X_adv = TorchAttack("FFGSM", eps=0.1, alpha=0.12, random_state=0)(module, X, y)
    >>> X_adv.shape
    torch.Size([8, 4])
    """

    def __init__(
        self,
        attack: Any,
        *,
        bounds: tuple[float, float] = (0, 1),
        random_state: RandomState = None,
        **settings: Any,
    ) -> None:
        self.attack = attack
        self.bounds = bounds
        self.random_state = random_state
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of this object, those of the torchattacks class included."""
        return {**super().get_params(deep=deep), **self.settings}

    def set_params(self, **params: Any) -> TorchAttack:
        """Set parameters; an unknown one is refused with the names there are.

        ``eps`` is the radius whatever the class calls it (``max_epsilon``).
        """
        for name in _OWN:
            if name in params:
                setattr(self, name, params.pop(name))
        if "eps" in params and self._radius not in params:
            params[self._radius] = params.pop("eps")
        self._refuse_unknown(params)
        self.settings = {**self.settings, **params}
        return self

    @property
    def eps(self) -> float:  # type: ignore[override]
        """Radius in input units; infinite for attacks that search the smallest one."""
        low, high = self.bounds
        default = self._signature().get(self._radius)
        if default is None and self._radius not in self.settings:
            return float("inf")
        return self.settings.get(self._radius, (default or 0.0) * (high - low))

    @property
    def name(self) -> str:
        """Name of the torchattacks class."""
        return str(self._class().__name__)

    @property
    def needs_gradients(self) -> bool:  # type: ignore[override]
        """Whether it asks for more than outputs."""
        return self.name not in _BLACK_BOX

    @property
    def single_step(self) -> bool:  # type: ignore[override]
        """Whether it takes one gradient step."""
        return self.name in _SINGLE_STEP or self.settings.get("steps") == 1

    @property
    def norm(self) -> str:  # type: ignore[override]
        """Norm of the radius."""
        name = self._class().__name__
        return self.settings.get("norm", "L2" if name.endswith("L2") else "Linf")

    @property
    def _radius(self) -> str:
        return _RADIUS.get(self.name, "eps")

    def _class(self) -> Any:
        if not isinstance(self.attack, str):
            return self.attack
        import torchattacks

        found = getattr(torchattacks, self.attack, None)
        if not inspect.isclass(found):
            if self.attack in _NOT_IN_3_3:
                raise ValueError(
                    f"{self.attack} needs torchattacks 3.5.1; installed is "
                    f"{torchattacks.__version__}. pip install torchattacks==3.5.1, with --no-deps "
                    "where its pin requests~=2.25.1 collides with another package."
                )
            names = [n for n, v in vars(torchattacks).items() if inspect.isclass(v)]
            raise ValueError(
                f"torchattacks has no attack {self.attack!r}.{did_you_mean(self.attack, names)} It "
                f"has {', '.join(sorted(names))}."
            )
        return found

    def _signature(self) -> dict[str, Any]:
        parameters = list(inspect.signature(self._class().__init__).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    def _refuse_unknown(self, settings: dict[str, Any]) -> None:
        known = self._signature()
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ValueError(
                f"{self._class().__name__} has no parameter {', '.join(unknown)}; it has "
                f"{', '.join(known)}."
            )

    def _check_params(self) -> None:
        name = self._class().__name__
        if name in _NO_CALL_ALONE:
            raise ValueError(f"{name} cannot be run here: {_NO_CALL_ALONE[name]}.")
        self._refuse_unknown(self.settings)
        check_range(self.bounds)
        if self.eps != float("inf"):
            super()._check_params()
        self._refuse_no_numbers()

    def _refuse_no_numbers(self) -> None:
        numbers = {
            name: [Number(f"a number (such as {default!r})"), None]
            for name, default in self._signature().items()
            if isinstance(default, int | float) and not isinstance(default, bool)
        }
        check_constraints(numbers, self.settings, self.name)

    def _perturb(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        loss: Loss | None,
        generator: torch.Generator,
    ) -> Tensor:
        low, high = self.bounds
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device))
        wrapped = _Unit(module, X, low, high).eval()
        images = ((X - low) / (high - low)).clamp(0, 1)
        images = (images if X.dim() == 4 else images.flatten(1)[:, None, None]).float().contiguous()
        _check_square(self._class().__name__, X)
        _check_channels(self._class().__name__, images.shape[1])
        with (
            ALONE,
            guarded_draws(),
            seeded_torch(seed),
            seeded_elsewhere(seed),
            _quiet(),
        ):
            attack = self._build(wrapped, wrapped.n_classes, seed, X.device)
            attacked = attack(images, y).detach()
        unchanged = attacked == images
        attacked = (attacked.to(X.dtype) * (high - low) + low).reshape(X.shape)
        # What was not moved keeps its exact value, whatever the translation rounds.
        return torch.where(unchanged.reshape(X.shape), X, attacked).clamp(low, high)

    def _build(self, wrapped: nn.Module, n_classes: int, seed: int, device: torch.device) -> Any:
        cls, known = self._class(), self._signature()
        low, high = self.bounds
        lengths = (*_IN_INPUT_UNITS, *_ALSO_IN_INPUT_UNITS.get(cls.__name__, ()))
        settings = {
            name: value / (high - low) if name in lengths else value
            for name, value in self.settings.items()
        }
        if "n_classes" in known:
            settings.setdefault("n_classes", n_classes)
            if settings["n_classes"] > n_classes:
                raise ValueError(
                    f"{cls.__name__} was told n_classes={settings['n_classes']}, but the module "
                    f"has {n_classes}: there are only {n_classes - 1} other classes to target."
                )
        if "seed" in known:
            settings.setdefault("seed", seed)
        needed = 3 if settings.get("loss") == "dlr" else _MIN_CLASSES.get(cls.__name__, 2)
        if n_classes < needed:
            raise ValueError(
                f"{cls.__name__} is not defined for {n_classes} classes: it needs at least "
                f"{needed}. Use skactive.attacks.AutoAttack, which adapts."
            )
        attack = cls(wrapped, **settings)
        attack.set_device(device)
        return attack


def _check_square(name: str, X: Tensor) -> None:
    is_image = X.dim() == 4 and X.shape[2] > 1
    if name in _SQUARE_ONLY and not (is_image and X.shape[2] == X.shape[3]):
        raise ValueError(
            f"{name} moves pixels within square images, of shape (n, channels, side, side); these "
            f"inputs have shape {tuple(X.shape)}. Of others take MIFGSM in place of DIFGSM and "
            "TIFGSM, Square or OnePixel in place of Pixle."
        )


def _check_channels(name: str, n_channels: int) -> None:
    import torchattacks

    if n_channels == 3:
        return
    if name in _COLOR_ONLY:
        raise ValueError(
            f"{name} smooths images of three channels; these inputs have {n_channels}. MIFGSM "
            "takes any."
        )
    if name in _COLOR_ONLY_IN_3_3 and torchattacks.__version__.startswith("3.3."):
        raise ValueError(
            f"{name} of torchattacks {torchattacks.__version__} only takes images of three "
            f"channels; these inputs have {n_channels}. torchattacks 3.5.1 takes any."
        )


class _Unit(nn.Module):
    """The module as torchattacks wants it: float32 images in [0, 1] in, float32 logits out."""

    def __init__(self, module: nn.Module, X: Tensor, low: float, high: float) -> None:
        super().__init__()
        self.module = module
        self.shape, self.input_dtype = X.shape[1:], X.dtype
        self.low, self.width = low, high - low
        # The attacks of 3.3 look for the device of a first parameter, which not all modules have.
        self.device_of = nn.Parameter(X.new_empty(0), requires_grad=False)
        self._shift = False
        with torch.no_grad():
            output = self(((X[:2] - low) / (high - low)).clamp(0, 1))
        self.n_classes = output.shape[1]
        self._shift = are_log_probabilities(output)

    def forward(self, images: Tensor) -> Tensor:
        inputs = images.to(self.input_dtype)
        if (self.low, self.width) != (0, 1):
            inputs = inputs * self.width + self.low
        # Flattened first, so that gradients come back contiguous: attacks take views of them.
        output = self.module(inputs.flatten(1).reshape(-1, *self.shape)).float()
        # CW compares scores with 0: log-probabilities, all negative, would never win.
        return output - output.detach().amin(dim=1, keepdim=True) if self._shift else output


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torchattacks' prints and its warnings about its own code."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
