"""Context codes: what the next scans belong to. A case, a place, a patient, a member of staff. Pure.

Who somebody is never leaves this module in clear: a person's identity is sealed or hashed in the call that reads
it, and a station that has no key for it refuses it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import quote

from msgspec import Struct

from gateway.model import Decoded, Issuer
from gateway.station.context_settings import CodePattern, ContextSettings
from gateway.station.patterns import MAX_TEXT, bounded
from gateway.station.persons import has_luhn_check_digit, person_number, vgr_reserve_number
from gateway.station.privacy import EAN_SYMBOLOGIES
from gateway.station.protect import Mode, PersonRef, Protector
from gateway.udi.checks import has_gs1_check_digit

__all__ = ["ContextItem", "ContextKind", "ContextReader", "ContextRefused", "PersonRef", "RefusedWhy", "problems"]

ContextKind = Literal["case", "location", "patient", "performer"]

GSRN_SCHEME: Final = "gsrn"
GSRN_LENGTH: Final = 18
GLN_LENGTH: Final = 13
LONGEST_BARE_GTIN: Final = 14
"""A label longer than this is never a bare number, and so no context code."""
_GSRN_KINDS: Final[Mapping[str, ContextKind]] = {"8017": "performer", "8018": "patient"}
"""AI -> kind (GS1 General Specifications, section 3: 8017 provider, 8018 recipient of the service)."""
_BESIDE_GSRN: Final = frozenset({"8019"})
"""The instance number may stand beside a GSRN (GS1 General Specifications, section 3); it is not kept."""
_GLN: Final = "414"
_GLN_EXTENSION: Final = "254"
"""Physical location and its extension component (GS1 General Specifications, section 3)."""


_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "none": lambda identity: identity,
    "personnummer": person_number,
    "vgr-reservnummer": vgr_reserve_number,
    "luhn": lambda identity: identity if has_luhn_check_digit(identity) else None,
    "gs1": lambda identity: identity if has_gs1_check_digit(identity) else None,
}
"""`check` of a pattern -> the identity in the form in which it is protected, or None."""


class ContextItem(Struct, frozen=True, kw_only=True):
    """One part of the context, as the event carries it."""

    kind: ContextKind
    value: str | PersonRef
    """Text for a place (its Digital Link, or `scheme:identity`) and for a case where `case_mode` is clear; else
    protected."""
    mark: str | None = None
    """Of what is protected: the same for the same identity, because what is sealed looks different each time. An
    HMAC whose key is in memory alone (`gateway.system.session_key`); in no event."""

    pseudonym: PersonRef | None = None
    """Of a patient, where this station has a key for pseudonyms, whatever the event carries: to compare it with the
    patient of a case that the central system has set. In no event, and not on disk."""

    def is_same(self, other: "ContextItem") -> bool:
        """Return whether both name the same case, place or person."""
        return self.value == other.value or (self.mark is not None and self.mark == other.mark)


class RefusedWhy(StrEnum):
    """Why a context code is not taken up."""

    NO_SEAL_KEY = "no-seal-key"
    NO_HMAC_KEY = "no-hmac-key"
    CHECK_DIGIT = "check-digit"
    """A GSRN or GLN with a wrong check digit: misread, or typed."""
    AMBIGUOUS = "ambiguous"
    """A person number whose digits are a GTIN, too, from a scanner that does not say which symbology it read. To
    take an article's number for a patient would put a stranger's name to all that follows."""


WHAT_TO_DO: Final[Mapping[RefusedWhy, str]] = {
    RefusedWhy.NO_SEAL_KEY: "identities are not kept in clear: name the central system's public key in "
    "[context] seal_key_file",
    RefusedWhy.NO_HMAC_KEY: "identities are not kept in clear: make a key with `scangate station key hmac --id ID "
    "-o FILE` and name it in [context] hmac_key_file",
    RefusedWhy.CHECK_DIGIT: "the check digit is wrong: scan it again",
    RefusedWhy.AMBIGUOUS: "the digits may be a person's or an article's: set the scanner to send AIM identifiers",
}
"""For a log line or a person, one each."""


class ContextRefused(Struct, frozen=True, kw_only=True):
    """A context code that is not taken up: signal refused, counted by kind and `why`. Holds nothing of the code."""

    kind: ContextKind
    why: RefusedWhy


class ContextReader:
    """Reads the context codes of one station."""

    def __init__(self, settings: ContextSettings, protector: Protector) -> None:
        """Raises PatternError for an expression that may not be used."""
        self._settings = settings
        self._protector = protector
        self._cases = _compiled(settings.case)
        self._places = _compiled(settings.location)
        self._persons: Sequence[tuple[ContextKind, CodePattern, re.Pattern[str]]] = (
            *(("patient", code, form) for code, form in _compiled(settings.patient)),
            *(("performer", code, form) for code, form in _compiled(settings.performer)),
        )

    def compares(self, patient: PersonRef) -> bool:
        """Return whether a pseudonym is made with the key that this station has."""
        return self._protector.can("hmac") and self._protector.pseudonym("", "").kid == patient.kid

    def read(
        self, text: str, symbology: str | None, decoded: Decoded, *, known: bool = False
    ) -> ContextItem | ContextRefused | None:
        """Return what a symbol sets; None for a text that is no context code.

        `text` is the symbol's text before anything is taken out of it, `decoded` the decoding of that same text.
        `known`: the article master knows it as an article, so that it is no person's number.
        """
        if known or symbology in EAN_SYMBOLOGIES or len(text) > MAX_TEXT:
            return None
        if decoded.device_identifier is not None and len(text) > LONGEST_BARE_GTIN:
            return None
        if decoded.device_identifier is None and decoded.issuer is Issuer.GS1:
            found = self._read_gs1(decoded.elements)
            if found is not None:
                return found
        return self._read_patterns(text, bare_gtin=decoded.device_identifier is not None)

    def _read_gs1(self, elements: Sequence[tuple[str, str]]) -> ContextItem | ContextRefused | None:
        found = dict(elements)
        if len(found) != len(elements):
            return None
        for ai, kind in _GSRN_KINDS.items():
            if found.keys() - _BESIDE_GSRN == {ai}:
                if len(found[ai]) != GSRN_LENGTH or not has_gs1_check_digit(found[ai]):
                    return ContextRefused(kind=kind, why=RefusedWhy.CHECK_DIGIT)
                return self._protected(kind, self._settings.person_mode, GSRN_SCHEME, found[ai])
        if _GLN not in found or found.keys() - {_GLN, _GLN_EXTENSION}:
            return None
        if len(found[_GLN]) != GLN_LENGTH or not has_gs1_check_digit(found[_GLN]):
            return ContextRefused(kind="location", why=RefusedWhy.CHECK_DIGIT)
        extension = f"/{_GLN_EXTENSION}/{quote(found[_GLN_EXTENSION], safe='')}" if len(found) > 1 else ""
        return ContextItem(kind="location", value=f"https://id.gs1.org/{_GLN}/{found[_GLN]}{extension}")

    def _read_patterns(self, text: str, *, bare_gtin: bool) -> ContextItem | ContextRefused | None:
        if bare_gtin:  # an article's, unless it has the form of a person number
            return ContextRefused(kind="patient", why=RefusedWhy.AMBIGUOUS) if self._is_patient(text) else None
        for code, form in self._cases:
            if (identity := _identity(text, code, form)) is not None:
                return self._protected("case", self._settings.case_mode, code.scheme, identity)
        for code, form in self._places:
            if (identity := _identity(text, code, form)) is not None:
                return ContextItem(kind="location", value=f"{code.scheme}:{identity}")
        for kind, code, form in self._persons:
            if (identity := _identity(text, code, form)) is not None:
                return self._protected(kind, self._settings.person_mode, code.scheme, identity)
        return None

    def _is_patient(self, text: str) -> bool:
        return any(
            code.check == "personnummer" and _identity(text, code, form) is not None
            for _, code, form in self._persons
        )

    def _protected(self, kind: ContextKind, mode: Mode, scheme: str, identity: str) -> ContextItem | ContextRefused:
        if not self._protector.can(mode):
            why = RefusedWhy.NO_SEAL_KEY if mode == "sealed" else RefusedWhy.NO_HMAC_KEY
            return ContextRefused(kind=kind, why=why)
        value: str | PersonRef
        match mode:
            case "clear":
                value = f"{scheme}:{identity}"
            case "sealed":
                value = self._protector.seal(scheme, identity)
            case "hmac":
                value = self._protector.pseudonym(scheme, identity)
        mark = None if isinstance(value, str) else self._protector.mark(scheme, identity)
        compared = kind == "patient" and self._protector.can("hmac")
        pseudonym = self._protector.pseudonym(scheme, identity) if compared else None
        return ContextItem(kind=kind, value=value, mark=mark, pseudonym=pseudonym)


def _compiled(codes: Sequence[CodePattern]) -> Sequence[tuple[CodePattern, re.Pattern[str]]]:
    return tuple((code, bounded(code.pattern)) for code in codes)


def problems(settings: ContextSettings) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong) for every expression of the section that may not be used."""
    for key in ("case", "location", "patient", "performer"):
        for index, code in enumerate(getattr(settings, key)):
            try:
                bounded(code.pattern)
            except ValueError as error:
                yield f"context.{key}[{index}].pattern", str(error)


def _identity(text: str, code: CodePattern, form: re.Pattern[str]) -> str | None:
    """Return the identity in the form in which it is protected, or None where the text is not of this kind."""
    found = form.fullmatch(text)
    if found is None:
        return None
    identity: str | None = found[1] if form.groups else found[0]
    if not identity:
        return None
    return _CHECKS[code.check](identity)
