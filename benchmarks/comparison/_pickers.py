"""Strategies of three libraries behind one call."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from skactive import Committee
from skactive.strategies import all_strategies

_MEMBERS = 5
_SURE = 0.95  # self-training believes predictions from this probability on
_NOTHING = np.empty(0, dtype=np.intp)


class Pick(NamedTuple):
    """What to buy, and what to believe without buying (CEAL)."""

    idx: NDArray
    pseudo: NDArray = _NOTHING
    labels: NDArray = _NOTHING


@dataclass(frozen=True)
class Round:
    """All that a strategy may know."""

    model: BaseEstimator
    X: NDArray
    labeled: NDArray
    y: NDArray  # of the labelled
    n: int
    n_classes: int
    stage: int
    seed: int

    @property
    def unlabeled(self) -> NDArray:
        """Positions that can be bought."""
        return np.setdiff1d(np.arange(len(self.X)), self.labeled)

    def committee(self) -> Committee:
        """Five bootstrap copies of the learner: the same for every library."""
        committee = Committee(
            clone(self.model),
            n_members=_MEMBERS,
            bootstrap=True,
            classes=np.arange(self.n_classes),
            random_state=self.seed,
        )
        return committee.fit(self.X[self.labeled], self.y)


Picker = Callable[[Round], Pick]

# Of a committee where the learner has no dropout.
_VOTES = ("vote_entropy", "consensus_entropy", "max_disagreement")
_BAYESIAN = ("bald", "batchbald", "powerbald", "epig")
_OF_NETS = ("dropout_entropy", "dfal", "egl")
_OF_ALL = (
    "random", "entropy", "gini", "least_confidence", "margin", "mcp", "coreset", "robust_coreset",
    "ceal", "dre", "badge", "typiclust", "probcover", "uherding", "clustermargin",
)  # fmt: skip


def _ours(name: str, round: Round, votes: bool) -> Pick:
    strategy = all_strategies()[name]()
    selection = strategy.select(
        round.committee() if votes else round.model,
        round.X,
        round.n,
        X_labeled=round.X[round.labeled],
        y_labeled=round.y,
        candidates=round.unlabeled,
        stage=round.stage,
        random_state=round.seed,
    )
    if selection.pseudo_indices is None:
        return Pick(selection.indices)
    return Pick(selection.indices, selection.pseudo_indices, selection.pseudo_labels)


def _self_training(round: Round) -> Pick:
    """The semi-supervised baseline: picked at random, taught its own sure predictions too."""
    idx = _ours("random", round, votes=False).idx
    rest = np.setdiff1d(round.unlabeled, idx)
    proba = round.model.predict_proba(round.X[rest])
    sure = proba.max(axis=1) >= _SURE
    return Pick(idx, rest[sure], round.model.classes_[proba[sure].argmax(axis=1)])


def _skactive(learner: str) -> dict[str, Picker]:
    net = learner == "net"
    found = {name: partial(_ours, name, votes=False) for name in _OF_ALL}
    found |= {name: partial(_ours, name, votes=not net) for name in _BAYESIAN}
    found |= {name: partial(_ours, name, votes=True) for name in _VOTES}
    if net:
        found |= {name: partial(_ours, name, votes=False) for name in _OF_NETS}
    return found | {"self_training": _self_training}


_ACTIVEML: dict[str, tuple[str, dict[str, Any]]] = {
    "least_confident": ("UncertaintySampling", {"method": "least_confident"}),
    "margin": ("UncertaintySampling", {"method": "margin_sampling"}),
    "entropy": ("UncertaintySampling", {"method": "entropy"}),
    "qbc_kl": ("QueryByCommittee", {"method": "KL_divergence"}),
    "qbc_vote": ("QueryByCommittee", {"method": "vote_entropy"}),
    "greedy_bald": ("GreedyBALD", {}),
    "batch_bald": ("BatchBALD", {}),
    "badge": ("Badge", {}),
    "coreset": ("CoreSet", {}),
    "typiclust": ("TypiClust", {}),
    "probcover": ("ProbCover", {}),
    "maxherding": ("MaxHerding", {}),
    "greedy_x": ("GreedySamplingX", {}),
    "clue": ("Clue", {}),
    "dropquery": ("DropQuery", {}),
    "contrastive": ("ContrastiveAL", {}),
    "falcun": ("Falcun", {}),
    "discriminative": ("DiscriminativeAL", {}),
}


def _activeml(kind: str, params: dict[str, Any], round: Round) -> Pick:
    from skactiveml import pool

    from ._activeml import discriminator, fitted

    y = np.full(len(round.X), np.nan)
    y[round.labeled] = round.y
    strategy = getattr(pool, kind)(random_state=round.seed, **params)
    if kind in ("QueryByCommittee", "GreedyBALD", "BatchBALD"):
        members = round.committee().members_
        more = {"ensemble": [fitted(member, round) for member in members], "fit_ensemble": False}
    elif kind == "Clue":
        more = {"estimator": fitted(round.model, round), "fit_estimator": False}
    elif kind == "DiscriminativeAL":
        more = {"discriminator": discriminator(round)}
    elif kind in ("CoreSet", "TypiClust", "ProbCover", "MaxHerding", "GreedySamplingX"):
        more = {}
    else:
        more = {"clf": fitted(round.model, round), "fit_clf": False}
    return Pick(np.asarray(strategy.query(round.X, y, batch_size=round.n, **more)))


_MODAL = {
    "uncertainty": ("uncertainty", "uncertainty_sampling"),
    "margin": ("uncertainty", "margin_sampling"),
    "entropy": ("uncertainty", "entropy_sampling"),
    "ranked_batch": ("batch", "uncertainty_batch_sampling"),
    "vote_entropy": ("disagreement", "vote_entropy_sampling"),
    "consensus_entropy": ("disagreement", "consensus_entropy_sampling"),
    "max_disagreement": ("disagreement", "max_disagreement_sampling"),
}


def _modal(module: str, function: str, round: Round) -> Pick:
    from modAL import models

    query = getattr(importlib.import_module(f"modAL.{module}"), function)
    unlabeled = round.unlabeled
    if module == "disagreement":
        members = [models.ActiveLearner(member) for member in round.committee().members_]
        asked = models.Committee(members)
    else:
        asked = models.ActiveLearner(round.model)
        asked.X_training = round.X[round.labeled]
    picked = query(asked, round.X[unlabeled], n_instances=round.n)
    picked = picked[0] if isinstance(picked, tuple) else picked
    return Pick(unlabeled[np.asarray(picked)])


def pickers(learner: str) -> dict[str, Picker]:
    """All strategies that can serve a learner, by name; of other libraries, where installed."""
    found = _skactive(learner)
    if importlib.util.find_spec("skactiveml"):
        for name, (kind, params) in _ACTIVEML.items():
            found[f"scikit-activeml:{name}"] = partial(_activeml, kind, params)
    if importlib.util.find_spec("modAL"):
        for name, (module, function) in _MODAL.items():
            found[f"modAL:{name}"] = partial(_modal, module, function)
    return found
