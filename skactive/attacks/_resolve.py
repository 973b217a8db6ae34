"""Attacks by name, and the papers' settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from ..utils.names import by_name
from ..utils.typing import AttackLike
from ._autoattack import AutoAttack
from ._base import Attack
from ._pgd import FGSM, PGD
from ._torchattacks import TorchAttack

_NAMES: dict[str, Callable[[], Attack]] = {
    "pgd": PGD,
    "fgsm": FGSM,
    "square": lambda: _square(8 / 255),
    "autoattack": AutoAttack,
    "autoattack-fast": lambda: AutoAttack(version="fast"),
}


def _square(eps: float) -> TorchAttack:
    return TorchAttack("Square", eps=eps, n_queries=5000, resc_schedule=False)


def _paper_settings(name: str, eps: float, alpha: float, train_steps: int) -> dict[str, Callable]:
    return {
        f"dre-{name}-train": lambda: PGD(eps, alpha, train_steps, random_start=False),
        f"dre-{name}-pgd": lambda: PGD(eps, alpha, steps=50),
        f"dre-{name}-square": lambda: _square(eps),
        f"dre-{name}-autoattack": lambda: AutoAttack(eps),
    }


# DRE paper, table 4; for SVHN and CIFAR-10 training as in its released code.
PRESETS: dict[str, Callable[[], Attack]] = {
    **_paper_settings("mnist", 0.3, 0.01, 40),
    **_paper_settings("fashion-mnist", 0.3, 0.01, 40),
    **_paper_settings("svhn", 8 / 255, 2 / 255, 7),
    **_paper_settings("cifar10", 8 / 255, 2 / 255, 7),
}


def resolve_attack(
    attack: AttackLike, *, eps: float | None = None, bounds: tuple[float, float] | None = None
) -> Attack:
    """An attack object from a name, a preset, a torchattacks class or an object.

    Parameters
    ----------
    attack : Attack, str or torchattacks class
        Names: ``"pgd"``, ``"fgsm"``, ``"square"``, ``"autoattack"``, ``"autoattack-fast"``;
        the DRE paper's settings ``"dre-DATASET-USE"`` with DATASET one of mnist,
        fashion-mnist, svhn, cifar10 and USE one of train, pgd, square, autoattack.
    eps : float or None, default=None
        Replaces the attack's radius.
    bounds : (float, float) or None, default=None
        Replaces the attack's input range.

    Returns
    -------
    attack : Attack
        A new object: one that is passed in is cloned, never changed.

    Raises
    ------
    ValueError
        If no attack has that name; the nearest one is suggested.
    TypeError
        If `attack` is none of these.

    Examples
    --------
    >>> from skactive.attacks import resolve_attack
    >>> resolve_attack("dre-mnist-pgd")
    PGD(alpha=0.01, eps=0.3, steps=50)
    """
    found = _lookup(attack)
    changed = {"eps": eps, "bounds": bounds}
    return found.set_params(**{k: v for k, v in changed.items() if v is not None})


def _lookup(attack: Any) -> Attack:
    if isinstance(attack, str):
        return by_name("attack", attack, {**_NAMES, **PRESETS})()
    if isinstance(attack, Attack):
        return clone(attack)
    if inspect.isclass(attack) and not issubclass(attack, Attack):
        return TorchAttack(attack)
    raise TypeError(
        "attack must be a name, an attack object such as PGD(eps=0.3) or a torchattacks class, got "
        f"{attack!r}."
    )
