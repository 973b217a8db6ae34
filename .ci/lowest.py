"""Print what pyproject.toml declares with every lower bound as the version: a constraints file."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
declared = [*project["dependencies"], *project["optional-dependencies"]["test"]]
for requirement in dict.fromkeys(declared):
    name, bound = re.match(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)", requirement).groups()
    print(f"{name}=={bound}")
