r"""What bytes that are no code look like: what to tell a technician without telling what they say. Pure.

A discarded frame never leaves the driver, so its looks are noted when it is thrown away: they tell a wrong baud
rate from a wrong terminator.
"""

from typing import Final

from drivers.dialects.ssi_packet import HEADER_BYTES, Op

BINARY: Final = "binary"
"""Bytes that stand for no text: a wrong baud rate, most often."""
PARITY: Final = "parity"
"""Text in seven bits, and a parity bit in the eighth."""
SSI: Final = "ssi"
"""Packets of Zebra's Simple Serial Interface."""

_ENDING_BYTES: Final = b"\r\n\t\x03"
_ENDINGS: Final = ((b"\r\n", "CRLF"), (b"\r", "CR"), (b"\n", "LF"), (b"\t", "TAB"), (b"\x03", "ETX"))
_SEVEN_BITS: Final = 0x7F
_CONTROLS_OF_LABELS: Final = b"\x1c\x1d\x1e\x1f\x04"
"""FS, GS, RS, US and EOT, which ISO/IEC 15434 messages and GS1 element strings hold."""
_LEAST: Final = 4
"""Bytes; fewer say nothing about all of them."""


def looks_of(data: bytes | bytearray) -> str:
    r"""Return the `terminator` that the bytes end with, or what else they look like; empty where nothing is found.

    >>> looks_of(b"0108717648200274\t"), looks_of(b"\x020108717648200274\x03"), looks_of(b"0108717648200274")
    ('TAB', 'STX-ETX', '')
    >>> looks_of(bytes(one | (one.bit_count() & 1) << 7 for one in b"]d20108717648200274\r"))
    'parity'
    """
    data = bytes(data)
    if is_ssi(data):
        return SSI
    if len(data) >= _LEAST and has_parity(data):
        return PARITY
    body = data.rstrip(_ENDING_BYTES)
    if not is_text(body.removeprefix(b"\x02")):
        return BINARY
    ending = data[len(body) :]
    found = next((name for begin, name in _ENDINGS if ending.startswith(begin)), "")
    return "STX-ETX" if found == "ETX" and body.startswith(b"\x02") else found


def is_ssi(data: bytes) -> bool:
    """Return whether the bytes begin as a DECODE_DATA packet does: length, opcode, source 0, status."""
    return len(data) > HEADER_BYTES and data[0] > HEADER_BYTES and data[1:3] == bytes((Op.DECODE_DATA, 0))


def has_parity(data: bytes) -> bool:
    """Return whether the eighth bit of every byte is the parity of the other seven, and is not always 0."""
    parities = {(one & _SEVEN_BITS).bit_count() & 1 ^ one >> 7 for one in data}
    text = bytes(one & _SEVEN_BITS for one in data)
    return len(parities) == 1 and not data.isascii() and is_text(text.strip(_ENDING_BYTES + b"\x02"))


def is_text(data: bytes) -> bool:
    """Return whether the bytes are UTF-8 without other control characters than labels hold."""
    try:
        text = data.translate(None, _CONTROLS_OF_LABELS).decode()
    except UnicodeDecodeError:
        return False
    return all(one.isprintable() for one in text)
