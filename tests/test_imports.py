"""Importing skactive loads its core packages, and no other; what is optional has an extra."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

# What torch, scikit-learn and skorch load themselves (pandas, where it is installed) is not ours,
# nor that scikit-learn's checks, which the checks of strategies use, load pytest.
EVERY_MODULE = """
import importlib, pkgutil, sys
import torch, sklearn, skorch
before = set(sys.modules)
import skactive
checks = "skactive.strategies._checks", "skactive.utils.estimator_checks"
for module in pkgutil.walk_packages(skactive.__path__, "skactive."):
    if not module.name.endswith("__main__") and module.name not in checks:
        importlib.import_module(module.name)
ours = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(ours - sys.stdlib_module_names))
"""


def test_no_module_imports_an_optional_package():
    run = [sys.executable, "-c", EVERY_MODULE]
    loaded = set(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split())
    assert "skactive" in loaded
    core = {"skactive", "numpy", "scipy", "sklearn", "skorch", "torch", "joblib"}
    assert loaded <= core | {"_loss"}  # a compiled part of scikit-learn 1.6 that lies at the top


def test_all_is_every_extra_of_run_time():
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = re.fullmatch(r"skactive\[(.*)\]", everything).group(1).split(",")
    assert sorted(named) == sorted(set(extras) - {"all", "test", "docs", "bench"})
