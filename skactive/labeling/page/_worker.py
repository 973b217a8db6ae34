"""Teaching and asking behind the page, while people go on labelling."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

log = logging.getLogger("skactive.labeling")

_PATIENCE = 3.0  # seconds that people wait for a training rather than be asked by the old model


class Worker:
    """Two threads for a session: one teaches what is due, one asks when people run out of items.

    What the model will ask after a training is better than what it asks before, so where one is
    near, people wait for it a little; where none is, the next round is asked before they wait.

    Parameters
    ----------
    session : LabelingSession
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.problem: str | None = None  # why the last training or query failed
        self.exhausted = False  # the pool has nothing left to ask
        self.n_asks = 0
        self._since: float | None = None  # when the training began that is under way
        self._stopped = threading.Event()
        self._answered = threading.Event()
        self._short = threading.Event()
        self._nobody_busy = False
        self._threads = [
            threading.Thread(target=run, name=f"skactive {name}", daemon=True)
            for name, run in (("teaching", self._teach), ("asking", self._ask))
        ]

    @property
    def training(self) -> bool:
        """Whether the learner is being taught."""
        return self._since is not None

    def start(self) -> None:
        """Begin, unless it has begun."""
        self._answered.set()  # labels of an earlier process may be due
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    def stop(self) -> None:
        """End after what is under way, of which nothing is lost: events are written when done."""
        self._stopped.set()
        self._answered.set()
        self._short.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def answered(self) -> None:
        """Somebody answered: it may be time to teach."""
        self._answered.set()

    def ran_short(self, n_asks: int, *, idle: bool) -> None:
        """Somebody was given fewer items than wanted.

        Parameters
        ----------
        n_asks : int
            How often had been asked when they were looked for.
        idle : bool
            Whether they have nothing to do now.
        """
        if n_asks == self.n_asks and not self.exhausted:
            self._nobody_busy = self._nobody_busy or idle
            self._short.set()

    # -- inside ---------------------------------------------------------------------------

    def _teach(self) -> None:
        while self._wait(self._answered):
            try:
                if self.session.due:
                    self._since = time.monotonic()
                    self.session.teach()
                self.problem = None
            except Exception as error:  # people go on; the next answer tries again
                self._failed("trained", error)
            finally:
                self._since = None

    def _ask(self) -> None:
        while self._wait(self._short):
            try:
                if self._is_better_later():
                    continue
                self._nobody_busy = False
                self.exhausted = self.session.ask() == 0
            except Exception as error:
                self._failed("asked", error)
            self.n_asks += 1

    def _wait(self, event: threading.Event) -> bool:
        event.wait()
        event.clear()
        return not self._stopped.is_set()

    def _is_better_later(self) -> bool:
        """Whether a training is near enough to wait for; people look again in a moment."""
        since = self._since
        if since is not None:
            return time.monotonic() - since < _PATIENCE
        if self._nobody_busy or self.session.retrain_every is None:
            return False
        progress = self.session.progress()
        return progress["n_waiting"] + progress["n_claimed"] >= self.session.retrain_every

    def _failed(self, what: str, error: Exception) -> None:
        log.exception("the model cannot be %s", what)
        self.problem = f"The model cannot be {what}: {error}"
