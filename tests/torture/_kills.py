"""A study is killed at random moments and resumed: its results are those of an unkilled run."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.study_helpers import results, run

from ._tally import Effort, Tally

_PER_STUDY = 5


def kills(effort: Effort) -> Iterator[Tally]:
    """One tally: a study counts once for each kill that it lived through."""
    rng = np.random.default_rng([effort.seed, 10])
    # Forked from a server that has imported everything, so that kills hit the study itself.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.study_helpers"])
    tally = Tally("kills of a study")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _in_a_child(context, root / "warm-up")
        started = time.monotonic()
        _in_a_child(context, root / "whole")
        seconds = time.monotonic() - started
        wanted = results(root / "whole").to_json(double_precision=15)
        done = 0
        for i in effort.times(60):
            out = root / "killed"
            moment = rng.uniform(0, seconds)
            process = context.Process(target=run, args=(out,))
            process.start()
            process.join(moment)
            process.kill()
            process.join()
            done += 1
            if (i + 1) % _PER_STUDY == 0:
                _check(tally, context, out, wanted, done, moment)
                done = 0
        if done:
            _check(tally, context, out, wanted, done, moment)
    yield tally


def _in_a_child(context, out: Path) -> int | None:
    process = context.Process(target=run, args=(out,))
    process.start()
    process.join()
    return process.exitcode


def _check(tally: Tally, context, out: Path, wanted: str, n_kills: int, moment: float) -> None:
    """Resume, compare, and start the next study afresh."""
    where = f"{n_kills} kills, the last after {moment:.3f} s"
    exitcode = _in_a_child(context, out)
    try:
        if exitcode:
            tally.silent.append(f"{where}: the resumed run failed")
        elif results(out).to_json(double_precision=15) == wanted:
            tally.equal += n_kills
        else:
            tally.silent.append(f"{where}: other results")
    except Exception as error:
        tally.silent.append(f"{where}: {error!r}"[:300])
    shutil.rmtree(out, ignore_errors=True)
