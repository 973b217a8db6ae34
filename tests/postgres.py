"""A PostgreSQL server of one's own, in a folder that goes away with it; it can be killed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def bin_folder() -> Path | None:
    """Where the server's programs are; Debian keeps them out of the way."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else debian[-1].parent if debian else None


def why_not() -> str:
    """Why no server can be started here; empty if one can."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if bin_folder() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.getuid() == 0 and not any(user.pw_name == "postgres" for user in pwd.getpwall()):
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


class Server:
    """A server that is started, killed and started again.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._call(
            "initdb",
            "-D",
            "data",
            "-A",
            "trust",
            "-U",
            "skactive",
            "--no-locale",
            "-N",
            "-E",
            "UTF8",
        )

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://skactive@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        start = ("-D", "data", "-w", "-l", "log", "-o", settings, "start")
        until = time.monotonic() + 60
        while True:  # after a kill the last of its processes may not be gone yet
            try:
                return self._call("pg_ctl", *start)
            except subprocess.CalledProcessError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def kill(self) -> None:
        """Like a failure of power: no goodbye, and the next start recovers."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
        for each in [pid, *map(int, children.stdout.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # killed, and not started again
            self._call("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def _call(self, program: str, *arguments: str) -> None:
        folder = bin_folder()
        assert folder is not None
        subprocess.run(
            [folder / program, *arguments], cwd=self.folder, user=self._user, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server that runs until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
