"""Zebra: parameters over the Simple Serial Interface, some until power is lost, some for good.

Source: SE-923 Integration Guide, PARAM_SEND and PARAM_REQUEST (p. 6-24, 6-25): the change type bit, values of
parameters that a model lacks are left out of the answer. The answer's own acknowledgement: SSI Programmer's Guide.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.dialects.ssi_packet import (
    NO_BEEP,
    SCANNER,
    NakCause,
    Op,
    Splitter,
    SsiPacket,
    Status,
    acknowledgement,
    decode,
    encode,
    request_parameters,
    set_parameters,
)
from firmware_config.errors import NoAnswerError, RefusedError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port
from firmware_config.vendors.base import VendorProtocol, ask, converse

ONE_BYTE: Final = range(0xF0)
"""First bytes that are a parameter's whole number."""
EXTENDED: Final = range(0xF0, 0xF3)
"""First bytes that stand for 256, 512 or 768, to which the second byte is added."""
TWO_BYTES: Final = 0xF8
"""The first byte before a number of two bytes."""
MAX_BYTE: Final = 0xFF
RESENDS: Final = 2
"""How often a packet is sent again that the scanner calls garbled; as often as scanners do."""


class Zebra(VendorProtocol):
    """Scanners and scan engines that speak SSI, over USB-CDC or RS-232."""

    name: ClassVar[str] = "zebra"

    def identify(self, port: Port) -> Identity:
        """Ask for the revision: its text is the firmware."""
        question = encode(SsiPacket(op=Op.REQUEST_REVISION))
        try:
            packet = ask(port, question, lambda heard: _packet(heard, Op.REPLY_REVISION), "identify")
        except NoAnswerError:
            return Identity()
        port.write(acknowledgement())
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in packet.data)  # noqa: PLR2004 - ASCII
        return Identity(firmware=" ".join(text.split()) or None)

    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Ask for all parameters at once; what is missing in the answer this model does not have."""
        numbers = [int(name) for name in names]
        found = ask(port, request_parameters(numbers), _parameters, "read the parameters of")
        port.write(acknowledgement())
        values = {str(number): str(found[number]) for number in numbers if number in found}
        return SettingsReading(values=values, unknown=tuple(name for name in names if name not in values))

    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one packet for all parameters, without the mark of permanence."""
        return (set_parameters(_numbers(values), permanent=False),)

    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return one packet for all parameters: one write to flash."""
        return (set_parameters(_numbers(values), permanent=True),)

    def tell(self, port: Port, message: bytes) -> None:
        """Send a packet; it must be acknowledged. A garbled one is sent again."""
        for attempt in range(RESENDS + 1):
            packet = converse(port, _again(message) if attempt else message, _consent, "set parameters of")
            if packet.op == Op.ACK:
                return
            if packet.data[:1] != bytes((NakCause.RESEND,)):
                break
        raise RefusedError(
            "set parameters of",
            "the scanner",
            f"it answered NAK {packet.data.hex() or 'without a cause'}",
            "the model differs from the profile's manuals",
            recoverable=False,
        )


def parse_parameters(data: bytes) -> dict[int, int] | None:
    """Return the values in the data of a PARAM_SEND, or None where it does not end with a value.

    The first byte is the beep code. A value has one byte.
    """
    found: dict[int, int] = {}
    rest = data[1:]
    while rest:
        head = rest[0]
        if head in ONE_BYTE:
            number, length = head, 1
        elif head in EXTENDED:
            number, length = (head - EXTENDED.start + 1 << 8) + int.from_bytes(rest[1:2], "big"), 2
        elif head == TWO_BYTES:
            number, length = int.from_bytes(rest[1:3], "big"), 3
        else:
            return None
        if len(rest) <= length:
            return None
        found[number] = rest[length]
        rest = rest[length + 1 :]
    return found


def _numbers(values: Mapping[str, str]) -> dict[int, int]:
    numbers = {int(name): int(value) for name, value in values.items()}
    for value in numbers.values():
        if not 0 <= value <= MAX_BYTE:
            raise ValueError(f"expected a value of one byte, got {value}")
    return numbers


def _again(message: bytes) -> bytes:
    packet = decode(message)
    if packet is None:
        raise ValueError("expected a packet")
    return encode(SsiPacket(op=packet.op, data=packet.data, status=packet.status | Status.RETRANSMIT))


def _packet(heard: bytes, *ops: Op) -> SsiPacket | None:
    """Return the first packet of a scanner with one of these opcodes; codes in between are passed over."""
    for piece in Splitter(b"").feed(heard):
        if isinstance(piece, SsiPacket) and piece.source == SCANNER and piece.op in ops:
            return piece
    return None


def _consent(heard: bytes) -> SsiPacket | None:
    return _packet(heard, Op.ACK, Op.NAK)


def _parameters(heard: bytes) -> dict[int, int] | None:
    packet = _packet(heard, Op.PARAM_SEND)
    if packet is None or packet.data[:1] not in {b"", bytes((NO_BEEP,))}:
        return None
    return parse_parameters(packet.data)
