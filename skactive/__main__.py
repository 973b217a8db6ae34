"""``python -m skactive study …`` and ``python -m skactive report …``."""

from .study._cli import main

if __name__ == "__main__":
    raise SystemExit(main())
