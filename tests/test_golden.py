"""The runs of `tests.golden` still give what they gave."""

import json

import pytest

from tests import golden

KEPT = json.loads(golden.FILE.read_text())
PICKED_ALIKE = 0.9  # share of the fixed runs whose picks no other processor may change


@pytest.fixture(scope="module")
def found():
    return golden.results()


def test_every_run_is_kept(found):
    assert sorted(found) == sorted(KEPT)


def test_weights_and_scores_are_those_kept(found):
    for name, kept in KEPT.items():
        for number in {"mean", "std"} & set(kept):
            assert found[name][number] == pytest.approx(kept[number], rel=0.02, abs=0.001), name


def test_picks_are_those_kept(found):
    asked = [name for name in KEPT if "picks" in KEPT[name]]
    alike = [name for name in asked if found[name]["picks"] == KEPT[name]["picks"]]
    assert len(alike) >= PICKED_ALIKE * len(asked), sorted(set(asked) - set(alike))
