"""A protocol: every number of a study, as data."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import networks
from ..attacks import Attack, resolve_attack
from ..datasets._loaders import _canonical
from ..utils.names import no_such
from ._errors import StudyError
from ._own import is_own, name_of

# Network by its name in a protocol.
NETWORKS = {
    "lenet5": networks.LeNet5,
    "vgg8": networks.VGG8,
    "vgg16": networks.VGG16,
    "resnet18": networks.ResNet18,
    "preactresnet18": networks.PreActResNet18,
    "convmedium": networks.ConvMedium,
    "convsmall": networks.ConvSmall,
    "madrymnist": networks.MadryMNIST,
}
OPTIMIZERS = ("adam", "sgd")
_MOST = 2**31
PAPERS = ("dre", "dfal", "")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]{0,99}")
MODES = ("standard", "robust")
STAGES_OF_ATTACK = ("all", "third_and_last", "last")
# What is run, not how: a folder may be extended by these at any time.
SELECTION = ("strategies", "modes", "seeds")


@dataclass(frozen=True)
class Protocol:
    """Everything that the result of a study depends on, beside the machine.

    Attributes
    ----------
    name : str
        Folder of the results: letters, digits and ``_ . + = -``, at most 100.
    description : str
    dataset, network : str
        Names of `load_dataset` and of the networks here, or ``"module:attribute"`` of one's own:
        a function that returns an `ImageDataset`, an ``nn.Module`` class.
    size : int or None
        Height and width that images are resized to.
    n_pool, n_test : int or None
        Images kept, drawn by `data_seed`; ``None`` is all.
    data_seed : int
    validation : bool
        The first half of the test images is kept for `best_epoch`; `n_test` counts for each.
    best_epoch : bool
        Keep the weights of the epoch that does best on the validation images: under the
        training attack in robust mode, clean in standard mode.
    initial, per_stage, stages : int
        Labels to start with, labels a stage, stages after the initial model.
    epochs, initial_epochs, full_epochs : int
        Epochs a stage; of the initial model; of the model taught everything (``full``).
    batch_size : int
    optimizer : dict
        ``name`` (adam or sgd), ``lr`` and the optimiser's own settings. ``cyclic = true``: the
        rate climbs from 0 to ``lr`` and back within each stage.
    warm_start : bool
        Go on from the weights and optimiser state of the stage before.
    augment : bool
        Random crops and flips of training images; the pool is scored on the images as they are.
    train_attack : dict
        ``name`` of an attack and its settings; used in robust mode.
    eval_attacks : dict of str to dict
        By column name, spelt like `name`. Beside the attack's settings: ``at``, the stages it is
        run at, one of all, third_and_last, last; ``n_test``, how many test images it is run on
        (default all).
    strategy_params : dict of str to dict
        Settings of strategies, by name; ``subsample = n`` asks a random part of the pool.
    transfer : tuple of str
        Networks that are trained, at the last stage, on what was selected.
    paper : {"dre", "dfal", ""}
        Whose tables the results go into.
    strategies, modes, seeds : tuple
        What is run unless the command says otherwise.

    See Also
    --------
    skactive.study.preset : A protocol of the papers, changed in part and checked.
    skactive.study.read_protocol : The same from a name or a TOML file.

    Examples
    --------
    >>> from skactive.study import Protocol
    >>> small = Protocol("small", "a trial", "digits", "lenet5", initial=50, per_stage=25, stages=3,
    ...     epochs=8, train_attack={"name": "pgd", "eps": 0.15, "steps": 7},
    ...     eval_attacks={"pgd": {"name": "pgd", "eps": 0.15},
    ...                   "autoattack": {"name": "autoattack-fast", "eps": 0.15, "at": "last"}})
    >>> small.attack(small.train_attack)
    PGD(eps=0.15, steps=7)
    >>> {stage: list(small.attacks_at(stage, last=3)) for stage in (1, 3)}
    {1: ['pgd'], 3: ['pgd', 'autoattack']}
    >>> "seeds" in small.settings()  # may be extended at any time
    False
    """

    name: str
    description: str
    dataset: str
    network: str
    initial: int
    per_stage: int
    stages: int
    epochs: int
    size: int | None = None
    n_pool: int | None = None
    n_test: int | None = None
    data_seed: int = 0
    validation: bool = False
    best_epoch: bool = False
    initial_epochs: int | None = None
    full_epochs: int | None = None
    batch_size: int = 100
    optimizer: dict[str, Any] = field(default_factory=lambda: {"name": "adam", "lr": 1e-3})
    warm_start: bool = True
    augment: bool = False
    train_attack: dict[str, Any] = field(default_factory=dict)
    eval_attacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    strategy_params: dict[str, dict[str, Any]] = field(default_factory=dict)
    transfer: tuple[str, ...] = ()
    paper: str = ""
    strategies: tuple[str, ...] = ("random", "dre")
    modes: tuple[str, ...] = ("robust",)
    seeds: tuple[int, ...] = (0, 1, 2)

    def settings(self) -> dict[str, Any]:
        """All fields that the results depend on, as plain JSON data."""
        fields = dataclasses.asdict(self)
        return json.loads(json.dumps({k: v for k, v in fields.items() if k not in SELECTION}))

    def attack(self, spec: Mapping[str, Any]) -> Attack:
        """The attack that a table of the protocol describes."""
        own = {k: v for k, v in spec.items() if k not in ("name", "at", "n_test")}
        return resolve_attack(spec["name"]).set_params(**own)

    def attacks_at(self, stage: int, last: int) -> dict[str, dict[str, Any]]:
        """Evaluation attacks that are due at a stage."""
        due = {"all": True, "third_and_last": stage in (last // 3, last), "last": stage == last}
        return {
            name: spec for name, spec in self.eval_attacks.items() if due[spec.get("at", "all")]
        }


def make_protocol(settings: Mapping[str, Any]) -> Protocol:
    """A checked protocol.

    Raises
    ------
    StudyError
        If a setting is unknown, missing, of the wrong kind or out of range; the nearest name
        is suggested.
    """
    fields = {f.name: f for f in dataclasses.fields(Protocol)}
    for name in settings:
        known(name, fields, "setting")
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()
    }
    for name in ("dataset", "network"):
        if name in values and callable(values[name]):
            values[name] = name_of(values[name], name)
    try:
        protocol = Protocol(**values)
    except TypeError as error:
        raise StudyError(f"The protocol is incomplete: {error}.") from error
    _check(protocol)
    return protocol


def known(name: Any, names: Iterable[str], what: str) -> Any:
    """`name`, if it is one of `names`.

    Raises
    ------
    StudyError
        Otherwise, with the nearest one.
    """
    names = list(names)
    if name in names:
        return name
    raise StudyError(no_such(what, name, names))


def _check(protocol: Protocol) -> None:
    p = protocol
    _check_folder("name", p.name)
    for name in ("strategies", "modes", "seeds", "transfer"):
        if not isinstance(getattr(p, name), tuple):
            raise StudyError(f"{name} must be a list, got {getattr(p, name)!r}.")
    for name in ("optimizer", "train_attack", "eval_attacks", "strategy_params"):
        if not isinstance(getattr(p, name), Mapping):
            raise StudyError(f"{name} must be a table, got {getattr(p, name)!r}.")
    for name, params in p.strategy_params.items():
        if not isinstance(params, Mapping):
            raise StudyError(f"strategy_params.{name} must be a table, got {params!r}.")
    known(p.paper, PAPERS, "paper")
    for name in ("initial", "per_stage", "stages", "epochs", "batch_size"):
        _count(name, getattr(p, name))
    for name in ("size", "n_pool", "n_test", "initial_epochs", "full_epochs"):
        if getattr(p, name) is not None:
            _count(name, getattr(p, name))
    for name in ("validation", "best_epoch", "warm_start", "augment"):
        if not isinstance(getattr(p, name), bool):
            raise StudyError(f"{name} must be true or false, got {getattr(p, name)!r}.")
    for seed in (*p.seeds, p.data_seed):
        _count("seeds and data_seed", seed, least=0)
    if not is_own(p.dataset):
        try:
            _canonical(p.dataset)
        except ValueError as error:
            raise StudyError(str(error)) from error
    for network in (p.network, *p.transfer):
        if not is_own(network):
            known(network, NETWORKS, "network")
    for mode in p.modes:
        known(mode, MODES, "training mode")
    known(p.optimizer.get("name"), OPTIMIZERS, "optimizer")
    if p.best_epoch and not p.validation:
        raise StudyError("best_epoch = true needs validation = true.")
    for column in p.eval_attacks:
        _check_folder("a name in eval_attacks", column)
    for where, spec in [("train_attack", p.train_attack), *p.eval_attacks.items()]:
        _check_attack(protocol, where, spec)


def _check_folder(what: str, name: Any) -> None:
    """Raise unless `name` is one component of a path, on any system."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith("."):
        raise StudyError(
            f"{what} must be 1 to 100 letters, digits or _ . + = - (it names a folder in --out; "
            f"a path is none), got {name!r}."
        )


def _count(name: str, value: Any, least: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST:
        most = "" if not isinstance(value, int) or value < _MOST else f" and < {_MOST}"
        raise StudyError(f"{name} must be an integer >= {least}{most}, got {value!r}.")


def _check_attack(protocol: Protocol, where: str, spec: Any) -> None:
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise StudyError(f'{where} must be a table with a name, such as {{name = "pgd"}}.')
    known(spec.get("at", "all"), STAGES_OF_ATTACK, f"choice of stages (at) for {where}:")
    if "n_test" in spec:
        _count(f"{where}.n_test", spec["n_test"])
    try:
        protocol.attack(spec)._check_params()
    except (ValueError, TypeError) as error:
        raise StudyError(f"{where}: {error}") from error
