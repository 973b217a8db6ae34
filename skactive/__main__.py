"""``python -m skactive study …``, ``… report …`` and ``… label …``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .labeling import LabelingError, StoreError
from .labeling import _cli as labeling
from .study import _cli as studies
from .study._errors import StudyError
from .utils.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        ``None`` is the command line.

    Returns
    -------
    status : int
        0, 2 for what was refused or failed, 130 after Ctrl-C.
    """
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (StudyError, LabelingError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skactive", description="Robust active learning."
    )
    parser.add_argument("--version", action="version", version=f"skactive {__version__}")
    commands = parser.add_subparsers(required=True, metavar="study | report | label")
    studies.add_commands(commands)
    labeling.add_commands(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
