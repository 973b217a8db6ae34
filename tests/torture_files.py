"""Flip single bytes of everything a study, a report checkpoint or a data set leaves on disk."""

import gzip
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from skactive.datasets._idx import read_idx
from skactive.datasets._quickdraw import read_quickdraw
from skactive.metrics import robustness_report
from skactive.study import StudyError, load_results

from .study_helpers import results, run, tiny

_SMALL = {"n_pool": 60, "n_test": 20, "initial": 20, "per_stage": 5, "stages": 2}


def flip_trials(n, seed=0, rerun_every=10, folder=None):
    """Flip one byte `n` times; returns how often each outcome was seen.

    Each trial must end with the same result (``same``), the same after a repair that was said
    (``repaired``), or an error that names the file (``named``). Every `rerun_every`-th flip in a
    study is followed by the study's own command.

    Raises
    ------
    AssertionError
        At the first silent change or raw error.
    """
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(dir=folder) as home:
        whole = _make(Path(home) / "whole")
        expected = _read_all(whole)
        files = sorted(path for path in whole.rglob("*") if path.is_file() and path.stat().st_size)
        files = [path for path in files if path.name not in ("protocol.toml", "running")]
        seen = Counter()
        for trial in range(n):
            path = files[trial % len(files)]
            copy = Path(home) / "copy"
            shutil.copytree(whole, copy)
            flipped = copy / path.relative_to(whole)
            where = _flip(flipped, rng)
            kind, _, _ = str(path.relative_to(whole)).partition("/")
            outcome = _outcome(kind, copy, flipped, expected[kind], where)
            if kind == "study" and trial % rerun_every == 0:
                outcome = _rerun(copy, expected[kind], where)
            seen[f"{kind} {outcome}"] += 1
            shutil.rmtree(copy)
    return dict(seen)


def _flip(path, rng):
    content = bytearray(path.read_bytes())
    at = int(rng.integers(len(content)))
    content[at] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(content))
    return f"{path.name}, byte {at}"


def _outcome(kind, copy, flipped, expected, where):
    try:
        found = _READ[kind](copy / kind)
    except (StudyError, OSError, ValueError) as error:
        if flipped.name not in str(error):
            raise AssertionError(f"{where}: {error!r} does not name it") from error
        return "named"
    except Exception as error:
        raise AssertionError(f"{where}: raw {error!r}") from error
    assert found == expected, f"{where}: changed without a word"
    return "same"


def _rerun(copy, expected, where):
    """The study's command after a flip: the same results, or an error in words."""
    try:
        said = _study(copy / "study")
    except StudyError as error:
        if "Traceback" in str(error):
            raise AssertionError(f"{where}: {error}") from error
        return "named"
    assert _READ["study"](copy / "study") == expected, f"{where}: changed without a word"
    return "repaired" if any(line.startswith("repaired") for line in said) else "same"


def _study(out):
    return run(out, tiny(**_SMALL), strategies=("entropy", "random"))


def _make(whole):
    _study(whole / "study")
    (whole / "checkpoint").mkdir()
    _checkpoint(whole / "checkpoint")
    raw = whole / "idx"
    raw.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    (raw / "images.gz").write_bytes(gzip.compress(header + images.tobytes()))
    (whole / "npz" / "quickdraw").mkdir(parents=True)
    drawings = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    np.savez_compressed(whole / "npz" / "quickdraw" / "quickdraw4.npz", images=drawings,
                        labels=np.arange(20) % 4, class_names=np.array(list("abcd")))  # fmt: skip
    return whole


def _read_study(out):
    load_results(out)
    return results(out).to_json()


def _checkpoint(folder):
    X, y = load_digits(return_X_y=True)
    X, y = (X[:60] / 16).astype(np.float32).reshape(-1, 1, 8, 8), y[:60]
    report = robustness_report(_net(X, y), X, y, "fgsm", eps=0.1, batch_size=20,
                               checkpoint=folder / "attack.npz", random_state=0)  # fmt: skip
    return report.survivors, report.correct.tolist()


_NETS = []


def _net(X, y):
    from skactive import AdversarialNetClassifier
    from skactive.networks import LeNet5

    if not _NETS:
        net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
        _NETS.append(net.fit(X, y))
    return _NETS[0]


def _read_idx(folder):
    return read_idx(folder / "images.gz", 3).tobytes()


def _read_npz(folder):
    source = read_quickdraw(folder)
    parts = (source.train, source.test)
    return [(p.read(np.arange(len(p.labels))).tobytes(), p.labels.tolist()) for p in parts]


_READ = {"study": _read_study, "checkpoint": _checkpoint, "idx": _read_idx, "npz": _read_npz}


def _read_all(whole):
    return {kind: read(whole / kind) for kind, read in _READ.items()}
