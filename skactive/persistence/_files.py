"""Whole files: saved, loaded, inspected."""

from __future__ import annotations

import io
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..exceptions import NewerFormatError
from ..utils.archive import Archive, reading, writing, writing_into
from ..utils.reports import markdown_table
from ..utils.saving import use_writer
from ..utils.typing import Pool
from ..utils.validation import StrOptions, check_constraints
from ..utils.version import __version__
from ._codec import Decoder, Encoder
from ._kinds import KINDS
from ._names import Resolver
from ._samples import Pool as KnownPool

FORMAT = 1
_KIND, _TREE = "skactive object", "skactive tree"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "skorch", "skops", "safetensors")
_DATA = {"data": [StrOptions({"labels", "all", "ids"})]}


def save(obj: Any, path: str | Path, data: str = "labels", pool: Any = None) -> None:
    """Write a learner, net, strategy or report to a file that holds data and no code.

    What ``obj.save(path, …)`` does, also for objects that have no such method.

    Parameters
    ----------
    obj : object
    path : str or Path
    data : {"labels", "all", "ids"}, default="labels"
        Which samples of a learner are kept; see `ActiveLearner.save`.
    pool : array-like or None, default=None
        For ``data="ids"``.

    Raises
    ------
    UnsavableError
        If something in it is no data, such as a lambda. Nothing is written then.
    OSError
        If there is no such folder, or `path` is one itself.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skactive
    >>> from skactive.strategies import DRE
    >>> path = Path(tempfile.mkdtemp()) / "dre.skactive"
    >>> skactive.persistence.save(DRE(n_bins=20, random_state=0), path)
    >>> skactive.load(path)
    DRE(n_bins=20, random_state=0)
    """
    check_constraints(_DATA, {"data": data}, "save")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder. Name a file in it.")
    if data != "ids" and pool is not None:
        raise ValueError(f"pool is for data='ids'; with data={data!r} samples are in the file.")
    known = None
    if data == "ids":
        pool = _last_pool(obj) if pool is None else pool
        known = None if pool is None else KnownPool(pool)
    with writing(path) as writer:
        encoder = Encoder(writer, KINDS, data, known)
        tree = encoder.encode(obj)
        about = {"format": FORMAT, "kind": _KIND, **_about(obj, encoder), "object": tree}
        writer.finish(about)


def to_bytes(tree: Any) -> bytes:
    """Content of a file with a tree of containers, numbers, words, arrays and tensors.

    Parameters
    ----------
    tree : object
        Of dicts, lists, tuples, numbers, words, NumPy arrays and tensors.

    Returns
    -------
    content : bytes

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.persistence import from_bytes, to_bytes
    >>> from_bytes(to_bytes({"weights": np.arange(3), "seed": 7}))
    {'weights': array([0, 1, 2]), 'seed': 7}
    """
    file = io.BytesIO()
    with writing_into(file) as writer:
        encoder = Encoder(writer, KINDS)
        node = encoder.encode(tree)
        writer.finish({"format": FORMAT, "kind": _TREE, "needs": list(encoder.needs), "of": node})
    return file.getvalue()


def from_bytes(content: bytes) -> Any:
    """The tree that `to_bytes` was given; it names no class but those on the list.

    Parameters
    ----------
    content : bytes
        What `to_bytes` returned.

    Returns
    -------
    tree : object

    Raises
    ------
    DamagedFileError
        If `content` is not what was written.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.persistence import from_bytes, to_bytes
    >>> content = to_bytes({"scores": np.array([0.5, 0.25]), "round": 3})
    >>> state = from_bytes(content)
    >>> state["scores"].tolist(), state["round"]
    ([0.5, 0.25], 3)
    >>> from_bytes(content[:-1])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    skactive.exceptions.DamagedFileError: A state cannot be read: ...
    """
    archive = Archive(io.BytesIO(content), "A state")
    with archive.explained():
        if archive.manifest["kind"] != _TREE or archive.manifest["format"] > FORMAT:
            raise ValueError("it holds something else")
        return Decoder(archive, KINDS, Resolver(None, ())).decode(archive.manifest["of"])


def _last_pool(obj: Any) -> Any:
    learner = getattr(obj, "learner_", obj)
    pending = getattr(learner, "_pending", None)
    return None if pending is None or pending.pool is None else pending.pool.X


