"""A broker that does what it is told, wrong things among them: enough MQTT 5 and 3.1.1 for one gateway.

It writes down what it took over; a PUBLISH that it refuses it did not take.
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from typing import Final

from msgspec import Struct

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 2, 3, 4, 8, 12, 14
MQTT_5: Final = 5
LINGER_NOW: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: a close that the other side sees as a reset."""


class Told(Struct, frozen=True, kw_only=True):
    """An event that came, and the way back."""

    number: int
    """How many events had come before it, over all connections."""
    mid: int
    body: bytes
    link: socket.socket
    taken: int
    """Events taken over before it."""

    def ack(self, reason: int = 0, mid: int | None = None) -> None:
        """Send a PUBACK (MQTT 5, 3.4)."""
        tail = bytes([reason, 0]) if reason else b""
        self.link.sendall(bytes([PUBACK << 4, 2 + len(tail)]) + (mid or self.mid).to_bytes(2, "big") + tail)


Script = Callable[[Told], bool]
"""Answers an event; tells whether the broker takes it over. OSError ends the connection."""


def honest(told: Told) -> bool:
    """Take the event and say so."""
    told.ack()
    return True


class ScriptedBroker:
    """Listens on 127.0.0.1. `script` answers events; `greeting` is the answer to CONNECT, b"" for none."""

    def __init__(self, arrivals: list[bytes] | None = None) -> None:
        self.arrivals: list[bytes] = [] if arrivals is None else arrivals
        """Bodies of the events taken over, in order. Two brokers may share it: one central system behind both."""
        self.script: Script = honest
        self.greeting: bytes | None = None
        self.after_greeting = b""
        """Sent right behind the CONNACK."""
        self.acknowledges_state = True
        """Answer what is published beside the events, too."""
        self.connections = 0
        self._events = 0
        self._links: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = True
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def down(self) -> None:
        """Be gone, as a killed process is."""
        with self._lock:
            self._open = False
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # a thread waits in accept
            self._listener.close()
            self.hang_up()

    def up(self) -> None:
        """Be there again, on the same port."""
        with self._lock:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._open = True
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def hang_up(self) -> None:
        """Break every connection with a reset."""
        for link in list(self._links):
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
                link.shutdown(socket.SHUT_RDWR)

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                link, _ = listener.accept()
                self.connections += 1
                self._links.add(link)
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError, EOFError), link.makefile("rb") as stream:
            while self._open and self._answer(link, stream):
                pass
        self._links.discard(link)

    def _answer(self, link: socket.socket, stream: BufferedReader) -> bool:
        head = _exactly(stream, 1)[0]
        length = shift = 0
        while True:
            digit = _exactly(stream, 1)[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        body = _exactly(stream, length)
        kind = head >> 4
        if kind == CONNECT:
            plain = b"\x20\x03\x00\x00\x00" if body[6] == MQTT_5 else b"\x20\x02\x00\x00"
            link.sendall((plain if self.greeting is None else self.greeting) + self.after_greeting)
        elif kind == SUBSCRIBE:
            link.sendall(_granted(body))
        elif kind == PINGREQ:
            link.sendall(b"\xd0\x00")
        elif kind == PUBLISH and head & 0x06:
            self._take(link, body)
        return kind != DISCONNECT

    def _take(self, link: socket.socket, body: bytes) -> None:
        at = 2 + int.from_bytes(body[:2], "big")
        mid = int.from_bytes(body[at : at + 2], "big")
        payload = body[body.index(b"{", at + 2) :] if b"{" in body[at + 2 :] else body[at + 3 :]
        if not body[2:at].endswith(b"/scan"):
            if not self.acknowledges_state:
                return
            link.sendall(bytes([PUBACK << 4, 2]) + mid.to_bytes(2, "big"))
            return
        told = Told(number=self._events, mid=mid, body=payload, link=link, taken=len(self.arrivals))
        self._events += 1
        place = len(self.arrivals)
        self.arrivals.append(payload)  # before it is answered: whoever sees the answer finds it here
        if not self.script(told):
            del self.arrivals[place]

    def close(self) -> None:
        if self._open:
            self.down()


def _granted(body: bytes) -> bytes:
    """Return the SUBACK that grants QoS 1 to each topic filter (MQTT 5, 3.9; 3.1.1 has no properties)."""
    for properties in (1, 0):
        at, count = 2 + properties, 0
        while at + 2 < len(body):
            at += 2 + int.from_bytes(body[at : at + 2], "big") + 1
            count += 1
        if at == len(body):
            return bytes([0x90, 2 + properties + count]) + body[:2] + b"\0" * properties + b"\1" * count
    raise EOFError


def _exactly(stream: BufferedReader, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
