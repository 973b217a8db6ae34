"""The rooms of the house: who may import whom, and that nothing runs in a circle."""

import ast
from pathlib import Path

import pytest

import skactive

ROOT = Path(skactive.__file__).parent
# From the ground up. Rooms on one floor do not know each other.
FLOORS = [
    {"exceptions"},
    {"utils"},
    {"passes", "kernels"},
    {"attacks", "bounds", "networks", "datasets", "distributed"},
    {"losses"},
    {"nets"},
    {"model_view"},
    {"strategies"},
    {"learners"},
    {"metrics"},
    {"retraining", "analysis"},
    {"persistence"},
    {"labeling", "modal", "study"},
    {"__init__", "__main__"},
]
# Short public paths: they hand names of a room on, and nothing inside imports them.
FACES = {"callbacks", "prioritization", "stopping", "utils.estimator_checks"}


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path):
    """Modules of this package that a file imports, wherever in the file it does so."""
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            parts = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                deeper = ROOT.joinpath(*parts, alias.name)
                is_module = deeper.with_suffix(".py").exists() or deeper.is_dir()
                yield ".".join([*parts, alias.name] if is_module else parts) or "__init__"


FILES = sorted(ROOT.rglob("*.py"))
MODULES = {module_of(path): set(imported(path)) for path in FILES}
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(module):
    return module.split(".")[0] or "__init__"


@pytest.mark.parametrize("module", sorted(set(MODULES) - FACES))
def test_no_room_imports_a_higher_one_or_a_face(module):
    own = room_of(module)
    for other in MODULES[module]:
        room = room_of(other)
        assert other not in FACES, f"{module} imports the face {other}"
        assert room == own or FLOOR[room] < FLOOR[own], f"{module} imports {other}: upwards"


def test_every_room_has_a_floor():
    rooms = {room_of(module) for module in MODULES}
    assert rooms - FACES == set(FLOOR)


def test_nothing_private_lies_at_the_top():
    private = {p.stem for p in ROOT.glob("_*.py")} - {"__init__", "__main__"}
    assert not private


def test_no_circle():
    state = {}

    def visit(module, trail):
        assert state.get(module) != "open", f"circle: {' -> '.join([*trail, module])}"
        if module not in state:
            state[module] = "open"
            for other in sorted(MODULES.get(module, ())):
                if other != module:
                    visit(other, [*trail, module])
            state[module] = "done"

    for module in MODULES:
        visit(module, [])