def _about(obj: Any, encoder: Encoder) -> dict[str, Any]:
    """What can be told of a file without reading the object."""
    learner = getattr(obj, "learner_", obj)
    labeled = getattr(learner, "labeled_", None)
    found: dict[str, Any] = {
        "class": type(obj).__qualname__,
        "versions": _versions(),
        "needs": list(encoder.needs),
        "packages": sorted(encoder.packages),
        "data": encoder.data,
    }
    if encoder.pool is not None:
        found["pool"] = encoder.pool.digest
    classes = getattr(learner, "classes_", None)
    if classes is not None:
        found["classes"] = [str(label) for label in np.asarray(classes).tolist()]
    if labeled is not None:
        found["n_labels"], found["seed"] = len(labeled), getattr(learner, "seed_", None)
    for name in ("estimator", "query_strategy"):
        if hasattr(obj, name):
            found[name] = " ".join(str(getattr(obj, name)).split())[:2000]
    return found


def _versions() -> dict[str, str]:
    found = {"skactive": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def load(
    path: str | Path,
    modules: Mapping[str, Any] | None = None,
    trusted: Iterable[str] = (),
    pool: Pool | None = None,
) -> Any:
    """Read what `save` wrote; nothing in the file is run.

    Parameters
    ----------
    path : str or Path
    modules : mapping of str to class or function, or None, default=None
        Classes of your own that the file names, by import path or last name:
        ``{"MyNet": MyNet}``.
    trusted : tuple of str, default=()
        Import paths, such as ``("mypkg.nets.MyNet",)``, of classes that are imported if the file
        names them. That runs the code of their modules, not of the file.
    pool : array-like of shape (n_pool, ...) or None, default=None
        The pool of a file that was saved with ``data="ids"``.

    Returns
    -------
    obj : what was saved
        A learner goes on bit by bit as the saved one would have, on the same machine and versions.

    Raises
    ------
    UntrustedError
        If the file names classes or functions that are neither skactive's (nor torch's,
        scikit-learn's, …), nor passed, nor trusted.
    NewerFormatError
        If a later version of skactive wrote it.
    DamagedFileError
        If it is not what was written, or was never written by skactive.
    ValueError
        If the pool is missing, or another one.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> import skactive
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = skactive.ActiveLearner(GaussianNB(), "margin", random_state=0).fit(X[::9], y[::9])
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "learner.skactive"
    >>> learner.save(path)
    >>> again = skactive.load(path)
    >>> bool((again.query(X, n=5)[0] == learner.query(X, n=5)[0]).all())
    True
    >>> skactive.inspect(path).n_labels
    17
    """
    resolver = Resolver(modules, trusted)
    with reading(path) as archive:
        about = _checked(archive, path)
        resolver.check(about.needs, path)
        known = _matching_pool(about, pool, path)
        with archive.explained():
            return Decoder(archive, KINDS, resolver, known).decode(archive.manifest["object"])


def _matching_pool(about: FileSummary, pool: Any, path: Any) -> KnownPool | None:
    if about.pool is None:
        if pool is not None:
            raise ValueError(f"{path} holds its samples, and takes no pool. Leave pool out.")
        return None
    if pool is None:
        raise ValueError(
            f"{path} was saved with data='ids' and holds no samples. Pass the pool they are from, "
            f"load(path, pool=…): {about.pool}."
        )
    known = KnownPool(pool)
    if known.digest != about.pool:
        raise ValueError(
            f"pool is not the one of {path}: it has {known.digest}; the file was saved with "
            f"{about.pool}."
        )
    return known


@dataclass(frozen=True)
class FileSummary:
    """What a file says of itself; see `inspect`.

    Attributes
    ----------
    kind : str
        Class of the object.
    format : int
        Version of the format.
    versions : dict of str to str
        Of skactive, Python and the libraries it was written with.
    needs : list of str
        Import paths of classes and functions that `load` has to be passed or to trust.
    packages : list of str
        Optional libraries that `load` needs.
    data : {"labels", "all", "ids"}
        Which samples are in it.
    pool : str or None
        Number and digest of the rows of the pool, of ``data="ids"``.
    classes : list of str or None
    n_labels : int or None
    seed : int or None
    estimator, query_strategy : str or None
    history : list of dict
        A learner's ledger.
    members : dict of str to int
        Arrays and weights in the file, and their size in bytes.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> import skactive
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "learner.skactive"
    >>> learner = skactive.ActiveLearner(GaussianNB(), "margin", random_state=7)
    >>> learner.fit([[0.0], [1.0], [2.0]], ["cat", "dog", "dog"]).save(path)
    >>> about = skactive.inspect(path)
    >>> about.kind, about.estimator, about.query_strategy
    ('ActiveLearner', 'GaussianNB()', 'margin')
    >>> about.classes, about.n_labels, about.data, about.needs
    (['cat', 'dog'], 3, 'labels', [])
    """

    kind: str
    format: int
    versions: dict[str, str]
    needs: list[str]
    packages: list[str]
    data: str
    pool: str | None = None
    classes: list[str] | None = None
    n_labels: int | None = None
    seed: int | None = None
    estimator: str | None = None
    query_strategy: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    members: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        size, parts = sum(self.members.values()), len(self.members)
        shown = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
        cells = [
            ("object", self.kind), ("estimator", self.estimator),
            ("query strategy", self.query_strategy), ("labels", self.n_labels),
            ("classes", self.classes and ", ".join(self.classes)),
            ("rounds", len(self.history) or None), ("samples", self.data), ("pool", self.pool),
            ("needs", ", ".join(self.needs) or None),
            ("written with", ", ".join(f"{k} {v}" for k, v in self.versions.items())),
            ("format", self.format),
            ("arrays", f"{shown} in {parts} part{'s' * (parts > 1)}" if parts else None),
        ]  # fmt: skip
        return markdown_table(["file", ""], [cell for cell in cells if cell[1] is not None])


def inspect(path: str | Path) -> FileSummary:
    """What is in a file, without making anything of it.

    Every part is held against its checksum; no class that the file names is looked up.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    summary : FileSummary
        Prints as a table.

    Raises
    ------
    NewerFormatError
        If a later version of skactive wrote it.
    DamagedFileError
        If it is not what was written, or was never written by skactive.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skactive
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> path = Path(tempfile.mkdtemp()) / "learner.skactive"
    >>> ActiveLearner(GaussianNB(), "margin").fit(X[::10], y[::10]).save(path)
    >>> about = skactive.inspect(path)
    >>> about.kind, about.n_labels, about.needs
    ('ActiveLearner', 15, [])
    """
    with reading(path) as archive:
        about = _checked(archive, path)
        archive.check()
        return about


def _checked(archive: Archive, path: Any) -> FileSummary:
    """What a file says of itself, if it is one that can be read."""
    with archive.explained():
        manifest = archive.manifest
        if manifest.get("kind") != _KIND or not isinstance(manifest["format"], int):
            raise ValueError("it holds no object of skactive")
        number, versions = manifest["format"], dict(manifest["versions"])
        readable = 1 <= number <= FORMAT
    if not readable:
        raise NewerFormatError(
            f"{path} has format {number}, written by skactive {versions.get('skactive')}; this is "
            f"skactive {__version__}, which reads formats up to {FORMAT}. Update skactive."
        )
    with archive.explained():
        return FileSummary(
            kind=str(manifest["class"]),
            format=number,
            versions=versions,
            needs=[str(name) for name in manifest["needs"]],
            packages=list(manifest["packages"]),
            data=str(manifest["data"]),
            history=_ledger(manifest["object"]),
            members={name: archive.size(name) for name in archive.names()},
            **{name: manifest.get(name) for name in _OPTIONAL},
        )


_OPTIONAL = ("pool", "classes", "n_labels", "seed", "estimator", "query_strategy")


def _ledger(node: Any) -> list[dict[str, Any]]:
    """Rows of a learner's history as they stand in the tree: plain numbers and words."""
    state = node.get("state", {}) if isinstance(node, dict) else {}
    if isinstance(state.get("learner_"), dict):
        return _ledger(state["learner_"])
    rows = state.get("history_", [])
    return [dict(row["of"]) for row in rows if isinstance(row, dict) and "of" in row]


use_writer(save)
