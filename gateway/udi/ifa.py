"""IFA: PPN and HPC in data identifiers of ISO/IEC 15418, format 06 (IFA Coding System, specification UDI 2.5)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from msgspec.structs import replace

from gateway.model import Finding, Issuer
from gateway.udi import dates
from gateway.udi.checks import (
    DIGITS,
    GS1_CSET_82,
    UPPER,
    has_gs1_check_digit,
    ifa_check_digits,
    is_digits,
    is_pzn,
)
from gateway.udi.findings import finding
from gateway.udi.label import Gathering, Part, disagreement

_GS, _RS, _EOT = "\x1d", "\x1e", "\x04"
_START = "[)>"
_HEADER = f"{_START}{_RS}06{_GS}"
_TRAILERS = (f"{_RS}{_EOT}", _RS)
"""Some scanners leave out the end of transmission, a control character."""
_DIGITS = frozenset(DIGITS)
_LETTERS = frozenset(UPPER)
_CODE = frozenset(DIGITS + UPPER + "-._")
_TEXT = frozenset(GS1_CSET_82)
_SHORTEST_CODE, _LONGEST_CODE = 11, 28
_PZN_CODE = 12
_LONGEST_TEXT = 20
_LONGEST_QUANTITY = 8
_GTIN = 14
_LONGEST_IDENTIFIER = 3
"""Digits in front of a data identifier's letter (ISO/IEC 15418)."""
_PZN, _HPC, _MASTER = "11", "13", "MA"
"""What a 9N value begins with: the product registration agency code, or the mark of a Master UDI-DI."""
_Fact = tuple[str, object]
"""Name of a field of Facts, and what it is."""
_Result = tuple[Sequence[_Fact], Sequence[Finding]]


def is_ifa(text: str) -> bool:
    """Return whether a text has the envelope of format 06, or begins with the data identifier 9N in any form."""
    return text.startswith((_START, "9N", ".9N", "(9N)"))


def read(text: str, today: date) -> Part:
    r"""Read the message with or without its envelope, the keyboard form of DIN 16598, or the typed form.

    >>> part = read("[)>\x1e06\x1d9N111234567842\x1d1TABC12345\x1dD241231\x1e\x04", date(2026, 11, 21))
    >>> part.facts.device_identifier, part.facts.lot_number, part.facts.expiration.text
    ('111234567842', 'ABC12345', '2024-12-31')
    """
    findings: list[Finding] = []
    if text.startswith("("):
        fields = _typed_fields(text)
    elif text.startswith("."):
        fields = [_divide(field) for field in text[1:].split("^")]
    else:
        body, findings = _without_envelope(text)
        fields = [_divide(field) for field in body.split(_GS) if field]
    gathering = Gathering()
    gtin = None
    for identifier, value in fields:
        facts, more = _read_field(identifier, value, today)
        findings.extend(more)
        findings.extend(disagreement(name, identifier) for name, fact in facts if not gathering.learn(name, fact))
        if identifier == "8P" and len(value) == _GTIN and is_digits(value):
            gtin = value
    issuer = Issuer.IFA
    known = gathering.facts()
    if known.device_identifier is None and gtin is not None:
        known, issuer = replace(known, device_identifier=gtin, package_level=int(gtin[0]) or None), Issuer.GS1
    return Part(
        issuer=issuer,
        facts=known,
        elements=tuple(fields),
        hri="".join(f"({identifier}){value}" for identifier, value in fields),
        findings=tuple(findings),
    )


def _without_envelope(text: str) -> tuple[str, list[Finding]]:
    findings = []
    body = text
    if text.startswith(_HEADER):
        body = text[len(_HEADER) :]
    elif text.startswith(_START):
        findings.append(finding("IFA_HEADER", "the envelope does not begin as that of format 06"))
        body = text[len(_START) :].removeprefix(_RS).removeprefix("06").removeprefix(_GS)
    if text.startswith(_START) and not text.endswith(_TRAILERS):
        findings.append(finding("IFA_TRAILER", "the envelope has no end"))
    return body.removesuffix(_EOT).removesuffix(_RS), findings


def _divide(field: str) -> tuple[str, str]:
    length = 0
    while length < _LONGEST_IDENTIFIER and field[length : length + 1] in _DIGITS:
        length += 1
    if field[length : length + 1] in _LETTERS:
        length += 1
    return field[:length], field[length:]


