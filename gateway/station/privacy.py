"""The privacy guard: what is no label of an article goes no further.

A typed password, a wristband or a person number can come through a scanner. Only what has a device identifier, or
is known to the article master, or matches a configured item pattern is handed on; of everything else no more than
its kind and length is kept, to be counted.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Final

from msgspec import Struct

from gateway.model import Decoded, LookUp, Match

MAX_PATTERN_TEXT: Final = 128
"""A shelf label is short; a longer text is not matched against regular expressions of unknown cost."""
EAN_SYMBOLOGIES: Final = frozenset({"]E0", "]E1", "]E2", "]E3", "]E4"})
"""AIM identifiers of the EAN/UPC family: a symbol that can hold nothing but an article number."""
TYPED_FAULTS: Final = frozenset({"HIBC_CHECK"})
"""Any word behind a plus sign has the form of a HIBC label. Where the scanner does not vouch for a symbol, the
check character must."""
PERSON_NUMBER_LENGTH: Final = 12
EARLIEST_BIRTH_YEAR: Final = 1850
CO_ORDINATION_DAY: Final = 60
"""Added to the day of birth in a samordningsnummer (Swedish Tax Agency, SKV 704)."""


class Kind(StrEnum):
    """What kind of text was withheld; all that is kept of it beside its length."""

    PERSON_NUMBER = "person-number"
    GS1_WITHOUT_DI = "gs1-without-di"
    """Element strings without a device identifier, such as a wristband's GSRN."""
    DIGITS = "digits"
    TEXT = "text"


class Withheld(Struct, frozen=True, kw_only=True):
    """A text that is no label of an article. Carries nothing of its content."""

    kind: Kind
    length: int
    """Characters."""


def withheld(
    text: str,
    symbology: str | None,
    decoded: Decoded,
    look_up: LookUp,
    patterns: Iterable[re.Pattern[str]] = (),
) -> Withheld | None:
    """Return None for a scan that may go on, else what may be counted of it. `text` is without AIM identifier."""
    if look_up.match is not Match.NONE:
        return None
    if symbology not in EAN_SYMBOLOGIES and is_person_number(text):
        return Withheld(kind=Kind.PERSON_NUMBER, length=len(text))
    if len(text) <= MAX_PATTERN_TEXT and any(pattern.fullmatch(text) for pattern in patterns):
        return None
    doubtful = symbology is None and any(finding.code in TYPED_FAULTS for finding in decoded.findings)
    if decoded.device_identifier is not None and not doubtful:
        return None
    if decoded.elements:
        return Withheld(kind=Kind.GS1_WITHOUT_DI, length=len(text))
    digits = text.isascii() and text.isdigit()
    return Withheld(kind=Kind.DIGITS if digits else Kind.TEXT, length=len(text))


def is_person_number(text: str) -> bool:
    """Tell whether twelve bare digits are a valid personnummer or samordningsnummer.

    YYYYMMDD, birth number and check digit; the check is modulus 10 over the last ten digits, weights 2 and 1
    (Swedish Tax Agency, SKV 704). One in ten of them is also a valid GTIN-12.

    >>> is_person_number("191212121212"), is_person_number("191212121213"), is_person_number("191213121212")
    (True, False, False)
    """
    if len(text) != PERSON_NUMBER_LENGTH or not (text.isascii() and text.isdigit()):
        return False
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    if day > CO_ORDINATION_DAY:
        day -= CO_ORDINATION_DAY
    if year < EARLIEST_BIRTH_YEAR:
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    total = 0
    for index, digit in enumerate(map(int, text[2:])):
        product = digit * (2 - index % 2)
        total += product // 10 + product % 10
    return total % 10 == 0
