"""What holds for tests and for the examples in docstrings."""

import sys

import pytest


@pytest.fixture(autouse=True)
def figures_are_closed():
    """No test leaves figures open: matplotlib warns from the twentieth on."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
