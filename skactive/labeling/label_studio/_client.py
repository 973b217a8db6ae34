"""Label Studio's HTTP interface, as much of it as a session needs.

Its own package is not used: the two cannot be installed together with every release of torchattacks
(they need different versions of requests), and what is needed of it is a handful of addresses.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

_TIMEOUT = 60.0  # seconds
_PAUSES = (0.5, 2.0, 5.0)  # seconds before a request is sent again
_PAGE = 200  # tasks in one answer


class LabelStudioError(RuntimeError):
    """Label Studio cannot be reached, or refuses.

    Parameters
    ----------
    message : str
    status : int or None
        The HTTP status.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, LabelStudio, LabelStudioError
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> studio = LabelStudio(session, "http://127.0.0.1:9", "token")  # nobody listens there
    >>> try:
    ...     studio.push()
    ... except LabelStudioError as error:
    ...     print(str(error).partition(":9 ")[2].partition(": ")[0], error.status)
    gave no answer to POST /api/projects None
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is sent to no other host than the one that it was given for."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer is an error then."""


class Client:
    """Requests with a token.

    Parameters
    ----------
    url : str
        Of Label Studio, ``"http://localhost:8080"``.
    token : str
        A personal access token, which is exchanged for short-lived ones, or a legacy token.
    pauses : sequence of float
        Seconds before each further attempt.
    """

    def __init__(self, url: str, token: str, pauses: tuple[float, ...] = _PAUSES) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"url must be like 'http://localhost:8080', got {url!r}.")
        if not isinstance(token, str) or not token.strip() or not token.isprintable():
            raise ValueError(
                "token must be an access token of Label Studio: Account & Settings, Access Token."
            )
        self.url = url.rstrip("/")
        self.token = token.strip()
        self.pauses = pauses
        self._access: str | None = None
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str, **params: Any) -> Any:
        """Read something."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return self._call("GET", path + query, None)

    def post(self, path: str, body: Any) -> Any:
        """Make something; not sent again where it is not known whether it arrived."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._call("PATCH", path, body)

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """All tasks of a project with their annotations and predictions."""
        page, seen, total = 1, 0, 1
        while seen < total:
            try:
                answer = self.get(
                    "/api/tasks", project=project, page=page, page_size=_PAGE, fields="all"
                )
            except LabelStudioError as error:
                if error.status == 404 and page > 1:  # tasks were deleted meanwhile
                    return
                raise
            tasks = answer["tasks"]
            if not tasks:
                return
            yield from tasks
            page, seen, total = page + 1, seen + len(tasks), answer["total"]

    # -- inside ---------------------------------------------------------------------------

    def _call(self, method: str, path: str, body: Any, *, renewed: bool = False) -> Any:
        """Send, again where that may help."""
        again = {429, 503} if method == "POST" else {429, 502, 503, 504}
        for pause in (*self.pauses, None):
            try:
                return self._send(method, path, body, self._authorization())
            except urllib.error.HTTPError as error:
                with error:
                    refused = LabelStudioError(self._refused(method, path, error), error.code)
                if error.code == 401 and self._is_refreshing() and not renewed:
                    self._access = None
                    return self._call(method, path, body, renewed=True)
                if error.code not in again or pause is None:
                    raise refused from error
            except (urllib.error.URLError, OSError, ValueError) as error:
                if method == "POST" or pause is None:
                    raise LabelStudioError(
                        f"Label Studio at {self.url} gave no answer to {method} {path}: {error}. "
                        "Is it running there? Repeat the call then; nothing is entered twice."
                    ) from error
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: Any, authorization: str | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if authorization is not None:
            request.add_header("Authorization", authorization)
        with self._opener.open(request, timeout=_TIMEOUT) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def _authorization(self) -> str:
        if not self._is_refreshing():
            return f"Token {self.token}"
        with self._lock:
            if self._access is None:
                answer = self._send("POST", "/api/token/refresh", {"refresh": self.token}, None)
                self._access = answer["access"]
            return f"Bearer {self._access}"

    def _is_refreshing(self) -> bool:
        """Whether the token is a personal access token: a signed one that says so."""
        parts = self.token.split(".")
        if len(parts) != 3:
            return False
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except ValueError:
            return False
        return isinstance(claims, dict) and claims.get("token_type", "refresh") == "refresh"

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError) -> str:
        words = f"Label Studio at {self.url} refuses {method} {path} ({error.code}): {_told(error)}"
        if error.code == 401:
            kind = "personal access token" if self._is_refreshing() else "legacy token"
            return (
                f"{words} The token was used as a {kind}; its organisation may have turned that "
                "kind off: see Organization, Access Token Settings."
            )
        if 300 <= error.code < 400:
            return f"{words} It lives at {error.headers.get('Location')}: pass that address."
        return words


def _told(error: urllib.error.HTTPError) -> str:
    """What the server says, in a line."""
    try:
        content = error.read(4000).decode(errors="replace")
    except OSError:
        return error.reason
    try:
        answer = json.loads(content)
    except ValueError:
        return content.partition("\n")[0][:300] or str(error.reason)
    if isinstance(answer, dict) and "detail" in answer:
        more = answer.get("validation_errors")
        return f"{answer['detail']} {json.dumps(more) if more else ''}".strip()
    return json.dumps(answer)[:600]
