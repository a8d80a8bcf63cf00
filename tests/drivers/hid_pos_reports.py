"""Report descriptors and reports of HID point-of-sale scanners, with their sources."""

from typing import Final

ACCESS_IS: Final = bytes.fromhex(
    "05 8c 09 02 a1 01"  # Bar Code Scanner, application collection
    "09 12 a1 02 85 02 15 00 26 ff 00"  # Scanned Data Report, report id 2
    "75 08 95 01 05 01 09 3b 81 02"  # Byte Count
    "95 03 05 8c 09 fb 09 fc 09 fd 81 02"  # Symbology Identifier 1, 2, 3
    "95 38 09 fe 82 02 01"  # Decoded Data, 56 bytes, buffered
    "06 66 ff 95 02 09 04 09 00 81 02"  # vendor: code id, reserved
    "05 8c 25 01 75 01 95 08 09 ff 81 02 c0"  # Decode Data Continued, in eight bits
    "09 14 a1 02 85 04 75 08 95 01 09 00 81 02 c0"  # another report of the scanner's, id 4
    "c0"
)
"""Describes the report of the Access-IS LSR118 product manual, appendix B.1 (Honeywell engine): id 2, length, AIM
id, 56 bytes, vendor's code id, reserved, continued. Usages: HID Point of Sale Usage Tables 1.02."""

FLAG_BIT: Final = bytes.fromhex(
    "05 8c 09 02 a1 01 85 02 09 12 a1 02 15 00 26 ff 00 75 08 95 01 05 01 09 3b 81 02 95 03 05 8c"
    "09 fb 09 fc 09 fd 81 02 95 38 09 fe 82 02 01 25 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0 c0"
)
"""The same without the vendor's fields, the flag in one bit. Made from the usage tables."""

SYMBOLOGY_ARRAY: Final = bytes.fromhex(
    "05 8c 09 02 a1 01 15 00 25 01 75 07 95 01 81 03 75 01 0b ff 00 8c 00 81 02 26 ff 00 75 08"
    "95 03 0b fb 00 8c 00 81 02 95 1c 0b fe 00 8c 00 82 02 01 c0"
)
"""No report id, no length; the three bytes of the identifier under one usage. Made from the usage tables."""

PLAIN: Final = bytes.fromhex("05 8c 09 02 a1 01 85 01 15 00 26 ff 00 75 08 95 20 09 fe 82 02 01 c0")
"""Data and nothing else. Made from the usage tables."""

LITTLE: Final = bytes.fromhex(
    "05 8c 09 02 a1 01 85 02 15 00 26 ff 00 75 08 95 01 05 01 09 3b 81 02 05 8c 09 fb 81 02 09 fc 81 02 09 fd 81 02"
    "95 04 09 fe 81 02 25 01 75 01 95 01 09 ff 81 02 75 07 81 03 c0"
)
"""Four bytes a report, so that short codes continue. Made from the usage tables."""

REMOTE_MASTERMIND: Final = b"\x06\x8c\xff" + ACCESS_IS[2:]
"""A Honeywell scanner's second interface: the same fields in a collection of the vendor's page 0xFF8C, for its
maintenance program."""

KEYBOARD: Final = bytes.fromhex(
    "05 01 09 06 a1 01 05 07 19 e0 29 e7 15 00 25 01 75 01 95 08 81 02 95 01 75 08 81 03 95 06 75 08 15 00 25 65"
    "05 07 19 00 29 65 81 00 c0"
)
"""Boot keyboard (HID 1.11, appendix E.6)."""


def access_is(data: bytes, *, continued: bool = False, aim_id: bytes = b"]Q0", length: int | None = None) -> bytes:
    """Return one 64-byte report of the LSR118 manual."""
    size = len(data) if length is None else length
    return bytes([2, size]) + aim_id + data.ljust(56, b"\0") + b"s\0" + bytes([continued])


def little(data: bytes, *, continued: bool = False, aim_id: bytes = b"]d2") -> bytes:
    """Return one report of LITTLE."""
    return bytes([2, len(data)]) + aim_id + data.ljust(4, b"\0") + bytes([continued])


BOARDING_PASS: Final = b"M1GATHERGOOD/MICHAEL  YABCDEF LHRDURAK 3542 052Y003D23   100"
"""Sixty bytes in the manual's example: 56 in the first report, four in the second."""
