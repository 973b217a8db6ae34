"""Which files of the repository a program really uses: those of which a function ran.

Importing skactive imports nearly all of it. So each function of the repository is given, as its
module is imported, a first line that notes its file; that costs some tens of nanoseconds a call.
What runs while modules are imported, such as the registering of rules, says nothing of their use.
"""

from __future__ import annotations

import ast
import builtins
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from . import ROOT
from ._digests import code_digest

_OURS = ("skactive", "benchmarks", "examples", "tests")
_ITSELF = "benchmarks/claims/"


class _Importing(threading.local):
    depth = 0  # of modules that this thread imports just now


_importing = _Importing()


@contextmanager
def traced(root: Path = ROOT) -> Iterator[dict[str, str]]:
    """Digests of the files that ran, by path below the root; filled when the block ends."""
    ran: set[str] = set()
    code: dict[str, str] = {}
    finder = _Finder(root)
    builtins.__ran__ = lambda inside: _importing.depth or ran.add(inside)  # type: ignore[attr-defined]
    sys.meta_path.insert(0, finder)
    try:
        yield code
    finally:
        sys.meta_path.remove(finder)
        used = ran | (_constants_of(ran, root) & set(finder.loaded))
        code.update((inside, code_digest(finder.loaded[inside])) for inside in sorted(used))


class _Finder(MetaPathFinder):
    def __init__(self, root: Path) -> None:
        self.root = root
        self.loaded: dict[str, bytes] = {}  # the code that runs, whatever the file becomes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not spec.origin or not isinstance(spec.loader, SourceFileLoader):
            return spec
        file = Path(spec.origin)
        if file.is_relative_to(self.root):
            inside = file.relative_to(self.root).as_posix()
            if inside.startswith(_OURS) and not inside.startswith(_ITSELF):
                spec.loader = _Loader(name, spec.origin, inside, self.loaded)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, inside: str, loaded: dict[str, bytes]) -> None:
        super().__init__(name, path)
        self.inside, self.loaded = inside, loaded

    def exec_module(self, module: ModuleType) -> None:
        _importing.depth += 1
        try:
            super().exec_module(module)
        finally:
            _importing.depth -= 1

    def get_code(self, fullname: str) -> Any:  # never from, nor to, a .pyc file
        source = self.loaded[self.inside] = self.get_data(self.path)
        return compile(_Noting(self.inside).visit(ast.parse(source)), self.path, "exec")


class _Noting(ast.NodeTransformer):
    def __init__(self, inside: str) -> None:
        self.inside = inside

    def visit_FunctionDef(self, node: Any) -> Any:
        self.generic_visit(node)
        # In another process, to which the function was pickled, nobody notes.
        text = f"try: __ran__({self.inside!r})\nexcept NameError: pass"
        note = ast.parse(text).body[0]
        for part in ast.walk(note):
            ast.copy_location(part, node.body[0])
        node.body.insert(1 if ast.get_docstring(node, clean=False) is not None else 0, note)
        return node

    visit_AsyncFunctionDef = visit_FunctionDef


def _constants_of(ran: set[str], root: Path) -> set[str]:
    """Files whose constants (names in capitals) are imported by files that ran."""
    found = set()
    for inside in ran:
        package = ".".join(Path(inside).parent.parts)
        for node in ast.walk(ast.parse((root / inside).read_bytes())):
            if isinstance(node, ast.ImportFrom) and any(
                alias.name.isupper() for alias in node.names
            ):
                name = resolve_name("." * node.level + (node.module or ""), package)
                file = Path(*name.split(".")).with_suffix(".py")
                if (root / file).is_file():
                    found.add(file.as_posix())
    return found
