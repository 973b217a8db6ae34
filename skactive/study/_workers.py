"""Run jobs in this process, in worker processes, on Dask or on Ray; survive killed workers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config

from ..utils.compat import TerminatedWorkerError
from ._errors import StudyError
from ._worker import Outcome

_ATTEMPTS = 3  # a worker killed from outside: its task goes on in another
Job = tuple[Callable[..., Outcome], tuple]
Run = Callable[[Sequence[Job]], list[Outcome]]


@contextlib.contextmanager
def workers(
    backend: str, n_jobs: int, threads: int, scheduler: str | None, say: Callable[[str], None]
) -> Iterator[Run]:
    """A function that runs jobs and gives their outcomes in order."""
    with contextlib.ExitStack() as stack:
        if backend == "dask":
            stack.enter_context(_dask_client(n_jobs, scheduler))
        elif backend == "ray":
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
