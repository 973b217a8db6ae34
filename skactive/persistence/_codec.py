"""Objects as JSON and arrays: a tree of nodes, each of which says what it is.

``{"is": "tuple", …}``: what is not JSON already is a node, written by one function and read by
another. Objects that occur more than once are written once and referred to, so that the parts of a
node are read in the order in which they were written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..exceptions import UnsavableError
from ..utils.archive import Archive, ArchiveWriter
from ._names import Resolver, name_of

Node = Any  # what JSON can hold


class Kind(NamedTuple):
    """One kind of node.

    Attributes
    ----------
    tag : str
        What it says it is.
    matches : callable
        Whether an object is written as this kind.
    encode : callable
        ``(object, Encoder) -> dict``, without the tag.
    decode : callable
        ``(dict, Decoder) -> object``.
    """

    tag: str
    matches: Callable[[Any], bool]
    encode: Callable[[Any, Encoder], dict[str, Any]]
    decode: Callable[[dict[str, Any], Decoder], Any]


class Kinds:
    """Kinds of nodes; of those that match an object the first is taken."""

    def __init__(self, *parts: Kinds) -> None:
        self._kinds: list[Kind] = [kind for part in parts for kind in part._kinds]
        self.readers = {kind.tag: kind.decode for kind in self._kinds}

    def add(self, tag: str, matches: Any, encode: Any, decode: Any) -> None:
        """Add a kind behind those there are; `matches` is a class, several, or a function."""
        of = matches
        if isinstance(of, (type, tuple)):
            matches = lambda value: isinstance(value, of)  # noqa: E731
        self._kinds.append(Kind(tag, matches, encode, decode))
        self.readers[tag] = decode

    def exact(self, tag: str, kind: type, encode: Any, decode: Any) -> None:
        """Add a kind for objects of a class, not of those derived from it."""
        self.add(tag, lambda value: type(value) is kind, encode, decode)

    def of(self, value: Any) -> Kind | None:
        """The kind of an object, if it has one."""
        return next((kind for kind in self._kinds if kind.matches(value)), None)


@dataclass
class Encoder:
    """Writes objects as nodes, their arrays as members of an archive.

    Attributes
    ----------
    writer : ArchiveWriter
    kinds : Kinds
    data : {"labels", "all", "ids"}
        What of a learner's samples is kept.
    pool : Pool or None
        Of ``data="ids"``.
    needs : dict
        Names that are not on the list, in the order they were met.
    packages : set of str
        Optional libraries that reading it takes.
    """

    writer: ArchiveWriter
    kinds: Kinds
    data: str = "labels"
    pool: Any = None
    needs: dict[str, None] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    _path: list[str] = field(default_factory=list)
    _seen: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _n_shared: int = 0

    @property
    def where(self) -> str:
        """Where in the object we are, for messages."""
        return ".".join(self._path) or "it"

    def encode(self, value: Any, part: str | None = None) -> Node:
        """A node for a value, which is the part of that name of what is being written."""
        if part is None:
            return self._encode(value)
        self._path.append(part)
        node = self._encode(value)
        self._path.pop()
        return node

    def _encode(self, value: Any) -> Node:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is list:
            return self._list(value)
        if id(value) in self._seen:
            return self._reference(value)
        kind = self.kinds.of(value)
        if kind is not None:
            self._seen[id(value)] = (value, None)
            node = {"is": kind.tag, **kind.encode(value, self)}
            self._seen[id(value)] = (value, node)
            return node
        raise UnsavableError(
            f"{self.where} is a {type(value).__module__}.{type(value).__qualname__}, which a file "
            "that runs no code cannot hold. Leave it out, or put what it stands for in its place: "
            "numbers, words, arrays, estimators, classes by name."
        )

    def _list(self, values: list) -> list:
        if id(values) in self._seen and self._seen[id(values)][1] is None:
            self._refuse_circle()
        self._seen[id(values)] = (values, None)
        nodes = [self.encode(value, str(i)) for i, value in enumerate(values)]
        del self._seen[id(values)]
        return nodes

    def _reference(self, value: Any) -> Node:
        node = self._seen[id(value)][1]
        if node is None:
            self._refuse_circle()
        if "id" not in node:
            node["id"] = self._n_shared = self._n_shared + 1
        return {"is": "same", "as": node["id"]}

    def _refuse_circle(self) -> None:
        raise UnsavableError(f"{self.where} refers to what it is part of, which cannot be saved.")

    def name(self, value: Any) -> str:
        """The name of a class or function."""
        name, known = name_of(value, self.where)
        if not known:
            self.needs[name] = None
        return name

    def member(self, folder: str, ending: str) -> str:
        """A name for a member of the archive, after where we are."""
        path = re.sub(r"[^A-Za-z0-9_-]+", "_", ".".join(self._path)[-60:]).strip("_-") or "0"
        name = f"{folder}/{path}{ending}"
        for number in range(2, 1 << 30):
            if name not in self._names:
                break
            name = f"{folder}/{path}-{number}{ending}"
        self._names.add(name)
        return name


@dataclass
class Decoder:
    """Reads nodes back.

    Attributes
    ----------
    archive : Archive
    kinds : Kinds
    resolver : Resolver
    pool : Pool or None
        What the caller says the labelled samples are from.
    """

    archive: Archive
    kinds: Kinds
    resolver: Resolver
    pool: Any = None
    _shared: dict[int, Any] = field(default_factory=dict)

    def decode(self, node: Node) -> Any:
        """What a node stands for."""
        if isinstance(node, list):
            return [self.decode(each) for each in node]
        if not isinstance(node, dict):
            return node
        if node["is"] == "same":
            return self._shared[node["as"]]
        if node["is"] not in self.kinds.readers:
            raise ValueError(f"it holds a {node['is']!r}, which nothing here can read")
        value = self.kinds.readers[node["is"]](node, self)
        if "id" in node:
            self._shared[node["id"]] = value
        return value


@contextmanager
def part_of(encoder: Encoder, name: str) -> Iterator[None]:
    """Be inside the part of that name."""
    encoder._path.append(name)
    yield
    encoder._path.pop()
