"""Scanners that follow their vendor's protocol, at the far end of a pty: they wait, repeat, give up and beep."""

import os
import select
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic

from drivers.dialects.ssi_packet import HOST, Op, SsiPacket, Status, decode, encode

PATIENCE_S = 20.0


class ScriptedScanner:
    """Hears what the gateway writes, in a thread of its own."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.heard = b""
        self.news = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over:
            if not select.select([self._fd], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(self._fd, 4096)
            except OSError:
                return
            with self.news:
                self.heard += data
                self._hear()
                self.news.notify_all()

    def _hear(self) -> None:
        """Take what came; called with the lock held."""

    def say(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]

    def wait_for(self, true: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        with self.news:
            assert self.news.wait_for(true, seconds), f"{what}: heard {self.heard!r}"

    def close(self) -> None:
        self._over = True
        self._thread.join(PATIENCE_S)


class SsiScanner(ScriptedScanner):
    """Zebra, set to packets and to ACK/NAK: every code must be acknowledged, is repeated twice, then given up."""

    RETRIES = 2

    def __init__(self, fd: int, response_timeout: float = 2.0) -> None:
        self.beeps: list[int] = []
        self.given_up = 0
        self.answers: list[SsiPacket] = []
        self._unread = 0
        self._timeout = response_timeout
        super().__init__(fd)

    def _hear(self) -> None:
        while self._unread < len(self.heard) and self._unread + self.heard[self._unread] + 2 <= len(self.heard):
            end = self._unread + self.heard[self._unread] + 2
            packet = decode(self.heard[self._unread : end])
            assert packet is not None, f"the gateway sent no packet: {self.heard[self._unread :]!r}"
            assert packet.source == HOST
            self._unread = end
            if packet.op == Op.BEEP:
                self.beeps.append(packet.data[0])
                self.say(encode(SsiPacket(op=Op.ACK, source=0)))
            else:
                self.answers.append(packet)

    def scan(self, text: bytes, *, garble_first: bool = False, part: int = 250) -> list[float]:
        """Transmit a code; return when each of its packets was acknowledged, or [] when it was given up."""
        acknowledged: list[float] = []
        pieces = [text[at : at + part] for at in range(0, len(text), part)]
        for number, piece in enumerate(pieces):
            status = Status.CONTINUED if number < len(pieces) - 1 else 0
            data = b"\x1b" + piece
            moment = self._transmit(data, status, garble_first=garble_first and number == 0)
            if moment is None:
                self.given_up += 1
                return []
            acknowledged.append(moment)
        return acknowledged

    def _transmit(self, data: bytes, status: int, *, garble_first: bool) -> float | None:
        for attempt in range(1 + self.RETRIES):
            again = Status.RETRANSMIT if attempt else 0
            packet = bytearray(encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=status | again, data=data)))
            if garble_first and attempt == 0:
                packet[8] ^= 1
            before = len(self.answers)
            self.say(bytes(packet))
            with self.news:
                self.news.wait_for(partial(self._answered_since, before), self._timeout)
            if self._answered_since(before) and self.answers[before].op == Op.ACK:
                return monotonic()
        return None

    def _answered_since(self, before: int) -> bool:
        return len(self.answers) > before


class HostAckScanner(ScriptedScanner):
    """Honeywell, set to Host ACK: says nothing to the operator and reads nothing more until it is answered."""

    def scan(self, text: bytes) -> bytes:
        """Transmit a code; return the gateway's answer: escape commands, each ended by a comma."""
        before = len(self.heard)
        self.say(text + b"\r")
        self.wait_for(lambda: self.heard[before:].endswith(b","), "the gateway answers")
        return self.heard[before:]


class DatalogicScanner(ScriptedScanner):
    """Datalogic with RS-232 host commands: `F` disables it until `E`."""

    def __init__(self, fd: int) -> None:
        self.tones = 0
        self.not_on_file = 0
        self.enabled = True
        super().__init__(fd)

    def _hear(self) -> None:
        self.tones = self.heard.count(b"\x01")
        self.not_on_file = self.heard.count(b"F")
        self.enabled = self.heard.rfind(b"E") >= self.heard.rfind(b"F")
