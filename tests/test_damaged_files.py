"""Files that were damaged or made to harm: each is refused in words, and nothing is run."""

import io
import itertools
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomTreesEmbedding,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.exceptions import DamagedFileError
from skactive.persistence import save
from skactive.utils import archive
from tests.models import SmallMLP

REFUSALS = {"DamagedFileError", "UntrustedError", "NewerFormatError"}


class Evil:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/skactive-was-here",)


EVIL = pickle.dumps(Evil())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files as they were written: of a forest, of neighbours, of a net."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    X = rng.random((60, 4)).astype(np.float32)
    y = np.array(["no", "yes"], dtype=object)[(X[:, 0] > X[:, 1]).astype(int)]
    net = AdversarialNetClassifier(SmallMLP, attack=FGSM(eps=0.05), max_epochs=1, random_state=0)
    made = {
        "forest": RandomForestClassifier(n_estimators=2, max_depth=3),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree"),
        "net": net,
    }
    for name, estimator in made.items():
        learner = ActiveLearner(estimator, "random", random_state=np.random.default_rng(1))
        learner.fit(X[:50], y[:50], ids=range(50)).save(folder / name)
    return {name: folder / name for name in made}


def content_of(path):
    with archive.reading(path) as file:
        return file.manifest, {name: file.read(name) for name in file.names()}


def forged(path, manifest, members):
    """A file whose checksums and seal fit: its author means harm."""
    with archive.writing(path) as writer:
        for name, content in members.items():
            writer.write(name, content, len(content))
        writer.finish({k: value for k, value in manifest.items() if k != "members"})


def rezipped(path, members, **params):
    """A zip of another program's making, sealed as far as it can be."""
    with path.open("x+b") as file:
        with zipfile.ZipFile(file, "w") as made:
            for name, content in members.items():
                info = zipfile.ZipInfo(name)
                for key, value in params.items():
                    setattr(info, key, value)
                made.writestr(info, content)
        usual, archive._NAME = archive._NAME, re.compile(".*", re.DOTALL)
        try:
            archive._seal(file)
        except ValueError:  # what is compressed cannot be sealed
            return
        finally:
            archive._NAME = usual


def harmful_trees():
    """Objects that a file may claim to hold."""
    code = {"is": "code", "name": "os.system"}
    call = ["touch /tmp/skactive-was-here"]
    yield "a function", code
    none = {"is": "dict", "of": {}}
    yield "a partial", {"is": "partial", "function": code, "args": call, "params": none}
    yield "an object", {"is": "object", "class": "subprocess.Popen", "state": {"args": call}}
    yield "a tuple", {"is": "object", "class": "os.system", "items": call}
    yield "a net", {"is": "net", "class": "skactive.AdversarialNetClassifier",
                    "params": {"module": code}}  # fmt: skip
    own = {"is": "code", "name": "skactive.ActiveLearner"}
    yield "a learner for a module", {
        "is": "net", "class": "skactive.AdversarialNetClassifier", "params": {"module": own},
        "learned": {}, "parts": {}, "optimizers": {}, "history": [], "callbacks": {},
    }  # fmt: skip
    yield "a class for an object", {"is": "net", "class": "skactive.ActiveLearner", "params": {}}
    yield "a module", {"is": "module", "tensors": None, "tree": {"class": "builtins.print"}}
    yield "dunders", {"is": "object", "class": "skactive.strategies.DRE", "state": {"__class__": 1}}
    yield "a device", {"is": "torch device", "value": "nowhere"}
    yield "a type", {"is": "torch dtype", "value": "load"}
    yield "objects", {"is": "scalar", "dtype": "|O", "hex": "00" * 8}
    yield "an array of objects", {"is": "array", "shape": [2**40], "objects": [1]}
    yield "a kind nobody knows", {"is": "pickle", "value": EVIL.hex()}
    yield "a reference to nothing", {"is": "same", "as": 7}
    yield "a member of nothing", {"is": "array", "member": "arrays/none.npy"}
    yield "no kind", {"value": 1}
    yield "a member outside", {"is": "array", "member": "../../etc/passwd"}
    yield (
        "a generator",
        {"is": "RandomState", "state": {"is": "dict", "of": {}}},
    )
    yield "an enumeration", {"is": "member of", "class": "builtins.print", "name": "x"}
    deep = 1
    for _ in range(400):
        deep = {"is": "tuple", "of": [deep]}
    yield "too deep", deep


