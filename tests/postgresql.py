"""A PostgreSQL server for one test: Debian's own program, on a folder and a socket of its own, never as root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from tests.brokers import wait_for

PROGRAMS: Final = Path("/usr/lib/postgresql")
READY_SECONDS: Final = 120.0
"""After a power cut it reads its log again before it answers."""
USER: Final = "postgres"
"""Debian's package makes it; the server refuses root."""


def programs() -> Path | None:
    """Return the folder of the newest server on this machine; None where the package `postgresql` is missing."""
    versions = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class PostgreSql:
    """One server; `start` again after `kill` keeps what was committed."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None, "the Debian package postgresql is not on this machine"
        self._programs = found
        self.directory = Path(tempfile.mkdtemp(prefix="scangate-pg-"))
        self.directory.chmod(0o700)
        self._as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            user = pwd.getpwnam(USER)
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self._as_user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        self._data = self.directory / "data"
        self._log = self.directory / "log"
        self._run("initdb", "-D", str(self._data), "-U", "scangate", "-A", "trust", "-E", "UTF8", "--no-sync",
                  "--locale=C.UTF-8")  # fmt: skip

    @property
    def url(self) -> str:
        """Where it is, as SQLAlchemy and libpq say it."""
        return f"postgresql://scangate@/postgres?host={self.directory}"

    @contextmanager
    def database(self, setting: str | None = None) -> Iterator[str]:
        """Make an empty database, with a setting of its own; give its URL."""
        name = f"test_{next(self._names)}"
        self._statement(f"CREATE DATABASE {name}")
        if setting is not None:
            self._statement(f"ALTER DATABASE {name} SET {setting}")
        yield self.url.replace("/postgres?", f"/{name}?")
        self._statement(f"DROP DATABASE {name} WITH (FORCE)")

    def _statement(self, text: str) -> None:
        self._run("psql", "-h", str(self.directory), "-U", "scangate", "-d", "postgres", "-q", "-c", text)

    def start(self) -> None:
        socket = f"unix_socket_directories={self.directory}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*self._as_user, str(self._programs / "postgres"), "-D", str(self._data)),
                    *("-c", "listen_addresses=", "-c", socket),
                ],
                cwd="/",
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, f"PostgreSQL answers ({self._log.read_text()})", READY_SECONDS)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        command = [str(self._programs / "pg_isready"), "-q", "-h", str(self.directory)]
        return subprocess.run(command, check=False).returncode == 0

    def kill(self) -> None:
        """End the server and everything it started, as a power cut does."""
        if self._process is None:
            return
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self._process.kill()
        self._process.wait(10)
        self._process = None
        for child in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        wait_for(lambda: not any(_lives(int(child)) for child in children), "PostgreSQL's processes end")

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = (*self._as_user, str(self._programs / program), *arguments)
        done = subprocess.run(command, cwd="/", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
