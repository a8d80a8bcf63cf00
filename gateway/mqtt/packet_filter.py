"""Leaves packets that are too large out of a byte stream of MQTT 3.1.1, which cannot tell the broker a limit.

The stream goes on behind such a packet at once: what comes next (a recall, a PUBACK) is not lost with it. A PUBLISH
of QoS 1 that is left out is still to be acknowledged, or the broker would wait for it and send it again.

Source: MQTT 3.1.1, 2.2 (fixed header; remaining length of one to four bytes), 3.3.2 (variable header of PUBLISH).
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

PUBLISH: Final = 3
QOS_BITS: Final = 0x06
CONTINUES: Final = 0x80
MAX_LENGTH_BYTES: Final = 4
HEAD_BYTES: Final = 512
"""Of a packet that is left out: topic (256 bytes, and longer ones are none of ours) and packet identifier."""


class LeftOut(Struct, frozen=True):
    """A packet that was not passed on."""

    size: int
    """Bytes of its variable header and payload."""
    mid: int | None
    """Packet identifier of a PUBLISH that waits for its PUBACK."""


class PacketFilter:
    """`feed` it what was received; it returns what is to be read on. Pure."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._header = bytearray()
        self._passing = 0
        self._dropping = 0
        self._dropped = bytearray()
        self._size = 0
        self.left_out: list[LeftOut] = []
        """Packets left out; whoever acts upon one removes it."""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the packets that are passed on; raises nothing, whatever comes."""
        return b"".join(self._pieces(data))

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        at, end = 0, len(data)
        while at < end:
            if self._passing:
                taken = min(self._passing, end - at)
                yield data[at : at + taken]
                self._passing -= taken
                at += taken
            elif self._dropping:
                taken = min(self._dropping, end - at)
                self._dropped += data[at : at + min(taken, HEAD_BYTES - len(self._dropped))]
                self._dropping -= taken
                at += taken
                if not self._dropping:
                    self._note()
            else:
                self._header.append(data[at])
                at += 1
                yield from self._begin()

    def _begin(self) -> Iterator[bytes]:
        """Decide about a packet when its fixed header is complete."""
        digits = self._header[1:]
        if not digits or (digits[-1] & CONTINUES and len(digits) < MAX_LENGTH_BYTES):
            return
        length = sum((digit & ~CONTINUES) << 7 * place for place, digit in enumerate(digits))
        if length > self._limit:
            self._dropping = self._size = length
            self._dropped.clear()
        else:
            self._passing = length
            yield bytes(self._header)
            self._header.clear()

    def _note(self) -> None:
        kind = self._header[0]
        self._header.clear()
        mid = None
        if kind >> 4 == PUBLISH and kind & QOS_BITS:
            at = 2 + int.from_bytes(self._dropped[:2], "big")
            if at + 2 <= len(self._dropped):
                mid = int.from_bytes(self._dropped[at : at + 2], "big")
        self.left_out.append(LeftOut(self._size, mid))
