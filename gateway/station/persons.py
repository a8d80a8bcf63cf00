"""The numbers that name persons: Swedish person numbers, and the reserve numbers of who has none. Pure.

The only place that says what names a person: the privacy guard, the redaction of labels, the recognition of label
parts and the check of `item_patterns` all ask here. A number is more or less certain to be a person's, by how it is
written, and the caller says how certain it must be:

| evidence | example | why |
|---|---|---|
| WRITTEN | `19121212-1212`, `121212-1212`, `19810829M071` | the sign or letter that only person numbers have |
| OLD_DATE | `191212121212` | bare digits that begin with a date on which no article of today was made |
| DIGITS | `200001012384`, `1212121212`, `991981000010` | bare digits: of lots that begin with a date one in ten has the check digit |

So a lot or serial number is a person's when it is WRITTEN like one; beside no device identifier, where it may be a
wristband's, from OLD_DATE on; and a field that anybody may fill, or typed text, from DIGITS on.

The forms of the reserve numbers are those of Inera's page on local reserve identities (Personuppgiftstjänsten). The
national one (XXYYMMDDNNGC) has two letters in it, so that it cannot be taken for an article's number.
"""  # noqa: E501 - a table

import re
from datetime import date
from enum import IntEnum
from typing import Final

from gateway.udi.checks import is_digits

EARLIEST_BIRTH_YEAR: Final = 1850
CO_ORDINATION_DAY: Final = 60
"""Added to the day of birth in a samordningsnummer (Swedish Tax Agency, SKV 704)."""
_TWELVE: Final = re.compile(r"([0-9]{8})[-+]?([0-9]{4})", re.ASCII)
_TEN: Final = re.compile(r"[0-9]{6}[-+]?[0-9]{4}", re.ASCII)
_VGR: Final = re.compile(r"(?:18|19|20)[0-9]{6}[KMX][0-9]{3}", re.ASCII)
_VGR_VALUES: Final = str.maketrans({"K": "5", "M": "7", "X": "8"})
"""What the letter of the sex counts in the check digit."""
_STOCKHOLM: Final = re.compile(r"99(?:19|2[0-2])[0-9]{8}", re.ASCII)
"""99, year, number, check digit."""
_CARELINK: Final = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:3[2-9]|[45][0-9])[0-9]{4}", re.ASCII)
"""Year, month, 32 to 59 in the place of the day, number, check digit."""
_CENTURY: Final = 2
_STOCKHOLM_YEAR: Final = 4
"""Where the check digit's sum begins: behind the century, or behind 99 and the century."""
LEAP_YEAR: Final = 2000
"""Stands for the year where the century is not written: 29 February is then possible."""


_ANYWHERE: Final = re.compile(
    r"(?<![0-9])(?:(?:18|19|20)[0-9]{6}[KMX][0-9]{3}|(?:[0-9]{2})?[0-9]{6}[-+]?[0-9]{4})(?![0-9])", re.ASCII
)
"""Whatever in a text may be one of the numbers; the checks of each decide."""
OLDEST_LOT: Final = "2000"
"""Year: what was made before is not in use."""
EXAMPLES: Final = (
    "191212121212",
    "19121212-1212",
    "19121212+1212",
    "1212121212",
    "121212-1212",
    "19810829M071",
    "991981000010",
    "198108320014",
)
"""One number of each form, none of a living person: those that Skatteverket and Inera publish for tests."""


class Evidence(IntEnum):
    """How certainly a number is a person's; see the table above."""

    NONE = 0
    DIGITS = 1
    OLD_DATE = 2
    WRITTEN = 3


_WRITTEN: Final = Evidence.WRITTEN
SHORTEST: Final = len("YYMMDDNNNC")
"""Characters of a person number without century and sign: no number of a person is shorter."""


