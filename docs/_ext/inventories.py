"""References to other projects without a network.

intersphinx reads inventories of whole projects, which it fetches. ``inventories.toml`` lists the
few names that these pages refer to; they are written as inventories beside the built pages and read
from there, so that a build never waits for, and never fails by, another site.
"""

import tomllib
import zlib
from pathlib import Path

HEADER = (
    "# Sphinx inventory version 2\n"
    "# Project: {project}\n"
    "# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)


def _write(path, project, roles):
    lines = [
        f"{name} py:{role} 1 {address} -\n"
        for role, names in roles.items()
        for name, address in names.items()
    ]
    body = zlib.compress("".join(lines).encode())
    path.write_bytes(HEADER.format(project=project).encode() + body)


def read_lists(app, config):
    """Turn the lists into ``intersphinx_mapping``."""
    folder = Path(app.doctreedir) / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    projects = tomllib.loads(Path(config.own_inventories).read_text(encoding="utf-8"))
    for project, roles in projects.items():
        base = roles.pop("base")
        _write(folder / f"{project}.inv", project, roles)
        mapping[project] = (base, str(folder / f"{project}.inv"))
    config.intersphinx_mapping = mapping


def setup(app):
    """Fill the mapping before intersphinx checks it."""
    app.add_config_value("own_inventories", None, "env")
    app.connect("config-inited", read_lists, priority=100)
    return {"parallel_read_safe": True}
