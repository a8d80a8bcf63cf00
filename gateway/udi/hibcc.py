"""HIBCC: the Health Industry Bar Code Supplier Labeling Standard, ANSI/HIBC 2.6.

A primary symbol holds the device identifier, a secondary one the production identifiers, a concatenated one both.
Check and link may be space, `/` or `+`: nothing is stripped, and nothing is divided before they are taken off.
"""

from datetime import date
from typing import NamedTuple

from gateway.model import Finding, Issuer
from gateway.udi import dates
from gateway.udi.checks import DIGITS, HIBC_CSET, UPPER, hibc_check_character, is_digits
from gateway.udi.dates import LabelDate
from gateway.udi.findings import finding
from gateway.udi.label import Gathering, Part, disagreement

_CSET = frozenset(HIBC_CSET)
_ALPHANUMERIC = frozenset(DIGITS + UPPER)
_LOT = _ALPHANUMERIC | frozenset("-.")
_LETTERS = frozenset(UPPER)
_LIC = 4
_LONGEST_PCN = 18
_LONGEST_LOT = 18
_LONGEST_QUANTITY = 5
_SHORTEST_SYMBOL = len("+0$")
_QUANTITY_DIGITS = {"8": 2, "9": 5}
"""Legacy `$$8` and `$$9`: how many digits of quantity follow."""
_DATE_FORMS = {
    "0": "MMYY",
    "1": "MMYY",
    "2": "MMDDYY",
    "3": "YYMMDD",
    "4": "YYMMDDHH",
    "5": "YYJJJ",
    "6": "YYJJJHH",
}
"""Date flag -> form; 0 and 1 are no flags but the first digit of the month. Hours are GMT."""
_MONTH_FLAGS = ("0", "1")
_NO_DATE = "7"
_SUPPLEMENTS = ("14D", "16D", "Q")
"""Beginnings of supplementary fields that no message has: they may stand without one."""


class Secondary(NamedTuple):
    """What stands in front of the lot or serial number of a secondary message."""

    quantity: str
    form: str
    date: str
    rest: str
    flag: str = ""
    """What says which form the date has; of no date, or where none follows a quantity, as it stands."""


