"""Figures: an edited number, an edited result and a changed default are each caught."""

import ast
import dataclasses
import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks.claims import (
    _check,
    _digests,
    _numbers,
    _pages,
    _recording,
    _records,
    _tracing,
    evidence,
)
from benchmarks.claims._digests import code_digest, code_digest_of
from benchmarks.claims._rerun import compare
from benchmarks.claims._results import ClaimError, answer

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(900)  # cheap results may be made again, a minute of a quiet machine
def test_figures_of_this_repository_come_from_its_results(capsys):
    found = _check.check()
    with capsys.disabled():
        for line in found.stale:
            print(f"\nstale: {line}", end="")
    assert not found.wrong, "\n".join(found.wrong)


# A repository of three files: a script with a default, its result, a page.
SCRIPT = '''
    """Writes how far a walk gets."""
    import csv, random, sys
    sys.path.insert(0, ".")
    from skactive.walk import walk

    with open(sys.argv[-1], "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "kind", "share", "cpu_s"])
        for seed in (0,) if "--one" in sys.argv else (0, 1):
            writer.writerow([seed, "long", walk(random.Random(seed)), random.random()])
'''
WALK = '''
    """A walk."""

    STEPS = 100

    def walk(rng, step=1.0):
        """How far."""
        return sum(rng.random() * step for _ in range(STEPS)) / STEPS


    def unused():
        return 0
'''
PAGE = """
    It gets <!-- claim: walk.csv share where seed=0 as .1% -->?<!-- /claim --> of the way,
    which is <!-- claim: walk.csv share where kind=long > 0.2 -->more than a fifth<!-- /claim -->.
"""


def test_a_function_that_is_watched_runs_where_nobody_watches():
    """As on a worker, which is sent the functions of a script and not who notes them."""
    watched = _tracing._Noting("x.py").visit(ast.parse("def double(x):\n    return 2 * x"))
    names = {}
    exec(compile(watched, "x.py", "exec"), names)
    assert names["double"](4) == 8


@pytest.fixture
def small(tmp_path):
    """That repository, its result recorded and its page written."""
    for name, text in {
        "examples/run.py": SCRIPT,
        "skactive/__init__.py": "",
        "skactive/walk.py": WALK,
        "README.md": PAGE,
        "pyproject.toml": '[project]\ndependencies = ["numpy>=1"]\noptional-dependencies = {}\n',
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(textwrap.dedent(text).strip() + "\n")
    claims = tmp_path / "benchmarks" / "claims"
    shutil.copytree(ROOT / "benchmarks" / "claims", claims)
    (claims.parent / "__init__.py").touch()
    (tmp_path / "docs" / "results").mkdir(parents=True)
    command = ["-m", "benchmarks.claims", "record", "walk", "--tolerance", "0.001", "--"]
    _python(tmp_path, *command, "examples/run.py", "--out", "docs/results/walk.csv")
    _pages.write_page(tmp_path / "README.md", tmp_path)
    assert not _check.check(tmp_path).wrong
    return tmp_path


def _python(folder, *words):
    command, env = [sys.executable, *words], {"PYTHONPATH": "."}
    done = subprocess.run(
        command, cwd=folder, check=True, env=env, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    _records._is_today.cache_clear()
    _records_of_results_are_read_again()


def _records_of_results_are_read_again():
    from benchmarks.claims import _results

    _results.rows_of.cache_clear()


def test_a_record_says_what_it_was_made_with(small):
    (record,) = _records.records(small)
    assert record.seeds == [0, 1]
    assert record.rerun == "cheap"
    assert "examples/run.py" in record.command
    (run,) = record.runs
    assert set(run.code) == {"examples/run.py", "skactive/walk.py"}
    assert run.versions["python"]
    assert run.machine
    assert run.seconds is not None
    assert "walk.csv" in evidence.page(small)
    assert "same code" in evidence.page(small)
    record.runs += [dataclasses.replace(run, cpu_seconds=time) for time in (7200.0, None)]
    record.save(small)
    said = "all together: 2.0 h to make them, 1 runs left out of which nobody noted it, and 0 s to"
    assert said in evidence.page(small)


def test_an_edited_number_is_caught(small):
    page = small / "README.md"
    number = page.read_text().split("-->")[1].split("<!--")[0]
    assert number.endswith(" %")
    _edit(page, number, "99.9 %")
    (wrong,) = _check.check(small).wrong
    assert wrong.startswith("README.md:1")
    assert "99.9" in wrong
    assert _pages.write_page(page, small)
    assert not _check.check(small).wrong


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "docs/new.md"])
def test_a_typed_number_is_caught_on_every_page(small, name):
    page = small / name
    page.write_text((page.read_text() if page.exists() else "") + "\nIt takes 4.5 s.\n")
    (wrong,) = _check.check(small).wrong
    assert wrong.startswith(f"{name}:")
    assert "'4.5' has no claim" in wrong


