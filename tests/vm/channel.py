"""One JSON object a line over a Unix socket: what QEMU's monitor (QMP) and the guest agent both speak."""

import json
import select
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

CONNECT_SECONDS: Final = 30.0
"""QEMU makes its sockets within a second of its start, on a busy machine within some."""
ANSWER_SECONDS: Final = 180.0
"""Longest a single command takes: saving a machine's memory, or any on a host that is busy with other things."""


class ChannelError(RuntimeError):
    """The other end refused a command, or is gone."""


class Channel:
    """Requests and answers in order; events that come between are dropped."""

    def __init__(self, path: Path) -> None:
        self._socket = connected(path)
        self._buffer = b""

    def command(self, name: str, /, **arguments: object) -> Any:  # noqa: ANN401 - each has its own answer
        """Send one command; return its answer. Raises ChannelError, TimeoutError."""
        self.send({"execute": name, "arguments": arguments})
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            answer = self.receive(until)
            if "error" in answer:
                raise ChannelError(f"{name}: {answer['error'].get('desc', answer['error'])}")
            if "return" in answer:
                return answer["return"]

    def send(self, message: object, prefix: bytes = b"") -> None:
        """Send one object; `prefix` goes before it."""
        self._socket.sendall(prefix + json.dumps(message).encode() + b"\n")

    def receive(self, until: float) -> dict[str, Any]:
        """Return the next object, waiting until a moment of time.monotonic(). Raises ChannelError, TimeoutError."""
        while b"\n" not in self._buffer:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise ChannelError("the other end hung up: see qemu.log")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        # The agent answers a synchronisation with a leading 0xFF, which tells it from what lay in the line before.
        message: dict[str, Any] = json.loads(line.rpartition(b"\xff")[2] or b"{}")
        return message

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def connected(path: Path, seconds: float = CONNECT_SECONDS) -> socket.socket:
    """Connect to a Unix socket that is about to be made. Raises OSError when it does not come."""
    until = time.monotonic() + seconds
    while True:
        one = socket.socket(socket.AF_UNIX)
        with suppress(OSError):
            one.connect(str(path))
            return one
        one.close()
        if time.monotonic() > until:
            raise ChannelError(f"nothing answers at {path} within {seconds:.0f} s: see qemu.log beside it")
        select.select([], [], [], 0.02)