def _typed_fields(text: str) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    start = 0
    identifier = ""
    position = text.find("(")
    while position >= 0:
        closing = text.find(")", position, position + _LONGEST_IDENTIFIER + 3)
        if closing > 0 and text[position + 1 : closing] in _READERS:
            if identifier:
                fields.append((identifier, text[start:position]))
            identifier, start = text[position + 1 : closing], closing + 1
        position = text.find("(", position + 1)
    return [*fields, (identifier, text[start:])]


def _read_field(identifier: str, value: str, today: date) -> _Result:
    reader = _READERS.get(identifier)
    if reader is None:
        name = identifier or "nothing known"
        return [], [finding("IFA_UNKNOWN", f"a field of {len(value)} characters begins with {name}")]
    return reader(value, today)


def _read_lot(value: str, _today: date) -> _Result:
    return _short("lot_number", value), _text_findings("1T", value)


def _read_serial(value: str, _today: date) -> _Result:
    return _short("serial_number", value), _text_findings("S", value)


def _read_expiry(value: str, today: date) -> _Result:
    found = dates.yymmdd(value, today, day_may_be_zero=True)
    return [("expiration", found)], [] if found else [_no_date("D", value)]


def _read_manufacture(value: str, _today: date) -> _Result:
    found = dates.yyyymmdd(value)
    return [("manufacture", found)], [] if found else [_no_date("16D", value)]


def _read_quantity(value: str, _today: date) -> _Result:
    if is_digits(value) and len(value) <= _LONGEST_QUANTITY:
        return [("quantity", int(value))], []
    return [], [finding("IFA_LENGTH", f"Q is not 1 to {_LONGEST_QUANTITY} digits", "Q")]


def _read_gtin(value: str, _today: date) -> _Result:
    right = len(value) == _GTIN and has_gs1_check_digit(value)
    return [], [] if right else [finding("IFA_CHECK", "8P is no GTIN with a right check digit", "8P")]


def _keep(_value: str, _today: date) -> _Result:
    return [], []


def _read_code(value: str, _today: date) -> _Result:
    pzn = value.startswith(_PZN)
    expected = (_PZN_CODE, _PZN_CODE) if pzn else (_SHORTEST_CODE, _LONGEST_CODE)
    if not expected[0] <= len(value) <= expected[1]:
        message = f"9N has {len(value)} characters, expected {expected[0]} to {expected[1]}"
        return [], [finding("IFA_LENGTH", message, "9N")]
    allowed = _DIGITS if pzn else _CODE
    if not allowed.issuperset(value):
        wrong = next(character for character in value if character not in allowed)
        return [], [finding("IFA_CHARACTER", f"9N has {wrong!a}", "9N")]
    digits = ifa_check_digits(value[:-2])
    findings = []
    if digits != value[-2:]:
        findings.append(finding("IFA_CHECK", f"9N has wrong check digits, expected {digits}", "9N"))
    elif pzn and not is_pzn(value[len(_PZN) : -2]):
        findings.append(finding("IFA_CHECK", "9N holds a PZN with a wrong check digit", "9N"))
    if value.startswith(_MASTER):
        return [], findings
    facts: list[_Fact] = [("device_identifier", value)]
    if value.startswith(_HPC) and is_digits(value[-3]):
        facts.append(("package_level", int(value[-3])))
    return facts, findings


def _short(name: str, value: str) -> list[_Fact]:
    return [(name, value)] if _is_short(value) else []


def _is_short(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_TEXT


def _text_findings(identifier: str, value: str) -> list[Finding]:
    findings = []
    if not _is_short(value):
        message = f"{identifier} has {len(value)} characters, expected 1 to {_LONGEST_TEXT}"
        findings.append(finding("IFA_LENGTH", message, identifier))
    if not _TEXT.issuperset(value):
        wrong = next(character for character in value if character not in _TEXT)
        findings.append(finding("IFA_CHARACTER", f"{identifier} has {wrong!a}", identifier))
    return findings


def _no_date(identifier: str, value: str) -> Finding:
    shown = f"{value}, which is no date" if is_digits(value) and len(value) <= len("YYYYMMDD") else "no date"
    return finding("IFA_DATE", f"{identifier} is {shown}", identifier)


_READERS: Mapping[str, Callable[[str, date], _Result]] = {
    "9N": _read_code,
    "1T": _read_lot,
    "S": _read_serial,
    "D": _read_expiry,
    "16D": _read_manufacture,
    "Q": _read_quantity,
    "27Q": _keep,
    "33L": _keep,
    "8P": _read_gtin,
}
"""Data identifier -> reader. 27Q is a price and 33L a web address: kept as elements."""
