"""Learners of every kind, loaded in another process, do what the saved ones do, bit by bit."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import skactive
from skactive.exceptions import CapabilityError
from tests.goes_on import cases, go_on, prepared

# What scikit-learn's estimators hold that a file without code cannot hold, and why.
UNSAVABLE: dict[str, str] = {}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each learner did, here and in the other process."""
    folder, here, refused = tmp_path_factory.mktemp("saved"), {}, {}
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(os, "fsync", lambda descriptor: None)
        for number, (name, learner, pool, labels) in enumerate(cases()):
            try:
                learner, asked = prepared(learner, pool, labels)
            except (ValueError, TypeError, CapabilityError, NotImplementedError):
                continue  # this classifier, or strategy, does not learn from such a table
            path = folder / f"{number:03d}.skactive"
            try:
                learner.save(path)
            except skactive.exceptions.UnsavableError as error:
                refused[name] = str(error)
                continue
            path.with_suffix(".txt").write_text(" ".join([pool, labels, *map(str, asked)]))
            here[name] = (path, go_on(learner, pool, labels, asked))
    run = subprocess.run(
        [sys.executable, "-m", "tests.goes_on", str(folder)], capture_output=True, text=True,
        timeout=280, cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(skactive.__file__).parents[1])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    there = {name: dict(np.load(path.with_suffix(".npz"))) for name, (path, _) in here.items()}
    return {name: found for name, (_, found) in here.items()}, there, refused


def test_learners_of_every_kind_go_on_in_another_process(both):
    here, there, refused = both
    assert set(refused) == set(UNSAVABLE), refused
    assert len(here) > 100
    wrong = []
    for name, found in here.items():
        if set(found) != set(there[name]):
            wrong.append(f"{name}: {there[name].get('error')}")
            continue
        for what, value in found.items():
            if not np.array_equal(value, there[name][what]):
                wrong.append(f"{name}: {what} {value!r:.100} {there[name][what]!r:.100}")
    assert not wrong, "\n".join(wrong)
