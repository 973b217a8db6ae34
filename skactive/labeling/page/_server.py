"""Serving the page: the address, the port, and the thread in which the server runs."""

from __future__ import annotations

import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterable
from typing import Any

from ...utils.optional import optional_import
from .._errors import LabelingError
from ._app import PageApp
from ._options import PageOptions
from ._security import is_loopback, known_hosts

_ROLE = "page"
_PATIENCE = 30.0  # seconds for a server to start or to answer its last requests


class PageServer:
    """The page of a session, served in a thread of its own.

    Parameters
    ----------
    session : LabelingSession
    options : PageOptions
    host : str
    port : int
    token : str, bool or None
    allowed_hosts : iterable of str

    Attributes
    ----------
    address : str
        What to open in a browser, with the token if there is one.
    port : int
    app : PageApp

    See Also
    --------
    skactive.labeling.LabelingSession.serve : Makes one, starts it, and says where it is.

    Examples
    --------
    >>> from http.client import HTTPConnection
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, PageOptions, PageServer
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> server = PageServer(session, PageOptions(title="Pets"), port=0).start()
    >>> server.address == f"http://127.0.0.1:{server.port}/"
    True
    >>> connection = HTTPConnection("127.0.0.1", server.port)
    >>> connection.request("GET", "/")
    >>> connection.getresponse().status
    200
    >>> connection.close()
    >>> server.stop()
    """

    def __init__(
        self,
        session: Any,
        options: PageOptions,
        host: str = "127.0.0.1",
        port: int = 8765,
        token: str | bool | None = None,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        uvicorn = optional_import("uvicorn", what="The page", extra="label")
        token = _token_for(host, token)
        self._store = session.store
        self.app = PageApp(session, options, known_hosts(host, allowed_hosts), token)
        self._socket = _listening(host, port)
        self.port = self._socket.getsockname()[1]
        self.address = _address(host, self.port, token)
        config = uvicorn.Config(
            self.app, log_level="warning", access_log=False, server_header=False,
            proxy_headers=False, lifespan="off", ws="none", timeout_graceful_shutdown=5,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="skactive page", daemon=True
        )

    def start(self) -> PageServer:
        """Answer requests from now on.

        Raises
        ------
        StoreBusyError
            If another process serves this store.
        """
        try:
            self._store.alone(_ROLE)
        except BaseException:
            self._socket.close()
            raise
        self.app.service.worker.start()
        self._thread.start()
        waiting = threading.Event()
        for _ in range(int(_PATIENCE / 0.02)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            waiting.wait(0.02)
        self.stop()
        raise RuntimeError(f"The page's server on port {self.port} did not start.")

    def wait(self) -> None:
        """Serve until Ctrl-C, which is raised, or until it is stopped."""
        print("Ctrl-C stops the page; every label is in the store by then.", flush=True)
        while self._thread.is_alive():
            self._thread.join(0.5)
        self.stop()

    def stop(self) -> None:
        """Answer what has been asked and close the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        self.app.service.worker.stop()
        self._socket.close()
        self._store.give_back(_ROLE)

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<PageServer on {self.address}>"


def announce(server: PageServer, open_browser: bool) -> None:
    """Say where the page is, and what others who know the address can do.

    Parameters
    ----------
    server : PageServer
        Started.
    open_browser : bool
        Open it in this machine's browser, too.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, PageOptions, PageServer
    >>> from skactive.labeling.page import announce
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> with PageServer(session, PageOptions(), port=0).start() as server:
    ...     announce(server, open_browser=False)  # doctest: +ELLIPSIS
    Label at http://127.0.0.1:.../
    """
    print(f"Label at {server.address}", flush=True)
    if "token=" in server.address:
        print(
            "Whoever has this address can label under any name. It travels unencrypted: beyond a "
            "network that you trust, put it behind HTTPS or an SSH tunnel.",
            flush=True,
        )
    if open_browser:
        webbrowser.open(server.address)


def _token_for(host: str, token: str | bool | None) -> str | None:
    """The token that an address needs: none for this machine alone, else one hard to guess."""
    if isinstance(token, str):
        if len(token) < 16 or not token.isascii() or not token.replace("-", "_").isidentifier():
            raise LabelingError(
                "token must be at least 16 letters, digits, - and _, beginning with a letter. "
                "token=True makes one."
            )
        return token
    if token is False and not is_loopback(host):
        raise LabelingError(
            f"On {host} others can reach the page, so it needs a token. Leave token out to have "
            'one made, or serve on "127.0.0.1".'
        )
    if token or not is_loopback(host):
        return f"t{secrets.token_urlsafe(24)}"
    return None


def _listening(host: str, port: int) -> socket.socket:
    """A socket bound to where the page is to be."""
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise LabelingError(f"port must be a whole number from 0 to 65535, got {port!r}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise LabelingError(
            f"The page cannot be served on {host}, port {port}: {error.strerror}. Is another page "
            "there? port=0 takes any port that is free."
        ) from error
    return listening


def _address(host: str, port: int, token: str | None) -> str:
    everywhere = host in ("0.0.0.0", "::")
    name = socket.gethostname() if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/{f'?token={token}' if token else ''}"
