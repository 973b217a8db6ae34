"""The README's Python runs, and the gate runs the README's own command."""

import re
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

from benchmarks import picture as picture_module

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_the_few_lines_run(code, capsys):
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    exec(compile(code, "README.md", "exec"), {})
    assert 0.2 < float(capsys.readouterr().out) < 1


def test_what_the_readme_points_at_is_there():
    links = re.findall(r"\]\(([^)#]+)|(?:src|srcset)=\"([^\"]+)", README)
    paths = [path for pair in links for path in pair if path and "://" not in path]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_shows_measured_points(theme):
    picture = (ROOT / "docs" / "_static" / f"labels-{theme}.svg").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"<dc:description>(.*?)</dc:description>", picture, flags=re.DOTALL)
    shown = drawn.strip().splitlines()
    everything = picture_module.in_text(
        picture_module.rows_of(picture_module.CERTIFIED),
        picture_module.rows_of(picture_module.ORDINARY),
    )
    assert len(shown) > 4
    assert set(shown) <= set(everything.splitlines())


def run_page(name):
    """Its snippets, one after another, as a script of somebody's would have them."""
    page, script = (ROOT / "docs" / name).read_text(encoding="utf-8"), ModuleType("__main__")
    with pytest.MonkeyPatch.context() as main:
        main.setitem(sys.modules, "__main__", script)
        for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
            exec(compile(code, name, "exec"), vars(script))
    return vars(script)


# Below, but for that of a study, which takes minutes.
ELSEWHERE = ("coming_from_modal.md", "labeling_page.md", "test_selection.md", "study.md")
PAGES = [
    path.name
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.name not in ELSEWHERE and "```python" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows_runs_when_it_is_pasted(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    run_page(name)


def test_the_scripts_for_modals_users_run():
    assert run_page("coming_from_modal.md")["query_instance"].shape == (5, 4)


def test_the_page_of_the_labelling_page_runs(tmp_path, monkeypatch):
    """With options that are read as ever, and servers that are not started."""
    for name in ("skactive.labeling", "anywidget"):
        pytest.importorskip(name)
    from skactive.labeling import LabelStudio

    serving, sent = "skactive.labeling._serving.", []
    server = Mock(**{"return_value.start.return_value": Mock()})
    monkeypatch.setattr(serving + "PageServer", server)
    monkeypatch.setattr(serving + "announce", Mock())
    for name in ("push", "pull"):
        monkeypatch.setattr(LabelStudio, name, lambda self, name=name: sent.append(name))
    monkeypatch.chdir(tmp_path)
    run_page("labeling_page.md")
    assert server.call_count == 5
    assert sent == ["push", "pull"]


def test_the_retraining_page_runs(capsys):
    names = run_page("test_selection.md")
    assert names["split"].n_labels == len(names["picked"])
    assert "labels: robust accuracy" in capsys.readouterr().out


def test_the_gate_reads_its_command_from_the_readme():
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "<!-- test-command -->" in gate
    command = re.search(r"<!-- test-command -->\n```bash\n(.*?)```", README, flags=re.DOTALL)
    assert command is not None
    for part in ("pip install", "ruff check", "ruff format --check", "mypy", "pytest"):
        assert part in command[1]
    assert "&&" not in command[1]  # a failing part of an and-list would not stop the gate


def test_lines_that_first_steps_count_are_those_it_shows():
    page = (ROOT / "docs" / "first_steps.md").read_text(encoding="utf-8")
    *sections, table = page.split("\n## ")[1:]
    shown = []
    for section in sections:
        blocks = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
        code = [block for block in blocks if "skactive" in block][-1]
        lines = [line for line in code.splitlines() if line.strip()]
        shown.append(sum(not line.startswith(("from ", "import ")) for line in lines))
    told = [line.split("|") for line in table.splitlines() if line.count("|") > 5][2:]
    counted = [int(cells[4]) for cells in told]
    assert counted == shown
