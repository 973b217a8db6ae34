"""Protocols from presets, TOML files and ``--set key=value``."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._errors import StudyError
from ._presets import PRESETS
from ._protocol import Protocol, known, make_protocol

WORDS = ("description", "paper")  # nothing that a result depends on


def read_protocol(name_or_file: str, overrides: Iterable[str] = ()) -> Protocol:
    """A protocol from a preset's name or a TOML file, and ``key=value`` overrides.

    Parameters
    ----------
    name_or_file : str
        A preset, or the path of a TOML file (ending in .toml) whose keys are fields of
        `Protocol`; ``preset = "…"`` in it names the preset that it changes.
    overrides : iterable of str
        ``epochs=5``, ``train_attack.steps=20``: values as in TOML, ``none`` for none; plain
        words need no quotes.

    Returns
    -------
    protocol : Protocol

    Raises
    ------
    StudyError
        If the preset, the file, a key or a value is wrong.

    Examples
    --------
    >>> from skactive.study import read_protocol
    >>> protocol = read_protocol("digits", ["epochs=5", "train_attack.steps=3"])
    >>> protocol.epochs, protocol.network
    (5, 'lenet5')
    """
    if name_or_file.endswith(".toml"):
        settings = _from_file(Path(name_or_file))
    else:
        settings = _from_preset(name_or_file)
    for override in overrides:
        _set(settings, override)
    return make_protocol(settings)


def _from_preset(name: str) -> dict[str, Any]:
    return {"name": name, **copy.deepcopy(PRESETS[known(name, PRESETS, "preset")])}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise StudyError(f"The protocol file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is no valid TOML: {error}.") from error
    base = content.pop("preset", None)
    settings = _from_preset(base) if base is not None else {"description": f"from {path.name}"}
    settings["name"] = path.stem
    return _merged(settings, {key: _plain(value) for key, value in content.items()})


def _merged(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`; tables are merged, unless the attack in them is another."""
    result = dict(settings)
    for key, value in changes.items():
        old = result.get(key)
        other = isinstance(value, Mapping) and "name" in value
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not other:
            result[key] = _merged(dict(old), value)
        else:
            result[key] = value
    return result


def _set(settings: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *path, last = key.strip().split(".")
    if not equals or not last or not all(path):
        raise StudyError(f"--set takes key=value, such as epochs=5; got {override!r}.")
    table = settings
    for part in path:
        table[part] = dict(table[part]) if isinstance(table.get(part), Mapping) else {}
        table = table[part]
    table[last] = parse_value(text.strip())


def parse_value(text: str) -> Any:
    """A TOML value; ``none`` is None, anything else that TOML does not know a string."""
    try:
        return _plain(tomllib.loads(f"value = {text}")["value"])
    except (tomllib.TOMLDecodeError, KeyError):
        return _plain(text)


def as_word(value: Any, what: str) -> str:
    """A setting as ``name:setting=value`` has it.

    Raises
    ------
    StudyError
        If it cannot be written there.
    """
    try:
        word = _toml(value)
    except TypeError:
        word = ""
    if not word or "," in word or parse_value(word) != value:
        raise StudyError(
            f"{what} = {value!r} cannot be recorded. Give settings that are numbers or words, or "
            'a function or object of a module, as "module:attribute".'
        )
    return word


def _plain(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


def as_toml(settings: Mapping[str, Any]) -> str:
    """Settings in full, as a TOML file that `read_protocol` reads back."""
    plain = {k: v for k, v in settings.items() if not isinstance(v, Mapping)}
    tables = {k: v for k, v in settings.items() if isinstance(v, Mapping)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for key, table in tables.items():
        lines += ["", f"[{key}]", *(f"{_key(k)} = {_toml(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


def _key(key: str) -> str:
    bare = key.replace("_", "").replace("-", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key)


def difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Lines ``key: stored -> wanted``, one for each setting that differs."""
    lines = []
    for key in dict.fromkeys([*stored, *wanted]):
        old, new = stored.get(key), wanted.get(key)
        if old == new or key in WORDS:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += [f"{key}.{line}" for line in difference(old, new)]
        else:
            lines.append(f"{key}: {_toml(old)} -> {_toml(new)}")
    return lines
