"""Runs: what a stage records, killed and resumed, side by side, refused."""

import contextlib
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch

from skactive import ActiveLearner
from skactive.__main__ import main
from skactive.datasets import load_digits
from skactive.study import Execution, StudyError, _store, preset
from skactive.study._components import make_net, make_strategy
from skactive.study._config import _toml
from skactive.study._runner import check_execution
from skactive.study._store import count_rows
from skactive.study._task import run_stage, weights_digest
from skactive.study._worker import pick_device

from .study_helpers import QUIET, results, run, tiny

TASK = "tasks/entropy-robust-seed0.sqlite"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that was never interrupted."""
    out = tmp_path_factory.mktemp("whole")
    run(out, modes=("standard", "robust"))
    return out


def same(first, second):
    pd.testing.assert_frame_equal(first, second, check_exact=True)


# -- what is recorded ---------------------------------------------------------------------


def test_a_stage_is_what_the_learner_does_by_hand(whole):
    p = tiny()
    data = load_digits(n_train=150, n_test=40)
    frame = results(whole)
    rows = frame[(frame.strategy == "entropy") & (frame["mode"] == "robust")]
    start = np.array(rows.picked.iloc[0])
    net = make_net(p, data, "lenet5", "cpu", 0)
    learner = ActiveLearner(net, warm_start=True, classes=np.arange(10), random_state=0)
    learner.fit(data.X_train[start], data.y_train[start])
    assert weights_digest(learner) == rows.weights.iloc[0]
    learner.set_params(
        query_strategy=make_strategy("entropy", p), estimator__attack=p.attack(p.train_attack)
    )
    for stage in (1, 2):
        unlabeled = np.setdiff1d(np.arange(150), np.concatenate(rows.picked.iloc[:stage].tolist()))
        picked, X = learner.query(data.X_train, 10, candidates=unlabeled)
        assert picked.tolist() == rows.picked.iloc[stage]
        learner.teach(X, data.y_train[picked])
        assert weights_digest(learner) == rows.weights.iloc[stage]
        assert learner.score(data.X_test, data.y_test) == rows.accuracy.iloc[stage]
        assert 0 < rows.bias_entropy.iloc[stage] <= 1
    assert rows.oracle.tolist() == [30, 40, 50]
    assert rows.bias_entropy.isna().tolist() == [True, False, False]
    bought = np.concatenate(rows.picked.tolist())
    assert len(set(bought.tolist())) == 50


def test_all_runs_of_a_seed_start_from_one_model(whole):
    first = results(whole).query("stage == 0")
    assert len(first) == 4
    assert first.weights.nunique() == 1
    last = results(whole).query("stage == 2")
    assert last.weights.nunique() == 4


def test_full_transfer_twins_and_pseudo_labels(tmp_path):
    p = tiny(
        warm_start=False, transfer=("resnet18",), stages=1, n_pool=60, full_epochs=2,
        strategy_params={"dfal": {"adversarial_twins": True}, "ceal": {"threshold": 3.0}},
    )  # fmt: skip
    run(tmp_path, p, ("dfal", "ceal", "full"), ("standard",))
    last = results(tmp_path).query("stage == 1").set_index("strategy")
    assert last.oracle.to_dict() == {"ceal": 40, "dfal": 40, "full": 60}
    assert last.adversarial["dfal"] == 10
    assert last.pseudo["ceal"] > 0
    assert last.transfer_resnet18.notna().to_dict() == {"ceal": True, "dfal": True, "full": False}


def test_more_can_be_run_into_the_same_folder(whole):
    before = results(whole)
    run(whole, strategies=("dre:allocation=equal",))
    after = results(whole)
    same(after[after.strategy != "dre:allocation=equal"].reset_index(drop=True), before)
    assert (after.strategy == "dre:allocation=equal").sum() == 3
    (whole / "digits/tasks/dre_allocation=equal-robust-seed0.sqlite").unlink()


# -- killed -------------------------------------------------------------------------------


def command(out):
    """The command that runs `whole`."""
    changed = {name: value for name, value in tiny().settings().items()
               if value != preset("digits").settings()[name]}  # fmt: skip
    settings = [part for name, value in changed.items()
                for part in ("--set", f"{name}={_toml(value)}")]  # fmt: skip
    what = "--strategies random entropy --seeds 0 --modes standard robust --threads 1 --quiet"
    return ["study", "digits", *settings, *what.split(), "--out", str(out)]


def test_killed_at_any_moment_and_resumed_it_is_as_if_never_interrupted(whole, tmp_path):
    out = tmp_path / "out"
    arguments = command(out)
    process = subprocess.Popen(
        [sys.executable, "-m", "skactive", *arguments], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    tasks = out / "digits" / "tasks"
    deadline = time.monotonic() + 120
    while sum(count_rows(path) for path in tasks.glob("*.sqlite")) < 5:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = sum(count_rows(path) for path in tasks.glob("*.sqlite"))
    assert 5 <= done < 12
    rows = {path: path.read_bytes() for path in tasks.glob("random-standard*")}
    assert main(arguments) == 0
    for path, content in rows.items():
        assert path.read_bytes() == content  # a finished task is not touched again
    same(results(out), results(whole))
    assert not list((out / "digits" / "state").iterdir())


class Killed(BaseException):
    """Stands in for a SIGKILL: nothing in the code catches it."""


@pytest.mark.parametrize(
    ("at", "number"),
    [("write_state", 1), ("write_state", 2), ("replace", 2), ("commit", 2), ("drop", 3)],
)
def test_killed_between_any_two_writes(whole, tmp_path, monkeypatch, at, number):
    calls = 0

    def dies(owner, name, before):
        real = getattr(owner, name)

        def wrapped(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == number and before:
                raise Killed
            result = real(*args, **kwargs)
            if calls == number:
                raise Killed
            return result

        monkeypatch.setattr(owner, name, wrapped)

    owner, name, before = {
        "write_state": (_store, "write_state", False),  # the state is there, the row is not
        "replace": (_store, "write_atomically", True),
        "commit": (_store.TaskStore, "commit", False),  # just after
        "drop": (_store.TaskStore, "_drop_states", True),
    }[at]
    with monkeypatch.context() as monkeypatch:
        dies(owner, name, before)
        with contextlib.suppress(Killed):
            run(tmp_path)
        assert calls >= 1
    run(tmp_path)
    expected = results(whole)
    same(results(tmp_path), expected[expected["mode"] == "robust"].reset_index(drop=True))


def test_interrupted(tmp_path, monkeypatch, capsys):
    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skactive.study._worker.run_stage", interrupt)
        assert main(command(tmp_path)) == 130
    assert "the same command goes on" in capsys.readouterr().err


def unfinished(out, stop_at=2):
    """A study that stopped before a stage of its entropy task."""
    with pytest.MonkeyPatch.context() as patch:
        real = _store.TaskStore.commit

        def commit(self, row, learner):
            if self.slug.startswith("entropy") and row["stage"] == stop_at:
                raise Killed
            real(self, row, learner)

        patch.setattr(_store.TaskStore, "commit", commit)
        with pytest.raises(Killed):
            run(out)


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_a_damaged_state_is_repaired_and_said(whole, tmp_path, damage):
    unfinished(tmp_path)
    (state,) = (tmp_path / "digits" / "state").glob("entropy*.1.skactive")
    if damage == "gone":
        state.unlink()
    else:
        state.write_bytes(state.read_bytes()[:-100])
    said = run(tmp_path)
    assert [line for line in said if "repaired" in line] == [
        "repaired: entropy-robust-seed0: the state of stage 1 was damaged or missing; going on "
        "from stage 0"
    ]
    expected = results(whole)
    same(results(tmp_path), expected[expected["mode"] == "robust"].reset_index(drop=True))


def test_truncated_rows_and_initial_models_are_repaired_and_said(whole, tmp_path):
    unfinished(tmp_path)
    rows = tmp_path / "digits" / TASK
    rows.write_bytes(rows.read_bytes()[:-3000])
    initial = tmp_path / "digits" / "initial" / "seed0.skactive"
    initial.write_bytes(initial.read_bytes()[:-1])
    said = "\n".join(run(tmp_path))
    assert "the initial model of seed 0 was damaged; trained anew" in said
    assert "entropy-robust-seed0: the results were damaged" in said
    assert rows.with_suffix(".damaged").exists()
    expected = results(whole)
    same(results(tmp_path), expected[expected["mode"] == "robust"].reset_index(drop=True))


def test_a_second_run_takes_over_and_the_first_one_stops(tmp_path):
    unfinished(tmp_path)
    folder = tmp_path / "digits"
    about, before = _store.read_task(tmp_path / "digits" / TASK)
    store = _store.TaskStore(folder, about, "old token")
    with pytest.raises(_store.SupersededError, match="Another run has taken over"):
        store.commit({**before[-1], "stage": 2}, None)
    assert store.rows() == before


# -- side by side -------------------------------------------------------------------------


def test_dask_gives_the_numbers_of_one_process(whole, tmp_path):
    execution = Execution(jobs=2, backend="dask", threads=1, progress=False)
    said = run(tmp_path, modes=("standard", "robust"), execution=execution)
    assert "workers: 2 (dask), threads of each: 1;" in said[0]
    same(results(tmp_path), results(whole))


def test_a_killed_worker_loses_no_finished_stage(whole, tmp_path):
    from joblib.externals.loky import get_reusable_executor

    execution = Execution(jobs=2, threads=1, progress=False)
    killed = []

    def kill_one():
        tasks = tmp_path / "digits" / "tasks"
        while not any(count_rows(path) > 1 for path in tasks.glob("*")):
            time.sleep(0.01)
        killed.extend(list(get_reusable_executor(reuse=True)._processes)[:1])
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    said = run(tmp_path, modes=("standard", "robust"), execution=execution)
    thread.join()
    assert killed
    assert "a worker was killed; its task goes on from its last finished stage" in said
    same(results(tmp_path), results(whole))


def test_progress_counts_rounds_and_tells_the_time_left(tmp_path, capsys):
    run(tmp_path, execution=dataclasses.replace(QUIET, progress=True))
    bar = capsys.readouterr().err
    assert "6/6" in bar
    assert "round" in bar
    assert "<00:00" in bar


def test_threads_are_shared_among_the_workers(tmp_path, monkeypatch):
    monkeypatch.setattr("skactive.study._runner.cpu_count", lambda: 6)
    before = torch.get_num_threads()
    said = run(tmp_path, execution=Execution(progress=False), strategies=("random",))
    assert "workers: 1 (here), threads of each: 6;" in said[0]
    assert torch.get_num_threads() == before


def test_gpus_are_taken_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pick_device("auto", i) for i in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert pick_device("cpu", 1) == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert pick_device("auto", 1) == "cpu"


# -- refused ------------------------------------------------------------------------------


def test_a_folder_of_another_configuration_is_refused_with_the_difference(whole, capsys):
    before = results(whole)
    with pytest.raises(StudyError) as error:
        run(whole, tiny(epochs=2, train_attack={**tiny().train_attack, "steps": 3}))
    assert "holds results of another configuration" in str(error.value)
    assert "epochs: 1 -> 2\n  train_attack.steps: 1 -> 3" in str(error.value)
    same(results(whole), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digitz"], "no preset 'digitz'. Did you mean 'digits'"),
        (["digits", "--strategies", "dree"], "Did you mean 'dre'"),
        (["digits", "--modes", "robustt"], "Did you mean 'robust'"),
        (["digits", "--backend", "daskk"], "no backend 'daskk'. Did you mean 'dask'"),
        (["digits", "--seeds", "-1"], "must not be negative"),
        (["digits", "--set", "stages=1000"], "labels, but the pool has"),
    ],
)
def test_wrong_commands_are_refused_before_anything_is_written(
    tmp_path, capsys, arguments, message
):
    assert main(["study", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_unwritable_folders_are_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["study", "digits", "--out", str(tmp_path / "file")]) == 2
    assert "cannot be written to: Not a directory" in capsys.readouterr().err


def test_a_full_disk_loses_nothing_that_was_finished(whole, tmp_path, monkeypatch):
    def full(path, content):
        if "entropy" in path.name and path.suffix == ".skactive":
            raise OSError(28, "No space left on device", str(path))
        return real(path, content)

    real = _store.write_atomically
    with monkeypatch.context() as patch:
        patch.setattr(_store, "write_atomically", full)
        with pytest.raises(StudyError, match="1 of 2 jobs failed(.|\n)*No space left on device"):
            run(tmp_path)
    assert len(results(tmp_path)) == 4
    run(tmp_path)
    expected = results(whole)
    same(results(tmp_path), expected[expected["mode"] == "robust"].reset_index(drop=True))


def test_a_failing_task_is_named_and_the_others_finish(tmp_path, monkeypatch):
    def fails(task, *args):
        if task.strategy == "entropy":
            raise ValueError("broken")
        return run_stage(task, *args)

    monkeypatch.setattr("skactive.study._worker.run_stage", fails)
    with pytest.raises(StudyError, match="1 of 2 jobs failed(.|\n)*entropy-robust-seed0"):
        run(tmp_path, strategies=("entropy", "random"))
    assert len(results(tmp_path).query("strategy == 'random'")) == 3


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StudyError, match=r"pip install \"skactive\[ray\]\""):
        check_execution(Execution(backend="ray"))


def test_protocols_are_printed_in_full(capsys, tmp_path):
    assert main(["study", "mnist", "svhn", "--print", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "per_stage = 200" in printed
    assert 'network = "vgg8"' in printed
    assert not list(tmp_path.iterdir())


def test_rows_are_plain_sqlite(whole):
    with sqlite3.connect(whole / "digits" / TASK) as connection:
        rows = connection.execute("SELECT stage, oracle, robust FROM stages").fetchall()
        about = connection.execute("SELECT strategy, mode, seed FROM task").fetchall()
    connection.close()
    assert [row[:2] for row in rows] == [(0, 30), (1, 40), (2, 50)]
    assert json.loads(rows[2][2])["pgd"] <= 1
    assert about == [("entropy", "robust", 0)]


def test_a_protocol_is_not_run_twice_at_once(tmp_path, capsys):
    assert main(["study", "digits", "mnist_scaled", "digits", "--out", str(tmp_path)]) == 2
    assert "digits is asked for twice" in capsys.readouterr().err
