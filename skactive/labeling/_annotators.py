"""An annotator who knows the truth, and tells it with some probability."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils.labels import encode_labels
from ..utils.random_state import derive_seed
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Number, check_constraints
from ._items import Item
from ._session import LabelingSession

_CONSTRAINTS: dict[str, list[Any]] = {
    "accuracy": [Number("a number in [0, 1]", 0, 1, closed="both")],
    "seconds": [Number("a number of seconds from 0 on", 0, closed="left")],
    "skip_rate": [Number("a number in [0, 1]", 0, 1, closed="both")],
    "confusion": ["array-like", None],
    "random_state": ["random_state", np.random.Generator],
}


class OracleAnnotator:
    """A simulated annotator, for tests and studies of label noise.

    What it says of an item depends on the item and the seed alone, not on when it is asked.

    Parameters
    ----------
    y : array-like of shape (n_pool,)
        The true label of each row of the pool.
    name : str, default="oracle"
    accuracy : float, default=1.0
        Probability of the true label; errors fall on all other classes alike. Not used with
        `confusion`.
    confusion : array-like of shape (n_classes, n_classes) or None, default=None
        Row i: with what probability each class is said where the i-th class is true, in the order
        of the session's classes.
    skip_rate : float, default=0.0
        Probability of skipping an item.
    seconds : float, default=0.0
        Mean time for an item; single times are exponential, as of an unhurried crowd.
    sleep : callable, default=time.sleep
        What to do with that time: ``lambda s: None`` only writes it down.
    random_state : None, int, RandomState or Generator, default=None

    Raises
    ------
    ValueError
        If a parameter is out of range, or the rows of `confusion` do not sum to 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession, OracleAnnotator
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> session = LabelingSession(":memory:", X, learner=learner, classes=[0, 1, 2], batch=10)
    >>> ada = OracleAnnotator(y, name="ada", accuracy=0.9, random_state=0)
    >>> ada.annotate(session, 40)
    40
    >>> session.progress()["n_taught"]
    20
    """

    def __init__(
        self,
        y: ArrayLike,
        *,
        name: str = "oracle",
        accuracy: float = 1.0,
        confusion: ArrayLike | None = None,
        skip_rate: float = 0.0,
        seconds: float = 0.0,
        sleep: Callable[[float], Any] = time.sleep,
        random_state: RandomState = None,
    ) -> None:
        given = {
            "accuracy": accuracy, "seconds": seconds, "skip_rate": skip_rate,
            "confusion": confusion, "random_state": random_state,
        }  # fmt: skip
        check_constraints(_CONSTRAINTS, given, type(self).__name__)
        self.y = np.asarray(y)
        self.name = name
        self.accuracy = accuracy
        self.confusion = confusion
        self.skip_rate = skip_rate
        self.seconds = seconds
        self.sleep = sleep
        self._seed = derive_seed(random_state)

    def annotate(self, session: LabelingSession, n: int | None = None) -> int:
        """Claim and answer items, one after another.

        Parameters
        ----------
        session : LabelingSession
        n : int or None, default=None
            How many; ``None``: until there are no more.

        Returns
        -------
        n_answered : int
        """
        check_constraints({"n": [COUNT, None]}, {"n": n}, "OracleAnnotator.annotate")
        answered = 0
        while n is None or answered < n:
            items = session.claim(self.name)
            if not items:
                break
            self.answer(session, items[0])
            answered += 1
        return answered

    def answer(self, session: LabelingSession, item: Item) -> None:
        """Label or skip one item that this annotator claimed.

        Parameters
        ----------
        session : LabelingSession
        item : Item
            What `LabelingSession.claim` returned.
        """
        rng = np.random.default_rng([self._seed, item.position])
        skips = rng.random() < self.skip_rate
        label = self._says(rng, item.position, session.classes)
        took = float(rng.exponential(self.seconds)) if self.seconds else None
        if took is not None:
            self.sleep(took)
        if skips:
            session.skip(item.id, self.name, "not sure", seconds=took)
        else:
            session.label(item.id, label, self.name, seconds=took)

    def _says(self, rng: np.random.Generator, position: int, classes: list[Any]) -> Any:
        true = int(encode_labels(self.y[[position]], classes)[0])
        return classes[int(rng.choice(len(classes), p=self._row(true, len(classes))))]

    def _row(self, true: int, n_classes: int) -> NDArray[np.float64]:
        """Probability of each class where one is true."""
        if self.confusion is None:
            row = np.full(n_classes, (1 - self.accuracy) / (n_classes - 1))
            row[true] = self.accuracy
            return row
        confusion = np.asarray(self.confusion, dtype=float)
        fits = confusion.shape == (n_classes, n_classes)
        if not fits or (confusion < 0).any() or not np.allclose(confusion.sum(axis=1), 1):
            raise ValueError(
                f"confusion must have a row of probabilities for each of the {n_classes} classes, "
                f"each with sum 1; got shape {confusion.shape}."
            )
        return confusion[true] / confusion[true].sum()
