"""The gallery, as far as it can be told without running it: the documentation's build does that."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "examples" / "gallery"
PROGRAMS = sorted(GALLERY.rglob("*.py"))
# Modules whose distribution is called otherwise.
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(tree):
    """Names of the modules that a program imports, as they are written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def declared():
    """Distributions that come with the extra ``docs``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras, found, left = project["optional-dependencies"], set(), ["docs"]
    lines = list(project["dependencies"])
    while left:
        for line in extras[left.pop()]:
            inner = re.fullmatch(r"skactive\[(.*)\]", line)
            left += inner[1].split(",") if inner else []
            lines.append(line)
    for line in lines:
        found.add(re.match(r"[\w-]+", line)[0].lower())
    return found


def test_the_gallery_shows_something():
    assert len(PROGRAMS) >= 18


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_can_be_shown(path):
    """It is picked up, compiles, begins with a title, and all it imports is there in the build."""
    assert path.name.startswith("plot_")  # only those are run and listed
    assert (path.parent / "GALLERY_HEADER.rst").exists()
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    tree = tree_of(path)
    title, line, *_ = (ast.get_docstring(tree) or "").splitlines()
    assert set(line) == {"="}
    assert len(line) == len(title)
    for module in imported(tree):
        top = module.split(".")[0]
        known = top in sys.stdlib_module_names or top == "skactive"
        assert known or DISTRIBUTIONS.get(top, top) in declared(), f"{module}: not in extra docs"
    assert not re.search(r"\bfetch_\w+|download=True", source)  # the build has no data but PyPI's


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_that_are_referred_to_exist(path):
    names = {"_".join(other.relative_to(GALLERY).parts) for other in PROGRAMS}
    found = re.findall(r":ref:`(?:[^`<]*<)?sphx_glr_gallery_([\w.]+)", path.read_text("utf-8"))
    assert set(found) <= names
