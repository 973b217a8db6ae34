"""What a worker process runs: a whole task, from where it stopped."""

from __future__ import annotations

import hashlib
import pickle
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..learner import ActiveLearner
from ._components import load_data
from ._errors import StudyError
from ._protocol import Protocol
from ._store import SupersededError, TaskStore, write_atomically
from ._task import Task, prepare, run_stage, torch_threads, train_initial


@dataclass(frozen=True)
class Place:
    """Where and as which run a worker works."""

    folder: Path
    token: str
    threads: int
    device: str


@dataclass
class Outcome:
    """How a job ended."""

    name: str
    notes: list[str] = field(default_factory=list)
    error: str | None = None


def pick_device(device: str, number: int) -> str:
    """``auto`` is the CPU, or the GPUs in turn."""
    if device != "auto":
        return device
    n_gpus = torch.cuda.device_count()
    return f"cuda:{number % n_gpus}" if n_gpus else "cpu"


def run_initial(protocol: Protocol, seed: int, place: Place) -> Outcome:
    """Train the initial model of a seed, unless it is there."""
    outcome = Outcome(f"{protocol.name}: initial model, seed {seed}")
    with torch_threads(place.threads):
        try:
            # Loky restarts workers that grow by 300 MB after their first job: have the data then.
            load_data(protocol)
            load_initial(protocol, seed, place, outcome.notes)
        except Exception as error:
            outcome.error = _words(error)
    return outcome


def run_task(task: Task, place: Place) -> Outcome:
    """Run the stages of a task that are not finished."""
    outcome = Outcome(f"{task.protocol.name}: {task.slug}")
    with torch_threads(place.threads):
        try:
            _run_stages(task, place, outcome)
        except SupersededError as error:
            outcome.error = str(error)
        except Exception as error:
            outcome.error = _words(error)
    return outcome


def _run_stages(task: Task, place: Place, outcome: Outcome) -> None:
    about = (task.strategy, task.mode, task.seed)
    store = TaskStore(place.folder, task.slug, about, place.token)
    outcome.notes = store.notes
    n_done = len(store.rows())
    if n_done > task.last_stage:
        return
    data = load_data(task.protocol)

    def initial() -> ActiveLearner:
        learner, _ = load_initial(task.protocol, task.seed, place, store.notes)
        return prepare(learner, task)

    def rows_of(indices: NDArray) -> tuple:
        return data.X_train[indices], data.y_train[indices]

    if n_done == 0:
        _, row = load_initial(task.protocol, task.seed, place, store.notes)
        store.commit(row, None)
    learner, labelled = store.restore(initial, rows_of)
    for stage in range(len(store.rows()), task.last_stage + 1):
        row = run_stage(task, learner, stage, labelled)
        labelled = np.concatenate([labelled, row["picked"]])
        store.commit(row, None if stage == task.last_stage else learner)


def load_initial(
    protocol: Protocol, seed: int, place: Place, notes: list[str]
) -> tuple[ActiveLearner, dict[str, Any]]:
    """The initial model of a seed and its row; trained once, then read from the disk."""
    path = place.folder / "initial" / f"seed{seed}.pickle"
    if path.exists():
        digest, _, content = path.read_bytes().partition(b"\n")
        if hashlib.sha256(content).hexdigest().encode() == digest:
            return pickle.loads(content)
        notes.append(f"{protocol.name}: the initial model of seed {seed} was damaged; trained anew")
    trained = train_initial(protocol, seed, place.device)
    content = pickle.dumps(trained)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    return trained


def _words(error: Exception) -> str:
    if isinstance(error, (StudyError, OSError)):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()
