"""A study is killed at random moments and resumed: its results are those of an unkilled run."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.study_helpers import results, run

from ._tally import Effort, Tally

_KILLS = 60
_PER_STUDY = 3


def kills(effort: Effort) -> Iterator[Tally]:
    """One tally: a study counts once for each kill that it lived through."""
    rng = np.random.default_rng([effort.seed, 10])
    # Forked from a server that has imported everything, so that kills hit the study itself.
    context = multiprocessing.get_context("forkserver")
    # torch imports its compiler when the first optimizer is made.
    context.set_forkserver_preload(["tests.study_helpers", "torch._dynamo", "sklearn.datasets"])
    tally = Tally("kills of a study")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _in_a_child(context, root / "warm-up")
        started = time.monotonic()
        _in_a_child(context, root / "whole")
        seconds = time.monotonic() - started
        wanted = results(root / "whole").to_json(double_precision=15)
        out, planned, moments = root / "killed", max(1, round(_KILLS * effort.share)), []
        for _ in effort.times(4 * _KILLS):  # some runs are done before they are killed
            moment = rng.uniform(0, 0.8 * seconds)
            if _killed(context, out, moment):
                moments.append(round(moment, 3))
            enough = tally.tried + len(moments) >= planned
            if enough or len(moments) == _PER_STUDY:
                _check(tally, context, out, wanted, moments)
                moments = []
            if enough:
                break
        if moments:
            _check(tally, context, out, wanted, moments)
    yield tally


def _killed(context, out: Path, moment: float) -> bool:
    """Run the study for some seconds; whether it had to be killed."""
    process = context.Process(target=run, args=(out,))
    process.start()
    process.join(moment)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _in_a_child(context, out: Path) -> int | None:
    process = context.Process(target=run, args=(out,))
    process.start()
    process.join()
    return process.exitcode


def _check(tally: Tally, context, out: Path, wanted: str, moments: list[float]) -> None:
    """Resume, compare, and start the next study afresh."""
    where = f"killed after {moments} s"
    exitcode = _in_a_child(context, out)
    try:
        if exitcode:
            tally.silent.append(f"{where}: the resumed run failed")
        elif results(out).to_json(double_precision=15) == wanted:
            tally.equal += len(moments)
        else:
            tally.silent.append(f"{where}: other results")
    except Exception as error:
        tally.silent.append(f"{where}: {error!r}"[:300])
    shutil.rmtree(out, ignore_errors=True)
