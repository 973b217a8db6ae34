"""One bit of a file is flipped: what is read is equal, or an error names the file.

Pickled files of others (CIFAR-10's batches) are left out: what a flipped pickle does is Python's
own. Files of plain pixels (IDX without gzip, MAT without compression) carry no checksum: there a
flip must change the digest by which a study knows its data.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np

from skactive import AdversarialNetClassifier
from skactive.datasets import load_cifar10, load_mnist, load_quickdraw, load_svhn
from skactive.metrics import robustness_report
from skactive.retraining import RetrainingReport
from skactive.study import StudyError, _store
from skactive.study._provenance import _digest  # by which a study knows its data
from skactive.utils.checksums import checksum_path
from tests import test_datasets as files
from tests.models import SmallMLP
from tests.study_helpers import results, run, tiny

from ._tally import Effort, Tally

_SIGHT = 3000  # flips fall on the first and last so many bytes of a large file as often as between


def flips(effort: Effort) -> Iterator[Tally]:
    """A tally for each kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, kind in enumerate((_data_files, _tables, _checkpoint, _study, _states)):
            yield from kind(root, effort, np.random.default_rng([effort.seed, number]))


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit turned; half of the time near an end, where the structure of most formats is."""
    changed = bytearray(content)
    at = int(rng.integers(len(content)))
    if len(content) > 2 * _SIGHT and rng.random() < 0.5:
        at = int(rng.integers(-_SIGHT, _SIGHT))
    changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _flip(
    tally: Tally,
    path: Path,
    read: Callable[[], object],
    rng: np.random.Generator,
    *,
    wanted: object,
    told: Callable[[object], bool] = lambda found: False,
) -> None:
    """Flip a bit of `path`, read, and put the file back."""
    content = path.read_bytes()
    damaged = _flipped(content, rng)
    at = next(i for i, (a, b) in enumerate(zip(content, damaged, strict=True)) if a != b)
    where = f"{path.name} byte {at} {content[at]:#x}->{damaged[at]:#x}"
    path.write_bytes(damaged)
    try:
        found = read()
    except (StudyError, OSError, ValueError) as error:
        if path.name.split(".")[0] in str(error):
            tally.named += 1
        else:
            tally.silent.append(f"{where}: names no file: {error!r}"[:300])
    except Exception as error:
        tally.silent.append(f"{where}: raw {error!r}"[:300])
    else:
        if found == wanted:
            tally.equal += 1
        elif told(found):
            tally.told += 1
        else:
            tally.silent.append(f"{where}: other content")
    finally:
        path.write_bytes(content)


# -- data ------------------------------------------------------------------------------------


def _data_files(root: Path, effort: Effort, rng: np.random.Generator) -> Iterator[Tally]:
    kinds = {
        "IDX": (lambda at: files.write_idx(at, packed=False), load_mnist, "*-ubyte"),
        "IDX, gzip": (files.write_idx, load_mnist, "*.gz"),
        "NPZ of JPEGs": (files.write_cifar_jpegs, load_cifar10, "*.npz"),
        "NPZ": (files.write_quickdraw, load_quickdraw, "*.npz"),
        "MAT": (files.write_svhn, load_svhn, "*.mat"),
    }
    for kind, (write, load, pattern) in kinds.items():
        at = root / kind
        at.mkdir()
        write(at)
        paths = sorted(at.rglob(pattern))
        tally = Tally(f"flips, {kind}")
        wanted = _digest(load(root=at))
        plain = kind in ("IDX", "MAT")
        for i in effort.times(200):
            _flip(
                tally,
                paths[i % len(paths)],
                lambda load=load, at=at: _digest(load(root=at)),
                rng,
                wanted=wanted,
                told=lambda found, plain=plain: plain,
            )
        yield tally


def _tables(root: Path, effort: Effort, rng: np.random.Generator) -> Iterator[Tally]:
    """The table that a retraining report leaves, and its checksum."""
    path = root / "retraining_mnist_lenet5.csv"
    row = {"strategy": "dre", "budget": 0.01, "seed": 0, "n_selected": 4, "accuracy": 0.98}
    RetrainingReport([{**row, "seed": seed} for seed in range(20)]).to_csv(path)
    wanted = RetrainingReport.from_csv(path).rows
    tally = Tally("flips, retraining table")
    for i in effort.times(200):
        flipped = path if i % 2 == 0 else checksum_path(path)
        _flip(tally, flipped, lambda: RetrainingReport.from_csv(path).rows, rng, wanted=wanted)
    yield tally


# -- a report's checkpoint -----------------------------------------------------------------------


def _checkpoint(root: Path, effort: Effort, rng: np.random.Generator) -> Iterator[Tally]:
    X = rng.random((60, 6), dtype=np.float32)
    y = (X[:, 0] > 0.5).astype(int)
    settings = {"module__n_features": 6, "module__n_classes": 2, "attack": None}
    net = AdversarialNetClassifier(SmallMLP, **settings, max_epochs=2, random_state=0).fit(X, y)
    path = root / "checkpoint.npz"

    def report() -> object:
        found = robustness_report(
            net, X, y, "pgd", eps=0.05, batch_size=20, random_state=0, checkpoint=path
        )
        return found.survivors, found.correct.tolist()

    wanted = report()
    tally = Tally("flips, report checkpoint")
    for _ in effort.times(200):
        _flip(tally, path, report, rng, wanted=wanted)
    yield tally


# -- a study -------------------------------------------------------------------------------------


def _study(root: Path, effort: Effort, rng: np.random.Generator) -> Iterator[Tally]:
    """Results are read after each flip; now and then the study repairs itself as well."""
    out = root / "study"
    run(out)
    wanted = _text(out)
    for name, pattern in (("database", "tasks/*.sqlite"), ("protocol", "protocol.json")):
        tally, repaired = Tally(f"flips, study {name}"), Tally(f"repairs, study {name}")
        paths = sorted((out / "digits").glob(pattern))
        for i in effort.times(200):
            path = paths[i % len(paths)]
            _flip(tally, path, lambda: _text(out), rng, wanted=wanted)
            if i % 20 == 0:
                _repair(repaired, out, path, root / "damaged", rng, wanted)
        yield tally
        yield repaired


def _text(out: Path) -> str:
    return results(out).to_json(double_precision=15)


def _repair(
    tally: Tally, out: Path, path: Path, copy: Path, rng: np.random.Generator, wanted: str
) -> None:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(out, copy)
    damaged = copy / path.relative_to(out)
    damaged.write_bytes(_flipped(damaged.read_bytes(), rng))
    try:
        run(copy)
        found = _text(copy)
    except StudyError as error:
        if path.name in str(error):
            tally.named += 1
        else:
            tally.silent.append(f"{path.name}: names no file: {error!r}"[:300])
    except Exception as error:
        tally.silent.append(f"{path.name}: raw {error!r}"[:300])
    else:
        if found == wanted:
            tally.equal += 1
        else:
            tally.silent.append(f"{path.name}: repaired to other results")


def _states(root: Path, effort: Effort, rng: np.random.Generator) -> Iterator[Tally]:
    """A study that stopped with one stage to go goes on from a damaged state."""
    whole, stopped, copy = root / "whole", root / "stopped", root / "copy"
    run(whole, strategies=("random",))
    wanted = _text(whole)
    _stop_after_first_stage(stopped)
    paths = [
        p for sub in ("state", "initial") for p in sorted((stopped / "digits" / sub).iterdir())
    ]
    tally = Tally("flips, study state")
    for i in effort.times(200):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(stopped, copy)
        path = copy / paths[i % len(paths)].relative_to(stopped)
        path.write_bytes(_flipped(path.read_bytes(), rng))
        try:
            run(copy, strategies=("random",))
            found = _text(copy)
        except Exception as error:
            tally.silent.append(f"{path.name}: {error!r}"[:300])
            continue
        if found == wanted:
            tally.equal += 1
        else:
            tally.silent.append(f"{path.name}: other results")
    yield tally


class _Stop(BaseException):
    pass


def _stop_after_first_stage(out: Path) -> None:
    commit = _store.TaskStore.commit

    def stopping(self, row, learner):
        commit(self, row, learner)
        if row["stage"] == 1:
            raise _Stop

    with patch.object(_store.TaskStore, "commit", stopping), contextlib.suppress(_Stop):
        run(out, tiny(), strategies=("random",))
