"""Which variant of a function ran, where a paper's number stands beside it."""

from __future__ import annotations

from collections.abc import Collection

from ..strategies import all_strategies
from ._frames import Study
from ._presets import RELEASED

# What no setting here computes; the settings' defaults stand for the nearest.
_APART = {
    "dfal": {"egl": "the length of the mean, over all classes, of the gradients in the parameters"}
}


def variants(study: Study, title: str, strategies: Collection[str]) -> list[str]:
    """Notes on the functions that are not those behind the paper's numbers."""
    paper = study.paper or "dre"
    names = {name.split(":")[0] for name in strategies}
    notes = []
    for name, params in RELEASED[paper].items():
        ran = {**_defaults(name), **study.settings["strategy_params"].get(name, {})}
        for setting, released in params.items():
            if name in names and ran[setting] != released:
                notes.append(
                    f"{title}: {name} is ours with {setting}={ran[setting]!r}; the paper's number "
                    f"beside it is of {setting}={released!r}."
                )
    notes += [
        f"{title}: {name} is ours, with {_settings(name, study)}; the paper's number beside it is "
        f"of {what}."
        for name, what in _APART.get(paper, {}).items()
        if name in names
    ]
    return notes


def unsaid_variants(title: str, strategies: Collection[str]) -> list[str]:
    """A note for results that do not say which variants of the DRE paper's functions ran."""
    released = [
        f"{name} with {setting}={value!r}"
        for name, params in RELEASED["dre"].items()
        for setting, value in params.items()
        if name in strategies
    ]
    if not released:
        return []
    return [
        f"{title}: the file does not say which variants ran; the paper's numbers are of "
        f"{', '.join(released)}."
    ]


def _defaults(name: str) -> dict:
    return all_strategies()[name]().get_params(deep=False)


def _settings(name: str, study: Study) -> str:
    changed = study.settings["strategy_params"].get(name, {})
    ran = {**_defaults(name), **changed}
    return ", ".join(f"{key}={ran[key]!r}" for key in ran if key != "random_state")
