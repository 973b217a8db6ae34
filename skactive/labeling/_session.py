"""A labelling session: a pool, its learner, and everything that people said about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from ..learners import ActiveLearner
from ..utils.random_state import derive_seed
from ..utils.typing import Pool
from ..utils.validation import COUNT, Number, check_constraints
from ._desk import Desk
from ._errors import PoolChangedError
from ._events import Event, append, events, verify
from ._items import Item
from ._labels import Classes
from ._ledger import content_of, positions
from ._pool import SessionPool
from ._reports import Reports
from ._review import RULE, Review
from ._rounds import Rounds
from ._serving import Serving
from ._store import Store
from ._trainer import Trainer

_CONSTRAINTS: dict[str, list[Any]] = {
    "learner": [ActiveLearner],
    "batch": [COUNT],
    "overlap": [COUNT],
    "retrain_every": [COUNT, None],
    "consensus": RULE,
    "lease": [Number("a positive number of seconds", 0)],
    "clock": [callable],
}


class LabelingSession(Rounds, Review, Reports, Serving):
    """A pool that people label, one item after another, and a learner that says which.

    Everything that happens is an event in a store: appended, never changed. A new session on the
    same store goes on where the last one stopped, or was killed, with the same learner state.

    Parameters
    ----------
    store : str or Path
        A file such as ``"labels.db"`` (SQLite), or for a team on several machines a URL such as
        ``"postgresql+psycopg://user@host/database"``; ``":memory:"`` to try things out.
    pool : array-like, sparse matrix, DataFrame, list, tensor or Dataset of shape (n_pool, ...)
        What there is to label; also a pool in partitions, of Dask or Arrow, say. Kept by the
        caller: the store holds ids, not rows.
    learner : ActiveLearner or Committee
        Chooses what to ask. It may be fitted on a first labelled set; otherwise what comes first
        is drawn at random. The session teaches this very object: use it to predict. If it has no
        ``random_state``, it gets the store's; if it has no ``classes``, these.
    classes : list of str, int, float or bool
        All labels that may be given, in the order in which annotators see them; floats that are
        not whole, which no classifier can be taught, are refused.
    ids : array-like of str or int of shape (n_pool,), name of a column, or None, default=None
        The user's ids, all different. ``None`` makes them of position and content.
    batch : int, default=20
        How many items one query asks for.
    overlap : int, default=1
        How many annotators are given each item.
    retrain_every : int or None, default=20
        The learner is taught when the answers of so many items have changed; ``None``: only by
        `teach`.
    consensus : {"majority", "weighted"} or callable, default="majority"
        What is taught of several labels; see `consensus`.
    annotators : list of str or None, default=None
        Who may label; ``None`` is everybody who gives a name.
    lease : float, default=600
        Seconds for which an item that was claimed is that annotator's alone.
    clock : callable, default=time.time
        Seconds since 1970.

    Raises
    ------
    StoreError, StoreVersionError
        If the store cannot be opened, or is of a newer version.
    PoolChangedError
        If the store was made with another pool, other ids, classes or overlap.
    LabelingError
        If classes, ids or annotators do not fit.
    ValueError
        If another parameter is out of range.

    Notes
    -----
    All methods may be called from several threads. Several processes may share one store: each
    teaches its own learner by the same events.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> session = LabelingSession(":memory:", X, learner=learner, classes=[0, 1, 2], batch=10)
    >>> for item in session.claim("ada", n=10):
    ...     session.label(item.id, y[item.position], "ada")
    >>> session.progress()["n_labels"]
    10
    >>> session.undo("ada").state
    'claimed'
    """

    def __init__(
        self,
        store: str | Path,
        pool: Pool,
        *,
        learner: ActiveLearner,
        classes: Iterable[Any],
        ids: Any = None,
        batch: int = 20,
        overlap: int = 1,
        retrain_every: int | None = 20,
        consensus: str | Callable[[Mapping[str, Any]], Any] = "majority",
        annotators: Sequence[str] | None = None,
        lease: float = 600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = {
            "learner": learner, "batch": batch, "overlap": overlap, "lease": lease,
            "retrain_every": retrain_every, "consensus": consensus, "clock": clock,
        }  # fmt: skip
        check_constraints(_CONSTRAINTS, given, type(self).__name__)
        self.batch = batch
        self.overlap = overlap
        self.retrain_every = retrain_every
        self._rule = consensus
        self.clock = clock
        self._classes = Classes(classes)
        self._pool = SessionPool(pool, ids)
        self._store = Store(store)
        try:
            with self._store.write() as connection:
                self._enter(connection, learner)
            self._desk = Desk(
                self._store, self._pool, self._classes, annotators, lease, clock,
                self._trainer.first,
            )  # fmt: skip
            self._catch_up()
        except BaseException:
            self._store.close()
            raise

    @property
    def classes(self) -> list[Any]:
        """The declared classes."""
        return list(self._classes.labels)

    @property
    def pool(self) -> Any:
        """The pool, as it was given."""
        return self._pool.given

    @property
    def store(self) -> Store:
        """Where the events lie."""
        return self._store

    def close(self) -> None:
        """Let go of the store, which stays as it is."""
        self._store.close()

    def __enter__(self) -> LabelingSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LabelingSession({str(self._store)!r}, {self._pool.n} items)"

    # -- annotators -----------------------------------------------------------------------

    def claim(self, annotator: str, n: int = 1, *, wait: bool = True) -> list[Item]:
        """Items for an annotator: those that they hold already, then what is wanted most.

        Parameters
        ----------
        annotator : str
        n : int, default=1
            How many they will hold then.
        wait : bool, default=True
            Teach what is due, unless another thread does, and ask the learner for more if too few
            are open, which takes as long as that takes. ``False`` gives what is there, at once;
            somebody else then calls `prepare`.

        Returns
        -------
        items : list of Item
            At most `n`; fewer where the pool has no more for this annotator.
        """
        check_constraints({"n": [COUNT]}, {"n": n}, "LabelingSession.claim")
        if wait:
            self._teach_if_due()
        items = self._desk.claim(annotator, n)
        if len(items) == n or not wait:
            return items
        with self._trainer.asking:  # one asks; who waited for it finds what it asked for
            while True:
                items = self._desk.claim(annotator, n)
                if len(items) == n or not self.ask():
                    return items

    def label(self, id: Any, y: Any, annotator: str, *, seconds: float | None = None) -> None:
        """Enter a label for an item that the annotator claimed; on the disk when this returns.

        The same label again changes nothing.

        Parameters
        ----------
        id : str or int
        y : one of the classes
        annotator : str
        seconds : float or None, default=None
            How long it took; ``None`` counts from the claim.

        Raises
        ------
        UnknownItemError, UnknownClassError, AnnotatorError
            If there is no such item, class or annotator.
        NotClaimedError
            If the annotator was not given the item, or its lease ran out to somebody else.
        ConflictError
            If the annotator gave another answer already; see `relabel`.
        """
        self._desk.label(id, y, annotator, seconds)

    def skip(
        self, id: Any, annotator: str, reason: str = "", *, seconds: float | None = None
    ) -> None:
        """Enter that an annotator cannot label an item that they claimed.

        It counts as one of the item's annotators: with ``overlap=1`` nobody else is given it.

        Parameters
        ----------
        id : str or int
        annotator : str
        reason : str, default=""
        seconds : float or None, default=None
            See `label`, as for what is raised.
        """
        self._desk.skip(id, annotator, reason, seconds)

    def undo(self, annotator: str) -> Item | None:
        """Take back the annotator's latest label, skip or relabel that still stands.

        Parameters
        ----------
        annotator : str

        Returns
        -------
        item : Item or None
            The item, claimed by them again (after a relabel: answered as before); ``None`` if
            there is nothing to undo.
        """
        undone = self._desk.undo(annotator)
        return None if undone is None else undone[1]

    def relabel(self, id: Any, y: Any, annotator: str, *, final: bool = False) -> None:
        """Replace the annotator's own answer, a label or a skip.

        What the learner was taught of the item is corrected at the next `teach`.

        Parameters
        ----------
        id : str or int
        y : one of the classes
        annotator : str
        final : bool, default=False
            Decide for everybody: whatever the others say, this is the item's label. For a
            referee, who need not have claimed it.
        """
        self._desk.relabel(id, y, annotator, final)

    def note(self, id: Any, text: str, annotator: str) -> None:
        """Enter a remark on an item that was asked.

        Parameters
        ----------
        id : str or int
            Of the item.
        text : str
            At most 10,000 characters.
        annotator : str
            Who says so.
        """
        self._desk.note(id, text, annotator)

    def item(self, id: Any, annotator: str) -> Item:
        """An item that was asked, and what this annotator did with it.

        Parameters
        ----------
        id : str or int
        annotator : str

        Returns
        -------
        item : Item
        """
        return self._desk.get(id, annotator)

    def answered(self, annotator: str, n: int = 20) -> list[Item]:
        """The last items that an annotator labelled or skipped, latest first.

        Parameters
        ----------
        annotator : str
        n : int, default=20
            At most so many.

        Returns
        -------
        items : list of Item
        """
        return self._desk.done(annotator, n)

    def events(self, after: int = 0) -> list[Event]:
        """Everything that happened, in order.

        Parameters
        ----------
        after : int, default=0
            Only those with a later number, ``Event.seq``.

        Returns
        -------
        events : list of Event
        """
        with self._store.read() as connection:
            return list(events(connection, after))

    def verify(self) -> None:
        """Raise a `StoreError` unless the state follows from the events, all of it."""
        verify(self._store, self.overlap)

    # -- inside ---------------------------------------------------------------------------

    def _enter(self, connection: Any, learner: ActiveLearner) -> None:
        """Write down what the session is made of, or hold it against what was."""
        made_of = {
            "n_pool": self._pool.n,
            "ids": "given" if self._pool.ids is not None else "position",
            "overlap": self.overlap,
            "pool": self._pool.fingerprint(),
        }
        kept = self._store.meta(connection)
        if "pool" in kept:
            _check_same(kept, made_of, str(self._store))
            self._pool.check(*content_of(connection, self._pool))
        given = learner.random_state
        seed = kept.get("seed", derive_seed(given if isinstance(given, Integral) else None))
        self._trainer = Trainer(learner, self._pool, self._classes, seed)
        if "pool" in kept:
            self._recognise(connection, kept)
        else:
            self._store.put_meta(
                connection, **made_of, classes=[], seed=seed, created=self.clock(),
                start=self._trainer.start(), n_start=self._trainer.n_start,
            )  # fmt: skip
        self._declare(connection, kept.get("classes", []))

    def _recognise(self, connection: Any, kept: Mapping[str, Any]) -> None:
        """Hold the learner against the one that the store was made with, or a later state of it."""
        if self._trainer.fitted:
            trainings = list(events(connection, kind="teach"))
            taught = [place for each in trainings for place, _ in each.data["taught"]]
            where = positions(connection, taught)
            if self._trainer.recognise(trainings, where, kept["n_start"]):
                return
        if self._trainer.start() != kept["start"]:
            raise PoolChangedError(
                f"The learner begins with other labelled samples than when {self._store} was "
                "made. Pass it as it was then (not fitted, or fitted on the same first set), or "
                "as this session taught it. Nothing was changed."
            )

    def _declare(self, connection: Any, before: list[Any]) -> None:
        """Classes may be added, at the end; none may go."""
        labels = self._classes.labels
        if before and labels[: len(before)] != before:
            raise PoolChangedError(
                f"{self._store} was made with classes {before}, got {labels}. Others may be added "
                "after these, but none left out. Nothing was changed."
            )
        if before != labels:
            self._store.put_meta(connection, classes=labels)
            append(connection, "classes", self.clock(), classes=labels)
        for each in events(connection, kind="classes"):
            self._trainer.declared = each.seq


def _check_same(kept: dict[str, Any], made_of: dict[str, Any], store: str) -> None:
    for name, value in made_of.items():
        if kept[name] == value:
            continue
        words = "" if name == "pool" else f" {name}: {kept[name]!r} then, {value!r} now"
        raise PoolChangedError(
            f"{store} was made with another pool, or other ids or settings{words and ';'}{words}. "
            "Pass the same ones, or name another store; to_csv and read_csv carry labels from one "
            "to the other by their ids. Nothing was changed."
        )
