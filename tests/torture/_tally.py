"""What came of each blow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one kind of blow; `silent` holds a reproduction of each that went wrong."""

    name: str
    equal: int = 0
    named: int = 0
    told: int = 0
    silent: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.equal + self.named + self.told + len(self.silent)

    def __str__(self) -> str:
        told = f", {self.told} told by a digest" if self.told else ""
        return (
            f"{self.name}: {self.tried} tried, {self.equal} equal, {self.named} named errors"
            f"{told}, {len(self.silent)} silent"
        )


@dataclass(frozen=True)
class Effort:
    """How much is tried: a share of the full counts, until `until` at the latest.

    What is `repeatable` depends on the seed alone, not on the clock.
    """

    share: float
    seed: int
    until: float
    repeatable: bool = False

    def times(self, n: int) -> Iterator[int]:
        """0, 1, … up to the share of `n`, while there is time."""
        for i in range(max(1, round(n * self.share))):
            if time.monotonic() > self.until:
                return
            yield i
