"""The archive for whoever helps: how this box is, without any scan's content and without secrets."""

import io
import os
import platform
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from gateway import RELEASED, VERSION
from gateway.archive.redaction import redacted
from gateway.config.loader import ConfigError, read
from gateway.devices.inventory import everything
from gateway.monitoring.doctor import examine
from gateway.outbox.reader import OutboxReader
from gateway.system.control_socket import ask
from gateway.system.credentials import CREDENTIALS
from gateway.system.upgrade import on_trial, taken_back

JOURNAL_LINES: Final = 3000
"""Some days of a quiet box."""
COMMAND_SECONDS: Final = 30
COMMANDS: Final = {
    "journal.txt": ["journalctl", "--no-pager", "-o", "short-iso", "-n", str(JOURNAL_LINES), "-u", "scangate*"],
    "units.txt": ["systemctl", "--no-pager", "--full", "list-units", "--all", "scangate*"],
    "package.txt": ["dpkg-query", "--show", "scangate"],
    "disks.txt": ["df", "-h"],
    "memory.txt": ["free", "-m"],
    "network.txt": ["ip", "-brief", "address"],
    "clock.txt": ["timedatectl", "show"],
    "kernel.txt": ["journalctl", "--no-pager", "-k", "-p", "warning", "-n", "300"],
}


def write(stream: BinaryIO, config_file: Path, socket: Path, state: Path) -> list[str]:
    """Write the archive to a stream; return the names of its parts. Each part that fails says so in its place."""
    secrets = list(_secrets())
    names = []
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, make in _parts(config_file, socket, state):
            try:
                text = make()
            except Exception as error:  # noqa: BLE001 - whatever is broken is what the archive is for
                text = f"cannot be had: {error}\n"
            data = redacted(text, secrets).encode(errors="replace")
            info = tarfile.TarInfo(f"scangate-support/{name}")
            info.size, info.mode = len(data), 0o600
            archive.addfile(info, io.BytesIO(data))
            names.append(name)
    return names


def _parts(config_file: Path, socket: Path, state: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "version.json", lambda: _json(_version())
    yield "configuration.json", lambda: _configuration(config_file)
    yield "status.json", lambda: _json(ask(socket, "status"))
    yield "doctor.json", lambda: _json(list(examine(config_file, socket)))
    yield "outbox.json", lambda: _json(_outbox(state))
    yield "hardware.json", lambda: _json(list(everything()))
    yield "files.txt", lambda: "\n".join(_listing(state))
    for name, command in COMMANDS.items():
        yield name, lambda command=command: _run(command)  # type: ignore[misc]


def _version() -> dict[str, object]:
    board = Path("/sys/firmware/devicetree/base/model")
    return {
        "version": VERSION,
        "released": RELEASED,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "board": board.read_text(errors="replace").strip("\0") if board.exists() else None,
        "onTrial": on_trial(),
        "takenBack": taken_back(),
    }


def _configuration(file: Path) -> str:
    """Return what was written, keys and values; secrets have no place in it, and names of credentials are none."""
    try:
        return _json(read(file).values)
    except ConfigError as error:
        return str(error)


def _outbox(state: Path) -> dict[str, object]:
    reader = OutboxReader(state / "outbox.db")
    try:
        return {"stored": reader.last(), "delivered": reader.delivered(), "waiting": reader.waiting()}
    finally:
        reader.close()


def _listing(state: Path) -> Iterator[str]:
    for path in sorted(state.rglob("*")):
        found = path.lstat()
        yield f"{found.st_mode:o} {found.st_uid}:{found.st_gid} {found.st_size} {path.relative_to(state)}"


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS, errors="replace"
    )
    return done.stdout + done.stderr


def _secrets() -> Iterable[str]:
    """Yield every line of every credential this user may read."""
    if not os.access(CREDENTIALS, os.R_OK | os.X_OK):
        return
    for path in CREDENTIALS.iterdir():
        if path.is_file():
            yield from (line.strip() for line in path.read_text(errors="replace").splitlines())


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode() + "\n"
