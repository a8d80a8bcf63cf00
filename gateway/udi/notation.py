r"""How a person types the control characters of a barcode: `{GS}`, `{RS}`, `{EOT}`, or `\x1d` and its like."""

import re
from typing import Final

_NAMED: Final = {"GS": "\x1d", "RS": "\x1e", "EOT": "\x04"}
"""The ones that labels hold (GS1 General Specifications 7.8, ISO/IEC 15434)."""
_NOTATION: Final = re.compile(r"\{(GS|RS|EOT)\}|\\x([01][0-9A-Fa-f])")


def characters(text: str) -> str:
    r"""Put control characters in the place of their notation; everything else stays.

    >>> characters("10A{GS}21B") == characters(r"10A\x1d21B") == "10A\x1d21B"
    True
    """
    return _NOTATION.sub(lambda found: _NAMED[found[1]] if found[1] else chr(int(found[2], 16)), text)
