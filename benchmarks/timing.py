"""Paired timing: one thread, CPU seconds, variants interleaved in random order."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

Variant = Callable[[], Any]


def paired(
    label: str,
    ours: Variant,
    peers: dict[str, Variant],
    check: Callable[[str, Any, Any], None],
    rounds: int = 3,
) -> None:
    """Time `ours` and `peers` in every round and print the median of the paired ratios.

    ``check(peer, our result, its result)`` raises when the results differ.
    """
    variants = {"skactive": ours, **peers}
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        for _ in range(rounds):
            results = {}
            for name in rng.permutation(list(variants)):
                start = time.process_time()
                results[name] = variants[name]()
                seconds[name].append(time.process_time() - start)
            for name in peers:
                check(name, results["skactive"], results[name])
    for name in variants:
        ratio = np.median(np.divide(seconds[name], seconds["skactive"]))
        print(
            f"{label:<38} {name:<22} {np.median(seconds[name]):10.4f} s {ratio:8.1f}x", flush=True
        )
