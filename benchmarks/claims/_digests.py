"""Digests of code that change when what it does may have changed, and not with its prose."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

_PROSE = {"annotation", "returns", "type_comment", "kind", "ctx"}  # fields that compute nothing


def file_digest(path: Path) -> str:
    """Digest of a file as it is."""
    return _short(path.read_bytes())


def begins_with(content: bytes, digest: str) -> bool:
    """Whether it is the file of that digest, or that file with lines appended since."""
    running = hashlib.sha256()
    for line in content.splitlines(keepends=True):
        running.update(line)
        if running.hexdigest().startswith(digest):
            return True
    return False


def code_digest(source: str | bytes) -> str:
    """Digest of Python source without comments, layout, docstrings and annotations.

    Empty fields are left out, so that it is the same under every version of Python.
    """
    return _short("".join(_parts(ast.parse(source))).encode())


def code_digest_of(path: Path) -> str:
    """Digest of the code in a file; nothing where there is none."""
    return code_digest(path.read_bytes()) if path.is_file() else ""


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _parts(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            if not _is_docstring(item):
                yield from _parts(item)
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if name not in _PROSE and value is not None and value != []:
                yield f" {name}="
                yield from _parts(value)
        yield ")"
    else:
        yield repr(node)


def _is_docstring(node: object) -> bool:
    """Any string that stands alone: attributes are described by such, too."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
