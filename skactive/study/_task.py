"""One task: a strategy, a training mode and a seed, stage by stage."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from ..analysis import selection_bias
from ..datasets import ImageDataset
from ..learners import ActiveLearner
from ..learners._training import final_step
from ..metrics import robust_accuracy_score
from ..utils.random_state import derive_seed, numpy_generator
from ._components import FULL, load_data, make_net, make_strategy, mode_params
from ._protocol import Protocol
from ._state import put_state
from ._store import About

_START, _ATTACK, _TRANSFER = 0, 1, 2  # which stream of random numbers a seed is for


@dataclass(frozen=True)
class Task:
    """What is run once: one strategy, one training mode, one seed, on one protocol."""

    protocol: Protocol
    strategy: str
    mode: str
    seed: int

    def about(self, made_of: str = "") -> About:
        """As the task's file says it."""
        return About(self.strategy, self.mode, self.seed, made_of)

    @property
    def last_stage(self) -> int:
        """Number of the last stage; 0 is the initial model."""
        return 1 if self.strategy == FULL else self.protocol.stages


def train_initial(protocol: Protocol, seed: int, device: str) -> tuple[ActiveLearner, dict]:
    """The model that all strategies and modes of a seed start from, and its row."""
    data = load_data(protocol)
    start = first_rows(protocol, len(data.y_train), seed)
    learner = new_learner(protocol, seed, device).fit(data.X_train[start], data.y_train[start])
    row = stage_row(learner, 0, start)
    row |= evaluate(protocol, learner, data, protocol.eval_attacks, seed)
    return learner, row


def new_learner(protocol: Protocol, seed: int, device: str) -> ActiveLearner:
    """The learner of a seed, before it has learned anything."""
    data = load_data(protocol)
    return ActiveLearner(
        make_net(protocol, data, protocol.network, device, seed),
        "random",
        warm_start=protocol.warm_start,
        classes=np.arange(len(data.class_names)),
        random_state=seed,
    )


def rebuilt(
    protocol: Protocol, seed: int, device: str, content: bytes, labelled: NDArray,
    task: Task | None = None,
) -> ActiveLearner:  # fmt: skip
    """The learner whose learned state is in a file's `content`; of a task, or the initial one.

    It is made from the protocol and fitted for no epoch, so that all its parts are there; what
    had been learned then replaces what they hold.
    """
    data = load_data(protocol)
    learner = new_learner(protocol, seed, device)
    if task is not None:
        prepare(learner, task)
    learner.fit(data.X_train[labelled], data.y_train[labelled], epochs=0)
    return put_state(learner, content)


def first_rows(protocol: Protocol, n_pool: int, seed: int) -> NDArray:
    """Pool rows that are labelled to start with."""
    return numpy_generator(seed, _START).choice(n_pool, protocol.initial, replace=False)


def prepare(learner: ActiveLearner, task: Task) -> ActiveLearner:
    """Give the initial learner the task's strategy and training."""
    params = {f"estimator__{k}": v for k, v in mode_params(task.protocol, task.mode).items()}
    if task.strategy == FULL:
        params["warm_start"] = False
        params["estimator__max_epochs"] = task.protocol.full_epochs or task.protocol.epochs
        return learner.set_params(**params)
    strategy = make_strategy(task.strategy, task.protocol)
    return learner.set_params(query_strategy=strategy, **params)


def run_stage(task: Task, learner: ActiveLearner, stage: int, labelled: NDArray) -> dict:
    """Query, teach, attack: one stage; returns its row.

    Parameters
    ----------
    task : Task
    learner : ActiveLearner
        Taught in place.
    stage : int
        1 for the first query.
    labelled : ndarray of int
        Pool rows bought so far.

    Returns
    -------
    row : dict
    """
    data = load_data(task.protocol)
    unlabeled = np.setdiff1d(np.arange(len(data.y_train)), labelled)
    if task.strategy == FULL:
        picked, bias = unlabeled, {}
    else:
        picked, _ = learner.query(data.X_train, task.protocol.per_stage, candidates=unlabeled)
        bias = bias_of(learner, data, unlabeled, picked)
    learner.teach(data.X_train[picked], data.y_train[picked])
    row = stage_row(learner, stage, picked, bias)
    attacks = task.protocol.attacks_at(stage, task.last_stage)
    row |= evaluate(task.protocol, learner, data, attacks, task.seed)
    if stage == task.last_stage and task.strategy != FULL:
        row["transfer"] = transfer(task, learner, data)
    return row


def bias_of(
    learner: ActiveLearner, data: ImageDataset, unlabeled: NDArray, picked: NDArray
) -> dict[str, float]:
    """Selection bias of one query, by the model that was asked."""
    proba = learner.predict_proba(data.X_train[unlabeled])
    at = np.searchsorted(unlabeled, picked)
    return selection_bias(proba, at, data.y_train[unlabeled])


def stage_row(
    learner: ActiveLearner, stage: int, picked: NDArray, bias: dict[str, float] | None = None
) -> dict[str, Any]:
    """What the learner's ledger says, and what was picked."""
    ledger = learner.history_[-1]
    same = ("pseudo", "adversarial", "validation", "query_time", "fit_time")
    return {
        "stage": stage,
        "oracle": ledger["n_labels"],
        **{name: ledger[name] for name in same},
        "picked": np.asarray(picked).tolist(),
        "bias": bias or {},
        "transfer": {},
        "weights": weights_digest(learner),
    }


def weights_digest(learner: ActiveLearner) -> str:
    """A digest of all weights and buffers: equal digests are equal models, bit for bit."""
    digest = hashlib.sha256()
    for name, value in final_step(learner.estimator_).module_.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def evaluate(
    protocol: Protocol,
    learner: ActiveLearner,
    data: ImageDataset,
    attacks: dict[str, dict[str, Any]],
    seed: int,
) -> dict[str, Any]:
    """Accuracy on the test images and under each attack, with the seconds it took."""
    scores, times = {}, {}
    for number, (name, spec) in enumerate(attacks.items()):
        n = min(spec.get("n_test", len(data.y_test)), len(data.y_test))
        started = time.perf_counter()
        scores[name] = robust_accuracy_score(
            learner,
            data.X_test[:n],
            data.y_test[:n],
            protocol.attack(spec),
            random_state=derive_seed(seed, _ATTACK, number),
        )
        times[name] = time.perf_counter() - started
    accuracy = float(learner.score(data.X_test, data.y_test))
    return {"accuracy": accuracy, "robust": scores, "attack_time": times}


def transfer(task: Task, learner: ActiveLearner, data: ImageDataset) -> dict[str, float]:
    """Accuracy of other networks, taught what this one selected (twins included)."""
    X, y = learner.X_labeled_, learner.y_labeled_
    if learner.X_twins_ is not None:
        X = np.concatenate([X, learner.X_twins_])
        y = np.concatenate([y, learner.y_twins_])
    device = final_step(learner.estimator_).device
    found = {}
    for number, network in enumerate(task.protocol.transfer):
        seed = derive_seed(task.seed, _TRANSFER, number)
        net = make_net(task.protocol, data, network, device, seed)
        net.set_params(classes=learner.classes_, **mode_params(task.protocol, task.mode))
        found[network] = float(clone(net).fit(X, y).score(data.X_test, data.y_test))
    return found


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
