"""Run jobs on a Dask cluster whose workers may die.

A job goes on from the store wherever it is started, so Dask may start it again on another worker;
it does so ``distributed.scheduler.allowed-failures`` times. Jobs are submitted with their
arguments, which the scheduler keeps: what is scattered to workers dies with them.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import StudyError
from ._worker import Job, Outcome

_LOST = "the connection to the Dask scheduler was lost"
_PATIENCE = 300.0  # seconds without any worker, where Dask's own no-workers-timeout is not set


@dataclass(frozen=True)
class DaskPool:
    """A client of a cluster, and the cluster if it is ours."""

    client: Any
    n_jobs: int
    cluster: Any = None

    def run(self, jobs: Sequence[Job], say: Callable[[str], None]) -> list[Outcome]:
        """Outcomes in order; a job whose workers died is tried once more, alone.

        Alone, because a job that kills its worker takes with it what waits there.
        """
        ended: dict[str, Outcome | None] = {}
        for at_a_time in (self.n_jobs, 1):
            left = [job for job in jobs if ended.get(job.name) is None]
            for name in [job.name for job in left if job.name in ended]:
                say(f"{name}: its workers were killed; it goes on from its last finished stage")
            ended.update(self._ended(left, at_a_time))
        killed = Outcome(
            error="it, or something else, kills each worker that runs it: perhaps for lack of "
            "memory; try fewer --jobs"
        )
        return [ended[job.name] or killed for job in jobs]

    def _ended(self, jobs: Sequence[Job], at_a_time: int) -> Iterator[tuple[str, Outcome | None]]:
        """Names of jobs and how they ended, as they end; None where their workers died."""
        waiting = deque(jobs)
        running: dict[Any, Job] = {}
        patience, seen = _patience(), time.monotonic()
        while waiting or running:
            lost = self.client.status == "closed"
            if lost or time.monotonic() - seen > patience:
                why = _LOST if lost else f"there was no Dask worker for {patience:g} seconds"
                for job in (*running.values(), *waiting):
                    yield job.name, Outcome(error=f"not finished: {why}")
                return
            while waiting and len(running) < at_a_time:
                job = waiting.popleft()
                running[self.client.submit(job.function, *job.arguments, pure=False)] = job
            over = _first_over(list(running))
            for future, outcome in over.items():
                yield running.pop(future).name, outcome
                future.release()  # or Dask repeats it when the worker that holds it dies
            if over or self._n_workers():
                seen = time.monotonic()

    def _n_workers(self) -> int:
        """How many workers there are; our own cluster is told to start those that are missing.

        A nanny starts its worker again; but the cluster drops a nanny that takes too long.
        """
        try:
            found = len(self.client.ncores())
        except OSError:  # the scheduler is gone, or cannot be reached for now
            return 0
        if self.cluster is not None and found < self.n_jobs:
            self.cluster.scale(self.n_jobs)
        return found


@contextlib.contextmanager
def dask_pool(n_jobs: int, scheduler: str | None) -> Iterator[DaskPool]:
    """A pool on the scheduler at an address, or on a cluster of this machine."""
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        cluster = None
        try:
            if scheduler is None:
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=n_jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                    )
                )
            client = stack.enter_context(Client(cluster or scheduler))
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise StudyError(f"The Dask scheduler {scheduler} is not there: {error}") from error
        yield DaskPool(client, n_jobs, cluster)


def _patience() -> float:
    import dask
    from dask.utils import parse_timedelta

    return parse_timedelta(
        dask.config.get("distributed.scheduler.no-workers-timeout", None) or _PATIENCE
    )


def _first_over(futures: list[Any]) -> dict[Any, Outcome | None]:
    """Those of the futures that are over within a second, and how they ended."""
    from distributed import CancelledError, TimeoutError, wait
    from distributed.scheduler import KilledWorker

    with contextlib.suppress(CancelledError, TimeoutError):
        wait(futures, timeout=1, return_when="FIRST_COMPLETED")
    found: dict[Any, Outcome | None] = {}
    for future in futures:
        if not future.done():
            continue
        try:
            found[future] = future.result(timeout=10)
        except TimeoutError:  # the worker that held the result died: Dask runs the job again
            continue
        except KilledWorker:
            found[future] = None
        except CancelledError:
            found[future] = Outcome(error=f"not finished: {_LOST}")
        except Exception as error:
            found[future] = Outcome(error=f"{type(error).__name__}: {error}")
    return found
