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

from gateway.model import Decoded, Issuer, LookUp, Match
from gateway.station.assets import asset_of
from gateway.station.label_part import is_label_part
from gateway.station.patterns import matches
from gateway.station.persons import SHORTEST, Evidence, evidence, names_person
from gateway.udi.personal import Persons

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
    if _is_persons(text, symbology, decoded):
        return Withheld(kind=Kind.PERSON_NUMBER, length=len(text))
    if _has_identifier(symbology, decoded) or _is_asset(text, symbology, decoded):
        return None
    if not redacted and is_label_part(text, symbology, decoded, waiting=waiting):
        return None
    if matches(patterns, text) and not names_person(text):
        return None
    return Withheld(kind=_kind(text, decoded), length=len(text))


_WRITTEN: Final = Evidence.WRITTEN
PERSONS: Final = Persons(may_name=names_person, names=lambda value: names_person(value, _WRITTEN))
"""What `redact` takes out of the elements of a label."""


def _is_persons(text: str, symbology: str | None, decoded: Decoded) -> bool:
    """Return whether a text is a person's number, or a label of another agency than GS1 holds one.

    Of GS1 data `redact` has taken such elements out. Bare digits of a person number without its century are judged
    later: FNC1 before them makes them an element.
    """
    if symbology not in EAN_SYMBOLOGIES and len(text) != SHORTEST and evidence(text) is not Evidence.NONE:
        return True
    others = decoded.elements if decoded.issuer is not Issuer.GS1 else ()
    return any(names_person(value, Evidence.WRITTEN) for _, value in others)


def _has_identifier(symbology: str | None, decoded: Decoded) -> bool:
    doubtful = symbology is None and any(finding.code in TYPED_FAULTS for finding in decoded.findings)
    return decoded.device_identifier is not None and not doubtful


def _is_asset(text: str, symbology: str | None, decoded: Decoded) -> bool:
    # without FNC1 or brackets, digits that begin with 00 and words that begin with 8004 may be anybody's
    vouched = symbology is not None or text.startswith("(")
    named = any(names_person(value, Evidence.OLD_DATE) for _, value in decoded.elements)
    return vouched and asset_of(decoded) is not None and not named


def _kind(text: str, decoded: Decoded) -> Kind:
    if names_person(text):
        return Kind.PERSON_NUMBER
    if decoded.elements and decoded.issuer is Issuer.GS1:
        return Kind.GS1_WITHOUT_DI
    return Kind.DIGITS if text.isascii() and text.isdigit() else Kind.TEXT
