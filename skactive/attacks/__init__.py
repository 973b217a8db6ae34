"""Attacks: of a fixed radius (`PGD`, `FGSM`, …) and of minimal distance (`DeepFool`)."""

from ..utils.ranges import check_bounds
from ._autoattack import AutoAttack
from ._base import Attack
from ._deepfool import DeepFool, DeepFoolResult
from ._pgd import FGSM, PGD
from ._resolve import PRESETS, resolve_attack
from ._tabular_square import TabularSquare
from ._torchattacks import TorchAttack

__all__ = [
    "FGSM",
    "PGD",
    "PRESETS",
    "Attack",
    "AutoAttack",
    "DeepFool",
    "DeepFoolResult",
    "TabularSquare",
    "TorchAttack",
    "check_bounds",
    "resolve_attack",
]
