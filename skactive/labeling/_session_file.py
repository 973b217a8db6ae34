"""A session written down in a TOML file: pool, classes, learner, page."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.discovery import all_estimators

from .. import networks
from ..learners import ActiveLearner
from ..nets import AdversarialNetClassifier
from ..strategies import QueryStrategy, resolve_strategy
from ..utils.names import by_name, no_such
from ..utils.own_names import imported, is_own
from ._errors import LabelingError
from ._pool_files import LoadedPool, load_pool
from ._session import LabelingSession
from .page import PageOptions

_SESSION = ("batch", "overlap", "retrain_every", "consensus", "annotators", "lease")
_POOL = ("path", "ids", "columns", "show", "image_size", "mode")
_LEARNER = ("estimator", "params", "strategy", "strategy_params", "warm_start", "random_state")
_SERVER = ("host", "port", "token", "allowed_hosts", "open_browser")
_PAGE = (*_SERVER, *(field.name for field in fields(PageOptions) if field.name != "show"))


class SessionFileError(LabelingError):
    """A session file that cannot be followed: the file, the key, what is wrong with it."""


def read_session(path: str | Path) -> tuple[LabelingSession, dict[str, Any]]:
    """Open the session that a file describes.

    Parameters
    ----------
    path : str or Path
        A TOML file. Paths in it start at its folder. It may name functions of modules, which are
        imported: open files of people whose programs you would run.

    Returns
    -------
    session : LabelingSession
    page : dict
        Arguments of `LabelingSession.serve`.

    Raises
    ------
    SessionFileError
        If a key or a value is wrong.
    StoreError
        If the store cannot be opened.
    """
    file = Path(path)
    content = _content(file)
    tables = ("pool", "learner", "page")
    _check_keys(file, "", content, ("store", "classes", *_SESSION, *tables), ("classes", "pool"))
    parts = {name: _table(file, name, content.get(name, {})) for name in tables}
    _check_keys(file, "pool", parts["pool"], _POOL, ("path",))
    _check_keys(file, "learner", parts["learner"], _LEARNER)
    _check_keys(file, "page", parts["page"], _PAGE)
    with _named(file, "pool"):
        settings = dict(parts["pool"])
        pool = load_pool(file.parent / settings.pop("path"), **settings)
    with _named(file, "learner"):
        learner = make_learner(parts["learner"], pool)
    given = {name: content[name] for name in _SESSION if name in content}
    with _named(file, "session"):
        session = LabelingSession(
            _store(file, content.get("store", "labels.db")), pool.X, learner=learner,
            classes=content["classes"], ids=pool.ids, **given,
        )  # fmt: skip
    page = dict(parts["page"])
    if pool.show is not None:
        page["show"] = pool.show
    try:
        with _named(file, "page"):
            PageOptions.of({name: page[name] for name in page if name not in _SERVER})
    except BaseException:
        session.close()
        raise
    return session, {"title": file.stem, **page}


def make_learner(settings: Mapping[str, Any], pool: LoadedPool) -> ActiveLearner:
    """The learner of a file.

    Parameters
    ----------
    settings : mapping
        ``estimator``: the name of a classifier of scikit-learn, a list of steps whose last is
        one, ``"AdversarialNetClassifier"``, or ``module:attribute`` of an object or of a function
        that makes it; ``params`` for it; ``strategy`` and ``strategy_params``.
    pool : LoadedPool
    """
    names = settings.get("estimator", "LogisticRegression")
    steps = [_estimator(name) for name in ([names] if isinstance(names, str) else names)]
    if not steps:
        raise LabelingError("estimator is an empty list. Name a classifier.")
    is_net = isinstance(steps[-1], AdversarialNetClassifier)
    params = {key: _value(key, value) for key, value in settings.get("params", {}).items()}
    estimator = steps[0] if len(steps) == 1 else make_pipeline(*steps)
    estimator.set_params(**params)
    if getattr(pool.X, "ndim", 2) > 2 and not is_net and not is_own(names):
        estimator = make_pipeline(FunctionTransformer(flat_images), estimator)
    strategy: Any = settings.get("strategy", "entropy")
    strategy = imported(strategy, "strategy") if is_own(strategy) else resolve_strategy(strategy)
    if isinstance(strategy, type) and issubclass(strategy, QueryStrategy):
        strategy = strategy()
    if "strategy_params" in settings:
        strategy.set_params(**settings["strategy_params"])
    return ActiveLearner(
        estimator,
        strategy,
        warm_start=settings.get("warm_start", False),
        random_state=settings.get("random_state", 0),
    )


def flat_images(X: Any) -> np.ndarray:
    """Images as rows of numbers; bytes in [0, 1]."""
    X = np.asarray(X)
    flat = X.reshape(len(X), -1)
    return flat / np.float32(255) if X.dtype == np.uint8 else flat


# -- inside ---------------------------------------------------------------------------------


def _content(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise SessionFileError(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SessionFileError(f"{file} is no valid TOML: {error}.") from error


def _table(file: Path, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SessionFileError(f"{file}: {name} must be a table, [{name}], got {value!r}.")
    return value


def _check_keys(
    file: Path, table: str, given: Mapping[str, Any], known: tuple, needed: tuple = ()
) -> None:
    where = f"{file}, [{table}]" if table else str(file)
    for key in given:
        if key not in known:
            raise SessionFileError(f"{where}: {no_such('key', key, known)}")
    for key in needed:
        if key not in given:
            raise SessionFileError(f"{where}: {key} is missing.")


@contextlib.contextmanager
def _named(file: Path, part: str) -> Iterator[None]:
    """What is wrong, with the file and the part of it where that is written."""
    try:
        yield
    except SessionFileError:
        raise
    except (ValueError, TypeError, ImportError) as error:
        where = str(file) if part == "session" else f"{file}, [{part}]"
        raise SessionFileError(f"{where}: {error}") from error


def _store(file: Path, store: Any) -> Any:
    """A file beside the session file, or an address of a database."""
    if not isinstance(store, str):
        raise LabelingError(f"store must be a file or the address of a database, got {store!r}.")
    return store if "://" in store or store == ":memory:" else file.parent / store


@cache
def _estimators() -> dict[str, Any]:
    return {**dict(all_estimators()), "AdversarialNetClassifier": AdversarialNetClassifier}


def _estimator(name: Any) -> Any:
    """An estimator by its name."""
    if not isinstance(name, str):
        raise LabelingError(f"estimator must be a name or a list of names, got {name!r}.")
    if is_own(name):
        found = imported(name, "estimator")
        return found if hasattr(found, "fit") and not isinstance(found, type) else found()
    if name not in _estimators():
        near = no_such("estimator", name, _estimators()).partition(" There are ")[0]
        raise LabelingError(f"{near} Give one of scikit-learn's, or your own: module:attribute.")
    cls = _estimators()[name]
    return cls(networks.LeNet5) if cls is AdversarialNetClassifier else cls()


def _value(key: str, value: Any) -> Any:
    """A parameter; networks go by their names, None is written "none"."""
    if key.endswith("module") and isinstance(value, str):
        known = {name: getattr(networks, name) for name in networks.__all__}
        return imported(value, "network") if is_own(value) else by_name("network", value, known)
    return None if value == "none" else value
