"""Where people label: a page in a browser, or a widget in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._widget import make_widget
from .page import PageOptions, PageServer, announce


class Serving:
    """The part of a session that shows it to people."""

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8765,
        token: str | bool | None = None,
        allowed_hosts: Sequence[str] = (),
        open_browser: bool = False,
        block: bool = True,
        **options: Any,
    ) -> PageServer:
        """Serve a page to label in; the learner is taught behind it.

        Parameters
        ----------
        host : str, default="127.0.0.1"
            Where to listen; the default is reached from this machine alone, ``"0.0.0.0"`` from
            all that can reach this machine.
        port : int, default=8765
            0 takes one that is free.
        token : str, bool or None, default=None
            What the address must have; ``None`` makes one unless only this machine reaches the
            page, ``True`` makes one there, too (other users of the machine reach its ports). A str
            is at least 16 letters, digits, - and _. Whoever has it may label under any name.
        allowed_hosts : sequence of str, default=()
            Other names under which the page is asked, such as that of a proxy before it.
        open_browser : bool, default=False
            Open the page in a browser of this machine.
        block : bool, default=True
            Serve until Ctrl-C; ``False`` returns at once.
        **options
            How items are shown and answered: see `PageOptions`.

        Returns
        -------
        server : PageServer
            Its ``address``, and ``stop()``.

        Raises
        ------
        LabelingError
            If an option is wrong or the port is taken.
        StoreBusyError
            If another process serves this store.

        Examples
        --------
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from skactive import ActiveLearner
        >>> from skactive.labeling import LabelingSession
        >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
        ...     learner=ActiveLearner(GaussianNB(), random_state=0))
        >>> server = session.serve(port=0, block=False, title="Pets")  # doctest: +ELLIPSIS
        Label at http://127.0.0.1:.../
        >>> server.stop()
        """
        server = PageServer(self, PageOptions.of(options), host, port, token, allowed_hosts).start()
        try:
            announce(server, open_browser)
            if block:
                server.wait()
        except BaseException as error:
            server.stop()
            # Ctrl-C ends the page, from the moment on that its address is told.
            if not (block and isinstance(error, KeyboardInterrupt)):
                raise
        return server

    def widget(self, **options: Any) -> Any:
        """The page as a widget of a notebook (JupyterLab, VS Code, Colab, marimo).

        Parameters
        ----------
        **options
            How items are shown and answered: see `PageOptions`.

        Returns
        -------
        widget : anywidget.AnyWidget
            The learner is taught in a thread until its ``close()``.
        """
        return make_widget(self, PageOptions.of(options))
