"""The privacy guard: what is no label of an article goes no further.

A typed password, a wristband or a person number can come through a scanner. Only what has a device identifier, is
the second symbol of a label, is known to the article master, or matches a configured item pattern is handed on; of
everything else no more than its kind and length is kept, to be counted. Control and context codes are read before
the guard is asked; what they refuse is counted by them.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from gateway.model import Decoded, LookUp, Match
from gateway.station.label_part import is_label_part
from gateway.station.patterns import matches
from gateway.station.persons import is_reserve_number_of_digits, is_short_person_number, person_number

EAN_SYMBOLOGIES: Final = frozenset({"]E0", "]E1", "]E2", "]E3", "]E4"})
"""AIM identifiers of the EAN/UPC family: a symbol that can hold nothing but an article number."""
TYPED_FAULTS: Final = frozenset({"HIBC_CHECK"})
"""Any word behind a plus sign has the form of a HIBC label. Where the scanner does not vouch for a symbol, the
check character must."""


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
    *,
    redacted: bool = False,
    waiting: bool = False,
) -> Withheld | None:
    """Return None for a symbol that may go on, else what may be counted of it. `text` is without AIM identifier.

    `redacted`: elements about a person were taken out of it. `waiting`: its scanner has just read the first symbol
    of a label, of the issuing agency that `decoded` names.
    """
    if look_up.match is not Match.NONE:
        return None
    if symbology not in EAN_SYMBOLOGIES and is_person(text):
        return Withheld(kind=Kind.PERSON_NUMBER, length=len(text))
    if matches(patterns, text) or _has_identifier(symbology, decoded):
        return None
    if not redacted and is_label_part(text, symbology, decoded, waiting=waiting):
        return None
    return Withheld(kind=_kind(text, decoded), length=len(text))


def is_person(text: str) -> bool:
    """Tell whether a text has the form of a number that names a person."""
    return person_number(text) is not None or is_reserve_number_of_digits(text)


def _has_identifier(symbology: str | None, decoded: Decoded) -> bool:
    doubtful = symbology is None and any(finding.code in TYPED_FAULTS for finding in decoded.findings)
    return decoded.device_identifier is not None and not doubtful


def _kind(text: str, decoded: Decoded) -> Kind:
    if is_short_person_number(text):
        return Kind.PERSON_NUMBER
    if decoded.elements:
        return Kind.GS1_WITHOUT_DI
    return Kind.DIGITS if text.isascii() and text.isdigit() else Kind.TEXT