def arrays():
    """Contents of ``.npy`` members that are none of data."""
    objects = io.BytesIO()
    np.save(objects, np.array([Evil()], dtype=object), allow_pickle=True)
    yield "pickled objects", objects.getvalue()
    for name, shape in (("huge", (2**40,)), ("negative", (-5,)), ("overflow", (2**62, 2**62))):
        header = io.BytesIO()
        content = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, content)
        yield name, header.getvalue() + b"\0" * 16
    yield (
        "code",
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 34) + b"__import__('os').system('true')\n  ",
    )
    yield "empty", b""


def skops_files():
    """Contents of ``.skops`` members that would call something."""

    def made(schema, **members):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            file.writestr(
                "schema.json", json.dumps({**schema, "protocol": 2, "_skops_version": "0"})
            )
            for name, value in members.items():
                file.writestr(name, value)
        return content.getvalue()

    command = {"content": '"touch /tmp/skactive-was-here"', "is_json": True, "__id__": 1}
    word = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", **command}
    args = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode"}
    args |= {"content": [word], "__id__": 2}
    call = {"__class__": "system", "__module__": "posix", "__id__": 3}
    content = {"content": args, "__reduce__": {"args": args}}
    for loader in (
        "FunctionNode", "TypeNode", "ConstructorFromReduceNode", "ObjectNode", "ReduceNode",
        "PartialNode", "TreeNode", "LossNode",
    ):  # fmt: skip
        yield loader, made({**call, **content, "__loader__": loader})
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", b" " * 5_000_000)
    yield "a bomb", bomb.getvalue()


def damage(files, folder):
    """Many ways in which a file can be wrong, each as ``(what, path)``."""
    rng = np.random.default_rng(0)
    number = iter(range(10_000))

    def path():
        return folder / f"{next(number)}"

    def write(what, content):
        place = path()
        place.write_bytes(content)
        return what, place

    for name, good in files.items():
        raw = good.read_bytes()
        for cut in rng.integers(0, len(raw), size=6):
            yield write(f"{name} cut at {cut}", raw[:cut])
        for at in [0, 4, 10, 26, len(raw) - 1, len(raw) - 70, *rng.integers(0, len(raw), size=12)]:
            flipped = bytearray(raw)
            flipped[at] ^= 1 << int(rng.integers(8))
            yield write(f"{name} flipped at {at}", bytes(flipped))
        yield write(f"{name} with more behind", raw + b"\0")
        yield write(f"{name} with more before", b"#!/bin/sh\n" + raw)
        manifest, members = content_of(good)
        names = list(members)
        for first, second in itertools.pairwise(names):
            swapped = {**members, first: members[second], second: members[first]}
            place = path()
            rezipped(place, {**swapped, "manifest.json": json.dumps(manifest)})
            yield f"{name} with {first} and {second} swapped", place
        for member in names:
            place = path()
            forged(place, manifest, {**members, member: EVIL})
            yield f"{name} with a pickle for {member}", place
            ending = member.rpartition(".")[2]
            for what, content in {"npy": arrays, "skops": skops_files}.get(ending, lambda: [])():
                place = path()
                forged(place, manifest, {**members, member: content})
                yield f"{name} with {what} for {member}", place
        for member in names[:2]:
            left = {key: value for key, value in members.items() if key != member}
            place = path()
            forged(place, manifest, left)
            yield f"{name} without {member}", place
    manifest, members = content_of(files["net"])
    whole = {**members, "manifest.json": json.dumps(manifest)}
    for name in ("../evil", "/tmp/evil", "a/../../evil", "C:\\evil", "a\\..\\b", "", "evil\0.npy"):
        place = path()
        rezipped(place, {**whole, name: b"x"})
        yield f"named {name!r}", place
    for params in (
        {"compress_type": zipfile.ZIP_DEFLATED},
        {"flag_bits": 1},
        {"extra": b"ab\1\0c"},
    ):
        place = path()
        rezipped(place, {"arrays/bomb.npy": b"\0" * 5_000_000, **whole}, **params)
        yield f"a bomb with {list(params)}", place
    for what, tree in harmful_trees():
        for needs in ([], ["os.system", "subprocess.Popen"]):
            place = path()
            forged(place, {**manifest, "object": tree, "needs": needs}, members)
            yield f"{what} that needs {needs}", place
    for change in (
        {"format": 99}, {"format": "1"}, {"format": -1}, {"kind": "x"}, {"versions": None},
        {"needs": 3}, {"object": None, "needs": ["os.system"]}, {"data": [], "packages": 1},
    ):  # fmt: skip
        place = path()
        forged(place, {**manifest, **change}, members)
        yield f"manifest with {change}", place
    nested = "[" * 100_000 + "]" * 100_000
    text = json.dumps({**manifest, "object": 0}).replace('"object": 0', f'"object": {nested}')
    place = path()
    rezipped(place, {**members, "manifest.json": text})
    yield "a manifest nested without end", place
    for content in (b"", b"PK\x05\x06" + b"\0" * 18, EVIL, b"\x93NUMPY", os.urandom(5000)):
        yield write(f"{content[:8]!r}", content)