def test_an_edited_result_is_caught(small):
    _edit(small / "docs/results/walk.csv", "long", "very long")
    wrong = _check.check(small).wrong
    assert any("was edited" in line for line in wrong)
    assert any("no rows" in line for line in wrong)  # of the condition's kind


@pytest.mark.parametrize(
    ("old", "new"), [("step=1.0", "step=0.9"), ("STEPS = 100", "STEPS = 90")], ids=str
)
def test_a_changed_default_is_caught(small, old, new):
    _edit(small / "skactive/walk.py", old, new)
    wrong = _check.check(small).wrong
    assert any("changed since" in line and "skactive/walk.py" in line for line in wrong)
    assert any("share was" in line for line in wrong)


def test_a_dear_result_of_changed_code_is_listed_and_no_failure(small):
    path = small / "docs/results/made/walk.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rerun": "dear"}))
    _edit(small / "skactive/walk.py", "step=1.0", "step=0.9")
    found = _check.check(small)
    assert not found.wrong
    assert "walk (dear): changed since" in found.stale[0]
    assert "`skactive/walk.py`" in evidence.page(small)


def _claims(folder, *words):
    """Exit status of a command, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.claims", *words],
        cwd=folder, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def _confirm(folder, *options):
    """Make one of the two rows again."""
    words = ["examples/run.py", "--one", "--out", "docs/results/walk.csv"]
    return _claims(folder, "confirm", "walk", *options, "--", *words)


def test_rows_that_come_out_again_confirm_a_result(small):
    before = (small / "docs/results/walk.csv").read_bytes()
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 50 + 50")
    assert "changed (1 files)" in evidence.page(small)
    assert _confirm(small) == (0, "walk: 1 of 2 rows came out as they stand\n")
    assert _confirm(small)[0] == 0
    (record,) = _records.records(small)
    assert [(sample.rows, sample.of) for sample in record.confirmed] == [(1, 2)]
    assert not record.changed(small)
    assert "1 of 2 rows" in evidence.page(small)
    assert (small / "docs/results/walk.csv").read_bytes() == before
    _edit(small / "skactive/walk.py", "STEPS = 50 + 50", "STEPS = 60 + 40")
    assert record.changed(small) == ["skactive/walk.py"]


def test_rows_that_come_out_otherwise_confirm_nothing(small):
    _edit(small / "skactive/walk.py", "step=1.0", "step=0.9")
    status, said = _confirm(small)
    assert status == 1
    assert "1 of 1 rows are others" in said
    assert "seed=0, kind=long: share: 0." in said
    (record,) = _records.records(small)
    assert not record.confirmed
    assert record.changed(small) == ["skactive/walk.py"]


@pytest.mark.parametrize(("options", "listed"), [([], ["skactive/other.py"]), (["--covers"], [])])
def test_code_that_a_sample_does_not_run_counts_unless_it_covers_all(small, options, listed):
    (record,) = _records.records(small)
    (small / "skactive/other.py").write_text("A = 1\n")
    record.runs[0].code["skactive/other.py"] = "of another day"
    record.save(small)
    _confirm(small, *options)
    (record,) = _records.records(small)
    assert record.changed(small) == listed


def _git(folder, *words):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _commit(folder):
    """All there is; the commit's name."""
    _git(folder, "init", "-q")  # which does nothing the second time
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "walk")
    return _git(folder, "log", "-1", "--format=%h")


def _as_on_another_processor(folder):
    """The result, and the code that made it, of which git has the files: that commit."""
    path = folder / "docs/results/walk.csv"
    _edit(path, "long,0.", "long,0.1")
    (record,) = _records.records(folder)
    record.files = {"walk.csv": _digests.file_digest(path)}
    record.save(folder)
    _commit(folder)


def test_code_that_made_a_result_elsewhere_is_run_beside_todays(small):
    _as_on_another_processor(small)
    before = (small / "docs/results/walk.csv").read_bytes()
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 50 + 50")
    assert _confirm(small)[0] == 1
    for _ in range(2):
        said = "walk: 1 of 1 rows came out as with the code of HEAD\n"
        assert _confirm(small, "--beside", "HEAD") == (0, said)
    (record,) = _records.records(small)
    (sample,) = record.confirmed
    assert list(sample.then) == ["skactive/walk.py"]
    assert not record.changed(small)
    assert "1 rows beside `HEAD`" in evidence.page(small)
    assert (small / "docs/results/walk.csv").read_bytes() == before
    record.runs[0].code["skactive/walk.py"] = "of a third day"
    assert record.changed(small) == ["skactive/walk.py"]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_column_that_the_code_of_before_did_not_write_is_not_compared(small, is_new):
    _as_on_another_processor(small)
    script = small / "examples/run.py"
    if is_new:
        _edit(script, '"cpu_s"]', '"cpu_s", "unit"]')
        _edit(script, "random.random()]", "random.random(), 'm']")
    else:
        _edit(script, '"kind", ', "")
        _edit(script, '"long", ', "")
    status, said = _confirm(small, "--beside", "HEAD")
    assert status == (0 if is_new else 1)
    assert ("Not compared, for that code did not write them: unit.\n" in said) is is_new
    assert ("1 of 1 rows are others" in said) is not is_new


