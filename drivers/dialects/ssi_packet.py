"""Zebra's Simple Serial Interface: packets, and how to find them in what a scanner sends. Pure.

Source: SSI chapters of the SE923, SE955, DS8108, DS4308 and DS9908 manuals, and of the SSI Programmer's Guide
(72E-40451).

A packet is `Length Opcode Source Status Data... ChecksumHigh ChecksumLow`. Length counts itself and all up to the
checksum; the checksum is the 16-bit two's complement of the sum of the bytes before it.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum, IntFlag
from typing import Final

from msgspec import Struct


class Op(IntEnum):
    """Opcodes the gateway knows."""

    MANAGEMENT = 0x80
    """Scanner management (RSM), both ways."""
    REQUEST_REVISION = 0xA3
    REPLY_REVISION = 0xA4
    PARAM_SEND = 0xC6
    """Set parameters; from the scanner: their values."""
    PARAM_REQUEST = 0xC7
    ACK = 0xD0
    NAK = 0xD1
    BEEP = 0xE6
    LED_ON = 0xE7
    LED_OFF = 0xE8
    SCAN_ENABLE = 0xE9
    SCAN_DISABLE = 0xEA
    DECODE_DATA = 0xF3
    """A code that was read: type of the symbol, then its text."""


class Status(IntFlag):
    """The bits of the status byte."""

    RETRANSMIT = 0x01
    """The scanner sends this packet again, because nobody acknowledged it."""
    CONTINUED = 0x02
    """Another packet carries more of the same."""
    PERMANENT = 0x08
    """Host to scanner: keep the parameters over a loss of power."""


class NakCause(IntEnum):
    """Why a packet was not taken."""

    RESEND = 0x01
    BAD_CONTEXT = 0x02
    DENIED = 0x06


SCANNER: Final = 0x00
HOST: Final = 0x04
"""The two values of the source byte."""
HEADER_BYTES: Final = 4
CHECKSUM_BYTES: Final = 2
MAX_DATA_BYTES: Final = 255 - HEADER_BYTES
"""What the length byte leaves for data; longer data is continued in another packet."""
SHORTEST_CODE_BYTES: Final = HEADER_BYTES + 2 + CHECKSUM_BYTES
"""A DECODE_DATA packet with one character. Fewer bytes than this cannot have held a code."""
NO_BEEP: Final = 0xFF
"""First byte of PARAM_SEND: how the scanner beeps when it has taken the parameters."""
CODE_ID_PARAMETER: Final = 45
"""Transmit Code ID. Its value 1, AIM identifiers, is not verified on a scanner: read it back after writing."""


class SsiPacket(Struct, frozen=True, kw_only=True):
    """One packet without its length and checksum."""

    op: int
    data: bytes = b""
    status: int = 0
    source: int = HOST


class Outside(Struct, frozen=True):
    """Bytes that belong to no packet: codes that are sent unpacked, or what noise left of a packet."""

    data: bytes


class Garbled(Struct, frozen=True):
    """A whole packet whose checksum is wrong."""

    length: int


Piece = SsiPacket | Outside | Garbled


def checksum(data: bytes) -> bytes:
    """Return the two bytes that follow `data`."""
    return (-sum(data) & 0xFFFF).to_bytes(CHECKSUM_BYTES, "big")


def encode(packet: SsiPacket) -> bytes:
    """Return the packet as it goes over the wire. Raises ValueError for more data than a packet holds."""
    if len(packet.data) > MAX_DATA_BYTES:
        raise ValueError(f"an SSI packet holds {MAX_DATA_BYTES} bytes of data, got {len(packet.data)}")
    body = bytes((HEADER_BYTES + len(packet.data), packet.op, packet.source, packet.status)) + packet.data
    return body + checksum(body)


def decode(data: bytes) -> SsiPacket | None:
    """Return the packet that `data` is, or None when its length or checksum is wrong."""
    body, found = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if len(body) < HEADER_BYTES or body[0] != len(body) or checksum(body) != found:
        return None
    return SsiPacket(op=body[1], source=body[2], status=body[3], data=body[HEADER_BYTES:])


def acknowledgement() -> bytes:
    """Return the host's ACK."""
    return encode(SsiPacket(op=Op.ACK))


def refusal(cause: NakCause) -> bytes:
    """Return the host's NAK."""
    return encode(SsiPacket(op=Op.NAK, data=bytes((cause,))))


