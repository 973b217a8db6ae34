"""Two processes share the parts."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import torch

from ._flips import flips
from ._interrupts import interrupts
from ._kills import kills
from ._sessions import servers, sessions
from ._tally import Effort, Tally
from ._threads import threads

# Longest first; the share of the time that each may take.
PARTS = {
    "interrupts": interrupts,
    "sessions": sessions,
    "servers": servers,
    "flips": flips,
    "kills": kills,
    "threads": threads,
}
_TIME = {
    "interrupts": 0.95,
    "sessions": 0.9,
    "servers": 0.9,
    "flips": 0.45,
    "kills": 0.35,
    "threads": 0.15,
}


def run_parts(names: list[str], seconds: float, share: float, seed: int) -> list[Tally]:
    """Tallies of the parts, printed as they come."""
    found: list[Tally] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        jobs = [pool.submit(run_part, name, seconds * _TIME[name], share, seed) for name in names]
        for job in as_completed(jobs):
            for tally in job.result():
                print(tally, *tally.silent[:10], sep="\n    ", flush=True)
                found.append(tally)
    return found


def run_part(
    name: str, seconds: float, share: float, seed: int, repeatable: bool = False
) -> list[Tally]:
    """Tallies of one part."""
    torch.set_num_threads(1)
    effort = Effort(share, seed, time.monotonic() + seconds, repeatable)
    tallies = list(PARTS[name](effort))
    for tally in tallies:
        if not tally.tried:
            tally.silent.append("nothing was tried in the time that there was")
    return tallies
