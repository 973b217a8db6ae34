"""Plan the tasks of a study, and run them side by side."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed, effective_n_jobs, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ._components import FULL, load_data, make_strategy
from ._config import as_toml, difference
from ._errors import StudyError
from ._protocol import MODES, Protocol, known
from ._store import count_rows, take_over, write_atomically
from ._task import Task
from ._worker import Outcome, Place, pick_device, run_initial, run_task

BACKENDS = ("loky", "dask", "ray")
_ATTEMPTS = 3  # a worker killed from outside: its task goes on in another


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
    strategies: Sequence[str] | None = None,
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
        ``name:setting=value``; ``"full"`` is a model taught the whole pool. More of them can
        be run into the same folder later.
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
    check_backend(execution)
    out = Path(out)
    _check_names(protocols)
    tasks = [task for p in protocols for task in plan(p, strategies, modes, seeds)]
    for protocol in protocols:
        load_data(protocol)
    token = uuid.uuid4().hex
    for protocol in protocols:
        open_folder(out / protocol.name, protocol, token)
    n_jobs = min(effective_n_jobs(execution.jobs), len(tasks))
    threads = execution.threads or max(1, cpu_count() // n_jobs)
    here = n_jobs == 1 and execution.backend == "loky"
    say(
        f"{len(tasks)} tasks on {n_jobs} workers ({'here' if here else execution.backend}) "
        f"of {threads} threads; results in {out}"
    )
    home = out.resolve()  # workers may run elsewhere
    places = [
        Place(home / task.protocol.name, token, threads, pick_device(execution.device, number))
        for number, task in enumerate(tasks)
    ]
    starts = list({(t.protocol.name, t.seed): (t, p) for t, p in zip(tasks, places, strict=True)}
                  .values())  # fmt: skip
    with _workers(execution, n_jobs, threads), _progress(tasks, out, execution.progress):
        done = _run([delayed(run_initial)(t.protocol, t.seed, p) for t, p in starts], n_jobs, say)
        _raise_failures(done)
        done = _run([delayed(run_task)(*job) for job in zip(tasks, places, strict=True)],
                    n_jobs, say)  # fmt: skip
    _raise_failures(done)
    return out


def _check_names(protocols: Sequence[Protocol]) -> None:
    names = [protocol.name for protocol in protocols]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"{name} is asked for twice. Give one of them another name=….")


def plan(
    protocol: Protocol,
    strategies: Sequence[str] | None = None,
    modes: Sequence[str] | None = None,
    seeds: Iterable[int] | None = None,
) -> list[Task]:
    """The tasks of a protocol, checked: seeds, then training modes, then strategies."""
    strategies = list(dict.fromkeys(strategies or protocol.strategies))
    for strategy in strategies:
        if strategy != FULL:
            make_strategy(strategy, protocol)
    modes = [known(mode, MODES, "training mode") for mode in modes or protocol.modes]
    seeds = list(protocol.seeds if seeds is None else seeds)
    if any(seed < 0 for seed in seeds):
        raise StudyError(f"Seeds must not be negative, got {seeds}.")
    return [Task(protocol, s, mode, seed) for seed in seeds for mode in modes for s in strategies]


def open_folder(folder: Path, protocol: Protocol, token: str) -> None:
    """Make a study's folder, or check that it holds this protocol; become its only writer.

    Raises
    ------
    StudyError
        If it cannot be written to, or holds results of another configuration.
    """
    record = folder / "protocol.json"
    settings = protocol.settings()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if record.exists():
            changed = difference(json.loads(record.read_text(encoding="utf-8")), settings)
            if changed:
                lines = "\n  ".join(changed)
                raise StudyError(
                    f"{folder} holds results of another configuration:\n  {lines}\nChoose "
                    "another --out, or --set name=… for another folder in it."
                )
        take_over(folder, token)
        for left in folder.glob("initial/*.new"):
            left.unlink()
        write_atomically(record, json.dumps(settings, indent=1).encode())
        write_atomically(folder / "protocol.toml", as_toml(settings).encode())
    except OSError as error:
        raise StudyError(
            f"{folder} cannot be written to: {error.strerror or error}. Choose another --out, or "
            "make room."
        ) from error
    except json.JSONDecodeError as error:
        raise StudyError(f"{record} is damaged ({error}). Choose another --out.") from error


def check_backend(execution: Execution) -> None:
    """Raise unless the backend is known and installed."""
    known(execution.backend, BACKENDS, "backend")
    module = {"dask": "distributed", "ray": "ray"}.get(execution.backend)
    if module is None:
        return
    try:
        __import__(module)
    except ImportError as error:
        raise StudyError(
            f"--backend {execution.backend} needs {module}: pip install "
            f'"skactive[{execution.backend}]", or use --backend loky.'
        ) from error


@contextlib.contextmanager
def _workers(execution: Execution, n_jobs: int, threads: int) -> Iterator[None]:
    """Joblib's backend, configured; a Dask cluster of our own where none is given."""
    with contextlib.ExitStack() as stack:
        params: dict[str, Any] = {}
        if execution.backend == "dask":
            from distributed import Client, LocalCluster

            address = execution.scheduler
            if address is None:
                address = stack.enter_context(
                    LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=None)
                )
            stack.enter_context(Client(address))
        elif execution.backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
        elif n_jobs > 1:
            params["inner_max_num_threads"] = threads
        if n_jobs > 1 or execution.backend != "loky":
            stack.enter_context(parallel_config(backend=execution.backend, **params))
        yield


def _run(jobs: list, n_jobs: int, say: Callable[[str], None]) -> list[Outcome]:
    """Run jobs; start those again that a killed worker took with it."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            outcomes = list(Parallel(n_jobs=n_jobs, batch_size=1, pre_dispatch="n_jobs")(jobs))
            break
        except TerminatedWorkerError as error:
            if attempt == _ATTEMPTS:
                raise StudyError(
                    f"Workers were killed {_ATTEMPTS} times, perhaps for lack of memory: try fewer "
                    "--jobs. Finished stages are kept; the same command goes on from there."
                ) from error
            say("a worker was killed; its task goes on from its last finished stage")
    for outcome in outcomes:
        for note in outcome.notes:
            say(f"repaired: {note}")
    return outcomes


def _raise_failures(outcomes: list[Outcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        listed = "\n".join(f"- {outcome.name}: {outcome.error}" for outcome in failed[:5])
        raise StudyError(
            f"{len(failed)} of {len(outcomes)} jobs failed:\n{listed}\nFinished stages are kept; "
            "the same command goes on from there."
        )


@contextlib.contextmanager
def _progress(tasks: list[Task], out: Path, shown: bool) -> Iterator[None]:
    """A bar of the stages finished by all workers, with the time left."""
    if not shown:
        yield
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        print('No progress bar: it needs tqdm, pip install "skactive[study]".')
        yield
        return
    paths = [out / task.protocol.name / "tasks" / f"{task.slug}.sqlite" for task in tasks]
    totals = [task.last_stage + 1 for task in tasks]

    def finished() -> int:
        return sum(min(count_rows(path), n) for path, n in zip(paths, totals, strict=True))

    before, over = finished(), threading.Event()
    with tqdm(total=sum(totals), initial=before, unit="round", smoothing=0.05) as bar:

        def watch() -> None:
            while not over.wait(1.0):
                bar.update(finished() - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            bar.update(finished() - bar.n)
