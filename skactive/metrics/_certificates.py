"""Which samples no perturbation can turn, batch by batch."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bounds import METHODS, Certifier
from ..exceptions import BrokenCertificateError, CapabilityError
from ..model_view import ModelView, NetView
from ..passes.logits import deciding_module
from ..utils.compat import uncompiled
from ..utils.ranges import RADIUS, RANGE, check_bounds
from ..utils.validation import Number, StrOptions, check_constraints
from ._black_box import NetTarget

CONSTRAINTS: dict[str, list[Any]] = {
    "eps": [RADIUS],
    "bounds": [RANGE, None],
    "method": [StrOptions(set(METHODS))],
    "certify": ["boolean", StrOptions(set(METHODS))],
    "audit": [Number("a share in [0, 1]", 0, 1, closed="both")],
}
# Masks that are kept beside the survivors of an attack's parts while a run lasts.
BESIDE = CERTIFIED, AUDITED, ZERO_GRADIENT = "certified samples", "audited samples", "zero_gradient"


class Certificates:
    """Certificates of a net's predictions within balls of one radius.

    Parameters
    ----------
    view : ModelView
    eps : float
    bounds : (float, float) or None
        ``None`` takes the net's, (0, 1) where it has none.
    method : {"ibp", "crown"}
    caller : str
        Who asks, for messages.
    audit : float, default=0
        Share of the certified samples that `drawn` draws.
    """

    def __init__(
        self,
        view: ModelView,
        eps: float,
        bounds: tuple[float, float] | None,
        method: str,
        caller: str,
        audit: float = 0,
    ) -> None:
        given = {"eps": eps, "bounds": bounds, "method": method, "audit": audit}
        check_constraints(CONSTRAINTS, given, caller)
        view.require("certificates")
        assert isinstance(view, NetView)
        _check_one_input(uncompiled(view.estimator.module_), caller)
        self.method, self.audit = method, audit
        self.target = NetTarget(view)
        module = deciding_module(view.estimator, eager=True)
        self.bounds = view.bounds if bounds is None else bounds
        self._certifier = Certifier(module, eps, bounds=self.bounds, method=method)

    def of(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Which samples of a batch are classified as `labels`, and stay so within the ball."""
        check_bounds(inputs, self.bounds, caller="the certificate")
        certified = self.target.predicted(inputs) == labels
        rows = certified.nonzero()[:, 0]
        certified[rows] = self._certifier.certified(inputs[rows], labels[rows])
        return certified

    def drawn(self, certified: Tensor, seed: int) -> Tensor:
        """Some of the certified samples, to be attacked all the same; one at least, if any."""
        rows = certified.nonzero()[:, 0].cpu().numpy()
        n = int(np.ceil(self.audit * len(rows)))
        chosen = np.random.default_rng(seed).choice(rows, n, replace=False)
        drawn = torch.zeros_like(certified)
        drawn[torch.as_tensor(chosen, device=certified.device)] = True
        return drawn

    def check_unbroken(self, left: dict[str, NDArray], start: int) -> None:
        """Raise if a part of an attack turned a certified sample of the batch that begins there."""
        for name, mask in left.items():
            if name not in BESIDE:
                broken = np.flatnonzero(left[CERTIFIED] & ~mask)
                if len(broken):
                    raise BrokenCertificateError(name, (start + broken).tolist(), self.method)


def _check_one_input(module: nn.Module, caller: str) -> None:
    """Raise unless a module can be called with one input."""
    names = [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(names) > 1:
        raise CapabilityError(
            f"{caller} certifies functions of one input, but {type(module).__name__}.forward "
            f"requires {len(names)}: {', '.join(names)}. Wrap it in a module that keeps the others "
            "constant, or gives them defaults."
        )
