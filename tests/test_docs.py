"""The site: public names are in the reference, pages are linked, messages are those of the code."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skactive
from skactive import ActiveLearner
from skactive.metrics import robust_accuracy_score

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
API = (DOCS / "api.rst").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^   ([\w.]+)$", API, flags=re.MULTILINE)
# Floors that others stand on, without promises; what of them is public has a name elsewhere.
INSIDE = ("kernels", "passes", "utils.compat")
# Pages without an example that runs, each with its reason.
WITHOUT_EXAMPLE = {
    # Accelerate keeps one state a process, on the devices that it finds: tests/test_accelerated.py
    # runs it in processes of their own.
    "AcceleratedNetClassifier",
    # scikit-learn's own, handed on with scikit-learn's words; `check_constraints` shows them.
    "utils.validation.HasMethods",
    "utils.validation.Interval",
    "utils.validation.StrOptions",
}


def public_modules():
    for found in pkgutil.walk_packages(skactive.__path__, "skactive."):
        name = found.name.removeprefix("skactive.")
        if not re.search(r"(^|\.)_", name) and not name.startswith(INSIDE):
            yield name
    yield ""


def look_up(entry):
    parts = entry.split(".")
    for cut in range(len(parts), -1, -1):
        try:
            found = importlib.import_module(".".join(["skactive", *parts[:cut]]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(entry)


def public_objects():
    for name in public_modules():
        module = importlib.import_module(f"skactive.{name}".rstrip("."))
        for attribute in getattr(module, "__all__", ()):
            value = getattr(module, attribute)
            if not inspect.ismodule(value):
                yield f"{name}.{attribute}".lstrip("."), value


def test_every_public_name_is_in_the_reference():
    listed = {id(look_up(entry)) for entry in ENTRIES}
    missing = [
        name
        for name, value in public_objects()
        if id(value) not in listed and f"``{name}``" not in API
    ]
    assert not missing


def test_every_error_can_be_caught_by_a_name_of_the_reference():
    """Its own, or that of the error that it is a kind of."""
    listed = {entry.rpartition(".")[2] for entry in ENTRIES}
    for path in (ROOT / "skactive").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                names = {node.name, *(getattr(base, "id", None) for base in node.bases)}
                assert names & listed, f"{path}: {node.name}"


def test_the_reference_lists_nothing_twice():
    assert len(ENTRIES) == len(set(ENTRIES))


def test_every_page_of_the_reference_has_words():
    assert not [entry for entry in ENTRIES if not inspect.getdoc(look_up(entry))]


def runs_an_example(thing):
    """Whether its own docstring, not one that it inherits, has examples, and none is skipped."""
    examples = doctest.DocTestParser().get_examples(thing.__doc__ or "")
    return bool(examples) and not any(example.options.get(doctest.SKIP) for example in examples)


def test_every_page_of_the_reference_has_an_example_that_runs():
    without = {entry for entry in ENTRIES if not runs_an_example(look_up(entry))}
    assert without - WITHOUT_EXAMPLE == set(), "without an example"
    assert WITHOUT_EXAMPLE - without == set(), "exceptions that are none"


def literals():
    """Texts in the code; what is put into them is "…"."""
    for path in (ROOT / "skactive").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", None) for part in node.values)
                yield "".join(part if isinstance(part, str) else "…" for part in parts)


def test_every_message_that_is_explained_is_one_of_the_code():
    ours, _ = explained_messages()
    assert len(ours) > 40
    code = list(literals())
    for message in ours:
        assert any(re.search(said(message), text, flags=re.DOTALL) for text in code), message


def explained_messages():
    """Those of the code, and those in the words of others."""
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    parts = page.split("## In the words of others")
    return [re.findall(r"```text\n(.*?)\n```", part, flags=re.DOTALL) for part in parts]


def said(message):
    return ".*".join(map(re.escape, filter(None, message.split("…"))))


def met():
    """What others say to mistakes that active learning makes likely."""
    table = pd.DataFrame({"n": range(8), "colour": ["red", "green"] * 3 + ["blue", "blue"]})
    y = [0, 1, 1, 0, 1, 0, 1, 1]
    columns = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    encoded = ActiveLearner(make_pipeline(columns, LogisticRegression()))
    numbers = ActiveLearner(LogisticRegression()).fit(table[["n"]], y)
    module = torch.nn.Linear(1, 2)
    yield lambda: encoded.fit(table[:6], y[:6]).query(table)
    yield lambda: ActiveLearner(LogisticRegression()).fit(table, y)
    yield lambda: numbers.predict(table[["n"]].rename(columns={"n": "m"}))
    yield lambda: ActiveLearner(LogisticRegression(max_iter=1)).fit(table[["n"]], y)
    yield lambda: robust_accuracy_score(module, table[["n"]], y, "pgd", eps=0.1)
    yield lambda: ActiveLearner(module).fit(table[["n"]], y)


def test_every_message_of_others_that_is_explained_is_met():
    _, theirs = explained_messages()
    for message, mistake in zip(theirs, met(), strict=True):
        with pytest.raises((ValueError, TypeError, ConvergenceWarning)) as raised:
            mistake()
        assert re.search(said(message), str(raised.value), flags=re.DOTALL), message


def test_every_extra_is_on_the_page_of_the_installation():
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (DOCS / "install.md").read_text(encoding="utf-8").partition("## With uv")[0]
    assert set(named["project"]["optional-dependencies"]) <= set(re.findall(r"`(\w+)`", page))


def test_every_page_is_in_a_table_of_contents():
    """So that it is reached, and so that Sphinx does not warn."""
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    listed = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    blocks = re.findall(r"```{toctree}\n(.*?)```", listed, flags=re.DOTALL)
    assert pages <= {line.strip() for block in blocks for line in block.splitlines()}


def test_every_report_of_results_is_in_a_table_of_contents():
    listed = (DOCS / "study.md").read_text()
    reports = {path.parent.name for path in DOCS.glob("results/*/report.md")}
    assert {name for name in reports if f"results/{name}/report>" not in listed} == set()


def test_the_version_is_the_same_everywhere():
    version = re.escape(skactive.__version__)
    for name, line in {
        "CHANGELOG.md": f"^## {version} - ",
        "CITATION.cff": f"^version: {version}$",
        "docs/_static/switcher.json": f'"version": "{version}"',
    }.items():
        assert re.search(line, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE), name
    entries = json.loads((DOCS / "_static" / "switcher.json").read_text(encoding="utf-8"))
    assert [entry["version"] for entry in entries if entry.get("preferred")] == [
        skactive.__version__
    ]