@pytest.fixture(scope="module")
def read_all(files, tmp_path_factory):
    """What reading each damaged file led to, in another process."""
    trace = Path("/tmp/skactive-was-here")
    trace.unlink(missing_ok=True)
    folder = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)  # hundreds of files, none to last
        bad = {str(path): what for what, path in damage(files, folder)}
    before = {path: Path(path).read_bytes() for path in bad}
    run = subprocess.run(
        [sys.executable, "-m", "tests.damaged", *map(str, files.values()), "--", *bad],
        capture_output=True, text=True, timeout=280, cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(skactive.__file__).parents[1])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert not trace.exists()
    assert {path: Path(path).read_bytes() for path in bad} == before
    found = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert len(found) == len(bad) > 200
    return {bad[each["path"]]: each for each in found}


def test_each_damaged_file_is_refused_in_words(read_all):
    wrong = {
        what: each["load"]
        for what, each in read_all.items()
        if each["load"]["error"] not in REFUSALS
    }
    assert not wrong, json.dumps(wrong, indent=1)
    for each in read_all.values():
        if each["load"]["error"] == "DamagedFileError":
            assert each["path"] in each["load"]["text"]
            assert "take another copy" in each["load"]["text"] or len(each["load"]["text"]) == 300


def test_nothing_is_run_imported_opened_or_written(read_all):
    noted = {
        what: each[how]["noted"]
        for what, each in read_all.items()
        for how in ("load", "inspect")
        if each[how]["noted"]
    }
    assert not noted, json.dumps(noted, indent=1)


def test_looking_into_a_file_finds_what_fits_no_checksum(read_all):
    passed = [what for what, each in read_all.items() if each["inspect"]["error"] == "none"]
    assert all(" for " in what or " needs " in what or "without" in what or "manifest with" in what
               for what in passed), passed  # fmt: skip
    assert not any("cut" in what or "flipped" in what for what in passed)


# -- nets: building one calls what it is made of ---------------------------------------------------


def calls():
    """Nodes of what is no module, and prints when it is called."""
    printing = {"is": "code", "name": "builtins.print"}
    parts = {"args": ["called"], "params": {"is": "dict", "of": {}}}
    partial = {"is": "partial", "function": printing, **parts}
    transform = {"is": "object", "class": "torchvision.transforms.Lambda"}
    transform["state"] = {"lambd": printing}
    yield "print", printing
    yield "print", partial
    yield "print", {"is": "partial", "function": partial, **parts}
    yield "Lambda", transform
    yield "Lambda", {"is": "partial", "function": transform, **parts}


@pytest.mark.parametrize("part", ["module", "criterion", "optimizer"])
def test_a_net_is_not_built_of_what_is_no_module(files, tmp_path, capsys, part):
    manifest, members = content_of(files["net"])
    for number, (name, node) in enumerate(calls()):
        forgery = json.loads(json.dumps(manifest))
        forgery["object"]["state"]["estimator_"]["params"][part] = node
        forged(tmp_path / str(number), forgery, members)
        with pytest.raises(DamagedFileError, match=rf"a net has .*\.{name} for its {part}"):
            skactive.load(tmp_path / str(number), modules={"SmallMLP": SmallMLP})
    assert capsys.readouterr().out == ""


# -- trees that compiled code would follow out of bounds -------------------------------------------


