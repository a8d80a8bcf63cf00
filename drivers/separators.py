"""Whether a GS1 code may lack its separators. Pure.

A scanner that sends nothing for GS turns `10LOT<GS>21SER` into a lot number `LOT21SER`, and nothing in the text
tells.
"""

import re
from typing import Final

GS: Final = "\x1d"

_GS1_SYMBOLOGIES: Final = {"]C1", "]d2", "]e0", "]J1", "]Q3"}
"""GS1-128, GS1 DataMatrix, GS1 DataBar and composites, GS1 DotCode, GS1 QR Code (GS1 General Specifications)."""
_PREDEFINED: Final = (
    {"00": 20, "20": 4, "41": 16}
    | dict.fromkeys(("01", "02"), 16)
    | {"03": 16, "04": 18}
    | {f"1{digit}": 8 for digit in range(1, 10)}
    | {f"3{digit}": 10 for digit in range(1, 7)}
)
"""First two digits of an AI -> length of the element with its AI, where no GS follows (GS1 General Specifications,
"Element strings with predefined length using Application Identifiers")."""
_NUMBERED: Final = re.compile(r"0[0-2]\d+")
_DATED: Final = re.compile(r"1[1-7]\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])")
_TWO_DIGITS: Final = re.compile(r"\d\d[!-~]")


def lacks_separators(symbology: str | None, text: str) -> bool:
    """Return whether elements of a GS1 text may have run together.

    They may where it holds an element of variable length and no GS.

    Without an AIM identifier only a text that begins with an element of predefined length, right in itself (a GTIN
    or SSCC with its check digit, a date), counts as GS1.
    """
    if GS in text or (symbology is not None and symbology not in _GS1_SYMBOLOGIES):
        return False
    rest = text
    while (length := _PREDEFINED.get(rest[:2])) is not None and len(rest) >= length:
        if symbology is None and not _right(rest[:length]):
            break
        rest = rest[length:]
    if symbology is None:
        return rest != text and _TWO_DIGITS.match(rest) is not None
    return bool(rest)


def _right(element: str) -> bool:
    if _NUMBERED.fullmatch(element):
        digits = [int(digit) for digit in reversed(element[2:])]
        return (3 * sum(digits[1::2]) + sum(digits[::2])) % 10 == 0
    return _DATED.fullmatch(element) is not None or element[:1] in {"2", "3", "4"}
