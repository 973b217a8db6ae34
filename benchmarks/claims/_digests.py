"""Digests of code that change when what it does may have changed, and not with its prose."""

from __future__ import annotations

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

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


def digest_of_functions(source: bytes, names: Iterable[str]) -> str:
    """Digest of some functions of a module and of all that stands outside of functions.

    Behind it are the names, ``"1a2b3c|walk Walker.step"``: by them `is_code` finds it again.
    """
    outline, names = _outline(source), sorted(names)
    functions = (outline.functions.get(name, "") for name in names)
    return f"{_short(''.join([outline.rest, *functions]).encode())}|{' '.join(names)}"


def is_code(path: Path, said: str) -> bool:
    """Whether a file, or the functions of it that `said` names, are those of that digest."""
    if "|" not in said:
        return code_digest_of(path) == said
    return path.is_file() and digest_of_functions(path.read_bytes(), functions_of(said)) == said


def functions_of(said: str) -> list[str]:
    """Names of the functions that a digest is of; none where it is of the whole file."""
    return said.partition("|")[2].split()


def functions_in(path: Path) -> set[str]:
    """Names of the functions that a module has."""
    return {*_outline(path.read_bytes()).functions}


class Scoped(ast.NodeTransformer):
    """Changes functions, and knows what each is called in its module: ``"Walker.step"``."""

    scope: tuple[str, ...] = ()

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        outer, self.scope = self.scope, (*self.scope, node.name)
        self.generic_visit(node)
        self.scope = outer
        return node

    def name_of(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        return ".".join((*self.scope, node.name))


class _Outline(Scoped):
    """A module without what its functions do, and that by name.

    What is left of a method, or of a function with a decorator, is that it is there: it may take
    the place of an inherited one, or be registered.
    """

    def __init__(self, source: bytes) -> None:
        self.functions: dict[str, str] = defaultdict(str)
        self.rest = "".join(_parts(self.visit(ast.parse(source))))

    def visit_FunctionDef(self, node: Any) -> ast.AST | None:
        self.functions[self.name_of(node)] += "".join(_parts(node))
        node.args, node.body = None, []
        return node if self.scope or node.decorator_list else None

    visit_AsyncFunctionDef = visit_FunctionDef


@lru_cache(maxsize=1024)
def _outline(source: bytes) -> _Outline:
    return _Outline(source)


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