def beep(code: int) -> bytes:
    """Return the command to beep.

    00-04 one to five short high, 05-09 short low, 0A-0E long high, 0F-13 long low, 14 and 15 warble, 16 high-low,
    17 low-high.
    """
    return encode(SsiPacket(op=Op.BEEP, data=bytes((code,))))


def led(lamps: int, *, on: bool) -> bytes:
    """Return the command to switch LEDs, one bit each."""
    return encode(SsiPacket(op=Op.LED_ON if on else Op.LED_OFF, data=bytes((lamps,))))


def set_parameters(values: Mapping[int, int], *, permanent: bool) -> bytes:
    """Return PARAM_SEND for parameters whose values are one byte. Without `permanent` a loss of power undoes it."""
    data = b"".join(parameter_number(number) + bytes((value,)) for number, value in values.items())
    status = Status.PERMANENT if permanent else 0
    return encode(SsiPacket(op=Op.PARAM_SEND, status=status, data=bytes((NO_BEEP,)) + data))


def request_parameters(numbers: Iterable[int]) -> bytes:
    """Return the question for the values of parameters."""
    return encode(SsiPacket(op=Op.PARAM_REQUEST, data=b"".join(map(parameter_number, numbers))))


def parameter_number(number: int) -> bytes:
    """Return how a parameter's number is written: one byte up to EF, F0, F1 or F2 and the rest from 256, else F8.

    Raises ValueError for what is no parameter number.
    """
    if not 0 <= number <= 0xFFFF:  # noqa: PLR2004 - what two bytes hold
        raise ValueError(f"expected a parameter number of at most two bytes, got {number}")
    if number < 0xF0:  # noqa: PLR2004 - the first byte that announces another
        return bytes((number,))
    if 0x100 <= number < 0x400:  # noqa: PLR2004 - what F0, F1 and F2 stand for
        return bytes((0xF0 + (number >> 8) - 1, number & 0xFF))
    return b"\xf8" + number.to_bytes(2, "big")


_HEAD: Final = re.compile(rb"[\x04-\xff][\x80-\xff]\x00", re.DOTALL)
"""How a scanner's packet begins: a length, an opcode (all that scanners send have the high bit), source 00.
Text of a code never looks so: it holds no NUL."""
_HALF_HEAD: Final = re.compile(rb"(?:[\x04-\xff][\x80-\xff]|[\x04-\xff])\Z", re.DOTALL)


class Splitter:
    """Finds packets in a stream of bytes, wherever the reads cut it. Holds less than one packet."""

    def __init__(self, line_end: bytes) -> None:
        """`line_end` is the last byte of what ends an unpacked code; behind text it is no head of a packet."""
        self._line_end = line_end
        self._held = b""
        self._before = b""

    @property
    def pending(self) -> int:
        """Bytes of what may become a packet."""
        return len(self._held)

    def feed(self, data: bytes) -> list[Piece]:
        """Return what is complete with `data`, in order."""
        return self._split(self._held + data, at_rest=False)

    def flush(self) -> list[Piece]:
        """Return what is left, because nothing follows it: a packet that is not whole was none."""
        return self._split(self._held, at_rest=True)

    def clear(self) -> int:
        """Forget what is held; return how much it was."""
        length = len(self._held)
        self._held = self._before = b""
        return length

    def _split(self, data: bytes, *, at_rest: bool) -> list[Piece]:
        pieces: list[Piece] = []
        done = at = 0
        while (head := _HEAD.search(data, at)) is not None:
            start = head.start()
            end = start + data[start] + CHECKSUM_BYTES
            if end > len(data):
                if not at_rest:
                    break
                at = start + 1  # it was no packet; there may be one within
                continue
            self._outside(pieces, data[done:start])
            pieces.append(decode(data[start:end]) or Garbled(end - start))
            self._before = b""
            done = at = end
        rest = len(data) if at_rest else head.start() if head else self._half_head(data, done)
        self._outside(pieces, data[done:rest])
        self._held = data[rest:]
        if at_rest:
            self._before = b""
        return pieces

    def _half_head(self, data: bytes, done: int) -> int:
        half = _HALF_HEAD.search(data, done)
        if half is None:
            return len(data)
        before = data[half.start() - 1 : half.start()] if half.start() > done else self._before
        ends_text = half[0] == self._line_end and before not in {b"", self._line_end}
        return len(data) if ends_text else half.start()

    def _outside(self, pieces: list[Piece], data: bytes) -> None:
        if data:
            pieces.append(Outside(data))
            self._before = data[-1:]
