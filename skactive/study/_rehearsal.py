"""Everything a study will build is built once, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sklearn.base import clone

from ..learners._training import final_step
from ..strategies import resolve_strategy
from ._components import FULL, load_data, make_net, make_strategy, mode_params
from ._errors import StudyError
from ._protocol import Protocol
from ._task import Task, first_rows, new_learner, prepare


def rehearse(protocol: Protocol, tasks: Sequence[Task], device: str) -> None:
    """Build the nets, optimisers, attacks and strategies of a protocol, and train none.

    Raises
    ------
    StudyError
        If one of them refuses its settings, the data or the device.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"--device {device} cannot be used: {reason}") from error
    load_data(protocol)
    for name in protocol.strategy_params:
        make_strategy(name, protocol)
    try:
        for task in {(t.strategy, t.mode): t for t in tasks}.values():
            _build(task)
        for network in protocol.transfer:
            _build_other(protocol, network)
    except StudyError:
        raise
    except Exception as error:  # of a net, an optimiser or a strategy, of the user's own perhaps
        raise StudyError(f"{protocol.name}: {type(error).__name__}: {error}") from error


def _build(task: Task) -> None:
    data = load_data(task.protocol)
    start = first_rows(task.protocol, len(data.y_train), task.seed)
    learner = prepare(new_learner(task.protocol, task.seed, "cpu"), task)
    learner.fit(data.X_train[start], data.y_train[start], epochs=0)
    if task.strategy != FULL:
        strategy = resolve_strategy(learner.query_strategy)
        strategy.check_estimator(final_step(learner.estimator_))


def _build_other(protocol: Protocol, network: str) -> None:
    data = load_data(protocol)
    start = first_rows(protocol, len(data.y_train), 0)
    net = make_net(protocol, data, network, "cpu", 0)
    net.set_params(classes=range(len(data.class_names)), **mode_params(protocol, "standard"))
    clone(net).fit(data.X_train[start], data.y_train[start], epochs=0)
