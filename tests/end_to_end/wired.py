"""The scanners of tests/firmware_config at the far end of a pty: they are told and asked over the real line."""

import os
import re
import select
import termios
import threading
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from tests.firmware_config.devices import DatalogicDevice, Device, HoneywellDevice, NewlandDevice, ZebraDevice

PATIENCE_S = 30.0
SPEEDS = {termios.B9600: 9600, termios.B115200: 115_200}
MESSAGES = {
    HoneywellDevice: re.compile(rb"\x16M\r[^.!]*[.!]"),
    DatalogicDevice: re.compile(rb"\$[^\r]*\r"),
    NewlandDevice: re.compile(rb"~\x010000[^;]*;\x03"),
    ZebraDevice: re.compile(b"|".join(rb"\x%02x[\s\S]{%d}" % (length, length + 1) for length in range(4, 256))),
}


class Line(Protocol):
    """Both ends of a pty, as tests/end_to_end/plant.py makes them."""

    _scanner: int
    _daemon: int

    def plug(self) -> None: ...

    def unplug(self) -> None: ...


class WiredDevice:
    """Answers in a thread of its own; a scanner that starts anew leaves the port and comes back."""

    def __init__(self, device: Device, line: Line) -> None:
        self.device = device
        self.others = b""
        """What was heard that is no message: signals to the operator."""
        self.messages: list[bytes] = []
        self.answers = True
        self.before_answer: Callable[[bytes], None] = lambda _: None
        """Called before a message is answered: what happens in just that moment."""
        self.news = threading.Condition()
        self._line = line
        self._message = next(kind for one, kind in MESSAGES.items() if isinstance(device, one))
        self._over = False
        self._speed_before = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def say(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._line._scanner, data) :]

    def wait_for(self, true: Callable[[], object], what: str) -> None:
        with self.news:
            assert self.news.wait_for(true, PATIENCE_S), f"{what}: {self.messages[-3:]!r} {self.others!r}"

    def close(self) -> None:
        self._over = True
        self._thread.join(PATIENCE_S)

    def _listen(self) -> None:
        heard = b""
        while not self._over:
            try:
                if select.select([self._line._scanner], [], [], 0.02)[0]:
                    heard = self._take(heard + os.read(self._line._scanner, 4096))
                else:
                    self._speed_before = self._speed()
            except (OSError, ValueError, termios.error):  # unplugged
                heard = b""
                select.select([], [], [], 0.02)

    def _take(self, heard: bytes) -> bytes:
        while (found := self._message.search(heard)) is not None:
            message, before, heard = found[0], heard[: found.start()], heard[found.end() :]
            with self.news:
                self.others += before
                self.messages.append(message)
                self.news.notify_all()
            self.before_answer(message)
            # what was written just before the gateway changed its speed was sent at the one before
            if self.answers and self.device.speed in {self._speed(), self._speed_before}:
                answer = self.device.hear(message)
                self.say(answer if self._speed() == self.device.own_speed else bytes(one | 0x80 for one in answer))
                with self.news:
                    self.news.notify_all()
                if self.device.leaves_port:
                    self._start_anew()
        signal = heard[:1] not in {b"", b"\x16", b"$", b"~"} or heard[:2] == b"\x16\x07"
        if signal and not isinstance(self.device, ZebraDevice):
            with self.news:
                self.others += heard
                self.news.notify_all()
            return b""
        return heard

    def _speed(self) -> int:
        return SPEEDS.get(termios.tcgetattr(self._line._daemon)[4], 0)

    def _start_anew(self) -> None:
        """Leave when the answer has been taken, and come back."""
        end = monotonic() + PATIENCE_S
        while _waiting(self._line._daemon) and monotonic() < end:
            select.select([], [], [], 0.01)
        self._line.unplug()
        self.device.leaves_port = False
        self._line.plug()


def _waiting(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])
