"""ICCBBA: ISBT 128 data structures (ICCBBA ST-001, and ST-017 for medical devices).

Each structure begins with two data identifier characters and has a fixed length; no separator parts them. Several
may be in one symbol, or each in a symbol of its own.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from gateway.model import Finding, Issuer
from gateway.udi import dates
from gateway.udi.checks import DIGITS, LOWER, UPPER, is_digits, iso7064_mod37_2
from gateway.udi.dates import LabelDate
from gateway.udi.findings import finding
from gateway.udi.label import Gathering, Part, disagreement

_UPPER = frozenset(DIGITS + UPPER)
_FACILITY = _UPPER - {"O"}
_ANY_CASE = frozenset(DIGITS + UPPER + LOWER)
_DIGITS = frozenset(DIGITS)
_DATE = len("cyyjjj")
_DATE_AND_TIME = len("cyyjjjhhmm")
_DIN = 13
_DIN_AND_FLAGS = 15
_FACILITY_LENGTH = 5
_FLAG_OFFSET = 60
"""Type 3 flag characters are 60 plus the check value of the donation identification number."""
_LAST_FLAG = 96
_LAST_CENTURY = 9


class Structure(NamedTuple):
    """One kind of data structure."""

    length: int
    characters: frozenset[str]
    field: str = ""
    """What it says: a field of Facts, or empty."""
    date: Callable[[str], LabelDate | None] | None = None
    """How to read it where it is a date."""


def read_date(text: str) -> LabelDate | None:
    """Read `cyyjjj` or `cyyjjjhhmm`: the last digit of the century, year, day of the year, time (ST-001 2.4).

    >>> read_date("014032").text, read_date("999365").text, read_date("0183652359").text
    ('2014-02-01', '1999-12-31', '2018-12-31T23:59')
    """
    century = int(text[0])
    year = (1000 if century == _LAST_CENTURY else 2000) + century * 100 + int(text[1:3])
    day = dates.year_and_day(year, int(text[3:6]))
    return dates.at_time(day, text[6:8], text[8:10]) if day and len(text) == _DATE_AND_TIME else day


def read_month(text: str) -> LabelDate | None:
    """Read `yyyymm` (ST-001 2.4.26).

    >>> read_month("202802").text
    '2028-02-29'
    """
    return dates.year_month_day(int(text[:4]), int(text[4:]), 0)


STRUCTURES = {
    "=+": Structure(5, _DIGITS),
    "=/": Structure(16, _UPPER, "device_identifier"),
    "=,": Structure(6, _UPPER, "serial_number"),
    "=>": Structure(_DATE, _DIGITS, "expiration", read_date),
    "&>": Structure(_DATE_AND_TIME, _DIGITS, "expiration", read_date),
    "=]": Structure(len("yyyymm"), _DIGITS, "expiration", read_month),
    "=}": Structure(_DATE, _DIGITS, "manufacture", read_date),
    "&}": Structure(_DATE_AND_TIME, _DIGITS, "manufacture", read_date),
    "=*": Structure(_DATE, _DIGITS, date=read_date),
    "&*": Structure(_DATE_AND_TIME, _DIGITS, date=read_date),
    "&,1": Structure(18, _UPPER, "lot_number"),
    "&,2": Structure(18, _UPPER),
    "&,4": Structure(40, _UPPER),
    "&+": Structure(11, _UPPER),
    "=)": Structure(10, _ANY_CASE, "device_identifier"),
    "&)": Structure(10, _ANY_CASE, "lot_number"),
    "=-": Structure(10, _ANY_CASE),
    "&-": Structure(10, _ANY_CASE),
    "=%": Structure(4, _ANY_CASE),
    "=<": Structure(8, _ANY_CASE),
    "&(": Structure(5, _ANY_CASE),
}
"""Data identifier -> structure (ST-001 2.4): those of a device's label, and those that may stand beside on the
label of a blood component. Structures that name a donor, a patient or a member of staff are none of them."""
_DIN_IDENTIFIER = "="
"""The donation identification number's second identifier character is data: its facility's first one."""
_DONATION = Structure(_DIN_AND_FLAGS, _UPPER, "donation_identification_number")
_COMPOUND = "=+"


def is_isbt(text: str) -> bool:
    """Return whether a text begins as an ISBT 128 structure does."""
    return text.startswith(("=", "&"))


def read(text: str, _today: date) -> Part:
    """Read one structure or several on end.

    >>> part = read("=/A9999XYZ100T0944=,000025=>014032", date(2026, 11, 21))
    >>> part.facts.device_identifier, part.facts.serial_number, part.facts.expiration.text
    ('A9999XYZ100T0944', '000025', '2014-02-01')
    """
    elements: list[tuple[str, str]] = []
    findings: list[Finding] = []
    gathering = Gathering()
    position = 0
    while position < len(text):
        identifier, structure = _structure_at(text, position)
        if structure is None:
            rest = len(text) - position
            findings.append(
                finding("ISBT_UNKNOWN", f"no known structure begins at position {position + 1}: {rest} characters")
            )
            break
        start = position + len(identifier)
        value = text[start : start + structure.length]
        position = start + structure.length
        elements.append((identifier, value))
        found = _problems(identifier, structure, value)
        findings.extend(found)
        if not found and structure.field and not gathering.learn(structure.field, _fact(structure, value)):
            findings.append(disagreement(structure.field, identifier))
    findings.extend(_compound_findings(elements))
    return Part(
        issuer=Issuer.ICCBBA,
        facts=gathering.facts(),
        elements=tuple(elements),
        hri="".join(identifier + value for identifier, value in elements),
        findings=tuple(findings),
    )


def _structure_at(text: str, position: int) -> tuple[str, Structure | None]:
    for length in (3, 2):
        identifier = text[position : position + length]
        if identifier in STRUCTURES:
            return identifier, STRUCTURES[identifier]
    if text[position] == _DIN_IDENTIFIER and text[position + 1 : position + 2] in _UPPER:
        return _DIN_IDENTIFIER, _DONATION
    return "", None


def _problems(identifier: str, structure: Structure, value: str) -> list[Finding]:
    if len(value) < structure.length:
        message = f"structure {identifier} has {len(value)} characters, expected {structure.length}"
        return [finding("ISBT_LENGTH", message, identifier)]
    wrong = next(_wrong_places(identifier, structure, value), None)
    if wrong is not None:
        message = f"structure {identifier} has {value[wrong]!a} at place {wrong + 1}"
        return [finding("ISBT_CHARACTER", message, identifier)]
    if identifier == "=," and not value.strip("0"):
        return [finding("ISBT_CHARACTER", "structure =, is 000000, which is forbidden", identifier)]
    if structure.date is not None and structure.date(value) is None:
        return [finding("ISBT_DATE", f"structure {identifier} is {value}, which is no date", identifier)]
    return []


def _wrong_places(identifier: str, structure: Structure, value: str) -> Iterator[int]:
    rest = 0
    if identifier in ("=/", _DIN_IDENTIFIER):
        rest = _DIN if identifier == _DIN_IDENTIFIER else _FACILITY_LENGTH
        yield from (place for place in range(_FACILITY_LENGTH) if value[place] not in _FACILITY)
        yield from (place for place in range(_FACILITY_LENGTH, rest) if value[place] not in _DIGITS)
    if not structure.characters.issuperset(value):
        yield from (place for place in range(rest, len(value)) if value[place] not in structure.characters)


def _fact(structure: Structure, value: str) -> object:
    if structure is _DONATION:
        return value[:_DIN]
    return structure.date(value) if structure.date else value


def _compound_findings(elements: list[tuple[str, str]]) -> list[Finding]:
    findings = []
    for place, (identifier, value) in enumerate(elements):
        if identifier == _COMPOUND and is_digits(value):
            declared, present = int(value[:2]), len(elements) - place - 1
            if declared != present:
                message = f"the compound message declares {declared} structures and has {present}"
                findings.append(finding("ISBT_COMPOUND", message, identifier))
        elif identifier == _DIN_IDENTIFIER and len(value) == _DIN_AND_FLAGS and is_digits(value[_DIN:]):
            flag, check = int(value[_DIN:]), iso7064_mod37_2(value[:_DIN])
            if _FLAG_OFFSET <= flag <= _LAST_FLAG and check is not None and flag != check + _FLAG_OFFSET:
                message = f"the flag characters are {flag}, expected {check + _FLAG_OFFSET}"
                findings.append(finding("ISBT_FLAG", message, identifier))
    return findings
