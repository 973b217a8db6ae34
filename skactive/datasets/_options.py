"""What the loaders can be asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, TypedDict

from ..utils.typing import RandomState
from ..utils.validation import COUNT, StrOptions, check_constraints


class LoadOptions(TypedDict, total=False):
    """Keyword arguments of every loader; `load_dataset` says what they mean."""

    root: str | os.PathLike[str] | None
    download: bool
    size: int | None
    n_train: int | None
    n_test: int | None
    stratify: bool
    random_state: RandomState
    validation: bool
    dtype: str


_COUNT = [COUNT, None]


@dataclass(frozen=True)
class Options:
    """`LoadOptions` with their defaults, checked."""

    root: str | os.PathLike[str] | None = None
    download: bool = False
    size: int | None = None
    n_train: int | None = None
    n_test: int | None = None
    stratify: bool = False
    random_state: RandomState = 0
    validation: bool = False
    dtype: str = "float32"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "root": [str, os.PathLike, None],
        "download": ["boolean"],
        "size": _COUNT,
        "n_train": _COUNT,
        "n_test": _COUNT,
        "stratify": ["boolean"],
        "validation": ["boolean"],
        "dtype": [StrOptions({"float32", "uint8"})],
    }

    def __post_init__(self) -> None:
        check_constraints(self._parameter_constraints, vars(self), "the loader")
