"""Which code of the repository a program really uses: the functions that ran, file by file.

Importing skactive imports nearly all of it. So each function of the repository is given, as its
module is imported, a first line that notes it; that costs some tens of nanoseconds a call. What
runs while modules are imported, such as the registering of rules, says nothing of their use. Nobody
notes in other processes: where such were started, all functions of the files that ran count.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from . import ROOT
from ._digests import Scoped, code_digest, digest_of_functions

_OURS = ("skactive", "benchmarks", "examples", "tests")
_A_COMMAND = 0.5  # CPU seconds of what is no Python with skactive, such as git
_ITSELF = "benchmarks/claims/"


class _Importing(threading.local):
    depth = 0  # of modules that this thread imports just now


_importing = _Importing()


@contextmanager
def traced(root: Path = ROOT) -> Iterator[dict[str, str]]:
    """Digests of the code that ran, by path below the root; filled when the block ends."""
    ran: set[str] = set()
    in_imports: set[str] = set()
    code: dict[str, str] = {}
    finder, before = _Finder(root), _seconds_of_children()
    builtins.__ran__ = lambda what: (in_imports if _importing.depth else ran).add(what)  # type: ignore[attr-defined]
    sys.meta_path.insert(0, finder)
    try:
        yield code
    finally:
        sys.meta_path.remove(finder)
        files = {what.partition("|")[0] for what in ran}
        files |= _constants_of(files, root) & set(finder.loaded)
        alone = not _other_processes() and _seconds_of_children() - before < _A_COMMAND
        functions = _by_file(ran | in_imports) if alone else None
        for inside in sorted(files):
            source = finder.loaded[inside]
            code[inside] = (
                code_digest(source)
                if functions is None
                else digest_of_functions(source, functions[inside])
            )


def _by_file(ran: set[str]) -> dict[str, set[str]]:
    functions: dict[str, set[str]] = defaultdict(set)
    for what in ran:
        inside, _, name = what.partition("|")
        functions[inside].add(name)
    return functions


def _seconds_of_children() -> float:
    """CPU seconds of processes that have ended, such as scripts that were called."""
    times = os.times()
    return times.children_user + times.children_system


def _other_processes() -> bool:
    """Whether any was started through multiprocessing, or by joblib: the starters are imported."""
    return any(".popen_" in name for name in sys.modules)


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


class _Noting(Scoped):
    def __init__(self, inside: str) -> None:
        self.inside = inside
        self.function = ""  # the outermost one

    def visit_FunctionDef(self, node: Any) -> Any:
        outer = self.function
        self.function = outer or self.name_of(node)
        self.generic_visit(node)
        # In another process, to which the function was pickled, nobody notes.
        text = f"try: __ran__({f'{self.inside}|{self.function}'!r})\nexcept NameError: pass"
        self.function = outer
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
