"""What a study refuses before it writes, what it records, and what a user brings along."""

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import skactive.study as study_module
from skactive.__main__ import main
from skactive.datasets import load_digits
from skactive.persistence import from_bytes, to_bytes
from skactive.study import StudyError, _components, _provenance, _store, load_results, write_report
from skactive.study._components import make_strategy, strategy_spec
from skactive.study._config import _toml
from skactive.study._protocol import make_protocol
from skactive.study._provenance import open_folder
from skactive.study._store import About

from . import own_things
from . import test_datasets as files
from .study_helpers import QUIET, results, run, tiny
from .test_study_runner import same

OWN = "tests.own_things"


# -- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["/tmp/elsewhere", "../x", "a/b", "..", ".", "", "a\\b", "x" * 101,
                                  3, "a.", "nul\0"])  # fmt: skip
def test_a_name_is_one_component_of_a_path(name, tmp_path):
    with pytest.raises(StudyError, match="name must be 1 to 100 letters"):
        make_protocol({**tiny().settings(), "name": name})
    path = tmp_path / "x.toml"
    path.write_text(f'preset = "digits"\nname = {json.dumps(name)}\n')
    assert main(["study", str(path), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_names_of_attacks_are_one_component_too():
    with pytest.raises(StudyError, match="eval_attacks must be 1 to 100 letters"):
        tiny(eval_attacks={"../x": {"name": "pgd"}})


def test_files_of_a_task_are_its_own():
    slugs = {About(s, "robust", 0).slug for s in ("a:b", "a_b", "a/b", "a b", "x" * 300)}
    assert len(slugs) == 5
    assert max(map(len, slugs)) < 150
    assert About("dre:allocation=equal", "robust", 0).slug == "dre_allocation=equal-robust-seed0"


# -- refused before anything is written --------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "optimizer.momentm=0.9"], "momentm"),
        (["--set", "optimizer.lr=fast"], "'str'"),
        (["--set", "strategy_params.dree.n_bins=3"], "Did you mean 'dre'"),
        (["--set", "strategy_params.dre.bins=3"], "bins"),
        (["--set", "strategies=dre"], "strategies must be a list"),
        (["--set", "optimizer=3"], "optimizer must be a table"),
        (["--strategies", "vote_entropy"], "Committee"),
        (["--jobs", "0"], "--jobs must be"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--device", "cudaa"], "--device cudaa cannot be used"),
        (["--seeds", "4294967296"], "below 2**31"),
        (["--set", "data_seed=99999999999999999999"], "2147483648"),
        (["--set", "dataset=no.such:module"], "cannot be imported: ModuleNotFoundError"),
        (["--set", f"network={OWN}:last_one"], "cannot be imported: AttributeError"),
        (["--strategies", f"{OWN}:Linear"], "tests.own_things:Linear"),
    ],
)  # fmt: skip
def test_settings_are_tried_before_anything_is_written(tmp_path, capsys, arguments, message):
    assert main(["study", "digits", *arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


# -- no code in files ---------------------------------------------------------------------------


def test_no_module_of_a_study_unpickles():
    for path in Path(study_module.__file__).parent.glob("*.py"):
        text = path.read_text()
        assert not any(
            word in text for word in ("import pickle", "pickle.load", "torch.load", "joblib.load")
        ), path


def test_a_folder_of_an_older_version_is_refused_in_words(tmp_path, capsys):
    folder = tmp_path / "digits"
    (folder / "initial").mkdir(parents=True)
    (folder / "initial" / "seed0.pickle").write_bytes(pickle.dumps(print))
    (folder / "protocol.json").write_text(json.dumps(tiny().settings()))
    before = sorted(folder.rglob("*"))
    for act in (lambda: run(tmp_path), lambda: load_results(tmp_path)):
        with pytest.raises(StudyError, match="written by an older version"):
            act()
    assert sorted(folder.rglob("*")) == before


def test_trees_survive_packing():
    tree = {"a": [1, 2.5, None, True, "x"], 3: (np.arange(4), np.float64(0.1)), "e": {}}
    back = from_bytes(to_bytes(tree))
    assert back["a"] == tree["a"]
    assert back[3][0].tolist() == [0, 1, 2, 3]
    assert isinstance(back[3], tuple)
    assert back[3][1] == 0.1
    with pytest.raises(TypeError, match="a is a lambda, which a file"):
        to_bytes({"a": lambda: 0})


def test_states_do_not_hold_the_pool(tmp_path):
    p = tiny(n_pool=1000, validation=True, best_epoch=True)
    states = []
    with pytest.MonkeyPatch.context() as patch:
        real = _store.learned_state
        patch.setattr(
            _store, "learned_state", lambda taught: states.append(real(taught)) or states[-1]
        )
        run(tmp_path, p, ("entropy",))
    pool = load_digits(n_train=1000).X_train.nbytes
    parameters = len(to_bytes(dict(enumerate(np.zeros((3, 61706), dtype=np.float32)))))
    assert len(states) == 2  # the initial model, and stage 1 of 2
    assert max(map(len, states)) < parameters + pool / 4


def test_every_kind_of_state_is_resumed_bit_for_bit(tmp_path):
    p = tiny(
        validation=True, best_epoch=True, augment=True, epochs=2,
        optimizer={"name": "sgd", "lr": 0.01, "momentum": 0.9, "cyclic": True},
        strategy_params={"dfal": {"adversarial_twins": True, "n_candidates": 10}},
    )  # fmt: skip
    run(tmp_path / "whole", p, ("dfal",))
    with pytest.MonkeyPatch.context() as patch:
        real = _store.TaskStore.commit

        def commit(self, row, learner):
            real(self, row, learner)
            if row["stage"] == 1:
                raise KeyboardInterrupt

        patch.setattr(_store.TaskStore, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "stopped", p, ("dfal",))
    run(tmp_path / "stopped", p, ("dfal",))
    same(results(tmp_path / "stopped"), results(tmp_path / "whole"))


# -- what is recorded ----------------------------------------------------------------------------


def test_other_data_are_refused_other_versions_are_said(tmp_path, monkeypatch):
    run(tmp_path, strategies=("random",))
    record = json.loads((tmp_path / "digits" / "protocol.json").read_text())
    assert record["runs"][0]["threads"] == 1
    assert {"torch", "numpy", "scikit-learn", "skactive"} <= set(record["runs"][0])
    assert not [line for line in run(tmp_path, strategies=("random",)) if "set-up" in line]
    said = run(tmp_path, strategies=("random",), execution=dataclasses.replace(QUIET, threads=2))
    assert [line for line in said if "begun with another set-up (threads: 1 -> 2)" in line]
    monkeypatch.setattr(_provenance, "_digest", lambda data: "other")
    with pytest.raises(StudyError, match="holds results on other data"):
        run(tmp_path, strategies=("entropy",))


def test_a_damaged_protocol_lets_nothing_of_another_in(tmp_path):
    run(tmp_path, strategies=("random",))
    path = tmp_path / "digits" / "protocol.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"epochs": 1', b'"epochs": 2'))
    with pytest.raises(StudyError, match=r"protocol.json: the file is damaged .*checksum"):
        load_results(tmp_path)
    with pytest.raises(StudyError, match="another configuration or of other data"):
        run(tmp_path, tiny(epochs=2), strategies=("random",))
    path.write_bytes(b"{")
    assert any("protocol.json was damaged; written anew" in line
               for line in run(tmp_path, strategies=("random",)))  # fmt: skip
    assert len(results(tmp_path)) == 3


# -- damaged -------------------------------------------------------------------------------------


def test_a_changed_digit_is_named_and_repaired(tmp_path, capsys):
    import sqlite3

    run(tmp_path)
    before = results(tmp_path)
    path = tmp_path / "digits" / "tasks" / "entropy-robust-seed0.sqlite"
    with sqlite3.connect(path) as connection:
        (picked,) = connection.execute("SELECT picked FROM stages WHERE stage = 1").fetchone()
        wrong = json.dumps([json.loads(picked)[0] + 1, *json.loads(picked)[1:]])
        connection.execute("UPDATE stages SET picked = ? WHERE stage = 1", [wrong])
    connection.close()
    for act in (load_results, write_report):
        with pytest.raises(StudyError, match="entropy-robust-seed0 are damaged .*stage 1"):
            act(tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "repairs it" in error
    assert "Traceback" not in error
    said = run(tmp_path)
    assert [line for line in said if "goes on after its first 1 rows" in line]
    same(results(tmp_path), before)


def test_a_lost_row_and_a_renamed_task_are_named(tmp_path):
    import sqlite3

    run(tmp_path, strategies=("random",))
    path = tmp_path / "digits" / "tasks" / "random-robust-seed0.sqlite"
    whole = path.read_bytes()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM stages WHERE stage = 2")
    connection.close()
    with pytest.raises(StudyError, match="rows are lost"):
        load_results(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(StudyError, match="damaged"):
        load_results(tmp_path)
    path.unlink()
    path.with_name("random-robust-seed1.sqlite").write_bytes(whole)
    with pytest.raises(StudyError, match="of the task random-robust-seed0"):
        load_results(tmp_path)


# -- one's own -------------------------------------------------------------------------------------


def test_own_strategies_networks_and_data(tmp_path, capsys):
    arguments = ["study", "digits", "--set", f"network={OWN}:Linear", "--set",
                 f"dataset={OWN}:digits_upside_down", "--strategies", f"{OWN}:First:start=2",
                 f"{OWN}:last", "--modes", "robust", "--seeds", "0", "--quiet"]  # fmt: skip
    changed = {"n_pool": 150, "n_test": 40, "initial": 30, "per_stage": 10, "stages": 1,
               "epochs": 1, "eval_attacks": tiny().eval_attacks}  # fmt: skip
    for name, value in changed.items():
        arguments += ["--set", f"{name}={_toml(value)}"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    frame = results(tmp_path).set_index(["strategy", "stage"])
    pool = np.setdiff1d(np.arange(150), frame.picked[f"{OWN}:last", 0])
    assert frame.picked[f"{OWN}:First:start=2", 1] == pool[2:12].tolist()
    assert frame.picked[f"{OWN}:last", 1] == pool[-10:].tolist()
    assert set(frame.network) == {f"{OWN}:Linear"}


def test_reading_results_imports_nothing(tmp_path, monkeypatch):
    run(tmp_path, tiny(network=own_things.Linear, stages=1), strategies=("random",))
    monkeypatch.setattr("importlib.import_module", lambda *args: 1 / 0)
    assert set(load_results(tmp_path).network) == {f"{OWN}:Linear"}
    from skactive.study._results import find_studies, load_settings

    for folder in find_studies(tmp_path):
        make_protocol(load_settings(folder))


def test_objects_are_recorded_by_name():
    p = tiny()
    for strategy, spec in [
        (own_things.First(), f"{OWN}:First"),
        (own_things.First(start=3), f"{OWN}:First:start=3"),
        (own_things.last, f"{OWN}:last"),
        (make_strategy("dre:allocation=equal,n_bins=20", p), "dre:allocation=\"equal\",n_bins=20"),
    ]:  # fmt: skip
        assert strategy_spec(strategy) == spec
        assert (
            make_strategy(spec, p).get_params()
            == make_strategy(
                strategy_spec(make_strategy(spec, p)) if spec != f"{OWN}:last" else spec, p
            ).get_params()
        )
    with pytest.raises(StudyError, match="cannot be recorded"):
        strategy_spec(lambda estimator, X, n: [0])
    with pytest.raises(StudyError, match="start = .* cannot be recorded"):
        strategy_spec(own_things.First(start=print))


def test_the_folder_belongs_to_the_last_run(tmp_path):
    open_folder(tmp_path / "x", tiny(), "data", "first")
    (tmp_path / "x" / "running").write_bytes(b"\xff\xfe")
    with pytest.raises(_store.SupersededError):
        _store.TaskStore(tmp_path / "x", About("dre", "robust", 0, "m"), "first").restore(
            None, None
        )


DATA = {
    "idx": ("mnist_scaled", lambda at: files.write_idx(at, packed=False), "train-images*"),
    "gz": ("mnist_scaled", files.write_idx, "train-images*.gz"),
    "npz": ("quickdraw_scaled", files.write_quickdraw, "*.npz"),
    "jpeg": ("cifar10_scaled", files.write_cifar_jpegs, "*.npz"),
}
DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "flipped": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "empty": lambda content: b"",
    "missing": None,
}


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_data_are_one_line_at_the_command_line(kind, damage, tmp_path, monkeypatch, capsys):
    name, write, pattern = DATA[kind]
    write(tmp_path)
    (path,) = tmp_path.rglob(pattern)
    if DAMAGE[damage] is None:
        path.unlink()
    else:
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    monkeypatch.setenv("SKACTIVE_DATA", str(tmp_path))
    _components._load.cache_clear()
    assert main(["study", name, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert path.name.split(".")[0] in said
    assert not (tmp_path / "out").exists()


def test_the_papers_columns_run_the_released_functions_or_say_so():
    from skactive.study import preset

    for name in ("mnist", "cifar10_resnet18"):
        p = preset(name)
        assert make_strategy("egl", p).wrt == "input"
        assert make_strategy("coreset", p).embedding == "proba"
        assert make_strategy("dre", p).allocation == "ceil_tail"
    assert make_strategy("egl", preset("mnist_scaled")).wrt == "parameters"
