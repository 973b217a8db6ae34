"""Tell Ctrl-C from a `KeyboardInterrupt` that a callback raises to end a training."""

from __future__ import annotations

import signal
import threading
from typing import Any

from skorch import NeuralNet


class CtrlC:
    """Inside the block, note whether an interrupt signal came.

    skorch lets callbacks end a training by raising ``KeyboardInterrupt``, and the same comes
    from the user's Ctrl-C, which may well arrive while a callback runs. Only the latter goes
    through the signal's handler: it is wrapped for the block. Python calls it in the main
    thread; in others no ``KeyboardInterrupt`` is the user's.
    """

    def __init__(self) -> None:
        self.came = False
        self._handler: Any = None

    def __enter__(self) -> CtrlC:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._handler = handler
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handler is not None and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, self._handler)

    def _note(self, number: int, frame: Any) -> Any:
        self.came = True
        signal.signal(signal.SIGINT, self._handler)  # it may come before or after the block's body
        return self._handler(number, frame)

    def is_callbacks(self, error: KeyboardInterrupt) -> bool:
        """Whether a callback raised it by itself, wherever its code comes from."""
        trace = error.__traceback__
        while trace is not None and not self.came:
            if trace.tb_frame.f_code is NeuralNet.notify.__code__:
                return True
            trace = trace.tb_next
        return False