class _Reading:
    """Gathers what the fields of one symbol say."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.gathering = Gathering()
        self.elements: list[tuple[str, str]] = []
        self.findings: list[Finding] = []

    def note(self, code: str, message: str, element: str | None = None) -> None:
        self.findings.append(finding(code, message, element))

    def learn(self, field: str, name: str, value: object) -> None:
        if not self.gathering.learn(name, value):
            self.findings.append(disagreement(name, field))

    def text(self, field: str, value: str) -> None:
        """Take a lot or serial number."""
        self.elements.append((field, value))
        if not _LOT.issuperset(value):
            wrong = next(character for character in value if character not in _LOT)
            self.note("HIBC_CHARACTER", f"{field} has {wrong!a}", field)
        if not 0 < len(value) <= _LONGEST_LOT:
            self.note("HIBC_LENGTH", f"{field} has {len(value)} characters, expected 1 to {_LONGEST_LOT}", field)
        else:
            self.learn(field, "lot_number" if field == "lot" else "serial_number", value)

    def date(self, field: str, form: str, value: str) -> None:
        """Take an expiry or manufacturing date."""
        self.elements.append((field, value))
        found = read_date(form, value, self.today)
        if found is None:
            shown = f"{value}, which is no date" if is_digits(value) and len(value) == len(form) else "no date"
            self.note("HIBC_DATE", f"{field} is {shown} ({form})", field)
        else:
            self.learn(field, "expiration" if field == "expiry" else "manufacture", found)

    def quantity(self, value: str) -> None:
        """Take a number of pieces."""
        self.elements.append(("quantity", value))
        if is_digits(value) and len(value) <= _LONGEST_QUANTITY:
            self.learn("quantity", "quantity", int(value))
        else:
            self.note("HIBC_LENGTH", f"quantity is not 1 to {_LONGEST_QUANTITY} digits", "quantity")


def is_hibc(text: str) -> bool:
    """Return whether a text has the flag character of HIBC, with or without the printed asterisks."""
    return text.startswith(("+", "*+"))


def read(text: str, today: date) -> Part:
    """Read a primary, secondary or concatenated symbol.

    >>> part = read("+A99912345/$$52001510X3/16D20111212/S77DEFG457", date(2026, 11, 21))
    >>> part.facts.device_identifier, part.facts.lot_number, part.facts.serial_number, part.facts.expiration.text
    ('A99912345', '10X3', '77DEFG45', '2020-01-15')
    """
    if text.startswith("*") or text.endswith("*"):
        # In print, asterisks enclose the symbol and an underline stands for a space.
        text = text.removeprefix("*").removesuffix("*").replace("_", " ")
    if text.startswith("+/"):
        return Part(findings=(finding("HIBC_PROVIDER", "a Provider Applications symbol is no label of an item"),))
    if len(text) < _SHORTEST_SYMBOL:
        return _part(
            _Reading(today), text, None, finding("HIBC_LENGTH", f"{len(text)} characters are no HIBC symbol")
        )
    reading = _Reading(today)
    _judge_characters(reading, text)
    content, check = text[1:-1], text[-1]
    first = content[0]
    if first in _LETTERS and not (first == "S" and not _has_primary_form(content)):
        primary, slash, rest = content.partition("/")
        _read_primary(reading, primary)
        if slash:
            _read_fields(reading, rest)
        # a secondary beside a concatenated symbol names the check character that its primary has alone
        linked = hibc_check_character(f"+{primary}") if _ALPHANUMERIC.issuperset(primary) else None
        return _part(reading, text, linked if slash else check)
    if first in DIGITS or first in "$S":
        link = content[-1]
        _read_fields(reading, content[:-1])
        if not reading.elements and not reading.findings:
            reading.note(
                "HIBC_LENGTH", "the secondary symbol says nothing: lot, serial number and expiry are empty"
            )
        reading.elements.append(("link", link))
        return _part(reading, text, link)
    reading.note("HIBC_CHARACTER", f"{first!a} stands behind the flag where a letter, a digit or $ is expected")
    return _part(reading, text, None)


def read_date(form: str, text: str, today: date) -> LabelDate | None:
    """Read a date in one of the forms of the standard; None when it is no date.

    >>> read_date("MMYY", "0223", date(2026, 11, 21)).text, read_date("YYJJJHH", "2001516", date(2026, 11, 21)).text
    ('2023-02-28', '2020-01-15T16:00')
    """
    if len(text) != len(form) or not is_digits(text):
        return None
    part = {
        letters: text[form.index(letters) :][: len(letters)]
        for letters in ("YY", "MM", "DD", "JJJ", "HH")
        if letters in form
    }
    if form == "YYYYMMDD":
        return dates.yyyymmdd(text)
    year = dates.full_year(int(part["YY"]), today)
    if "JJJ" in part:
        day = dates.year_and_day(year, int(part["JJJ"]))
    elif "DD" in part:
        day = dates.year_month_day(year, int(part["MM"]), int(part["DD"])) if part["DD"] != "00" else None
    else:
        day = dates.year_month_day(year, int(part["MM"]), 0)
    return dates.at_time(day, part["HH"]) if day and "HH" in part else day


def split_secondary(text: str) -> Secondary:
    """Divide what stands behind `$$` or `$$+`.

    >>> split_secondary("8053290331260301104")
    Secondary(quantity='05', form='YYMMDD', date='290331', rest='260301104', flag='3')
    >>> split_secondary("1125BC34567")
    Secondary(quantity='', form='MMYY', date='1125', rest='BC34567', flag='1')
    """
    quantity = ""
    digits = _QUANTITY_DIGITS.get(text[:1])
    if digits:
        quantity, text = text[1 : 1 + digits], text[1 + digits :]
    flag = text[:1]
    if flag == _NO_DATE:
        return Secondary(quantity, "", "", text[1:], flag)
    form = _DATE_FORMS.get(flag, "")
    if not form:
        return Secondary(quantity, "", "", text, flag)
    start = 0 if flag in _MONTH_FLAGS else 1
    return Secondary(quantity, form, text[start : start + len(form)], text[start + len(form) :], flag)


def _judge_characters(reading: _Reading, text: str) -> None:
    expected = hibc_check_character(text[:-1])
    if expected is not None and text[-1] in _CSET:
        if text[-1] != expected:
            reading.note("HIBC_CHECK", f"the check character is {text[-1]!a}, expected {expected!a}")
        return
    place, wrong = next((place, wrong) for place, wrong in enumerate(text, 1) if wrong not in _CSET)
    reading.note("HIBC_CHARACTER", f"{wrong!a} at position {place} is not in the HIBC character set")


def _has_primary_form(content: str) -> bool:
    primary = content.partition("/")[0]
    return len(primary) > _LIC + 1 and primary[-1] in DIGITS


def _read_primary(reading: _Reading, primary: str) -> None:
    reading.elements.append(("DI", primary))
    code = primary[_LIC:-1]
    if not 0 < len(code) <= _LONGEST_PCN:
        reading.note(
            "HIBC_LENGTH", f"the product number has {len(code)} characters, expected 1 to {_LONGEST_PCN}", "DI"
        )
        return
    if not _ALPHANUMERIC.issuperset(primary):
        wrong = next(character for character in primary if character not in _ALPHANUMERIC)
        reading.note("HIBC_CHARACTER", f"DI has {wrong!a}, where letters and digits are expected", "DI")
    elif primary[-1] not in DIGITS:
        reading.note("HIBC_CHARACTER", "DI ends with no digit as unit of measure", "DI")
    else:
        reading.learn("DI", "device_identifier", primary)
        reading.learn("DI", "package_level", int(primary[-1]))


def _read_fields(reading: _Reading, text: str) -> None:
    first, *others = text.split("/")
    if first.startswith(_SUPPLEMENTS):
        others = [first, *others]
    else:
        _read_message(reading, first)
    for place, field in enumerate(others, 1):
        if field.startswith("$"):
            _read_message(reading, field)
        elif field.startswith("14D"):
            reading.date("expiry", "YYYYMMDD", field[3:])
        elif field.startswith("16D"):
            reading.date("manufacture", "YYYYMMDD", field[3:])
        elif field.startswith("S"):
            reading.text("serial", field[1:])
        elif field.startswith("Q"):
            reading.quantity(field[1:])
            if place < len(others):
                reading.note("HIBC_FIELD", "the quantity is not the last field", "quantity")
        else:
            reading.note("HIBC_FIELD", f"field {place} of {len(field)} characters has no known identifier")


def _read_message(reading: _Reading, text: str) -> None:
    # Some printers repeat the flag character between primary and secondary.
    text = text.removeprefix("+")
    if text.startswith("$$"):
        _read_dated_message(reading, text)
    elif text.startswith("$+"):
        reading.text("serial", text[2:])
    elif text.startswith("$"):
        if text[1:]:
            reading.text("lot", text[1:])
    elif text.startswith("S"):
        reading.text("serial", text[1:])
    elif text[:1] in tuple(DIGITS):
        reading.date("expiry", "YYJJJ", text[:5])
        if text[5:]:
            reading.text("lot", text[5:])
    else:
        reading.note("HIBC_LENGTH", "the secondary message is empty or has no known beginning")


def _read_dated_message(reading: _Reading, text: str) -> None:
    field, body = ("serial", text[3:]) if text[2:3] == "+" else ("lot", text[2:])
    parts = split_secondary(body)
    wanted = _QUANTITY_DIGITS.get(body[:1])
    if wanted is not None and len(parts.quantity) == wanted:
        reading.quantity(parts.quantity)
    elif wanted is not None:
        reading.elements.append(("quantity", parts.quantity))
        reading.note(
            "HIBC_LENGTH", f"quantity has {len(parts.quantity)} characters, expected {wanted} digits", "quantity"
        )
        return
    if parts.form:
        reading.date("expiry", parts.form, parts.date)
    elif parts.rest and parts.flag != _NO_DATE:
        reading.note("HIBC_DATE", "no date flag (0 to 7) stands where the expiry date begins", "expiry")
    if parts.rest:
        reading.text(field, parts.rest)


def _part(reading: _Reading, text: str, link: str | None, *more: Finding) -> Part:
    tail = text[-2:].replace(" ", "_")
    return Part(
        issuer=Issuer.HIBCC,
        facts=reading.gathering.facts(),
        elements=tuple(reading.elements),
        hri=f"*{text[:-2]}{tail}*",
        findings=(*reading.findings, *more),
        link=link,
    )
