"""Run jobs in this process, in worker processes, on Dask or on Ray; survive killed workers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config

from ..utils.compat import TerminatedWorkerError
from ._dask import dask_pool
from ._errors import StudyError
from ._worker import Job, Outcome

_ATTEMPTS = 3  # a worker killed from outside: its task goes on in another
Run = Callable[[Sequence[Job]], list[Outcome]]


@contextlib.contextmanager
def workers(
    backend: str, n_jobs: int, threads: int, scheduler: str | None, say: Callable[[str], None]
) -> Iterator[Run]:
    """A function that runs jobs and gives their outcomes in order."""
    if backend == "dask":
        with dask_pool(n_jobs, scheduler) as pool:
            yield lambda jobs: pool.run(jobs, say)
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
            return list(parallel(delayed(job.function)(*job.arguments) for job in jobs))
        except TerminatedWorkerError as error:
            if attempt == _ATTEMPTS:
                raise StudyError(
                    f"Workers were killed {_ATTEMPTS} times, perhaps for lack of memory: try fewer "
                    "--jobs. Finished stages are kept; the same command goes on from there."
                ) from error
            say("a worker was killed; its task goes on from its last finished stage")
    raise AssertionError("not reached")
