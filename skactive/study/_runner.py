"""Plan the tasks of a study, and run them side by side."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import cpu_count, effective_n_jobs

from ..utils.optional import optional_import
from ..utils.progress import Progress
from ._components import FULL, make_strategy, strategy_spec
from ._errors import StudyError
from ._protocol import MODES, Protocol, known
from ._provenance import data_digest, environment, made_of, open_folder
from ._rehearsal import rehearse
from ._store import count_rows, task_path
from ._task import Task
from ._worker import Job, Outcome, Place, pick_device, run_initial, run_task
from ._workers import Run, workers

BACKENDS = ("loky", "dask", "ray")


@dataclass(frozen=True)
class Execution:
    """How a study is run; the results do not depend on it.

    Attributes
    ----------
    jobs : int
        Worker processes; -1 is one a core.
    backend : {"loky", "dask", "ray"}
    threads : int or None
        Torch threads of each worker; ``None`` shares the cores among the workers.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda:1"``, ….
    scheduler : str or None
        Address of a Dask scheduler; ``None`` starts a cluster on this machine.
    progress : bool

    Examples
    --------
    Two processes of one thread each would be ``Execution(jobs=2, threads=1)``. Here, without a bar:

    >>> import tempfile
    >>> from skactive.study import Execution, load_results, preset, run_study
    >>> digits = preset("digits", n_pool=60, n_test=20, initial=20, per_stage=10, stages=1,
    ...     epochs=1, eval_attacks={}, strategies=["random"], modes=["standard"], seeds=[0])
    >>> here = Execution(threads=1, device="cpu", progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = run_study([digits], folder, execution=here, say=lambda message: None)
    ...     load_results(out)["stage"].tolist()
    [0, 1]
    """

    jobs: int = 1
    backend: str = "loky"
    threads: int | None = None
    device: str = "auto"
    scheduler: str | None = None
    progress: bool = True


def run_study(
    protocols: Sequence[Protocol],
    out: str | os.PathLike[str],
    *,
    strategies: Sequence[Any] | None = None,
    modes: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    execution: Execution | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Run protocols, or go on where an earlier run stopped.

    Parameters
    ----------
    protocols : sequence of Protocol
    out : path
        Each protocol writes to a folder of its name in it.
    strategies, modes, seeds : sequence or None, default=None
        What to run; ``None`` is what the protocol names. A strategy is written ``name`` or
        ``name:setting=value``, where the name may be ``module:attribute`` of one's own; an
        object is recorded in that form. ``"full"`` is a model taught the whole pool. More of
        them can be run into the same folder later.
    execution : Execution or None, default=None
    say : callable, default=print
        Gets each message.

    Returns
    -------
    out : Path

    Raises
    ------
    StudyError
        If something asked for is unknown, a data set is missing, `out` cannot be written to,
        holds results of another configuration, or a task failed. What was finished stays.

    Examples
    --------
    >>> import tempfile
    >>> from skactive.study import Execution, load_results, preset, run_study
    >>> digits = preset("digits", n_pool=200, n_test=50, stages=1, epochs=1, eval_attacks={})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = run_study([digits], folder, strategies=["dre"], modes=["robust"], seeds=[0],
    ...         execution=Execution(progress=False), say=lambda message: None)
    ...     load_results(out)["oracle"].tolist()
    [50, 75]
    """
    execution = execution or Execution()
    check_execution(execution)
    out = Path(out)
    _check_names(protocols)
    tasks = [task for p in protocols for task in plan(p, strategies, modes, seeds)]
    n_jobs = min(effective_n_jobs(execution.jobs), len(tasks))
    threads = execution.threads or max(1, cpu_count() // n_jobs)
    device = pick_device(execution.device, 0)
    for p in protocols:
        rehearse(p, [task for task in tasks if task.protocol is p], device)
    digests = {protocol.name: data_digest(protocol) for protocol in protocols}
    used = environment(threads, device)
    token = uuid.uuid4().hex
    for protocol in protocols:
        open_folder(out / protocol.name, protocol, digests[protocol.name], token, used, say)
    here = n_jobs == 1 and execution.backend == "loky"
    say(
        f"tasks: {len(tasks)}; workers: {n_jobs} ({'here' if here else execution.backend}), "
        f"threads of each: {threads}; results in {out}"
    )
    home = out.resolve()  # workers may run elsewhere
    places = [
        Place(
            home / task.protocol.name,
            token,
            threads,
            pick_device(execution.device, number),
            made_of(task.protocol, digests[task.protocol.name]),
        )
        for number, task in enumerate(tasks)
    ]
    placed = list(zip(tasks, places, strict=True))
    starts = {f"{t.protocol.name}: initial model, seed {t.seed}": (t.protocol, t.seed, place)
              for t, place in placed}  # fmt: skip
    with (
        workers(execution.backend, n_jobs, threads, execution.scheduler, say) as run,
        _progress(tasks, out, execution.progress),
    ):
        _run(run, [Job(name, run_initial, start) for name, start in starts.items()], say)
        _run(run, [Job(f"{t.protocol.name}: {t.about().slug}", run_task, (t, place))
                   for t, place in placed], say)  # fmt: skip
    return out


def _run(run: Run, jobs: list[Job], say: Callable[[str], None]) -> None:
    outcomes = run(jobs)
    for outcome in outcomes:
        for note in outcome.notes:
            say(f"repaired: {note}")
    _raise_failures([job.name for job in jobs], outcomes)


def _check_names(protocols: Sequence[Protocol]) -> None:
    names = [protocol.name for protocol in protocols]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"{name} is asked for twice. Give one of them another name=….")


def plan(
    protocol: Protocol,
    strategies: Sequence[Any] | None = None,
    modes: Sequence[str] | None = None,
    seeds: Iterable[int] | None = None,
) -> list[Task]:
    """The tasks of a protocol, checked: seeds, then training modes, then strategies."""
    wanted = map(strategy_spec, protocol.strategies if strategies is None else strategies)
    strategies = list(dict.fromkeys(wanted))
    for strategy in strategies:
        if strategy != FULL:
            make_strategy(strategy, protocol)
    modes = protocol.modes if modes is None else modes
    modes = list(dict.fromkeys(known(mode, MODES, "training mode") for mode in modes))
    seeds = list(dict.fromkeys(protocol.seeds if seeds is None else seeds))
    if not all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds):
        raise StudyError(
            f"Seeds must be integers below 2**31 and must not be negative, got {seeds}."
        )
    if not (strategies and modes and seeds):
        raise StudyError("Nothing to run: name at least one strategy, training mode and seed.")
    return [Task(protocol, s, mode, seed) for seed in seeds for mode in modes for s in strategies]


