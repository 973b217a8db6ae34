"""Strategies that are compared: each has a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..utils.typing import StrategyLike


def named(
    strategies: Iterable[StrategyLike] | Mapping[str, StrategyLike],
    parameter: str = "query_strategies",
) -> dict[str, Any]:
    """Strategies by name: their own, their class's, or what they were given.

    Raises
    ------
    ValueError
        If there are none, or two have one name; it names the parameter they came in.
    """
    if isinstance(strategies, Mapping):
        return dict(strategies)
    listed = [strategies] if isinstance(strategies, str) else list(strategies)
    names = [_name(strategy) for strategy in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise ValueError(
            f"{parameter} must have a name each, got {', '.join(names) or 'none'}. Pass a "
            'dict: {"eps 0.1": RobustMargin(), …}.'
        )
    return dict(zip(names, listed, strict=True))


def _name(strategy: Any) -> str:
    if isinstance(strategy, str):
        return strategy
    return getattr(strategy, "__name__", type(strategy).__name__)
