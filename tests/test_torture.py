"""The short form of ``python -m tests.torture``."""

import pytest

from tests import postgres
from tests.torture._run import PARTS, run_part


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_silently_wrong_or_lost(part):
    if part == "servers" and postgres.why_not():
        pytest.skip(postgres.why_not())
    tallies = run_part(part, seconds=120, share=0.02, seed=0, repeatable=True)
    assert not [problem for tally in tallies for problem in tally.silent]
