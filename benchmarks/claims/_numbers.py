"""Numbers on pages that look measured and that no claim covers: a heuristic.

A number looks measured when it has a unit (%, times, seconds, megabytes, points, …) or decimals,
and stands neither in code nor in a link. What is none (settings, versions, what papers say) is
listed in ``settings.toml`` beside this file.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import ROOT
from ._pages import Fault, without_claims

SETTINGS = Path(__file__).with_name("settings.toml")
_UNITS = (
    r"%|×|percent|points?|times|as (?:fast|many|much)|ns|µs|ms|s|seconds?|minutes?|hours?|days?"
    r"|[kKMGT]i?B|CPU"
)
_MEASURED = re.compile(
    rf"(?<![\w.§#])(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\s?(?:{_UNITS})(?![\w/]))"
    rf"|(?<![\w.§#])\d*\.\d+(?![\w.]|\d)"
)
_HIDDEN = re.compile(
    r"```.*?```|~~~.*?~~~|`[^`\n]*`|<!--.*?-->|\]\([^)\s]*\)|https?://\S+|^#.*?$",
    re.DOTALL | re.MULTILINE,
)


@lru_cache(maxsize=1)
def settings() -> dict[str, Any]:
    """``patterns`` anywhere, ``pages``: what a page may say."""
    return tomllib.loads(SETTINGS.read_text(encoding="utf-8"))


def uncovered(path: Path, root: Path = ROOT) -> list[Fault]:
    """Numbers of a page that look measured, and that neither a claim nor the settings cover."""
    name = path.relative_to(root).as_posix()
    allowed = [re.escape(text).replace(r"\ ", r"\s+") for text in settings()["pages"].get(name, [])]
    page = without_claims(path.read_text(encoding="utf-8"))
    for pattern in [*allowed, _HIDDEN, *settings()["patterns"]]:
        page = _blanked(page, re.compile(pattern))
    return [
        Fault(name, page.count("\n", 0, found.start()) + 1, f"{found[0]!r} has no claim")
        for found in _MEASURED.finditer(page)
    ]


def _blanked(text: str, pattern: re.Pattern) -> str:
    return pattern.sub(lambda found: " " + "\n" * found[0].count("\n"), text)
