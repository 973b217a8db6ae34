"""A small ML backend: a project of Label Studio asks the session by itself."""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Iterable
from typing import Any

from ...utils.optional import optional_import
from .._errors import LabelingError, StoreError
from ..page._security import Guard, is_loopback, known_hosts
from ..page._worker import Worker
from ._client import LabelStudioError
from ._sync import LabelStudio
from ._tasks import ID

log = logging.getLogger("skactive.labeling")

_LARGEST = 64 * 2**20  # bytes: tasks may have images in them
_ANSWERED = {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED"}


class LabelStudioBackend:
    """The session as an ML backend, an application for any ASGI server.

    ``/health`` and ``/setup`` say that it is there, ``/predict`` gives tasks their ranks, and
    ``/webhook`` has the answers to a task read from Label Studio itself (what a webhook says is
    not believed), the learner taught, and once nothing is open the next questions pushed.

    Parameters
    ----------
    studio : LabelStudio
    password : str or None, default=None
        What Label Studio sends by basic authentication ("Basic authentication" of the backend,
        any user), except to ``/webhook``. ``None`` lets everybody in who reaches the backend, so
        listen on 127.0.0.1 only.
    host : str, default="127.0.0.1"
        Where it will listen.
    allowed_hosts : iterable of str, default=()
        Other names under which Label Studio asks, such as ``"host.docker.internal"``.

    Raises
    ------
    LabelingError
        If others can reach `host` and there is no password.

    Examples
    --------
    ``uvicorn.run(backend, port=9090)`` serves it. What Label Studio is told:

    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, LabelStudio, LabelStudioBackend
    >>> learner = ActiveLearner(GaussianNB(), "margin", random_state=0)
    >>> learner = learner.fit([[0.0], [1.0], [4.0], [5.0]], ["cat", "cat", "dog", "dog"])
    >>> session = LabelingSession(":memory:", [[0.5], [2.5]], learner=learner,
    ...     classes=["cat", "dog"], ids=["clear", "unclear"])
    >>> backend = LabelStudioBackend(LabelStudio(session, "http://localhost:8080", "token"))
    >>> backend.health(None)
    {'status': 'UP', 'model_class': 'skactive'}
    >>> session.ask()
    2
    >>> tasks = [{"data": {"skactive_id": id}} for id in ["clear", "unclear"]]
    >>> [found["score"] for found in backend.predict({"tasks": tasks})["results"]]  # smallest first
    [0.5, 0.0]
    """

    def __init__(
        self,
        studio: LabelStudio,
        *,
        password: str | None = None,
        host: str = "127.0.0.1",
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        if password is None and not is_loopback(host):
            raise LabelingError(
                f"On {host} others can reach the backend, so it needs a password; give the same "
                "one to Label Studio with the backend's address."
            )
        self.studio = studio
        self.password = password
        self.worker = Worker(studio.session)
        self._app = Guard(self._routes(), known_hosts(host, allowed_hosts), None, largest=_LARGEST)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    # -- what is asked --------------------------------------------------------------------

    def health(self, _: Any) -> dict[str, Any]:
        """That it is there."""
        return {"status": "UP", "model_class": "skactive"}

    def setup(self, _: Any) -> dict[str, Any]:
        """The version of the model; a project that is shown another interface notices here."""
        return {"model_version": self.studio.model_version}

    def predict(self, given: dict[str, Any]) -> dict[str, Any]:
        """A rank for each task: that of what is open first, then the others."""
        version = self.studio.model_version
        items = self.studio.open_items()
        made = self.studio.predictions([position for _, position in items], version)
        ranks = {id: each for (id, _), each in zip(items, made, strict=True)}
        last = {"model_version": version, "score": 1.0, "result": []}
        results = [ranks.get(str(task.get("data", {}).get(ID)), last) for task in given["tasks"]]
        return {"results": results, "model_version": version}

    def webhook(self, given: dict[str, Any]) -> dict[str, Any]:
        """Read the answers to a task, teach behind, ask on."""
        if given.get("action") not in _ANSWERED:
            return {"status": "ignored"}
        report = self.studio.pull_task(int(given["task"]["id"]))
        self.worker.start()
        self.worker.answered()
        pushed = not self.studio.open_items()
        if pushed:
            self.studio.push()
        return {"status": "ok", "labels": report.n_labels, "pushed": pushed}

    # -- inside ---------------------------------------------------------------------------

    def _routes(self) -> Any:
        what = "The backend"
        applications = optional_import("starlette.applications", what=what, extra="label")
        route = optional_import("starlette.routing", what=what, extra="label").Route
        concurrency = optional_import("starlette.concurrency", what=what, extra="label")
        json_response = optional_import(
            "starlette.responses", what=what, extra="label"
        ).JSONResponse

        def answering(action: Any) -> Any:
            async def endpoint(request: Any) -> Any:
                guarded = action != self.webhook  # Label Studio sends no password to a webhook
                if guarded and not self._may(request.headers.get("authorization", "")):
                    return json_response({"error": "wrong password"}, 401)
                try:
                    given = json.loads(await request.body() or b"{}")
                    return json_response(await concurrency.run_in_threadpool(action, given))
                except (LabelStudioError, StoreError) as error:
                    log.warning("%s: %s", action.__name__, error)
                    return json_response({"error": str(error)}, 503)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    log.warning("%s: %r", action.__name__, error)
                    return json_response({"error": f"not understood: {error!r}"}, 400)

            return endpoint

        posts = {name: getattr(self, name) for name in ("setup", "predict", "webhook")}
        return applications.Starlette(
            routes=[
                route("/health", answering(self.health)),
                route("/", answering(self.health)),
                *(route(f"/{name}", answering(a), methods=["POST"]) for name, a in posts.items()),
            ]
        )

    def _may(self, authorization: str) -> bool:
        if self.password is None:
            return True
        kind, _, value = authorization.partition(" ")
        try:
            given = base64.b64decode(value).decode().partition(":")[2]
        except ValueError:
            return False
        same = secrets.compare_digest(given.encode(), self.password.encode())
        return kind.lower() == "basic" and same
