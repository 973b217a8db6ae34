"""What a worker process runs: a whole task, from where it stopped."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..learners import ActiveLearner
from ._components import load_data
from ._errors import StudyError
from ._files import DamagedError, read_json, write_json
from ._protocol import Protocol
from ._provenance import data_digest, made_of
from ._store import SupersededError, TaskStore, read_state, write_state
from ._task import Task, first_rows, prepare, rebuilt, run_stage, torch_threads, train_initial

_ONE_AT_A_TIME = Lock()  # a worker of several threads: torch's generator is one for all of them


@dataclass(frozen=True)
class Place:
    """Where and as which run a worker works."""

    folder: Path
    token: str
    threads: int
    device: str
    made_of: str


@dataclass
class Outcome:
    """How a job ended."""

    notes: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class Job:
    """A call for a worker."""

    name: str
    function: Callable[..., Outcome]
    arguments: tuple


def pick_device(device: str, number: int) -> str:
    """``auto`` is the CPU, or the GPUs in turn."""
    if device != "auto":
        return device
    n_gpus = torch.cuda.device_count()
    return f"cuda:{number % n_gpus}" if n_gpus else "cpu"


def run_initial(protocol: Protocol, seed: int, place: Place) -> Outcome:
    """Train the initial model of a seed, unless it is there."""
    outcome = Outcome()
    with _ONE_AT_A_TIME, torch_threads(place.threads):
        try:
            # Loky restarts workers that grow by 300 MB after their first job: have the data then.
            _check_data(protocol, place)
            load_initial(protocol, seed, place, outcome.notes)
        except Exception as error:
            outcome.error = _words(error)
    return outcome


def run_task(task: Task, place: Place) -> Outcome:
    """Run the stages of a task that are not finished."""
    outcome = Outcome()
    with _ONE_AT_A_TIME, torch_threads(place.threads):
        try:
            _check_data(task.protocol, place)
            _run_stages(task, place, outcome)
        except SupersededError as error:
            outcome.error = str(error)
        except Exception as error:
            outcome.error = _words(error)
    return outcome


def _check_data(protocol: Protocol, place: Place) -> None:
    """Raise unless this worker reads the images that the run was started with."""
    if made_of(protocol, data_digest(protocol)) != place.made_of:
        raise StudyError(
            "this worker reads other images than the process that started the study: give both "
            "the same SKACTIVE_DATA"
        )


def _run_stages(task: Task, place: Place, outcome: Outcome) -> None:
    store = TaskStore(place.folder, task.about(place.made_of), place.token)
    outcome.notes = store.notes
    n_done = len(store.rows())
    if n_done > task.last_stage:
        return
    protocol, seed = task.protocol, task.seed

    def initial() -> ActiveLearner:
        learner, _ = load_initial(protocol, seed, place, store.notes)
        return prepare(learner, task)

    def from_state(content: bytes, labelled: NDArray) -> ActiveLearner:
        return rebuilt(protocol, seed, place.device, content, labelled, task)

    if n_done == 0:
        _, row = load_initial(protocol, seed, place, store.notes)
        store.commit(row, None)
    learner, labelled = store.restore(initial, from_state)
    for stage in range(len(store.rows()), task.last_stage + 1):
        row = run_stage(task, learner, stage, labelled)
        labelled = np.concatenate([labelled, row["picked"]])
        store.commit(row, None if stage == task.last_stage else learner)


def load_initial(
    protocol: Protocol, seed: int, place: Place, notes: list[str]
) -> tuple[ActiveLearner, dict[str, Any]]:
    """The initial model of a seed and its row; trained once, then read from the disk."""
    path = place.folder / "initial" / f"seed{seed}.json"
    if path.exists():
        try:
            return _read_initial(path, protocol, seed, place)
        except DamagedError:
            notes.append(
                f"{protocol.name}: the initial model of seed {seed} was damaged; trained anew"
            )
    learner, row = train_initial(protocol, seed, place.device)
    path.parent.mkdir(exist_ok=True)
    state = write_state(path.with_suffix(".skactive"), learner)
    write_json(path, {"made_of": place.made_of, "seed": seed, "row": row, "state": state})
    return learner, row


def _read_initial(
    path: Path, protocol: Protocol, seed: int, place: Place
) -> tuple[ActiveLearner, dict[str, Any]]:
    found = read_json(path)
    content = read_state(path.with_suffix(".skactive"), found["state"])
    if content is None or found["seed"] != seed or found["made_of"] != place.made_of:
        raise DamagedError(f"{path} and its weights are not what was written.")
    start = first_rows(protocol, len(load_data(protocol).y_train), seed)
    return rebuilt(protocol, seed, place.device, content, start), found["row"]


def _words(error: Exception) -> str:
    if isinstance(error, (StudyError, OSError)):
        return str(error)
    return "".join(traceback.format_exception(error)).rstrip()
