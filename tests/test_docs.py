"""The site: public names are in the reference, pages are linked, messages are those of the code."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import skactive

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
API = (DOCS / "api.rst").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^   ([\w.]+)$", API, flags=re.MULTILINE)
# Floors that others stand on, without promises; what of them is public has a name elsewhere.
INSIDE = ("kernels", "passes", "utils.compat")


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


def test_the_reference_lists_nothing_twice():
    assert len(ENTRIES) == len(set(ENTRIES))


def test_every_page_of_the_reference_has_words():
    assert not [entry for entry in ENTRIES if not inspect.getdoc(look_up(entry))]


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
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"```text\n(.*?)\n```", page, flags=re.DOTALL)
    assert len(messages) > 40
    code = list(literals())
    for message in messages:
        said = ".*".join(map(re.escape, filter(None, message.split("…"))))
        assert any(re.search(said, text, flags=re.DOTALL) for text in code), message


def test_every_page_is_in_a_table_of_contents():
    """So that it is reached, and so that Sphinx does not warn."""
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    listed = "\n".join(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))
    blocks = re.findall(r"```{toctree}\n(.*?)```", listed, flags=re.DOTALL)
    assert pages <= {line.strip() for block in blocks for line in block.splitlines()}


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
