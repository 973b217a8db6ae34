"""The page as an ASGI application."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from ...utils.optional import optional_import
from .._errors import StoreError
from ._options import PageOptions
from ._security import CONTENT_POLICY, PAGE_POLICY, Guard
from ._service import Refused, Service

log = logging.getLogger("skactive.labeling")

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class PageApp:
    """The page of a session, for any ASGI server; several threads and people may use it.

    Parameters
    ----------
    session : LabelingSession
    options : PageOptions
    hosts : iterable of str
        Names under which it may be asked.
    token : str or None, default=None
        What the address must have.

    Examples
    --------
    ``uvicorn.run(app)`` serves it, and so does a framework that it is mounted in. A request under
    another name than `hosts` is not let through:

    >>> import asyncio
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, PageOptions
    >>> from skactive.labeling.page import PageApp
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> app = PageApp(session, PageOptions(), hosts=["labels.example.org"])
    >>> async def status(host):
    ...     sent = []
    ...     async def send(message):
    ...         sent.append(message)
    ...     scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"",
    ...              "headers": [(b"host", host)]}
    ...     await app(scope, None, send)
    ...     return sent[0]["status"]
    >>> asyncio.run(status(b"labels.example.org")), asyncio.run(status(b"other.example.org"))
    (200, 421)
    """

    def __init__(
        self,
        session: Any,
        options: PageOptions,
        hosts: Iterable[str],
        token: str | None = None,
    ) -> None:
        self.service = Service(session, options, self._address)
        # Addresses of images are new with each server: a browser may keep what it has seen.
        self._version = secrets.token_hex(4)
        self._static = dict(_static_files())
        self._app = Guard(self._routes(), hosts, token)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    # -- inside ---------------------------------------------------------------------------

    def _address(self, position: int) -> dict[str, str]:
        return {"src": f"content/{self._version}/{position}"}

    def _routes(self) -> Any:
        applications = optional_import("starlette.applications", what="The page", extra="label")
        routing = optional_import("starlette.routing", what="The page", extra="label")
        route = routing.Route
        return applications.Starlette(
            routes=[
                route("/", self._page),
                route("/static/{name}", self._file),
                route("/content/{version}/{position:int}", self._content),
                route("/api/{action}", self._api, methods=["POST"]),
            ]
        )

    async def _page(self, request: Any) -> Any:
        content, _ = self._static["index.html"]
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
        return _response(content, "text/html; charset=utf-8", headers=headers)

    async def _file(self, request: Any) -> Any:
        found = self._static.get(request.path_params["name"])
        if found is None:
            return _response(b"not here", "text/plain", 404)
        return _response(*found, headers={"Cache-Control": "no-cache"})

    async def _content(self, request: Any) -> Any:
        headers = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"}
        position = request.path_params["position"]
        if request.path_params["version"] != self._version or not 0 <= position < self.service.n:
            return _response(b"not here", "text/plain", 404, headers)
        try:
            content, media_type = await _in_thread(self.service.rendering.data, position)
        except Exception:  # a file that is gone, a function of the user's: others go on
            log.exception("row %d of the pool cannot be shown", position)
            return _response(b"This item cannot be shown.", "text/plain", 500, headers)
        headers["Cache-Control"] = "private, max-age=3600"
        return _response(content, media_type, headers=headers)

    async def _api(self, request: Any) -> Any:
        try:
            given = json.loads(await request.body())
        except ValueError:
            return _json({"error": "The request is no JSON."}, 400)
        action = request.path_params["action"]
        try:
            return _json(await _in_thread(self.service.call, action, given))
        except Refused as refused:
            status = 400 if refused.item is None else 409
            return _json({"error": str(refused), "item": refused.item}, status)
        except StoreError as error:
            log.warning("%s: %s", action, error)
            return _json({"error": str(error)}, 503)
        except Exception:
            log.exception("%s failed", action)
            return _json({"error": "The server failed; its log says why. Nothing was saved."}, 500)


def _static_files() -> Iterable[tuple[str, tuple[bytes, str]]]:
    for file in files(__package__).joinpath("static").iterdir():
        suffix = file.name[file.name.rindex(".") :]
        yield file.name, (file.read_bytes(), _TYPES.get(suffix, "text/html"))


def _json(answer: Any, status: int = 200) -> Any:
    content = json.dumps(answer, ensure_ascii=False).encode(errors="replace")
    return _response(content, "application/json", status, {"Cache-Control": "no-store"})


def _response(
    content: bytes, media_type: str, status: int = 200, headers: dict[str, str] | None = None
) -> Any:
    responses = optional_import("starlette.responses", what="The page", extra="label")
    return responses.Response(content, status, headers, media_type)


async def _in_thread(function: Any, *args: Any) -> Any:
    """The session's calls wait for disks and locks: they do it in a thread."""
    concurrency = optional_import("starlette.concurrency", what="The page", extra="label")
    return await concurrency.run_in_threadpool(function, *args)
