"""Run jobs in this process, in worker processes, on Dask or on Ray; survive killed workers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ._errors import StudyError
from ._worker import Outcome

_ATTEMPTS = 3  # a worker killed from outside: its task goes on in another
_PATIENCE = 300.0  # seconds without any Dask worker: nannies start new ones
Job = tuple[Callable[..., Outcome], tuple]
Run = Callable[[Sequence[Job]], list[Outcome]]


@contextlib.contextmanager
def workers(
    backend: str, n_jobs: int, threads: int, scheduler: str | None, say: Callable[[str], None]
) -> Iterator[Run]:
    """A function that runs jobs and gives their outcomes in order."""
    if backend == "dask":
        with _dask_client(n_jobs, scheduler) as client:
            yield lambda jobs: _run_dask(client, jobs, n_jobs)
        return
    with contextlib.ExitStack() as stack:
        if backend == "ray":
            from ray.util.joblib import register_ray

            register_ray()
        params: dict[str, Any] = {}
        if n_jobs > 1 and backend == "loky":
            params["inner_max_num_threads"] = threads
        if n_jobs > 1 or backend != "loky":
            stack.enter_context(parallel_config(backend=backend, **params))
        yield lambda jobs: _run_joblib(jobs, n_jobs, say)


def _run_joblib(jobs: Sequence[Job], n_jobs: int, say: Callable[[str], None]) -> list[Outcome]:
    """Run jobs; start those again that a killed worker took with it."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            parallel = Parallel(n_jobs=n_jobs, batch_size=1, pre_dispatch="n_jobs")
            return list(parallel(delayed(function)(*arguments) for function, arguments in jobs))
        except TerminatedWorkerError as error:
            if attempt == _ATTEMPTS:
                raise StudyError(
                    f"Workers were killed {_ATTEMPTS} times, perhaps for lack of memory: try fewer "
                    "--jobs. Finished stages are kept; the same command goes on from there."
                ) from error
            say("a worker was killed; its task goes on from its last finished stage")
    raise AssertionError("not reached")


@contextlib.contextmanager
def _dask_client(n_jobs: int, scheduler: str | None) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        try:
            address = scheduler or stack.enter_context(
                LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=None)
            )
            client = stack.enter_context(Client(address))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise StudyError(f"The Dask scheduler {scheduler} is not there: {error}") from error
        yield client


def _run_dask(client: Any, jobs: Sequence[Job], n_jobs: int) -> list[Outcome]:
    """Run jobs, at most `n_jobs` at a time.

    Each is submitted with its arguments, which the scheduler keeps: joblib's Dask backend
    scatters them to workers, and waits for ever when those that held them are killed.
    """
    waiting = list(enumerate(jobs))
    running: dict[Any, int] = {}
    outcomes: list[Outcome | None] = [None] * len(jobs)
    seen = time.monotonic()
    while waiting or running:
        while waiting and len(running) < n_jobs:
            number, (function, arguments) = waiting.pop(0)
            running[client.submit(function, *arguments, pure=False)] = number
        over = [future for future in running if future.done()]
        for future in over:
            outcomes[running.pop(future)] = _outcome(future)
        if over:
            continue
        if client.status == "running" and client.ncores():
            seen = time.monotonic()
        elif time.monotonic() - seen > _PATIENCE:
            raise StudyError(
                f"There was no Dask worker for {_PATIENCE:.0f} seconds. Finished stages are kept; "
                "the same command goes on from there."
            )
        time.sleep(0.05)
    return [outcome for outcome in outcomes if outcome is not None]


def _outcome(future: Any) -> Outcome:
    """What a job gave; in words, what became of it where its workers were killed."""
    error = future.exception()
    if error is None:
        return future.result()
    return Outcome(
        f"job {future.key}", error=f"its workers were killed, or lost it ({error}). Perhaps for "
        "lack of memory: try fewer --jobs"
    )  # fmt: skip
