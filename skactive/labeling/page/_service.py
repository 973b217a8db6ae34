"""What people may ask of a session through a page or a widget: JSON in, JSON out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...utils.indexing import take_rows
from .._errors import ConflictError, LabelingError, NotClaimedError
from ._keys import class_keys
from ._once import Once
from ._options import PageOptions
from ._rendering import make_rendering
from ._tabs import Tabs
from ._worker import Worker

log = logging.getLogger("skactive.labeling")

_MOST_ITEMS = 50  # one request may claim
_LONGEST = {"annotator": 200, "note": 10_000}
_HISTORY = 20  # answered items that a page can go back to when it opens
_FRESH = 0.3  # seconds for which a progress is told again
_ANSWERS = {"label": "label", "skip": "skip", "relabel": "correction"}
_SHOWN_CLASSES = 3  # of the model's opinion
_EXACT = 2**53 - 1  # up to here JavaScript, whose numbers are floats, tells whole numbers apart


class Refused(Exception):
    """A request that is not done.

    Parameters
    ----------
    message : str
    item : dict or None
        The item as it is, where the sender takes it for something else.
    """

    def __init__(self, message: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.item = item


class Service:
    """A session as a page or a widget sees it; threads may share it.

    Parameters
    ----------
    session : LabelingSession
    options : PageOptions
    address : callable
        From a position in the pool to where its image or HTML is: ``{"src": …}``.
    """

    def __init__(
        self, session: Any, options: PageOptions, address: Callable[[int], dict[str, Any]]
    ) -> None:
        self.session = session
        self.options = options
        self.worker = Worker(session)
        self.n = session._pool.n
        shown = session._pool if options.show is None else session._pool.beside(options.show)
        self.rendering = make_rendering(shown, options.render, options.image_shape)
        self._by_position = session._pool.ids is None
        self.keys = class_keys(session.classes, options.keys)
        self._address = address
        self._tabs = Tabs()
        self._once = Once()
        self._lock = threading.Lock()
        self._counted: tuple[float, Any] = (float("-inf"), None)
        self._actions = {
            name: getattr(self, f"_{name}")
            for name in (
                "setup",
                "history",
                "claim",
                "label",
                "skip",
                "relabel",
                "undo",
                "note",
                "progress",
            )
        }

    def call(self, action: str, given: Any) -> dict[str, Any]:
        """Do what is asked.

        Parameters
        ----------
        action : str
            ``"setup"``, ``"history"``, ``"claim"``, ``"label"``, ``"skip"``, ``"relabel"``,
            ``"undo"``, ``"note"`` or ``"progress"``.
        given : dict
            What it needs, and ``"key"``, which the sender made up: one key is done once.

        Raises
        ------
        Refused
            If the session refuses it, or it lacks something.
        StoreError
            If the store is away; it may be tried again.
        """
        if action not in self._actions:
            raise Refused(f"There is no {action!r}. There are {', '.join(self._actions)}.")
        if not isinstance(given, dict):
            raise Refused("Send an object, such as {}.")
        key = given.get("key")
        named = None if key is None else (str(given.get("annotator")), str(key))
        try:
            return self._once.do(named, lambda: self._actions[action](given))
        except ConflictError as error:
            raise Refused(str(error), self._own_item(given)) from error
        except LabelingError as error:
            gone = "gone: " if isinstance(error, NotClaimedError) else ""
            raise Refused(f"{gone}{error}") from error

    # -- actions --------------------------------------------------------------------------

    def _setup(self, given: dict[str, Any]) -> dict[str, Any]:
        classes = [
            {"value": _as_sent(label), "name": str(label), "key": key}
            for label, key in zip(self.session.classes, self.keys, strict=True)
        ]
        return {
            "title": self.options.title,
            "classes": classes,
            "reasons": list(self.options.reasons),
            "annotator": self.options.annotator,
            "longest": _LONGEST,
        }

    def _history(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"items": self._shown(self.session.answered(self._annotator(given), _HISTORY)[::-1])}

    def _claim(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        wanted = given.get("n", 1)
        if not isinstance(wanted, int) or not 1 <= wanted <= _MOST_ITEMS:
            raise Refused(f"n must be a whole number from 1 to {_MOST_ITEMS}, got {wanted!r}.")
        tab = str(given.get("tab", ""))
        self._tabs.is_here(annotator, tab)
        elsewhere = self._tabs.elsewhere(annotator, tab)
        n_asks = self.worker.n_asks
        claimed = self.session.claim(annotator, wanted + len(elsewhere), wait=False)
        items = [item for item in claimed if item.id not in elsewhere][:wanted]
        self._tabs.show(annotator, tab, {item.id for item in items})
        if len(items) < wanted:
            self.worker.ran_short(n_asks, idle=not items)
        return {"items": self._shown(items), **self._progress_of(annotator)}

    def _label(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        self.session.label(
            self._id(given), self._class(given), annotator, seconds=given.get("seconds")
        )
        self.worker.answered()
        return self._progress_of(annotator)

    def _skip(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        reason = given.get("reason") or ""
        self.session.skip(self._id(given), annotator, reason, seconds=given.get("seconds"))
        self.worker.answered()
        return self._progress_of(annotator)

    def _relabel(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        self.session.relabel(self._id(given), self._class(given), annotator)
        self.worker.answered()
        return self._progress_of(annotator)

    def _undo(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        undone = self.session._desk.undo(annotator)
        if undone is None:
            raise Refused("There is nothing of yours to undo.")
        self.worker.answered()
        what, item = undone
        return {
            "what": _ANSWERS[what], "item": self._shown([item])[0], **self._progress_of(annotator)
        }  # fmt: skip

    def _note(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        self.session.note(self._id(given), given.get("text"), annotator)
        return self._progress_of(annotator)

    def _progress(self, given: dict[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(given)
        self._tabs.is_here(annotator, str(given.get("tab", "")))
        return self._progress_of(annotator)

    # -- what requests say ----------------------------------------------------------------

    def _annotator(self, given: dict[str, Any]) -> str:
        """Who asks: the one that the options name, or whoever says so."""
        name: Any = self.options.annotator
        name = given.get("annotator") if name is None else name
        name = name.strip() if isinstance(name, str) else name
        self.session._desk.check_annotator(name)
        return name

    @staticmethod
    def _id(given: dict[str, Any]) -> Any:
        if not isinstance(given.get("id"), str | int):
            raise Refused("id is missing: the id of an item, as it was claimed.")
        return given["id"]

    def _class(self, given: dict[str, Any]) -> Any:
        """The class that is meant: JSON does not tell 1.0 from 1."""
        label = given.get("label")
        for known in self.session.classes:
            same = label in (known, _as_sent(known))
            if same and isinstance(known, bool) == isinstance(label, bool):
                return known
        return label

    # -- what answers say -----------------------------------------------------------------

    def _own_item(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """The item of a request as the annotator has it."""
        try:
            return self._shown([self.session.item(self._id(given), self._annotator(given))])[0]
        except (LabelingError, Refused):
            return None

    def _shown(self, items: Sequence[Any]) -> list[dict[str, Any]]:
        opinions = self._opinions(items)
        return [
            {
                "id": str(item.id),  # JavaScript would round 64 bits to another item's id
                "name": f"Item {item.position + 1}" if self._by_position else str(item.id),
                "content": self._content(item.position),
                "answer": _answer(item),
                "sure": opinion,
            }
            for item, opinion in zip(items, opinions, strict=True)
        ]

    def _content(self, position: int) -> dict[str, Any]:
        kind = self.rendering.kind
        try:
            shown = self.rendering.content(position)
            if kind in ("image", "html"):
                shown = {**shown, **self._address(position)}
        except Exception as error:  # whatever a row or the user's function does: others go on
            log.exception("row %d of the pool cannot be shown", position)
            return {"kind": "problem", "text": f"This item cannot be shown: {error}"}
        return {"kind": kind, **shown}

    def _opinions(self, items: Sequence[Any]) -> list[list[Any] | None]:
        """What the model thinks of items, its first classes with their probabilities."""
        nothing: list[list[Any] | None] = [None] * len(items)
        if not self.options.show_confidence or not items:
            return nothing
        learner = self.session.learner
        if not (learner.__sklearn_is_fitted__() and hasattr(learner, "predict_proba")):
            return nothing
        positions = np.array([item.position for item in items], dtype=np.intp)
        proba = learner.predict_proba(take_rows(self.session._pool.X, positions))
        names = [str(label) for label in learner.classes_.tolist()]
        best = np.argsort(-proba, axis=1, kind="stable")[:, :_SHOWN_CLASSES]
        return [
            [[names[c], round(float(row[c]), 4)] for c in first]
            for row, first in zip(proba, best, strict=True)
        ]

    def _progress_of(self, annotator: str) -> dict[str, Any]:
        """Progress for everybody, counted at most thrice a second, and what this annotator did."""
        with self._lock:
            told, progress = self._counted
            if time.monotonic() - told > _FRESH:
                progress = self.session.progress()
                self._counted = (time.monotonic(), progress)
        done = progress["n_labelled"] + progress["n_skipped"]
        return {
            "progress": {
                "labeled": progress["n_labelled"],
                "skipped": progress["n_skipped"],
                "total": progress["n_pool"],
                "mine": progress["annotators"].get(annotator, 0),
                "training": self.worker.training,
                "model": self._model_words(progress),
                "finished": self.worker.exhausted and done >= progress["n_asked"],
            }
        }

    def _model_words(self, progress: dict[str, Any]) -> str:
        """How the model is, in a line."""
        if self.worker.problem is not None:
            return self.worker.problem
        words = []
        if progress["score"] is not None:
            words.append(f"model right on {progress['score']:.0%} of the last labels")
        if self.worker.training:
            words.append("training")
        return ", ".join(words)


def _answer(item: Any) -> dict[str, Any] | None:
    if item.state == "labelled":
        return {"label": _as_sent(item.label)}
    return {"reason": ""} if item.state == "skipped" else None


def _as_sent(label: Any) -> Any:
    """A class for a browser: a number that JavaScript would round goes as text."""
    return str(label) if isinstance(label, int) and abs(label) > _EXACT else label