def check_execution(execution: Execution) -> None:
    """Raise unless the backend is known and installed, and the numbers are in range."""
    known(execution.backend, BACKENDS, "backend")
    if execution.jobs == 0:
        raise StudyError("--jobs must be a number of processes, or -1 for one a core; got 0.")
    if execution.threads is not None and execution.threads < 1:
        raise StudyError(f"--threads must be at least 1, got {execution.threads}.")
    module = {"dask": "distributed", "ray": "ray"}.get(execution.backend)
    if module is not None:
        what, extra = f"--backend {execution.backend}", execution.backend
        optional_import(module, what=what, extra=extra, error=StudyError)


def _raise_failures(names: list[str], outcomes: list[Outcome]) -> None:
    failed: dict[str, list[str]] = {}
    for name, outcome in zip(names, outcomes, strict=True):
        if outcome.error:
            failed.setdefault(outcome.error, []).append(name)
    if failed:
        n = sum(map(len, failed.values()))
        listed = [f"- {', '.join(which)}: {error}" for error, which in failed.items()]
        raise StudyError(
            "\n".join([f"{n} of {len(names)} jobs failed:", *listed[:5]])
            + "\nFinished stages are kept; the same command goes on from there."
        )


@contextlib.contextmanager
def _progress(tasks: list[Task], out: Path, shown: bool) -> Iterator[None]:
    """A bar of the stages finished by all workers, with the time left."""
    if not shown:
        yield
        return
    paths = [task_path(out / task.protocol.name, task.about()) for task in tasks]
    totals = [task.last_stage + 1 for task in tasks]

    def finished() -> int:
        return sum(min(count_rows(path), n) for path, n in zip(paths, totals, strict=True))

    over = threading.Event()
    with Progress("study", "round") as bar:
        bar.show(finished(), sum(totals))

        def watch() -> None:
            while not over.wait(1.0):
                bar.show(finished(), sum(totals))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            bar.show(finished(), sum(totals))