def test_trees_are_sound_before_compiled_code_follows_them():
    from skactive.persistence._sklearn_types import check_trees

    rng = np.random.default_rng(0)
    X = rng.random((60, 3))
    y = (X[:, 0] > 0.5).astype(int)
    forest = RandomForestClassifier(n_estimators=2, random_state=0).fit(X, y)
    neighbours = KNeighborsClassifier(algorithm="ball_tree", leaf_size=3).fit(X, y)
    check_trees([forest, neighbours])
    tree = forest.estimators_[1].tree_
    for part, at, value in (("left_child", 0, 10**6), ("right_child", 0, 0), ("feature", 0, 99)):
        state = tree.__getstate__()
        state["nodes"] = state["nodes"].copy()
        state["nodes"][part][at] = value
        broken = type(tree)(3, np.array([2]), 1)
        broken.__setstate__(state)
        holder = type("Holder", (), {})()
        holder.tree_ = broken
        with pytest.raises(ValueError, match="lead nowhere"):
            check_trees([holder])
    search = neighbours._tree
    state = list(search.__getstate__())
    rows = np.array(state[1]).copy()
    rows[0] = 10**6
    broken = type(search).__new__(type(search))
    broken.__setstate__((state[0], rows, *state[2:]))
    with pytest.raises(ValueError, match="neighbours"):
        check_trees([broken])


def wider(tree):
    """A tree that says of itself that it has many features, and reads the last of them."""
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["feature"][tree.feature >= 0] = 2**31 - 1
    made = type(tree)(2**31, tree.n_classes, tree.n_outputs)
    made.__setstate__(state)
    return made


def widened(estimator):
    """The estimator, with one tree that reads features that no sample has."""
    if hasattr(estimator, "tree_"):
        estimator.tree_ = wider(estimator.tree_)
    elif hasattr(estimator, "_predictors"):
        estimator._predictors[0][0].nodes["feature_idx"] = 2**31
    elif hasattr(estimator, "_tree"):
        state = list(estimator._tree.__getstate__())
        state[3] = np.ascontiguousarray(state[3][:, :, :1])
        estimator._tree.__setstate__(tuple(state))
    else:
        member = np.ravel(estimator.estimators_)[-1]
        member.tree_, member.n_features_in_ = wider(member.tree_), 2**31
    return estimator


class OwnTree(DecisionTreeClassifier):
    """One whose tree stands in the file without its owner."""


class OwnForest(RandomForestClassifier):
    """One whose members stand so."""


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(max_depth=3),
        OwnTree(max_depth=3),
        OwnForest(n_estimators=2),
        RandomForestClassifier(n_estimators=2),
        BaggingClassifier(DecisionTreeClassifier(), n_estimators=2, max_features=2),
        BaggingClassifier(ExtraTreeClassifier(), n_estimators=2, bootstrap_features=True),
        GradientBoostingClassifier(n_estimators=2),
        AdaBoostClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, categorical_features=[1]),
        KNeighborsClassifier(algorithm="kd_tree", leaf_size=3),
        KNeighborsClassifier(algorithm="ball_tree", leaf_size=3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_trees_read_no_more_features_than_there_are(tmp_path, estimator):
    rng = np.random.default_rng(0)
    X = np.c_[rng.random(80), np.arange(80) % 4, rng.random(80)]
    y = (X[:, 0] > 0.5) ^ (X[:, 1] == 2)
    save(estimator.set_params(**seeded(estimator)).fit(X, y), tmp_path / "sound")
    trusted = tuple(skactive.inspect(tmp_path / "sound").needs)
    found = skactive.load(tmp_path / "sound", trusted=trusted)
    assert found.predict(X).tolist() == estimator.predict(X).tolist()
    save(widened(estimator), tmp_path / "crafted")
    with pytest.raises(DamagedFileError, match="features that it lacks|lead nowhere"):
        skactive.load(tmp_path / "crafted", trusted=trusted)


def seeded(estimator):
    return {"random_state": 0} if "random_state" in estimator.get_params() else {}


@pytest.mark.parametrize(
    "estimator",
    [
        ClassifierChain(DecisionTreeClassifier()),
        MultiOutputClassifier(RandomForestClassifier(n_estimators=2)),
        RandomForestClassifier(n_estimators=2),
        IsolationForest(n_estimators=2, max_features=2),
        RandomTreesEmbedding(n_estimators=2),
        KernelDensity(),
        BaggingClassifier(make_pipeline(StandardScaler(), GaussianNB()), n_estimators=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_sound_trees_of_every_kind_are_read(tmp_path, estimator):
    X = np.random.default_rng(0).random((60, 3))
    y = (X[:, :2] > 0.5).astype(int)
    one = isinstance(estimator, BaggingClassifier)
    save(estimator.fit(X, y[:, 0] if one else y), tmp_path / "sound")
    skactive.load(tmp_path / "sound")


def test_a_message_names_the_file_and_the_way_out(files, tmp_path):
    (tmp_path / "half").write_bytes(files["net"].read_bytes()[:2000])
    with pytest.raises(DamagedFileError, match=r"half cannot be read: .*take another copy of it"):
        skactive.load(tmp_path / "half")