def evidence(text: str) -> Evidence:
    """Return how certainly a text, from end to end, is a number that names a person.

    >>> evidence("121212-1212").name, evidence("191212121212").name, evidence("1212121212").name, evidence("7").name
    ('WRITTEN', 'OLD_DATE', 'DIGITS', 'NONE')
    """
    if vgr_reserve_number(text) is not None:
        return Evidence.WRITTEN
    number = person_number(text)
    if number is None and not is_short_person_number(text):
        return Evidence.DIGITS if is_reserve_number_of_digits(text) else Evidence.NONE
    if "-" in text or "+" in text:
        return Evidence.WRITTEN
    return Evidence.OLD_DATE if number is not None and number < OLDEST_LOT else Evidence.DIGITS


def names_person(text: str, least: Evidence = Evidence.DIGITS) -> bool:
    """Return whether a number that names a person stands anywhere in a text, at least as certain as `least`.

    >>> names_person("PNR:19121212-1212"), names_person("191212121212", Evidence.WRITTEN), names_person("L1231-01")
    (True, False, False)
    """
    if len(text) < SHORTEST or (least is _WRITTEN and text.isdigit()):  # most elements of most labels
        return False
    return any(evidence(number) >= least for number in _ANYWHERE.findall(text))


def person_number(text: str) -> str | None:
    """Return the twelve digits of a personnummer or samordningsnummer, or None for a text that is none.

    YYYYMMDD, birth number and check digit, with `-` (or `+` from the 100th year on) before the birth number or
    without; the check is modulus 10 over the last ten digits, weights 2 and 1 (Swedish Tax Agency, SKV 704). One
    in ten of them is also a valid GTIN-12.

    >>> person_number("19121212-1212"), person_number("191212121213"), person_number("191213121212")
    ('191212121212', None, None)
    """
    form = _TWELVE.fullmatch(text)
    if form is None:
        return None
    digits = form[1] + form[2]
    year = int(digits[:4])
    if year < EARLIEST_BIRTH_YEAR or not _is_day(year, digits[4:8]) or not has_luhn_check_digit(digits[2:]):
        return None
    return digits


def is_short_person_number(text: str) -> bool:
    """Return whether a text is a person number without its century, as it is often written and typed.

    >>> is_short_person_number("121212-1212"), is_short_person_number("1212121212"), is_short_person_number("1")
    (True, True, False)
    """
    if not _TEN.fullmatch(text):
        return False
    digits = text[:6] + text[-4:]
    return _is_day(LEAP_YEAR, digits[2:6]) and has_luhn_check_digit(digits)


def vgr_reserve_number(text: str) -> str | None:
    """Return a reserve number of Västra Götalandsregionen as it stands, or None for a text that is none.

    YYYYMMDD, K, M or X for the sex, two digits, and a check digit of modulus 10 over all behind the century.

    >>> vgr_reserve_number("19810829M071"), vgr_reserve_number("19810829M072")
    ('19810829M071', None)
    """
    if not _VGR.fullmatch(text) or not _is_day(int(text[:4]), text[4:8]):
        return None
    return text if has_luhn_check_digit(text.translate(_VGR_VALUES)[_CENTURY:]) else None


def is_reserve_number_of_digits(text: str) -> bool:
    """Return whether twelve digits are a reserve number of Region Stockholm or of Inera Carelink.

    As with person numbers, one in ten of them is also a valid GTIN-12.

    >>> is_reserve_number_of_digits("991981000010"), is_reserve_number_of_digits("198108320014")
    (True, True)
    """
    if _STOCKHOLM.fullmatch(text):
        return has_luhn_check_digit(text[_STOCKHOLM_YEAR:])
    return _CARELINK.fullmatch(text) is not None and has_luhn_check_digit(text[_CENTURY:])


def _is_day(year: int, month_and_day: str) -> bool:
    month, day = int(month_and_day[:2]), int(month_and_day[2:])
    if day > CO_ORDINATION_DAY:
        day -= CO_ORDINATION_DAY
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def has_luhn_check_digit(text: str) -> bool:
    """Return whether the last digit is the modulus 10 check digit of those before it (ISO/IEC 7812-1, annex B).

    >>> has_luhn_check_digit("1212121212"), has_luhn_check_digit("1212121213")
    (True, False)
    """
    if not is_digits(text):
        return False
    total = 0
    for place, digit in enumerate(map(int, reversed(text))):
        product = digit * (1 + place % 2)
        total += product // 10 + product % 10
    return total % 10 == 0
