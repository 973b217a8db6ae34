"""A session's questions to Label Studio, its people's answers back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...utils.indexing import take_rows
from .._store import sql
from ..page import PageOptions
from ..page._keys import class_keys
from ..page._rendering import make_rendering
from ._client import Client
from ._enter import PullReport, enter_answers
from ._tasks import ID, answers_of, label_config, prediction, task_data

_AT_ONCE = 500  # tasks in one request
_OPEN = (
    "SELECT place, id, position FROM skactive_items WHERE free > 0 AND n_labels + n_skips < "
    ":overlap AND final IS NULL ORDER BY place"
)


@dataclass
class PushReport:
    """What came of sending questions.

    Attributes
    ----------
    project : int
        Of Label Studio.
    n_open : int
        Items that wait for annotators.
    n_new : int
        Of these, tasks that were made now.
    n_ranked : int
        Of the others, those with a new score.
    model_version : str

    Examples
    --------
    With a stand-in for Label Studio:

    >>> from unittest import mock
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, LabelStudio
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> studio = LabelStudio(session, "http://localhost:8080", "token", project=1)
    >>> studio.client = mock.Mock()
    >>> studio.client.tasks.return_value = []  # the project is empty
    >>> studio.push()
    PushReport(project=1, n_open=2, n_new=2, n_ranked=0, model_version='skactive 1.0')
    >>> path, tasks = studio.client.post.call_args.args
    >>> path, [task["predictions"][0]["score"] for task in tasks]
    ('/api/projects/1/import', [0.0, 0.5])
    """

    project: int
    n_open: int
    n_new: int
    n_ranked: int
    model_version: str


class LabelStudio:
    """A project of Label Studio that is asked what the session asks.

    Tasks carry the item's id (``skactive_id``), so that both ways may be repeated: nothing is
    made or entered twice. The score of a task's prediction is its rank among what is open,
    smallest first, and the project is set to "uncertainty sampling", which gives out the smallest
    score first: the order of a batch holds for strategies that have no score, too. The predictions
    have no labels unless they are asked for, since showing them biases people.

    Parameters
    ----------
    session : LabelingSession
    url : str
        Of Label Studio, ``"http://localhost:8080"``.
    token : str
        A personal access token (exchanged for short-lived ones) or a legacy token.
    project : int or None, default=None
        A project with the interface of `label_config`; ``None`` makes one at the first `push`,
        which the store remembers.
    image_url : callable or None, default=None
        From an item's id to the address where Label Studio's users see its image. ``None`` writes
        images into the tasks, which suits small ones.
    show_predictions : bool, default=False
        Send what the model thinks along as a first label.
    **options
        How items are shown: ``title``, ``render``, ``show``, ``image_shape`` and ``keys`` of
        `PageOptions`.

    Raises
    ------
    ValueError
        If the address or the token cannot be one.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, LabelStudio
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0))
    >>> studio = LabelStudio(session, "http://localhost:8080", "token", title="Pets")
    >>> studio.label_config.partition("<Choices")[0]
    '<View><Text name="item" value="$text"/>'
    >>> studio.model_version  # no query yet, no training
    'skactive 0.0'

    ``studio.push()`` sends what is to be labelled, ``studio.pull()`` enters the answers; see
    `PushReport` and `PullReport`.
    """

    def __init__(
        self,
        session: Any,
        url: str,
        token: str,
        *,
        project: int | None = None,
        image_url: Callable[[Any], str] | None = None,
        show_predictions: bool = False,
        **options: Any,
    ) -> None:
        self.session = session
        self.client = Client(url, token)
        self.project = project
        self.image_url = image_url
        self.show_predictions = show_predictions
        self.options = PageOptions.of(options)
        shown = (
            session._pool if self.options.show is None else session._pool.beside(self.options.show)
        )
        self.rendering = make_rendering(shown, self.options.render, self.options.image_shape)

    @property
    def label_config(self) -> str:
        """The labelling interface that tasks and answers go with."""
        keys = class_keys(self.session.classes, self.options.keys)
        return label_config(self.rendering.kind, self.session.classes, keys)

    @property
    def model_version(self) -> str:
        """What predictions are marked with: rounds asked and trainings so far."""
        progress = self.session.progress()
        return f"skactive {progress['n_rounds']}.{progress['n_trainings']}"

    def push(self, n: int | None = None) -> PushReport:
        """Send what is open, in the order of asking; first teach what is due, and ask for more.

        Parameters
        ----------
        n : int or None, default=None
            How many items are to be open at least; ``None`` is the session's ``batch``.

        Returns
        -------
        report : PushReport

        Raises
        ------
        LabelStudioError
            If Label Studio refuses or is away; repeat it then.
        """
        self.session.prepare(n)
        items = self.open_items()
        project = self._project()
        known = {
            task["data"][ID]: task for task in self.client.tasks(project) if ID in task["data"]
        }
        version = self.model_version
        made = self.predictions([position for _, position in items], version)
        fresh = [
            {"data": task_data(self.rendering, position, id, self._address), "predictions": [each]}
            for (id, position), each in zip(items, made, strict=True)
            if id not in known
        ]
        for start in range(0, len(fresh), _AT_ONCE):
            self.client.post(f"/api/projects/{project}/import", fresh[start : start + _AT_ONCE])
        ranked = [
            {"task": known[id]["id"], **each}
            for (id, _), each in zip(items, made, strict=True)
            if id in known and not _has(known[id], each)
        ]
        for each in ranked:
            self.client.post("/api/predictions/", each)
        self.client.patch(
            f"/api/projects/{project}",
            {"model_version": version, "sampling": "Uncertainty sampling"},
        )
        return PushReport(project, len(items), len(fresh), len(ranked), version)

    @property
    def _address(self) -> Callable[[str], str] | None:
        """Of the image of an item, by the id that the store has of it."""
        of = self.image_url
        return None if of is None else lambda id: of(self.session._pool.shown(id))

    def pull(self) -> PullReport:
        """Enter what was answered since: labels, changed labels, cancelled tasks as skips.

        Returns
        -------
        report : PullReport

        Raises
        ------
        LabelStudioError
            If Label Studio refuses or is away; nothing was entered then.
        """
        names = self._names()
        tasks = self.client.tasks(self._project())
        return self._enter([answer for task in tasks for answer in answers_of(task, names)])

    def pull_task(self, task: int) -> PullReport:
        """Enter what was answered to one task."""
        return self._enter(answers_of(self.client.get(f"/api/tasks/{task}"), self._names()))

    def open_items(self) -> list[tuple[str, int]]:
        """Ids and positions of items that wait for annotators, most wanted first."""
        with self.session.store.read() as connection:
            rows = connection.execute(sql(_OPEN), {"overlap": self.session.overlap}).all()
        return [(row.id, row.position) for row in rows]

    def predictions(self, positions: list[int], version: str) -> list[dict[str, Any]]:
        """Predictions whose score is the rank in [0, 1), with labels where they are asked for."""
        labels: Any = [None] * len(positions)
        learner = self.session.learner
        if self.show_predictions and positions and learner.__sklearn_is_fitted__():
            rows = take_rows(self.session._pool.X, np.array(positions, dtype=np.intp))
            labels = np.asarray(learner.predict(rows)).tolist()
        return [
            prediction(round(rank / len(positions), 6), version, label)
            for rank, label in enumerate(labels)
        ]

    # -- inside ---------------------------------------------------------------------------

    def _enter(self, answers: list[Any]) -> PullReport:
        return enter_answers(answers, self.session._desk, self.session.overlap)

    def _project(self) -> int:
        """The project, made if there is none; the store remembers which one it was."""
        if self.project is None:
            with self.session.store.read() as connection:
                kept = self.session.store.meta(connection).get("label_studio", {})
            self.project = kept.get(self.client.url)
        if self.project is None:
            self.project = self._make_project()
        return self.project

    def _make_project(self) -> int:
        made = self.client.post(
            "/api/projects",
            {
                "title": self.options.title,
                "label_config": self.label_config,
                "sampling": "Uncertainty sampling",
                "maximum_annotations": self.session.overlap,
                "show_collab_predictions": self.show_predictions,
            },
        )
        store = self.session.store
        with store.write() as connection:
            kept = store.meta(connection).get("label_studio", {})
            store.put_meta(connection, label_studio={**kept, self.client.url: made["id"]})
        return int(made["id"])

    def _names(self) -> dict[int, str]:
        """Annotators by Label Studio's numbers."""
        return {user["id"]: user["email"] for user in self.client.get("/api/users/")}


def _has(task: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a task has that prediction already."""
    return any(
        each.get("model_version") == wanted["model_version"]
        and each.get("score") == wanted["score"]
        for each in task.get("predictions", ())
    )
