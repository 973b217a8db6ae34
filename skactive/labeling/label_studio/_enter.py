"""Answers of another system into the session's events, each once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .._desk import Desk
from .._entering import item_at, position_to_label
from .._errors import LabelingError
from .._events import append, events
from .._store import sql
from ._tasks import Answer


@dataclass
class PullReport:
    """What came of reading answers.

    Attributes
    ----------
    n_labels, n_skips, n_changed, n_known : int
        New labels and skips, answers that were changed there, answers that came before: what was
        corrected in the session since then stays.
    refused : list of (Answer, str)
        Answers that the session cannot take, and why: all others were entered.

    Examples
    --------
    With a stand-in for Label Studio, in which ada labelled one task and skipped another:

    >>> from unittest import mock
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, LabelStudio
    >>> session = LabelingSession(":memory:", ["a cat", "a dog"], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), ids=["a", "b"])
    >>> studio = LabelStudio(session, "http://localhost:8080", "token", project=1)
    >>> said = {"from_name": "label", "value": {"choices": ["cat"]}}
    >>> labelled, skipped = {"result": [said]}, {"was_cancelled": True}
    >>> studio.client = mock.Mock()
    >>> studio.client.get.return_value = [{"id": 7, "email": "ada@example.org"}]
    >>> studio.client.tasks.return_value = [
    ...     {"data": {"skactive_id": id}, "annotations": [{"completed_by": 7, **answer}]}
    ...     for id, answer in {"a": labelled, "b": skipped}.items()]
    >>> studio.pull()
    PullReport(n_labels=1, n_skips=1, n_changed=0, n_known=0, refused=[])
    >>> studio.pull()  # again
    PullReport(n_labels=0, n_skips=0, n_changed=0, n_known=2, refused=[])
    >>> session.consensus()
    {'a': 'cat'}
    """

    n_labels: int = 0
    n_skips: int = 0
    n_changed: int = 0
    n_known: int = 0
    refused: list[tuple[Answer, str]] = field(default_factory=list)


def enter_answers(answers: Iterable[Answer], desk: Desk, overlap: int) -> PullReport:
    """Enter answers in one transaction; those that are known change nothing.

    Parameters
    ----------
    answers : iterable of Answer
    desk : Desk
    overlap : int
        Of the session.
    """
    report, first = PullReport(), desk.first()
    checked = [(answer, *_checked(answer, desk, report, first)) for answer in answers]
    with desk.store.write() as connection:
        now = desk.clock()
        for answer, label, position in checked:
            if position is None:
                continue
            place = item_at(connection, desk, position, overlap)
            named = {"annotator": answer.annotator, "place": place}
            state = connection.execute(
                sql(
                    "SELECT state, label FROM skactive_work "
                    "WHERE place = :place AND annotator = :annotator"
                ),
                named,
            ).first()
            told = {**named, "source": answer.source, "seconds": answer.seconds}
            if state is None or state.state == "claimed":
                if label is None:
                    append(connection, "skip", now, reason="skipped in Label Studio", **told)
                    report.n_skips += 1
                else:
                    append(connection, "import", now, label=label, **told)
                    report.n_labels += 1
                continue
            before = None if state.label is None else json.loads(state.label)
            if before == label or _came_before(connection, answer, label, place):
                report.n_known += 1
            elif label is None:
                report.refused.append((answer, f"skipped after it was labelled {before!r}"))
            else:
                append(connection, "relabel", now, label=label, before=before, final=False, **told)
                report.n_changed += 1
    return report


def _came_before(connection: Any, answer: Answer, label: Any, place: int) -> bool:
    """Whether the source said the same the last time: what was corrected here since then stays."""
    told = [
        each.data.get("label")
        for each in events(connection, place=place, annotator=answer.annotator)
        if each.data.get("source") == answer.source
    ]
    return bool(told) and told[-1] == label


def _checked(
    answer: Answer, desk: Desk, report: PullReport, first: frozenset[int]
) -> tuple[Any, int | None]:
    """Label and position of an answer; no position for one that is refused."""
    try:
        desk.check_annotator(answer.annotator)
        label = None if answer.label is None else desk.classes.parsed(answer.label)
        return label, position_to_label(answer.id, desk, first)
    except LabelingError as error:
        report.refused.append((answer, str(error)))
        return None, None
