"""A subscriber as light as can be: it takes no time from what is measured. MQTT 3.1.1, QoS 0.

As a program (`python -m tests.bench.subscriber PORT`) it throws away what comes.
"""

import socket
import sys
from typing import Final, Self

from tests.bench import samples

TOPIC: Final = f"udi/v1/{samples.TENANT}/{samples.SITE}/{samples.BOX}/scan"
SECONDS: Final = 30.0
"""A message that has not come by then is lost."""
CHUNK: Final = 1 << 16
# MQTT 3.1.1: 3.1 CONNECT (clean session, no keepalive), 3.8 SUBSCRIBE
CONNECT: Final = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"
SUBSCRIBE: Final = (
    b"\x82" + bytes([5 + len(TOPIC)]) + b"\x00\x01" + bytes([0, len(TOPIC)]) + TOPIC.encode() + b"\x00"
)
PUBLISH: Final = 3


class Subscriber:
    """One subscription to the scans of the benchmarks' box. A context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._stream = self._socket.makefile("rb")
        self._socket.sendall(CONNECT)
        self._packet()
        self._socket.sendall(SUBSCRIBE)
        self._packet()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def receive(self) -> bytes:
        """Wait for the next scan; return its event."""
        while True:
            kind, content = self._packet()
            if kind == PUBLISH:
                return content[2 + int.from_bytes(content[:2]) :]

    def throw_away(self) -> None:
        """Read until the broker ends."""
        self._socket.settimeout(None)
        while self._socket.recv(CHUNK):
            pass

    def _packet(self) -> tuple[int, bytes]:
        """Read one packet: its kind (2.2.1) and what follows its length (2.2.3)."""
        kind = self._read(1)[0] >> 4
        length = shift = 0
        while (byte := self._read(1)[0]) & 0x80:
            length |= (byte & 0x7F) << shift
            shift += 7
        length |= byte << shift
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        data = self._stream.read(length)
        if len(data) < length:
            raise ConnectionError("the broker hung up on the subscriber")
        return data


if __name__ == "__main__":
    with Subscriber(int(sys.argv[1])) as subscriber:
        sys.stdout.write("subscribed\n")
        sys.stdout.flush()
        subscriber.throw_away()
