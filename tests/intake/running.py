"""The intake as a process of its own, as systemd starts it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.brokers import PATIENCE_S
from tests.intake.boxes import ROOT, TENANT

PROGRAM = (sys.executable, "-m", "intake")


class RunningIntake:
    """One `scangate-intake run`."""

    def __init__(self, directory: Path, database: str, *options: str, tenant: str = TENANT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "intake.log"
        self._command = (*PROGRAM, "run", "--tenant", tenant, "--database", database, *options)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RunningIntake":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log, env=environment())
        return self

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it in order; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def command(*arguments: str) -> tuple[int, str, str]:
    """Run one command of scangate-intake; return its exit code and what it printed."""
    done = subprocess.run(
        [*PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, env=environment(), check=False
    )
    return done.returncode, done.stdout, done.stderr


def status(database: str) -> tuple[int, Any]:
    code, out, err = command("status", "--database", database, "--json")
    assert out, err
    return code, json.loads(out)
