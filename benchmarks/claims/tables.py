"""Whole tables of pages: ``<!-- claim: NAME() -->`` calls the function of that name here.

Each takes the root of the repository and returns Markdown, made of results files alone.
"""

from __future__ import annotations

from pathlib import Path

from ._records import RESULTS


def benchmarks(root: Path) -> str:
    """Every kernel against its peers."""
    return (root / RESULTS / "benchmarks_table.md").read_text(encoding="utf-8")
