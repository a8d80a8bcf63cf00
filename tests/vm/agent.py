"""The guest agent: runs commands in the guest and copies files. It works over virtio, whatever the network does."""

import base64
import random
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.vm.channel import Channel

WRITE_BYTES: Final = 48_000
"""In one message: the agent takes no more than 64 KiB of JSON at once."""
COMMAND_SECONDS: Final = 120.0
"""An emulated machine is some fifteen times slower than a real one."""
POLL_SECONDS: Final = 0.03
SYNC_SECONDS: Final = 2.0


class CommandError(RuntimeError):
    """A command in the guest failed: the command, its exit code and what it said."""


class Done(Struct, frozen=True, kw_only=True):
    """How a command ended."""

    code: int
    """Exit code; the negated signal number where one ended it."""
    out: str
    err: str


class Agent:
    """Talks to qemu-guest-agent. Commands run as root, in bash."""

    def __init__(self, path: Path) -> None:
        self._channel = Channel(path)

    def wait(self, until: float) -> None:
        """Wait until it answers: the guest has booted. Raises TimeoutError."""
        while True:
            number = random.getrandbits(31)
            self._channel.send({"execute": "guest-sync", "arguments": {"id": number}}, prefix=b"\xff")
            with suppress(TimeoutError, ValueError):
                while True:
                    if self._channel.receive(time.monotonic() + SYNC_SECONDS).get("return") == number:
                        return
            if time.monotonic() > until:
                raise TimeoutError("the guest agent never answered: see console.log")

    def begin(self, command: str) -> int:
        """Start a command; return its process id for `result`."""
        started = self._channel.command(
            "guest-exec", path="/bin/bash", arg=["-c", command], **{"capture-output": True}
        )
        pid: int = started["pid"]
        return pid

    def result(self, pid: int, *, seconds: float = COMMAND_SECONDS) -> Done:
        """Wait for a command's end. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while True:
            status = self._channel.command("guest-exec-status", pid=pid)
            if status["exited"]:
                return Done(
                    code=status.get("exitcode", -status.get("signal", 0)),
                    out=_text(status.get("out-data", "")),
                    err=_text(status.get("err-data", "")),
                )
            if time.monotonic() > until:
                raise TimeoutError(f"a command in the guest has not ended within {seconds:.0f} s")
            select.select([], [], [], POLL_SECONDS)

    def try_run(self, command: str, *, seconds: float = COMMAND_SECONDS) -> Done:
        """Run a command to its end, however it ends."""
        return self.result(self.begin(command), seconds=seconds)

    def run(self, command: str, *, seconds: float = COMMAND_SECONDS) -> str:
        """Run a command; return what it printed, stripped. Raises CommandError when it fails."""
        done = self.try_run(command, seconds=seconds)
        if done.code:
            raise CommandError(f"in the guest: {command!r} ended with {done.code}: {done.out}{done.err}")
        return done.out.strip()

    def write(self, path: str, data: bytes | str) -> None:
        """Write a file of the guest."""
        content = data.encode() if isinstance(data, str) else data
        handle = self._channel.command("guest-file-open", path=path, mode="w")
        for start in range(0, len(content), WRITE_BYTES):
            part = base64.b64encode(content[start : start + WRITE_BYTES]).decode()
            self._channel.command("guest-file-write", handle=handle, **{"buf-b64": part})
        self._channel.command("guest-file-close", handle=handle)

    def shut_down(self) -> None:
        """Ask for an ordered shutdown; it answers nothing."""
        self._channel.send({"execute": "guest-shutdown"})

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")