def _is_dear(folder, **changes):
    """The record of the walk, as that of a dear result."""
    (record,) = _records.records(folder)
    record.rerun = "dear"
    record.runs = [dataclasses.replace(run, **changes) for run in record.runs]
    record.save(folder)


@pytest.mark.parametrize("elsewhere", ["", "made", "made and confirmed"])
def test_what_confirmed_a_result_is_repeated_when_its_code_changes(small, elsewhere):
    commit = _commit(small)
    _is_dear(small, commit=f"{commit}-dirty", **({"machine": "another"} if elsewhere else {}))
    assert _claims(small, "again") == (0, "")  # nothing has changed
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 50 + 50")
    status, said = _claims(small, "again")
    assert status == 1
    assert "walk: nothing has confirmed it before" in said
    _confirm(small, "--files", "walk.csv")
    if "confirmed" in elsewhere:
        (record,) = _records.records(small)
        record.confirmed[0].machine = "another"
        # What it ran is confirmed beside the first run's commit: this one's is not looked for.
        record.runs.append(dataclasses.replace(record.runs[0], commit="nowhere"))
        record.save(small)
    _edit(small / "skactive/walk.py", "STEPS = 50 + 50", "STEPS = 60 + 40")
    status, said = _claims(small, "again")
    assert status == 0
    assert said.startswith("walk:\n  confirm walk ")
    assert said.endswith("\n  confirmed\n")
    (record,) = _records.records(small)
    last = record.confirmed[-1]
    assert (last.tables, last.beside) == (["walk.csv"], commit if "confirmed" in elsewhere else "")
    assert not record.changed(small)
    said = "walk:\n  the code that made or confirmed it is today's\n"
    assert _claims(small, "again", "walk") == (0, said)
    _edit(small / "skactive/walk.py", "STEPS = 60 + 40", "STEPS = 90")
    status, said = _claims(small, "again", "walk")
    assert status == 1
    assert "changed, and not confirmed: skactive/walk.py" in said
    assert "failed: walk: " in said


@pytest.mark.parametrize(
    ("new", "commit", "message"),
    [
        ("STEPS = 90", "HEAD", "1 of 1 rows are others"),
        ("STEPS = 100  # paces", "HEAD", "No code that made walk is that of HEAD and changed"),
        ("STEPS = 50 + 50", "nowhere", "There is no commit 'nowhere'"),
    ],
)
def test_code_that_makes_something_else_beside_confirms_nothing(small, new, commit, message):
    _as_on_another_processor(small)
    _edit(small / "skactive/walk.py", "STEPS = 100", new)
    status, said = _confirm(small, "--beside", commit)
    assert status == 1
    assert message in said
    (record,) = _records.records(small)
    assert not record.confirmed


def test_prose_changes_nothing(small):
    _edit(small / "skactive/walk.py", "How far.", "How far it gets, at best.")
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 100  # paces")
    found = _check.check(small)
    assert not found.wrong
    assert not found.stale


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return 0", "return 1", False),  # of a function that did not run
        ("def unused", "def new():\n    return 2\n\n\ndef unused", False),
        ("step=1.0", "step=2.0", True),
        ("STEPS = 100", "STEPS = 90", True),
        ("return 0", "return 1\n\n\ndef walk(rng):\n    return 0", True),  # in place of the first
    ],
)
def test_functions_that_did_not_run_are_no_part_of_a_record(small, old, new, changed):
    (record,) = _records.records(small)
    assert record.runs[0].code["skactive/walk.py"].endswith("|walk")
    _edit(small / "skactive/walk.py", old, new)
    assert record.changed(small) == (["skactive/walk.py"] if changed else [])


