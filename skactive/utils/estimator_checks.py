"""Checks that a query strategy of one's own keeps the contract."""

from ..strategies._checks import check_query_strategy, parametrize_with_strategy_checks

__all__ = ["check_query_strategy", "parametrize_with_strategy_checks"]
