"""The command that serves a page to label in."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._session_file import read_session


def add_commands(commands: Any) -> None:
    """Add ``label`` to the commands of a parser."""
    label = commands.add_parser("label", help="serve a page to label in, from a session file")
    label.add_argument("file", type=Path, help="a session in TOML: pool, classes, learner, page")
    label.add_argument("--host", help="where to listen (default: this machine alone)")
    label.add_argument("--port", type=int, help="0 takes one that is free (default: 8765)")
    label.add_argument("--open", action="store_true", help="open a browser on the page")
    label.set_defaults(run=_label)


def _label(args: argparse.Namespace) -> None:
    session, page = read_session(args.file)
    given = {"host": args.host, "port": args.port, "open_browser": args.open or None}
    page.update({name: value for name, value in given.items() if value is not None})
    with session:
        session.serve(**page)
