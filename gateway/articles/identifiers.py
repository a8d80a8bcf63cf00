"""Device identifiers as the master keys them.

A GTIN is a number: its four lengths differ in leading zeros only (GS1 General Specifications, 3.3.2), so
one integer key finds it in any of them. Every other identifier is text.
"""

import re

from gateway.model import Issuer
from gateway.udi.checks import gs1_check_digit, hibc_check_character, ifa_check_digits, is_digits

GTIN_DIGITS = 14
_GTIN_LENGTHS = frozenset({8, 12, 13, GTIN_DIGITS})

MAX_IDENTIFIER = 28
"""Characters of the longest device identifier there is: an IFA `9N` (UDI specification of IFA, 2.5)."""

_FORMS = {
    # LIC (a letter, then three of A-Z0-9), PCN (1-18), unit of measure: ANSI/HIBC 2.6, 2.1
    Issuer.HIBCC: re.compile(r"[A-Z][A-Z0-9]{3}[A-Z0-9]{1,18}[0-9]"),
    # processor (5), facility product code (6), product description code (5): ISBT 128 ST-001, data structure 034
    Issuer.ICCBBA: re.compile(r"[A-Za-z0-9]{16}"),
    # registration agency prefix (2 digits), reference, two check digits: UDI specification of IFA 2.5
    Issuer.IFA: re.compile(r"[0-9]{2}[A-Za-z0-9._/-]{7,24}[0-9]{2}"),
}
_WANTED = {
    Issuer.HIBCC: "a HIBC identifier without + and check character (LIC, PCN, unit of measure)",
    Issuer.ICCBBA: "the 16 characters of an ISBT 128 device identifier",
    Issuer.IFA: "an IFA identifier of 11 to 28 characters",
}
_ISSUER_WORDS = {
    "gs1": Issuer.GS1,
    "gtin": Issuer.GS1,
    "ean": Issuer.GS1,
    "hibcc": Issuer.HIBCC,
    "hibc": Issuer.HIBCC,
    "iccbba": Issuer.ICCBBA,
    "isbt": Issuer.ICCBBA,
    "ifa": Issuer.IFA,
}
_PZN_LENGTH = 12
"""Digits of a PPN that carries a PZN: prefix 11, the eight digits, two check digits."""


class IdentifierError(ValueError):
    """The text is not the device identifier it should be; the message says what was expected."""


def gtin_number(text: str) -> int | None:
    """Return the key of a text in the form of a GTIN (8, 12, 13 or 14 digits), whatever its check digit."""
    return int(text) if len(text) in _GTIN_LENGTHS and is_digits(text) else None


def gtin_text(number: int) -> str:
    """Return a GTIN key as the 14 digits the rest of the gateway speaks."""
    return f"{number:0{GTIN_DIGITS}d}"


def looks_like_pzn(text: str) -> bool:
    """Tell a PZN's PPN from a GTIN-12: 12 digits, prefix 11, right check digits."""
    return (
        len(text) == _PZN_LENGTH
        and is_digits(text)
        and text.startswith("11")
        and text[-2:] == ifa_check_digits(text[:-2])
    )


def read_issuer(word: str) -> Issuer:
    """Read an issuing agency's name or the name of its standard; raises IdentifierError."""
    issuer = _ISSUER_WORDS.get(word.casefold())
    if issuer is None:
        raise IdentifierError(f"{word!r} is no issuer: expected {', '.join(Issuer)}")
    return issuer


def read_identifier(text: str, issuer: Issuer | None) -> tuple[Issuer, str]:
    """Return issuer and identifier as the master keys them (a GTIN as 14 digits).

    Without an issuer it follows from the form where only one fits. Raises IdentifierError.
    """
    if issuer in {None, Issuer.HIBCC} and text.startswith("+"):
        issuer = Issuer.HIBCC
    issuer = issuer or _tell_issuer(text)
    if issuer is Issuer.GS1:
        return issuer, _read_gtin(text)
    if issuer is Issuer.HIBCC:
        text = _without_check(text)
    if _FORMS[issuer].fullmatch(text) is None:
        raise IdentifierError(f"{text!r} is not {_WANTED[issuer]}")
    if issuer is Issuer.IFA and text[-2:] != (expected := ifa_check_digits(text[:-2])):
        raise IdentifierError(f"{text!r}: check digits {expected} expected, got {text[-2:]}")
    return issuer, text


def _without_check(text: str) -> str:
    """Return a HIBC identifier without `+` and check character, which many registries list with it.

    A check character is one only where modulo 43 over what stands before it proves it (ANSI/HIBC 2.6, B.1), and
    where an identifier is left without it: its last character is the digit of the unit of measure.

    >>> _without_check("H373VBJR061002A39"), _without_check("A99912345")
    ('H373VBJR061002A3', 'A99912345')
    """
    bare = text.removeprefix("+")
    shorter, last = bare[:-1], bare[-1:]
    if _FORMS[Issuer.HIBCC].fullmatch(shorter) and hibc_check_character(f"+{shorter}") == last:
        return shorter
    if text.startswith("+"):
        raise IdentifierError(f"{text!r}: its check character is wrong, or missing")
    return bare


_FLOAT = re.compile(r"[0-9]{7,14}[.,]0+")
_EXPONENT = re.compile(r"[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+")
_LOST_ZERO = {7: 8, 11: 12}
"""Digits of a GTIN-8 and a GTIN-12 whose leading zero is gone -> digits it had."""


def _read_gtin(text: str) -> str:
    number = gtin_number(text)
    if number is None and (_EXPONENT.fullmatch(text) or _FLOAT.fullmatch(text)):
        raise IdentifierError(
            f"{text!r} is a number as a spreadsheet writes it, and digits are gone: export the column as text"
        )
    if number is None and is_digits(text) and len(text) in _LOST_ZERO:
        raise IdentifierError(
            f"{text!r} has {len(text)} digits: a leading zero of {_LOST_ZERO[len(text)]} may be gone, as in a "
            "spreadsheet; export the column as text"
        )
    if number is None:
        raise IdentifierError(f"{text!r} is no GTIN: expected 8, 12, 13 or 14 digits")
    if number == 0:
        raise IdentifierError("a GTIN of zeros names nothing")
    expected = gs1_check_digit(text[:-1])
    if int(text[-1]) != expected:
        raise IdentifierError(f"GTIN {text}: check digit {expected} expected, got {text[-1]}")
    return gtin_text(number)


def _tell_issuer(text: str) -> Issuer:
    if looks_like_pzn(text):
        return Issuer.IFA
    if is_digits(text) or _EXPONENT.fullmatch(text) or _FLOAT.fullmatch(text):
        return Issuer.GS1
    fitting = [issuer for issuer, form in _FORMS.items() if form.fullmatch(text)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise IdentifierError(f"{text!r} is no device identifier of any issuer")
    raise IdentifierError(f"{text!r} may be of {' or '.join(fitting)}: the issuer must be given")
