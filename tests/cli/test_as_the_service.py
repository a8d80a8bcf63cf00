"""Run as root: scangate's own files stay its user's, and root opens what root named (setuid(7), access(2)).

`nobody` stands for the service's user, in a process of its own for each command.
"""

import os
import pwd
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Box

NOBODY = pwd.getpwnam("nobody")
PROGRAM = (
    "import sys, gateway.system.service_user as user, gateway.cli.box as box\n"
    "user.SERVICE_USER = box.SERVICE_USER = 'nobody'\n"
    "from gateway.cli import main\n"
    "sys.exit(main(sys.argv[1:]))"
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")


def scangate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that others may pass through: pytest's own are closed to everybody but their owner."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def owned(box: Box) -> Box:
    """A box whose files are the service's."""
    for path in (box.outbox_file.parent, *box.outbox_file.parent.iterdir()):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    return box


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """A folder that nobody but root may enter: a mounted USB stick, /root."""
    folder = tmp_path / "roots"
    folder.mkdir(mode=0o700)
    return folder


def owners(folder: Path) -> set[int]:
    return {path.stat().st_uid for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("command", "target"),
    [
        (["outbox", "backup", "{}"], "copy.db"),
        (["outbox", "export", "--all", "-o", "{}"], "all.ndjson"),
        (["outbox", "dead", "--export", "{}"], "dead.ndjson"),
    ],
)
def test_root_writes_where_root_said(owned: Box, roots: Path, command: list[str], target: str) -> None:
    done = scangate(*(part.format(roots / target) for part in command), "-c", owned.config_file)
    assert done.returncode == 0, done.stderr
    assert (roots / target).stat().st_uid == 0
    assert owners(owned.outbox_file.parent) == {NOBODY.pw_uid}


def test_root_restores_and_exports_from_a_file_that_is_roots(owned: Box, roots: Path) -> None:
    copy = roots / "copy.db"
    assert scangate("outbox", "backup", copy, "-c", owned.config_file).returncode == 0
    copy.chmod(0o600)
    done = scangate("outbox", "restore", copy, "-c", owned.config_file)
    assert (done.returncode, "4 events restored" in done.stderr) == (0, True), done.stderr
    done = scangate("outbox", "export", "--from", copy, "-c", owned.config_file)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    assert owners(owned.outbox_file.parent) == {NOBODY.pw_uid}


def test_a_refusal_is_one_line(owned: Box, roots: Path) -> None:
    for command in (("outbox", "backup", roots / "no" / "copy.db"), ("outbox", "restore", roots / "none.db")):
        done = scangate(*command, "-c", owned.config_file)
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr


def diagnoses(box: Box) -> str:
    done = scangate("doctor", "-c", box.config_file, "--socket", "/nowhere/control.sock")
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    return done.stdout


def test_doctor_tries_as_the_service(owned: Box) -> None:
    os.chown(owned.outbox_file, 0, 0)
    owned.outbox_file.chmod(0o600)
    assert "the service's user may not write" in diagnoses(owned)
    os.chown(owned.outbox_file, NOBODY.pw_uid, NOBODY.pw_gid)
    assert "MiB free" in diagnoses(owned)


def test_doctor_names_a_configuration_that_the_service_cannot_read(owned: Box) -> None:
    owned.config_file.chmod(0o600)
    text = diagnoses(owned)
    assert "the daemon ends with exit code 2" in text
    assert "article master" in text, "every check runs"


def test_doctor_runs_every_check_without_a_configuration(owned: Box) -> None:
    with owned.config_file.open("a") as file:
        file.write("bauds = 1\nlayuot = 'se'\n")
    text = diagnoses(owned)
    for words in (
        "unknown key; did you mean 'baud'",
        "unknown key; did you mean 'layout'",
        "clock",
        "daemon",
        "state",
    ):
        assert words in text


def test_a_check_without_the_credentials_that_a_unit_has(owned: Box, roots: Path) -> None:
    """An ExecReload= of systemd 252 is told $CREDENTIALS_DIRECTORY, and may not look into it."""
    with owned.config_file.open("a") as file:
        file.write('[broker]\nurls = ["mqtts://a"]\nusername = "u"\npassword_file = "mqtt-password"\n')
    prepared = "import os, gateway.cli.configuration, gateway.config.warnings\n"
    code = PROGRAM.replace(
        "sys.exit", f"{prepared}from gateway.cli import _parser; _parser()\nos.setuid({NOBODY.pw_uid})\nsys.exit"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "config", "check", "-c", owned.config_file],
        env={**os.environ, "CREDENTIALS_DIRECTORY": str(roots / "scangate.service")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"{owned.config_file}: ok\n"), done.stderr


def test_doctor_survives_an_outbox_that_is_none(owned: Box) -> None:
    with sqlite3.connect(owned.outbox_file) as db:
        db.execute("DROP TABLE event")
    db.close()
    assert "article master" in diagnoses(owned)
