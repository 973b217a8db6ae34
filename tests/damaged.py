"""Reads files in a process of its own that notes what it must not do; see test_damaged_files.

``python -m tests.damaged GOOD… -- BAD…`` prints a line of JSON for each bad file.
"""

import json
import sys

import numpy as np
import torch

import skactive
from tests.models import SmallMLP

OWN = {"SmallMLP": SmallMLP}
FORBIDDEN = (
    "exec", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.", "tempfile.",
    "marshal.", "code.", "builtins.input", "urllib.", "ftplib.", "smtplib.", "winreg.", "pty.",
)  # fmt: skip
HARMLESS = {"os.fspath", "os.listdir", "os.scandir"}
noted = []


def hook(event, args):
    """Note what a file of data has no business to cause."""
    if event == "open":
        path, mode, flags = args
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags or 0) & 3:
            noted.append(f"open {path} {mode}")
    elif event.startswith(FORBIDDEN) and event not in HARMLESS:
        noted.append(f"{event} {args!r}"[:200])


def attempt(read, path):
    """What reading a file leads to: an error, and what was noted on the way."""
    noted.clear()
    try:
        value = read(path)
        error, text = "none", repr(value)[:100]
    except BaseException as caught:
        error, text = type(caught).__name__, str(caught)
    return {"error": error, "text": text[:300], "noted": list(noted)}


def load(path):
    """Read with the one class that the good files need."""
    return skactive.load(path, modules=OWN)


def main():
    """Read good files, so that all is imported, and then the bad ones under the hook."""
    split = sys.argv.index("--")
    for path in sys.argv[1:split]:
        load(path).predict_proba(np.zeros((2, 4), dtype=np.float32))
        skactive.inspect(path)
    torch.zeros(1)
    sys.addaudithook(hook)
    for path in sys.argv[split + 1 :]:
        found = {
            "path": path,
            "load": attempt(load, path),
            "inspect": attempt(skactive.inspect, path),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