CLASSES = """
    from abc import ABC

    class Base(ABC):
        size = 1

        @property
        def area(self):
            return self.size ** 2

    class Leaf(Base):
        def grow(self):
            def more():
                return 1
            self.size += more()

    def kept(made):
        return made

    @kept
    def made():
        return 0

    def plain():
        return 0
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("** 2", "** 3", False),
        ("size = 1", "size = 2", False),
        ("return 1", "return 2", True),  # within what did not run
        ("def grow", "def area(self): return 0\n\n    def grow", False),  # inherits no longer
        ("def grow", "def cut(self): return 0\n\n    def grow", False),  # might have been inherited
        ("@kept\n", "", False),
        ("plain", "renamed", True),
        ("Leaf(Base)", "Leaf(Base, dict)", False),
        ("def area", "def surface", False),
    ],
)
def test_of_what_did_not_run_only_its_presence_in_a_class_counts(tmp_path, old, new, same):
    code, path = textwrap.dedent(CLASSES), tmp_path / "code.py"
    said = _digests.digest_of_functions(code.encode(), ["Base.area"])
    assert old in code
    path.write_text(code.replace(old, new, 1))
    assert _digests.is_code(path, said) is same


def test_methods_that_ran_are_named_by_their_class(small):
    (small / "skactive/walk.py").write_text(
        textwrap.dedent(CLASSES)
        + "\n\ndef walk(rng):\n    leaf = Leaf()\n    leaf.grow()\n    return leaf.area / 4\n"
    )
    words = ["examples/run.py", "--out", "docs/results/walk.csv"]
    _python(small, "-m", "benchmarks.claims", "record", "walk", "--", *words)
    (record,) = _records.records(small)
    said = record.runs[-1].code["skactive/walk.py"]
    assert _digests.functions_of(said) == ["Base.area", "Leaf.grow", "kept", "walk"]


@pytest.mark.parametrize(
    "start",
    [
        "from joblib import Parallel, delayed\n    Parallel(2)(delayed(abs)(i) for i in (1, 2))",
        "import subprocess, sys\n"
        "    subprocess.run([sys.executable, '-c', 'sum(i * i for i in range(20_000_000))'])",
    ],
)
def test_where_other_processes_ran_all_functions_of_a_file_count(small, start):
    """What ran in them is not known."""
    _edit(small / "skactive/walk.py", "return sum(", f"{start}\n    return sum(")
    words = ["examples/run.py", "--out", "docs/results/walk.csv"]
    _python(small, "-m", "benchmarks.claims", "record", "walk", "--", *words)
    (record,) = _records.records(small)
    assert "|" not in record.runs[-1].code["skactive/walk.py"]
    _edit(small / "skactive/walk.py", "return 0", "return 1")
    assert record.changed(small) == ["skactive/walk.py"]


def test_a_sample_stands_for_the_functions_it_ran(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("def f():\n    return 1\n\n\ndef g():\n    return 1\n")
    now = {
        names: _digests.digest_of_functions(path.read_bytes(), names.split())
        for names in ("f", "g", "f g")
    }
    then = {names: said.replace(said[:3], "old") for names, said in now.items()}
    run = _records.Run("", "", {"code.py": then["f g"]})
    for sampled, covers, changed in (
        ("f g", False, []), ("f", False, ["code.py"]), ("f", True, []), ("", True, []),
        ("", False, ["code.py"]),
    ):  # fmt: skip
        code = {"code.py": now[sampled]} if sampled else {}
        sample = _records.Sample("", "", code, covers=covers)
        record = _records.Record("a", "", {}, runs=[run], confirmed=[sample])
        assert record.changed(tmp_path) == changed, (sampled, covers)
    replaced = {"code.py": "0123456789abcdef|f gone"}  # no sample runs what is not there any more
    sample = _records.Sample("", "", {"code.py": now["f"]})
    of_then = _records.Run("", "", replaced)
    assert not _records.Record("a", "", {}, runs=[of_then], confirmed=[sample]).changed(tmp_path)
    path.unlink()
    assert record.changed(tmp_path) == ["code.py"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [("return 0", "return 1", []), ("step=1.0", "step=2.0", ["skactive/walk.py"])],
)
def test_digests_of_whole_files_are_narrowed_to_what_runs(small, old, new, changed):
    (record,) = _records.records(small)
    path = small / "skactive/walk.py"
    record.runs[0].code = {
        "examples/run.py": record.runs[0].code["examples/run.py"],
        "skactive/walk.py": code_digest_of(path),
        "skactive/gone.py": "of another day",
    }
    record.save(small)
    before = (small / "docs/results/walk.csv").read_bytes()
    for text in (path.read_text(), path.read_text().replace(old, new)):
        path.write_text(text)
        _commit(small)
    _records._is_today.cache_clear()
    words = ["narrow", "walk", "--", "examples/run.py", "--one", "--out", "docs/results/walk.csv"]
    said = _python(small, "-m", "benchmarks.claims", *words)
    (record,) = _records.records(small)
    assert set(record.runs[0].code) == {"examples/run.py", "skactive/walk.py"}
    assert _digests.functions_of(record.runs[0].code["skactive/walk.py"]) == ["walk"]
    assert record.changed(small) == changed
    assert ("the same code" in said) == (not changed)
    assert (small / "docs/results/walk.csv").read_bytes() == before


def test_what_no_function_of_ran_is_no_part_of_a_record(small):
    (small / "skactive/other.py").write_text("def other():\n    return 1\n")
    _edit(small / "skactive/walk.py", "STEPS = 100", "from . import other\nSTEPS = 100")
    words = ["examples/run.py", "--out", "docs/results/walk.csv"]
    _python(small, "-m", "benchmarks.claims", "record", "walk", "--", *words)
    (record,) = _records.records(small)
    assert set(record.runs[-1].code) == {"examples/run.py", "skactive/walk.py"}


def test_what_runs_while_modules_are_imported_is_no_part_of_a_record(small):
    """Registering runs wherever the package is imported, whether or not the registered is used."""
    (small / "skactive/other.py").write_text("def register(made):\n    return made\n")
    _edit(
        small / "skactive/walk.py",
        "STEPS = 100",
        "from .other import register\n\n\n@register\ndef never():\n    return 0\n\n\nSTEPS = 100",
    )
    words = ["examples/run.py", "--out", "docs/results/walk.csv"]
    _python(small, "-m", "benchmarks.claims", "record", "walk", "--", *words)
    (record,) = _records.records(small)
    assert set(record.runs[-1].code) == {"examples/run.py", "skactive/walk.py"}


def test_the_commit_of_a_record_is_that_of_its_code(tmp_path, monkeypatch):
    """Not one of results that were committed on the way."""

    (tmp_path / "docs/results").mkdir(parents=True)
    monkeypatch.setattr(_recording, "ROOT", tmp_path)
    for name in ("code.py", "docs/results/a.csv"):
        (tmp_path / name).write_text("1\n")
        _commit(tmp_path)
    assert _recording._commit() == _git(tmp_path, "rev-parse", "--short", "HEAD~1")
    (tmp_path / "docs/results/a.csv").write_text("2\n")
    assert not _recording._commit().endswith("-dirty")
    (tmp_path / "code.py").write_text("2\n")
    assert _recording._commit().endswith("-dirty")


def test_a_run_that_is_stopped_is_recorded_and_goes_on(small):
    script = """
        import sys
        with open(sys.argv[-1], "a") as file:
            if not file.tell():
                file.write("seed,share\\n0,0.5\\n")
                raise KeyboardInterrupt
            file.write("1,0.6\\n")
    """
    (small / "examples/long.py").write_text(textwrap.dedent(script))
    words = ["record", "long", "--", "examples/long.py", "docs/results/long.csv"]
    command = [sys.executable, "-m", "benchmarks.claims", *words]
    for status, runs, kind in ((130, [True], "dear"), (0, [True, False], "cheap")):
        done = subprocess.run(command, cwd=small, env={"PYTHONPATH": "."}, check=False)
        assert done.returncode == status
        record = _records.load("long", small)
        assert [run.stopped for run in record.runs] == runs
        assert record.rerun == kind
        assert not record.edited(small)


def test_further_seeds_go_on_though_means_over_them_are_others(small):
    """Rows of runs may be sorted in; where one of them is lost, or is another, nothing went on."""
    script = """
        import sys
        folder, seeds, factor, *digits = sys.argv[1:]
        rows = [(seed, float(factor) * int(seed)) for seed in sorted(seeds.split(","))]
        with open(f"{folder}/runs.csv", "w") as file:
            file.write("seed,share\\n" + "".join(f"{s},{share}\\n" for s, share in rows))
        with open(f"{folder}/mean.csv", "w") as file:
            file.write(f"mean\\n{sum(share for _, share in rows) / len(rows):{''.join(digits)}}\\n")
    """
    (small / "examples/seeds.py").write_text(textwrap.dedent(script))
    (small / "docs/results/seeds").mkdir()
    words = ["record", "seeds", "--", "examples/seeds.py", "docs/results/seeds"]
    cases = [("2", "1", 1), ("1,2", "1", 2), ("1", "1", 1), ("1,2", "1", 2), ("1,2", "1 .3f", 1),
             ("1,2,3", "2", 1)]  # fmt: skip
    for seeds, how, runs in cases:
        _python(small, "-m", "benchmarks.claims", *words, seeds, *how.split())
        record = _records.load("seeds", small)
        assert len(record.runs) == runs, (seeds, how)
        assert record.seeds == [int(seed) for seed in seeds.split(",")]


def test_a_report_of_rows_that_stand_leaves_known_what_had_made_them(small):
    """Its command too; where others had edited the rows, what ran for them has no part in it."""
    script = """
        import sys
        from pathlib import Path
        sys.path.insert(0, ".")
        folder, how, *kept = sys.argv[1:]
        runs = Path(folder) / "runs.csv"
        if not kept:
            import random
            from skactive.walk import walk
            runs.write_text("seed,share\\n" + f"0,{walk(random.Random(0))}\\n")
        share = float(runs.read_text().split(",")[-1])
        (Path(folder) / "mean.csv").write_text(f"mean\\n{share:{how}}\\n")
    """
    (small / "examples/seeds.py").write_text(textwrap.dedent(script))
    folder = small / "docs/results/seeds"
    folder.mkdir()
    words = ["record", "seeds", "--tolerance", "0.1", "--", "examples/seeds.py"]
    words += ["docs/results/seeds", ".2f"]
    _python(small, "-m", "benchmarks.claims", *words)
    first = _records.load("seeds", small)
    for runs, how in ((2, ".3f"), (3, ".4f")):
        kept = [*words[:2], *words[4:-1], how, "--kept"]  # says no tolerance
        _python(small, "-m", "benchmarks.claims", *kept)
        record = _records.load("seeds", small)
        assert len(record.runs) == runs
        assert record.runs[0] == first.runs[0]
        assert "skactive/walk.py" not in record.runs[-1].code
        same = ("command", "seeds", "rerun", "tolerance", "confirmed")
        assert [getattr(record, name) for name in same] == [getattr(first, name) for name in same]
        assert not record.edited(small)
        share = float((folder / "runs.csv").read_text().split(",")[-1])
        assert (folder / "mean.csv").read_text() == f"mean\n{share:{how}}\n"
    (folder / "runs.csv").write_text("seed,share\n0,0.5\n")
    _python(small, "-m", "benchmarks.claims", *kept)
    assert len(_records.load("seeds", small).runs) == 1


@pytest.fixture
def elsewhere(small, tmp_path_factory):
    """That repository and another checkout of it, in which its result went on with a seed more."""
    script = """
        import sys
        from pathlib import Path
        out, *seeds = sys.argv[1:]
        def of(place):
            path = Path(place) / "docs/results/seeds.csv"
            return path.read_text().splitlines()[1:] if path.exists() else []
        lines = {*of("."), *(line for place in seeds if "/" in place for line in of(place))}
        lines |= {f"{seed},0.{seed}" for seed in seeds if "/" not in seed}
        Path(out).write_text("seed,share\\n" + "".join(f"{line}\\n" for line in sorted(lines)))
    """
    (small / "examples/seeds.py").write_text(textwrap.dedent(script))
    command = ["--", "examples/seeds.py", "docs/results/seeds.csv"]
    _python(small, "-m", "benchmarks.claims", "record", "seeds", *command, "1")
    other = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(small, other)
    for place, seed in ((small, "2"), (other, "3")):
        _python(place, "-m", "benchmarks.claims", "record", "seeds", *command, seed)
        record = _records.load("seeds", place)
        record.runs[-1].date = f"2026-01-0{seed}"  # runs of the same tenth of a second are equal
        record.save(place)
    return small, other


def test_results_that_went_on_in_other_checkouts_are_joined_with_their_runs(elsewhere):
    """Each run once, and the command that makes all of it."""
    small, other = elsewhere
    words = ["--joins", str(other), "--whole", "python examples/seeds.py OUT 1 2 3"]
    words += ["--", "examples/seeds.py", "docs/results/seeds.csv", str(other)]
    _python(small, "-m", "benchmarks.claims", "record", "seeds", *words)
    joined, there = _records.load("seeds", small), _records.load("seeds", other)
    assert joined.seeds == [1, 2, 3]
    assert joined.command == "python examples/seeds.py OUT 1 2 3"
    assert len(joined.runs) == 4
    assert [run in joined.runs for run in there.runs] == [True, True]
    assert joined.runs[0] == there.runs[0]
    assert not joined.edited(small)
    assert not joined.changed(small)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: (root / "docs/results/seeds.csv").write_text("seed,share\n"), "other files"),
        (lambda root: (root / "docs/results/made/seeds.json").unlink(), "no record 'seeds'"),
    ],
)
def test_what_another_checkout_has_no_record_of_is_not_joined(elsewhere, spoil, said):
    small, other = elsewhere
    spoil(other)
    before = (small / "docs/results/seeds.csv").read_text()
    words = ["record", "seeds", "--joins", str(other), "--", "examples/seeds.py"]
    status, printed = _claims(small, *words, "docs/results/seeds.csv", str(other))
    assert status == 1
    assert f"{other} has {said}" in printed
    assert (small / "docs/results/seeds.csv").read_text() == before


@pytest.mark.parametrize(("code", "said"), [("1", "with status 1"), ("'no data'", "(no data)")])
def test_a_run_that_ends_with_an_error_says_that_nothing_is_recorded(small, code, said):
    (small / "examples/fails.py").write_text(
        f'import sys\nopen(sys.argv[-1], "w").write("seed,share\\n0,0.5\\n")\nsys.exit({code})\n'
    )
    words = ["record", "fails", "--", "examples/fails.py", "docs/results/fails.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.claims", *words],
        cwd=small, env={"PYTHONPATH": "."}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"The command ended {said}: nothing is recorded" in done.stderr
    assert _records.load("fails", small) is None


def test_files_that_a_command_does_not_name_are_named_once_and_rightly(small):
    result, lines = small / "docs/results/quiet.csv", "seed,share\n0,0.5\n"
    (small / "examples/quiet.py").write_text(f"open({str(result)!r}, 'w').write({lines!r})\n")

    def run(*options):
        words = ["record", "quiet", *options, "--", "examples/quiet.py"]
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.claims", *words],
            cwd=small, env={"PYTHONPATH": "."}, check=False, capture_output=True, text=True,
        )  # fmt: skip

    refused = run("--files", "quiet.csv")
    assert "quiet.csv: a file that is recorded lies in docs/results/." in refused.stderr
    assert not result.exists()  # said before it runs
    assert "names no file" in run().stderr
    assert not run("--files", "docs/results/quiet.csv").returncode
    result.unlink()
    assert not run().returncode
    assert result.read_text() == lines
    assert list(_records.load("quiet", small).files) == ["quiet.csv"]


def test_a_result_that_comes_out_byte_for_byte_is_made_by_todays_code(small):
    _edit(small / "examples/run.py", "random.random()]", "0]")
    words = ["record", "walk", "--", "examples/run.py", "--out", "docs/results/walk.csv"]
    _python(small, "-m", "benchmarks.claims", *words)
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 2 * 50")
    assert _records.load("walk", small).changed(small) == ["skactive/walk.py"]
    assert "nothing" not in _python(small, "-m", "benchmarks.claims", *words)
    assert not _records.load("walk", small).changed(small)


def test_a_run_that_finds_all_done_leaves_the_record_and_says_so(small):
    _edit(small / "skactive/walk.py", "STEPS = 100", "STEPS = 2 * 50")
    script = (
        "import sys\n\n\ndef main(path):\n    open(path, 'a').close()\n\n\nmain(sys.argv[-1])\n"
    )
    (small / "examples/run.py").write_text(script)
    words = ["record", "walk", "--", "examples/run.py", "--out", "docs/results/walk.csv"]
    said = _python(small, "-m", "benchmarks.claims", *words)
    assert "walk: nothing was made anew" in said
    assert "skactive/walk.py" in _records.load("walk", small).changed(small)


def test_a_result_that_others_had_changed_is_recorded_as_made_anew(small):
    """Whatever it is rewritten to: what ran for the old one has no part in it."""
    (small / "examples/fixed.py").write_text(
        'import sys\nopen(sys.argv[-1], "w").write("seed,share\\n0,0.5\\n")\n'
    )
    words = ["record", "fixed", "--", "examples/fixed.py", "docs/results/fixed.csv"]
    for text in ("", "seed,share\n0,0.7\n", "seed,share\n0,0.5\n"):
        if text:
            (small / "docs/results/fixed.csv").write_text(text)
            record = _records.load("fixed", small)
            record.files["fixed.csv"] = "of other rows"
            record.save(small)
        _python(small, "-m", "benchmarks.claims", *words)
        assert len(_records.load("fixed", small).runs) == 1


def test_lines_appended_to_a_file_leave_it_known():
    lines = b"seed\n0\n1\n"
    assert _digests.begins_with(lines, _digests._short(b"seed\n0\n"))
    assert _digests.begins_with(lines, _digests._short(lines))
    assert not _digests.begins_with(lines, _digests._short(b"seed\n2\n"))


def test_results_in_a_folder_are_recorded_again(small):
    """Also beside what is not written anew."""
    folder = small / "docs/results/walks"
    folder.mkdir()
    (folder / "notes.csv").write_text("kind\nlong\n")
    words = ["--files", "docs/results/walks", "--", "examples/run.py", "docs/results/walks/one.csv"]
    for _ in range(2):
        _python(small, "-m", "benchmarks.claims", "record", "walks", *words)
    (record,) = (r for r in _records.records(small) if r.name == "walks")
    assert set(record.files) == {"walks/notes.csv", "walks/one.csv"}
    assert len(record.runs) == 1  # written anew, not gone on with


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a = 1  # one\n", "a = 1\n", True),
        ('"""Doc."""\na = 1', "a = 1", True),
        ('class A:\n    x: int = 1\n    """An x."""', "class A:\n    x: int = 1", True),
        ("def f(a: int) -> int:\n    return a", "def f(a):\n  return (a)", True),
        ("def f(a=1): pass", "def f(a=2): pass", False),
        ("a = 'b'", "a = 'c'", False),
        ("f(a, b)", "f(b, a)", False),
        ("x = a and b", "x = a or b", False),
    ],
)
def test_digests_are_of_what_code_does(one, other, same):
    assert (code_digest(one) == code_digest(other)) is same


def test_digests_are_the_same_under_every_python():
    """A record made by one version is read by others: nothing of `ast` that differs gets in."""
    source = "@d\nclass A(B):\n    x = [1, *y, -2.5, 'z', f'{a!r:>5}']\n\nasync def f(s): await s\n"
    assert code_digest(source) == "d365d0f944e51dbf"


QUESTIONS = {
    "t.csv v where k=a as .1%": "25.0 %",
    "t.csv v where k=a as .0p": "25",
    "t.csv v as mean .3f": "0.500",
    "t.csv v as mean±std .2f": "0.50 ± 0.25",
    "t.csv v as range .2f": "0.25 to 0.75",
    "t.csv v as interval .2f": "-0.12 to 1.12",  # 0.5 ± 4.303 · 0.25 / √3
    "t.csv v where k!=a as max .2f": "0.75",
    "t.csv v where k='b c' as .2f": "0.50",
    "t.csv v where n=3 as count d": "1",
    "t.csv v where k='b c' minus k=a as .2f": "0.25",
    "t.csv v where k='b c' over k=a as .1f": "2.0",
    "p.csv v where k=a minus k=b as range .0f": "-1 to 3",
    "t.json#rows v as sum .0f": "3",
    "t.json#a.b v as d": "7",
}


@pytest.fixture
def table(tmp_path):
    folder = tmp_path / "docs/results"
    folder.mkdir(parents=True)
    (folder / "t.csv").write_text("k,n,v\na,1,0.25\nb c,2,0.5\nd,3.0,0.75\ne,4,\n")
    (folder / "p.csv").write_text("k,seed,v,e\na,0,4,1\na,1,1,\nb,1,2,\nb,0,1,1\nc,0,1,1\n")
    (folder / "t.json").write_text('{"rows": [{"v": 1}, {"v": 2}], "a": {"b": {"v": 7}}}')
    return tmp_path


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_are_answered(table, question):
    assert answer(table, question) == QUESTIONS[question]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("t.csv v", "a claim is"),
        ("t.csv v where k=a", "say 'as FORMAT'"),
        ("t.csv w as .1f", "no column 'w'; it has k, n, v"),
        ("t.csv v where z=1 as .1f", "no column 'z'"),
        ("t.csv v where k=zz as .1f", "no rows"),
        ("t.csv v as .1f", "3 rows: say which"),
        ("t.csv v as middle .1f", "there is no statistic 'middle'"),
        ("t.csv v < 0.7", "does not hold"),
        ("u.csv v as .1f", "no results file"),
        ("p.csv v where k=a minus k=c as mean .1f", "not paired by seed"),
        ("p.csv v where k!=b minus k=b as mean .1f", "p.csv has several rows of a seed"),
        ("t.csv v minus k=a as mean .1f", "t.csv has several rows of a seed"),
        ("p.csv w where k=a minus k=b as mean .1f", "p.csv has no column .w."),
        ("p.csv e where k=a minus k=b as mean .1f", "empty cells, which cannot be paired"),
        ("t.csv v where k=a as d", "0.25 is no whole number"),
        ("t.json#c v as .1f", "no part 'c'"),
    ],
)
def test_bad_questions_are_refused(table, question, message):
    with pytest.raises(ClaimError, match=message):
        answer(table, question)


SEEN = ["3 times", ".7", "12 %", "60,000 seconds", "9.25"]


def test_numbers_without_a_claim_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "It is 3 times faster, loses .7 points (12 % of `4.5 s`), at ε = .3 with torch 2.6 in\n"
        "2026-11-21, on 32×32 images; [see](x/1.5.html), 20,000 images, 60,000 seconds.\n"
        "<!-- claim: a b as c -->4.5<!-- /claim -->\n```\n7.7 s\n```\n| a | 9.25 |\n"
    )
    found = [str(fault) for fault in _numbers.uncovered(page, tmp_path)]
    assert [line.split("'")[1] for line in found] == SEEN
    assert found[-1].startswith("page.md:7")


def test_marks_out_of_place_are_told(table):
    page = table / "README.md"
    page.write_text("<!-- claim: t.csv v as max .2f -->0.75<!-- /claim --> is it\n")
    (fault,) = _pages.check_page(page, table)
    assert "line that starts with a mark" in str(fault)
    page.write_text("- so\n  <!-- claim: t.csv v as max .2f -->0.75<!-- /claim --> is it\n")
    assert "line that starts with a mark" in str(_pages.check_page(page, table)[0])
    page.write_text("It is <!-- claim: t.csv v as max .2f -->0.75\n")
    (fault,) = _pages.check_page(page, table)
    assert "not closed" in str(fault)
    page.write_text("Made <!-- claim: made nothing -->?<!-- /claim -->.\n")
    assert "no record 'nothing'" in str(_pages.check_page(page, table)[0])
    page.write_text("<!-- claim: nothing() -->\n\n<!-- /claim -->\n")
    (fault,) = _pages.check_page(page, table)
    assert "no table nothing" in str(fault)


def test_of_a_table_the_line_that_differs_is_told(table, monkeypatch):
    text = "| k | v |\n| --- | ---: |\n| a | 0.25 |\n| b | 0.50 |"
    monkeypatch.setattr(_pages.tables, "numbers", lambda root: text, raising=False)
    page = table / "README.md"
    page.write_text("<!-- claim: numbers() -->\n<!-- /claim -->\n")
    _pages.write_page(page, table)
    page.write_text(page.read_text().replace("| b | 0.50 |", "| b | 0.55 |"))
    (fault,) = _pages.check_page(page, table)
    assert "the page says '| b | 0.55 |', the file '| b | 0.50 |'" in str(fault)


def test_results_are_compared_within_their_tolerance_and_times_not_at_all(tmp_path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("seed,share,fit_cpu_s,attack_time_pgd\n0,0.50,10,3\n1,0.60,11,3\n")
    new.write_text("seed,share,fit_cpu_s,attack_time_pgd\n0,0.51,99,7\n1,0.60,98,7\n")
    assert list(compare(old, new, 0.02)) == []
    assert list(compare(old, new, 0.005)) == ["[0].share was 0.50, is 0.51"]
    new.write_text("seed,share,fit_cpu_s\n0,0.50,10\n")
    assert "[1].share was 0.60, is None" in list(compare(old, new, 0.02))
    assert list(compare(old, tmp_path / "none.csv", 0)) == ["was not written"]


def test_every_record_can_be_read_and_its_files_are_there():
    for record in _records.records():
        assert record.runs, record.name
        assert all(run.code for run in record.runs), record.name
        assert not record.edited(), record.name
    assert code_digest_of(ROOT / "no such file.py") == ""
