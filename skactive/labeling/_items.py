"""One item to be labelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Item:
    """A row of the pool that the session asks for.

    Attributes
    ----------
    id : str or int
        The user's id, or position and content digest.
    position : int
        Its row in the pool.
    round : int or None
        Query that asked for it, from 0; ``None`` for labels that came in a file.
    rank : int or None
        Place in that query, 0 is wanted most.
    score : float or None
        The strategy's score; ``None`` for strategies without scores.
    state : {"open", "claimed", "labelled", "skipped"}
        What this annotator has done with it; ``"open"`` is nothing yet.
    label : object or None
        This annotator's label.
    until : float or None
        When the lease runs out, in seconds since 1970.
    content : object
        The row: an array, a Series, a text, an item of a Dataset.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> learner = ActiveLearner(GaussianNB(), "least_confidence", random_state=0)
    >>> learner = learner.fit([[-2.0], [-1.0], [1.0], [2.0]], ["c", "c", "d", "d"])
    >>> session = LabelingSession(":memory:", [[-3.0], [0.0], [3.0]], learner=learner,
    ...     classes=["c", "d"], ids=["left", "middle", "right"])
    >>> item = session.claim("ada")[0]
    >>> item.id, item.position, item.round, item.rank, item.score, item.state
    ('middle', 1, 0, 0, 0.5, 'claimed')
    >>> item.content
    [0.0]
    >>> session.label(item.id, "d", "ada")
    >>> session.item("middle", "ada").label
    'd'
    """

    id: Any
    position: int
    round: int | None
    rank: int | None
    score: float | None
    state: str
    label: Any = None
    until: float | None = None
    content: Any = field(default=None, repr=False, compare=False)
