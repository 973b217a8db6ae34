"""The tutorials of the labelling page run, and end with what they promise."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [("rows", 45, "45 labels: accuracy"), ("texts", 40, "40 labels:"), ("images", 25, "kappa")],
)
def test_a_tutorial_runs(name, labels, said, tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / f"label_{name}.py"))["main"]
    session = main(["--labels", str(labels), "--folder", str(tmp_path)])
    assert said in capsys.readouterr().out
    assert session.progress()["n_trainings"] > 0
    session.verify()
    if name == "rows":
        assert pd.read_csv(tmp_path / "labels.csv").label.notna().sum() == labels
