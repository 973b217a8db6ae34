"""A Dask cluster whose workers die, and one that has none."""

import contextlib
import socket

import dask
import pytest
from distributed import LocalCluster

from skactive.study import Execution, StudyError
from skactive.study._dask import dask_pool

from .study_helpers import results, run, tiny
from .test_study_runner import same

DEADLY = "tests.own_things:Deadly"


@pytest.mark.timeout(580)
def test_workers_killed_one_after_another(tmp_path, monkeypatch):
    """By two tasks, five seconds apart, which go on; and by one that always does: it is named."""
    (tmp_path / "kills").mkdir()
    monkeypatch.setenv("KILLS", str(tmp_path / "kills"))
    p = tiny(stages=1)
    survive = (f"{DEADLY}:times=1,after=0", f"{DEADLY}:times=1,after=5", "random")
    always = f"{DEADLY}:times=9,after=0"
    execution = Execution(jobs=2, backend="dask", threads=1, progress=False)
    patient = {"distributed.comm.timeouts.connect": "120s"}  # six workers start, on a busy machine
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1, **patient}),
        pytest.raises(StudyError) as error,
    ):
        run(tmp_path / "dask", p, (*survive, always), execution=execution)
    assert "1 of 4 jobs failed:\n- digits: tests.own_things_Deadly" in str(error.value)
    assert "times=9" in str(error.value)
    assert "kills each worker that runs it" in str(error.value)
    found = results(tmp_path / "dask")
    # Two rounds of two: one less where it waited, in the first, on the worker that another killed.
    assert len((tmp_path / "kills" / "9 0").read_text()) in (3, 4)
    run(tmp_path / "here", p, survive)
    same(found[found.strategy != always].reset_index(drop=True), results(tmp_path / "here"))
    (tmp_path / "kills" / "9 0").write_text("x" * 9)
    run(tmp_path / "dask", p, (*survive, always))
    assert len(results(tmp_path / "dask")) == 8


@pytest.mark.timeout(240)
def test_without_workers_the_tasks_that_are_not_done_are_named(tmp_path):
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        execution = Execution(jobs=2, backend="dask", threads=1, progress=False,
                              scheduler=cluster.scheduler_address)  # fmt: skip
        with (
            dask.config.set({"distributed.scheduler.no-workers-timeout": "1s"}),
            pytest.raises(StudyError, match="2 of 2 jobs failed") as error,
        ):
            run(tmp_path, seeds=(0, 1), execution=execution)
    assert (
        "- digits: initial model, seed 0, digits: initial model, seed 1: not finished: there was "
        "no Dask worker for 1 seconds\n"
    ) in str(error.value)
    run(tmp_path, seeds=(0, 1))
    assert len(results(tmp_path)) == 12


@pytest.mark.timeout(240)
def test_another_clusters_dashboard_is_no_obstacle():
    """Dask's usual port may be taken: its warning is an error in a program that asks for errors."""
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # by whoever: taken it is
            taken.bind(("", 8787))
            taken.listen()
        with dask_pool(1, None) as pool:
            assert pool.cluster.scheduler.http_server.address == "127.0.0.1"
