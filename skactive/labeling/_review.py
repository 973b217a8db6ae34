"""Looking at the labels: what the annotators agree on, where not, and what the model doubts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from ..learners._training import seeded_clone
from ..utils.indexing import take_rows
from ..utils.labels import aligned_proba
from ..utils.validation import COUNT, StrOptions, check_constraints
from ._agreement import Agreement, measure
from ._consensus import WeightedVote, majority
from ._labels import Classes
from ._ledger import answers
from ._pool import SessionPool
from ._store import Store, sql
from ._trainer import Trainer

RULE = [StrOptions({"majority", "weighted"}), callable]


class Disagreement(NamedTuple):
    """An item that annotators labelled differently.

    Attributes
    ----------
    id : str or int
    labels : dict of annotator to label
    consensus : object or None
        By the session's rule.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> session = LabelingSession(":memory:", [[0], [1]], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), ids=["a", "b"], overlap=2)
    >>> for annotator, labels in {"ada": ["cat", "dog"], "bob": ["cat", "cat"]}.items():
    ...     items = session.claim(annotator, n=2)
    ...     for id, label in zip(["a", "b"], labels):
    ...         session.label(id, label, annotator)
    >>> session.disagreements()
    [Disagreement(id='b', labels={'ada': 'dog', 'bob': 'cat'}, consensus=None)]
    >>> session.relabel("b", "dog", "cyd", final=True)  # a referee decides
    >>> session.disagreements()
    []
    """

    id: Any
    labels: dict[str, Any]
    consensus: Any


class Suspicion(NamedTuple):
    """A label that the model finds improbable.

    Attributes
    ----------
    id : str or int
    label : object
        Of the consensus.
    probability : float
        What the model gives that label.
    predicted : object
        What it would have said.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> X = [[0], [1], [2], [3], [10], [11], [12], [13], [14], [15]]
    >>> session = LabelingSession(":memory:", X, classes=["cat", "dog"], ids=range(10),
    ...     learner=ActiveLearner(KNeighborsClassifier(3), random_state=0), retrain_every=None)
    >>> for item in session.claim("ada", n=10):
    ...     session.label(item.id, "cat" if item.id < 5 else "dog", "ada")  # 4 looks like a dog
    >>> session.suspicious(cv=5)
    [Suspicion(id=4, label='cat', probability=0.0, predicted='dog')]
    """

    id: Any
    label: Any
    probability: float
    predicted: Any


class Review:
    """The part of a session that looks at labels; nothing is changed."""

    _rule: Any
    _classes: Classes
    _store: Store
    _pool: SessionPool
    _trainer: Trainer

    def consensus(self, rule: str | Callable[[Mapping[str, Any]], Any] | None = None) -> dict:
        """The label of each item that has one.

        Parameters
        ----------
        rule : {"majority", "weighted"}, callable or None, default=None
            ``"majority"`` of the annotators; ``"weighted"`` by how often each agrees with the
            others (`WeightedVote`); or a function of the labels by annotator. None or a tie is
            no label. ``None`` takes the session's. A final label (`relabel`) goes before all.

        Returns
        -------
        labels : dict of id to label
        """
        with self._store.read() as connection:
            decide = self._decide(connection, rule)
            given = answers(connection)
            rows = connection.execute(
                sql("SELECT place, id, final FROM skactive_items ORDER BY place")
            ).all()
        found = {}
        for place, text, final in rows:
            label = json.loads(final) if final else decide(given.get(place, {}))
            if label is not None:
                found[self._pool.shown(text)] = label
        return found

    def agreement(self) -> Agreement:
        """How far annotators agree beyond chance.

        Returns
        -------
        agreement : Agreement
            ``cohen``, Cohen's kappa of each two annotators over the items that both labelled
            (`sklearn.metrics.cohen_kappa_score`), NaN where there are none; ``fleiss``, Fleiss'
            kappa (statsmodels) over the items that have the most frequent number of labels
            above one; ``observed``, the share of pairs of labels that agree; ``n_items``, items
            with two labels or more.

        Raises
        ------
        ImportError
            Without statsmodels.
        """
        with self._store.read() as connection:
            given = answers(connection)
        return measure(list(given.values()), self._classes.labels)

    def disagreements(self) -> list[Disagreement]:
        """Items whose annotators gave different labels, and that no referee decided.

        In the order of asking. A referee decides with ``session.relabel(id, y, name, final=True)``.
        """
        with self._store.read() as connection:
            decide = self._decide(connection)
            given = answers(connection)
            rows = connection.execute(
                sql(
                    "SELECT place, id FROM skactive_items WHERE n_labels > 1 AND final IS NULL "
                    "ORDER BY place"
                )
            ).all()
        return [
            Disagreement(self._pool.shown(text), given[place], decide(given[place]))
            for place, text in rows
            if len(set(given[place].values())) > 1
        ]

    def suspicious(self, n: int = 20, *, cv: int | None = 5) -> list[Suspicion]:
        """Labels that the model finds improbable, for a second look; the least probable first.

        Parameters
        ----------
        n : int, default=20
            How many at most; those that the model would have given itself are none.
        cv : int or None, default=5
            Each label is judged by a model trained on other labels: so many folds, each a
            training (fewer where a class has fewer labels). ``None`` asks the learner as it is,
            which costs no training, but was taught the labels it judges.

        Returns
        -------
        labels : list of Suspicion

        Raises
        ------
        NotFittedError
            With ``cv=None``, if nothing was taught yet.

        References
        ----------
        Northcutt et al., "Confident Learning", JAIR 70, 2021: labels of low self-confidence, out
        of sample.
        """
        check_constraints(
            {"n": [COUNT], "cv": [COUNT, None]}, {"n": n, "cv": cv}, "LabelingSession.suspicious"
        )
        labels = self.consensus()
        ids = list(labels)
        if not ids:
            return []
        y = np.array(list(labels.values()))
        X = take_rows(self._pool.X, self._positions_of(ids))
        proba, columns = self._judged(X, y, cv)
        own = proba[np.arange(len(y)), np.searchsorted(columns, y)]
        predicted = columns[np.argmax(proba, axis=1)]
        order = [int(i) for i in np.argsort(own, kind="stable") if predicted[i] != y[i]]
        return [
            Suspicion(ids[i], labels[ids[i]], float(own[i]), predicted[i].item()) for i in order[:n]
        ]

    # -- inside ---------------------------------------------------------------------------

    def _judged(self, X: Any, y: NDArray, cv: int | None) -> tuple[NDArray, NDArray]:
        """Probabilities of the labels, and the sorted classes that are their columns."""
        columns = np.unique(self._classes.array)
        present, counts = np.unique(y, return_counts=True)
        folds = 0 if cv is None else min(cv, int(counts.min()))
        if folds < 2 or len(present) < 2:
            proba = self._trainer.learner.predict_proba(X)
            return aligned_proba(proba, self._trainer.learner.classes_, columns), columns
        return self._judged_by_others(X, y, folds, columns), columns

    def _judged_by_others(self, X: Any, y: NDArray, n_folds: int, columns: NDArray) -> NDArray:
        """Of models that learned the other folds, with the labels as they are.

        scikit-learn's `cross_val_predict` numbers the labels first: a ``class_weight`` would then
        be that of another class, and declared classes of a net would be unknown.
        """
        seed, proba = self._trainer.seed, np.empty((len(y), len(columns)))
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        for others, fold in splitter.split(np.empty((len(y), 0)), y):
            model = seeded_clone(self._trainer.learner.estimator, seed)
            model.fit(take_rows(X, others), y[others])
            found = model.predict_proba(take_rows(X, fold))
            proba[fold] = aligned_proba(found, model.classes_, columns)
        return proba

    def _positions_of(self, ids: list) -> NDArray[np.intp]:
        with self._store.read() as connection:
            rows = connection.execute(sql("SELECT id, position FROM skactive_items")).all()
        where = {self._pool.shown(text): position for text, position in rows}
        return np.array([where[each] for each in ids], dtype=np.intp)

    def _decide(self, connection: Any, rule: Any = None) -> Callable[[Mapping[str, Any]], Any]:
        rule = self._rule if rule is None else rule
        check_constraints({"rule": RULE}, {"rule": rule}, "LabelingSession.consensus")
        if rule == "majority":
            return majority
        if rule == "weighted":
            return WeightedVote(answers(connection).values(), len(self._classes.labels))
        return lambda given: self._checked_by_rule(rule(given)) if given else None

    def _checked_by_rule(self, label: Any) -> Any:
        return None if label is None else self._classes.checked(label)
