"""A page to label in: the application, its server and what it shows."""

from ._app import PageApp
from ._options import PageOptions
from ._server import PageServer, announce

__all__ = ["PageApp", "PageOptions", "PageServer", "announce"]
