"""A labelling session: a pool, its learner, and everything that people said about it."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..learners import ActiveLearner
from ..utils.random_state import derive_seed
from ..utils.typing import Pool
from ..utils.validation import COUNT, Number, StrOptions, check_constraints
from ._consensus import WeightedVote, majority
from ._desk import Desk
from ._errors import PoolChangedError
from ._events import Event, append, events, verify
from ._items import Item
from ._labels import Classes
from ._ledger import answers, asked_positions, decisions, n_changed, positions
from ._pool import SessionPool
from ._store import Store, sql
from ._trainer import Asked, Trainer

_RULES = {"majority", "weighted"}
_CONSTRAINTS: dict[str, list[Any]] = {
    "learner": [ActiveLearner],
    "batch": [COUNT],
    "overlap": [COUNT],
    "retrain_every": [COUNT, None],
    "consensus": [StrOptions(_RULES), callable],
    "lease": [Number("a positive number of seconds", 0)],
    "clock": [callable],
}


class LabelingSession:
    """A pool that people label, one item after another, and a learner that says which.

    Everything that happens is an event in a store: appended, never changed. A new session on the
    same store goes on where the last one stopped, or was killed, with the same learner state.

    Parameters
    ----------
    store : str or Path
        A file such as ``"labels.db"`` (SQLite), or for a team on several machines a URL such as
        ``"postgresql+psycopg://user@host/database"``; ``":memory:"`` to try things out.
    pool : array-like, sparse matrix, DataFrame, list, tensor or Dataset of shape (n_pool, ...)
        What there is to label. Kept by the caller: the store holds ids, not rows.
    learner : ActiveLearner or Committee
        Chooses what to ask. It may be fitted on a first labelled set; otherwise what comes first
        is drawn at random. The session teaches this very object: use it to predict. If it has no
        ``random_state``, it gets the store's; if it has no ``classes``, these.
    classes : list of str, int, float or bool
        All labels that may be given, in the order in which annotators see them.
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
        If a parameter is out of range.

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
            seed = self._enter()
            self._desk = Desk(self._store, self._pool, self._classes, annotators, lease, clock)
            self._trainer = Trainer(learner, self._pool, self._classes, seed)
            self._catch_up()
        except BaseException:
            self._store.close()
            raise

    @property
    def learner(self) -> ActiveLearner:
        """The learner, as it is taught."""
        return self._trainer.learner

    @property
    def classes(self) -> list[Any]:
        """The declared classes."""
        return list(self._classes.labels)

    @property
    def pool(self) -> Any:
        """The pool, as it was given."""
        return self._pool.X

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
        while wait and len(items) < n and self.ask():
            items = self._desk.claim(annotator, n)
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

        Returns
        -------
        item : Item or None
            The item, claimed by them again (after a relabel: answered as before); ``None`` if
            there is nothing to undo.
        """
        return self._desk.undo(annotator)

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
        """Enter a remark on an item that was asked."""
        self._desk.note(id, text, annotator)

    def item(self, id: Any, annotator: str) -> Item:
        """An item that was asked, and what this annotator did with it."""
        return self._desk.get(id, annotator)

    def answered(self, annotator: str, n: int = 20) -> list[Item]:
        """The last items that an annotator labelled or skipped, latest first."""
        return self._desk.done(annotator, n)

    # -- the learner ----------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether so many answers changed that the learner should be taught."""
        if self.retrain_every is None:
            return False
        with self._store.read() as connection:
            changed = n_changed(connection, self.overlap)
            if changed < self.retrain_every or self._trainer.fitted:
                return changed >= self.retrain_every
            return self._can_begin(connection)

    def prepare(self, n: int | None = None) -> bool:
        """Teach if it is due, and ask for more if fewer than `n` items are open.

        For a thread that works while items are labelled; `claim` does it by itself where too few
        are open.

        Parameters
        ----------
        n : int or None, default=None
            ``None`` is ``batch``.

        Returns
        -------
        anything : bool
            Whether there was anything to do.
        """
        taught = self._teach_if_due()
        enough = self._n_open() >= (self.batch if n is None else n)
        return bool(not enough and self.ask()) or taught

    def ask(self, n: int | None = None) -> int:
        """Query the learner for the next round.

        Parameters
        ----------
        n : int or None, default=None
            How many; ``None`` is ``batch``. Fewer if the pool has no more.

        Returns
        -------
        n_asked : int
        """
        with self._trainer.asking:
            while True:
                self._catch_up()
                with self._store.read() as connection:
                    asked = asked_positions(connection)
                    number = self._n_rounds(connection)
                wanted = min(n or self.batch, self._trainer.left(asked))
                if wanted < 1:
                    return 0
                version = self._trainer.applied
                found = self._trainer.ask(wanted, asked, number)
                if not found.extras:
                    entered = self._enter_round(found, number)
                else:
                    with self._trainer.training:
                        entered = version == self._trainer.applied and self._enter_round(
                            found, number
                        )
                if entered:
                    return entered

    def teach(self, *, partial: bool = False) -> bool:
        """Teach the learner what the annotators agreed on since the last time.

        Items count once all their annotators answered. A label that was corrected or taken back
        since it was taught is corrected or removed: the learner is trained anew, without it.
        If training fails, the learner and the store are as before.

        Parameters
        ----------
        partial : bool, default=False
            Also items that wait for more annotators.

        Returns
        -------
        taught : bool
            Whether there was anything to teach.
        """
        with self._trainer.training:
            self._catch_up()
            with self._store.read() as connection:
                upto = self._last(connection)
                changes, seen = decisions(
                    connection, self.overlap, self._decide(connection), partial=partial,
                    everything=self._rule == "weighted",
                )  # fmt: skip
                where = positions(connection, [place for place, _ in changes])
            if not changes and not seen:
                return False
            moved = [(where[place], label) for place, label in changes]
            started = time.perf_counter()
            score = self._trainer.score_of(moved)
            draft = self._trainer.teach(moved) if moved else None
            fit_time = time.perf_counter() - started
            with self._store.write() as connection:
                if self._newer(connection):  # another process taught these meanwhile
                    taught = None
                else:
                    taught = append(
                        connection, "teach", self.clock(), taught=changes, seen=seen, upto=upto,
                        score=score, n_new=len(moved), n_labels=self._n_taught(moved),
                        model=None if draft is None else self._trainer.digest(draft),
                        fit_time=fit_time,
                    )  # fmt: skip
            if taught is None:
                self._catch_up()
                return True
            if draft is not None:
                self._trainer.adopt(draft, taught.seq, moved)
            else:
                self._trainer.applied = taught.seq
            return bool(moved)

    # -- looking --------------------------------------------------------------------------

    def consensus(self, rule: str | Callable[[Mapping[str, Any]], Any] | None = None) -> dict:
        """The label of each item that has one.

        Parameters
        ----------
        rule : {"majority", "weighted"}, callable or None, default=None
            ``"majority"`` of the annotators; ``"weighted"`` by how often each agrees with the
            others (`WeightedVote`); or a function of the labels by annotator. None or a tie is
            no label. ``None`` takes the session's. A final label (`relabel`) goes before all.

        Returns
        -------
        labels : dict of id to label
        """
        with self._store.read() as connection:
            decide = self._decide(connection, rule)
            given = answers(connection)
            rows = connection.execute(
                sql("SELECT place, id, final FROM skactive_items ORDER BY place")
            ).all()
        found = {}
        for place, text, final in rows:
            label = json.loads(final) if final else decide(given.get(place, {}))
            if label is not None:
                found[self._pool.shown(text)] = label
        return found

    def progress(self) -> dict[str, Any]:
        """How far the session is.

        Returns
        -------
        progress : dict
            ``n_pool``; ``n_asked`` items; of these ``n_open``, which somebody can still be given,
            ``n_labelled``, with a label or more, ``n_skipped``, which all who had it skipped;
            ``n_labels`` and ``n_skips`` that stand, ``n_claimed``, given out now; ``n_rounds``,
            ``n_trainings``; ``n_taught``, labels the learner was taught; ``n_waiting``, items
            whose answers wait for `teach`; ``score``, the last one (see `history`);
            ``annotators``, labels that stand by name.
        """
        with self._store.read() as connection:
            one = connection.execute(
                sql(
                    "SELECT count(*) AS n_asked, "
                    "coalesce(sum(CASE WHEN free > 0 THEN 1 ELSE 0 END), 0) AS n_open, "
                    "coalesce(sum(CASE WHEN n_labels > 0 THEN 1 ELSE 0 END), 0) AS n_labelled, "
                    "coalesce(sum(CASE WHEN n_labels = 0 AND n_skips > 0 AND free <= 0 "
                    "THEN 1 ELSE 0 END), 0) AS n_skipped, "
                    "coalesce(sum(n_labels), 0) AS n_labels, "
                    "coalesce(sum(n_skips), 0) AS n_skips FROM skactive_items"
                )
            ).one()
            by_name = connection.execute(
                sql(
                    "SELECT annotator, count(*) FROM skactive_work WHERE state = 'labelled' "
                    "GROUP BY annotator ORDER BY annotator"
                )
            )
            annotators = {name: int(n) for name, n in by_name}
            claimed = connection.execute(
                sql("SELECT count(*) FROM skactive_work WHERE state = 'claimed' AND until >= :now"),
                {"now": self.clock()},
            ).scalar()
            trainings = list(events(connection, kind="teach"))
            rounds = self._n_rounds(connection)
            waiting = n_changed(connection, self.overlap)
        counts = {name: int(n) for name, n in one._mapping.items()}
        scores = [e.data["score"] for e in trainings if e.data["score"] is not None]
        return {
            "n_pool": self._pool.n, **counts, "n_claimed": int(claimed), "n_rounds": rounds,
            "n_trainings": sum(e.data["n_new"] > 0 for e in trainings),
            "n_taught": trainings[-1].data["n_labels"] if trainings else 0,
            "n_waiting": waiting, "score": scores[-1] if scores else None,
            "annotators": annotators,
        }  # fmt: skip

    def events(self, after: int = 0) -> list[Event]:
        """Everything that happened, in order."""
        with self._store.read() as connection:
            return list(events(connection, after))

    def verify(self) -> None:
        """Raise a `StoreError` unless the state follows from the events, all of it."""
        verify(self._store, self.overlap)

    # -- inside ---------------------------------------------------------------------------

    def _teach_if_due(self) -> bool:
        """Teach, unless another thread does."""
        if not self.due or not self._trainer.training.acquire(blocking=False):
            return False
        try:
            return self.due and self.teach()
        finally:
            self._trainer.training.release()

    def _enter(self) -> int:
        """Write down what the session is made of, or hold it against what was; the seed."""
        made_of = {
            "n_pool": self._pool.n,
            "pool": self._pool.fingerprint(),
            "ids": "given" if self._pool.ids is not None else "position",
            "overlap": self.overlap,
            "classes": self._classes.labels,
        }
        with self._store.write() as connection:
            kept = self._store.meta(connection)
            if "pool" not in kept:
                seed = derive_seed(None)
                self._store.put_meta(connection, **made_of, seed=seed, created=self.clock())
                return seed
            _check_same(kept, made_of, str(self._store))
            rows = connection.execute(
                sql("SELECT position, digest FROM skactive_items ORDER BY place")
            ).all()
        self._pool.check([r.position for r in rows], [r.digest for r in rows])
        return int(kept["seed"])

    def _enter_round(self, found: Asked, number: int) -> int:
        """Write a query and its items down, unless another process asked meanwhile; how many."""
        digests = self._pool.digests(found.positions)
        texts = self._pool.texts(found.positions.tolist(), digests)
        with self._store.write() as connection:
            if self._n_rounds(connection) != number:
                return 0
            first = self._n_items(connection) + 1
            known = set(asked_positions(connection).tolist())
            rows = [
                {
                    "id": texts[rank], "position": position, "digest": digests[rank],
                    "round": number, "rank": rank, "free": self.overlap,
                    "score": None if found.scores is None else float(found.scores[rank]),
                }
                for rank, position in enumerate(found.positions.tolist())
                if position not in known
            ]  # fmt: skip
            rows = [{"place": first + i, **row} for i, row in enumerate(rows)]
            if not rows:
                return 0
            done = append(
                connection, "query", self.clock(), round=number, n=len(found.positions),
                first=first, strategy=found.strategy, model=found.model, seed=found.seed,
                extras=found.extras, seconds=found.seconds,
            )  # fmt: skip
            connection.execute(
                sql(
                    "INSERT INTO skactive_items (place, id, position, digest, round, rank, score, "
                    "free) VALUES (:place, :id, :position, :digest, :round, :rank, :score, :free)"
                ),
                rows,
            )
        if found.extras:
            self._trainer.adopt(found.draft, done.seq)
        return len(rows)

    def _newer(self, connection: Any) -> list[Event]:
        """Events that changed the learner of another process, and not yet this one's."""
        after = self._trainer.applied
        asked = [e for e in events(connection, after, kind="query") if e.data["extras"]]
        return sorted([*asked, *events(connection, after, kind="teach")], key=lambda e: e.seq)

    def _catch_up(self) -> None:
        """Do to the learner what was done to that of another process, or of an earlier one."""
        with self._store.read() as connection:
            if not self._newer(connection):
                return
        with self._trainer.training:
            with self._store.read() as connection:
                missed = self._newer(connection)
            for each in missed:
                self._repeat(each)

    def _repeat(self, e: Event) -> None:
        with self._store.read() as connection:
            asked = asked_positions(connection, e.data["first"]) if e.kind == "query" else None
            where = positions(connection, [place for place, _ in e.data.get("taught", [])])
        if asked is not None:
            found = self._trainer.ask(e.data["n"], asked, e.data["round"])
            self._trainer.adopt(found.draft, e.seq)
            return
        changes = [(where[place], label) for place, label in e.data["taught"]]
        if not changes:
            self._trainer.applied = e.seq
            return
        draft = self._trainer.teach(changes)
        self._trainer.adopt(draft, e.seq, changes)
        if self._trainer.digest() != e.data["model"]:
            warnings.warn(
                f"The learner of training {e.seq} came out otherwise than when {self._store} was "
                "written: other versions of libraries, another learner or first labelled set, or a "
                "random_state that is no integer. The labels are the same; the next picks may "
                "differ.",
                UserWarning,
                stacklevel=4,
            )

    def _decide(self, connection: Any, rule: Any = None) -> Callable[[Mapping[str, Any]], Any]:
        rule = self._rule if rule is None else rule
        check_constraints(
            {"rule": _CONSTRAINTS["consensus"]}, {"rule": rule}, "LabelingSession.consensus"
        )
        if rule == "majority":
            return majority
        if rule == "weighted":
            return WeightedVote(answers(connection).values(), len(self._classes.labels))
        return lambda given: self._checked_by_rule(rule(given)) if given else None

    def _checked_by_rule(self, label: Any) -> Any:
        return None if label is None else self._classes.checked(label)

    def _can_begin(self, connection: Any) -> bool:
        """Whether what there is to teach has labels of two classes: a first training needs them."""
        changes, _ = decisions(
            connection, self.overlap, self._decide(connection), partial=False, everything=False
        )
        return len({label for _, label in changes if label is not None}) > 1

    def _n_taught(self, changes: Sequence[tuple[int, Any]]) -> int:
        return len(self._trainer._after(changes))

    def _n_open(self) -> int:
        with self._store.read() as connection:
            count = "SELECT count(*) FROM skactive_items WHERE free > 0"
            return int(connection.execute(sql(count)).scalar())

    def _n_rounds(self, connection: Any) -> int:
        count = "SELECT count(*) FROM skactive_events WHERE kind = 'query'"
        return int(connection.execute(sql(count)).scalar())

    def _n_items(self, connection: Any) -> int:
        count = "SELECT coalesce(max(place), 0) FROM skactive_items"
        return int(connection.execute(sql(count)).scalar())

    def _last(self, connection: Any) -> int:
        last = "SELECT coalesce(max(seq), 0) FROM skactive_events"
        return int(connection.execute(sql(last)).scalar())


def _check_same(kept: dict[str, Any], made_of: dict[str, Any], store: str) -> None:
    for name, value in made_of.items():
        if kept[name] == value:
            continue
        words = "" if name == "pool" else f": {kept[name]!r} then, {value!r} now"
        raise PoolChangedError(
            f"{store} was made with another {name}{words}. Pass the same one, or name another "
            "store; to_csv and read_csv carry labels from one to the other. Nothing was changed."
        )
