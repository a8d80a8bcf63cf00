"""What is checked inside a GS1 element: length, character sets, and the named checks of the table in gs1_ai.

Each named check takes one component and today's date and returns None, or a finding code and a clause that says
what is wrong without quoting the component. Source of the rules: GS1 General Specifications section 3, in the
decomposition of the GS1 Barcode Syntax Dictionary.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import lru_cache

from gateway.udi import checks, codes, dates, gs1_ai, gs1_coupon
from gateway.udi.gs1_ai import ApplicationIdentifier, Component

Problem = tuple[str, str]
"""Finding code, and a clause for its message."""
_Check = Callable[[str, date], Problem | None]

_CHARSETS: Mapping[str, tuple[frozenset[str], str]] = {
    "N": (frozenset(checks.DIGITS), "a digit"),
    "X": (frozenset(checks.GS1_CSET_82), "a character of GS1 character set 82"),
    "Y": (frozenset(checks.GS1_CSET_39), "a character of GS1 character set 39"),
    "Z": (frozenset(checks.GS1_CSET_64), "a character of base64url"),
}
_ALWAYS_CHECKED = {"Z": ("padding",)}
"""Character set -> checks of every component of it."""
_DIGITS_SUFFICE = ("gcp1", "gcp2")
"""Checks that a component of digits only cannot fail."""
_HEX = frozenset("0123456789ABCDEFabcdef")
_LATITUDE_MAX = 1_800_000_000
_LONGITUDE_MAX = 3_600_000_000
_PAIR_LENGTH = 2
_SHORTEST_PREFIX = 4
"""A GS1 Company Prefix has at least 4 digits."""
_SHORTEST_IBAN = 10
_LAST_ICCBBA_MEDIA_TYPE = 10
_FIRST_LOCAL_MEDIA_TYPE = 80


def is_right(ai: str, value: str, today: date) -> bool:
    """Return whether an element is assigned and `problems` has nothing to say: the quick answer for most labels."""
    matches, steps = _compiled.get(ai) or _compile(ai)
    if matches(value) is None:
        return False
    for start, end, check in steps:
        part = value[start:end]
        if part and check(part, today) is not None:
            return False
    return True


def problems(entry: ApplicationIdentifier, value: str, today: date) -> Iterator[Problem]:
    """Yield everything that is wrong with the data field of an element; nothing for a right one.

    A wrong length is the only problem reported then: what the components are is unknown.
    """
    if not value:
        yield "GS1_LENGTH", "is empty"
        return
    if len(value) > entry.longest:
        yield "GS1_LENGTH", f"has {len(value)} characters, more than the {entry.longest} allowed"
        return
    position = 0
    for component in entry.components:
        part = value[position : position + component.longest]
        if not part and component.optional:
            break
        if len(part) < component.shortest:
            yield "GS1_LENGTH", f"has {len(value)} characters, which is no length this AI has"
            return
        yield from _component_problems(component, part, today)
        position += len(part)


def _component_problems(component: Component, part: str, today: date) -> Iterator[Problem]:
    allowed, what = _CHARSETS[component.charset]
    if not allowed.issuperset(part):
        place, wrong = next(
            (place, character) for place, character in enumerate(part, 1) if character not in allowed
        )
        yield "GS1_CHARACTER", f"has {wrong!a} at place {place} where {what} is expected"
        return
    for check in _component_checks(component):
        problem = check(part, today)
        if problem is not None:
            yield problem


def _component_checks(component: Component) -> list[_Check]:
    names = [*_ALWAYS_CHECKED.get(component.charset, ()), *component.checks]
    if component.charset == "N":
        names = [name for name in names if name not in _DIGITS_SUFFICE]
    return [_CHECKS[name] for name in names]


_Steps = tuple[tuple[int, int, _Check], ...]
_NOTHING: tuple[Callable[[str], object], _Steps] = (lambda _value: None, ())
_compiled: dict[str, tuple[Callable[[str], object], _Steps]] = {}
"""AI -> full match of its length and characters, and the checks of value[start:end]; made when first needed."""


def _compile(ai: str) -> tuple[Callable[[str], object], _Steps]:
    entry = gs1_ai.lookup(ai)
    if entry is None:
        return _NOTHING
    pattern, closing = "", ""
    steps: list[tuple[int, int, _Check]] = []
    start = 0
    for component in entry.components:
        if component.optional:
            pattern, closing = pattern + "(?:", ")?" + closing
        allowed, _ = _CHARSETS[component.charset]
        pattern += f"[{re.escape(''.join(sorted(allowed)))}]{{{component.shortest},{component.longest}}}"
        end = start + component.longest
        steps.extend((start, end, check) for check in _component_checks(component))
        start = end
    compiled = _compiled[ai] = (re.compile(pattern + closing).fullmatch, tuple(steps))
    return compiled


def _condition(code: str, clause: str, holds: Callable[[str], bool]) -> _Check:
    def check(part: str, _today: date) -> Problem | None:
        return None if holds(part) else (code, clause)

    return check


def _value(clause: str, holds: Callable[[str], bool]) -> _Check:
    return _condition("GS1_VALUE", clause, holds)


def _check_digit(part: str, _today: date) -> Problem | None:
    if checks.gs1_remainder(part) == 0:
        return None
    return "GS1_CHECK_DIGIT", f"has check digit {part[-1]}, expected {checks.gs1_check_digit(part[:-1])}"


def _check_pair(part: str, _today: date) -> Problem | None:
    if len(part) <= _PAIR_LENGTH:
        return "GS1_CHECK_PAIR", "is too short to have a check character pair"
    right = checks.gs1_check_pair(part[:-2]) == part[-2:]
    return None if right else ("GS1_CHECK_PAIR", "has the wrong check character pair")


def _date(*, day_may_be_zero: bool) -> _Check:
    @lru_cache(dates.CACHED)
    def check(part: str, today: date) -> Problem | None:
        if dates.yymmdd(part, today, day_may_be_zero=day_may_be_zero) is not None:
            return None
        return "GS1_DATE", f"is {part}, which is no date (YYMMDD)"

    return check


def _long_date(part: str, _today: date) -> Problem | None:
    # The date is not quoted: the AIs that use this form give a person's birth.
    return None if dates.yyyymmdd(part) is not None else ("GS1_DATE", "is no date (YYYYMMDD)")


def _padding(part: str, _today: date) -> Problem | None:
    text = part.rstrip("=")
    padding = len(part) - len(text)
    right = "=" not in text and padding < len("===") and (not padding or len(part) % 3 == 0)
    return None if right else ("GS1_VALUE", "has wrong base64 padding")


def _iban(part: str, _today: date) -> Problem | None:
    if len(part) < _SHORTEST_IBAN:
        return "GS1_VALUE", "is too short for an IBAN"
    if part[:2] not in codes.country_letters():
        return "GS1_VALUE", "does not begin with a country code as an IBAN does"
    return None if checks.iban_remainder(part) == 1 else ("GS1_VALUE", "has wrong IBAN check digits")


def _coupon(part: str, today: date) -> Problem | None:
    return None if gs1_coupon.is_coupon(part, today) else ("GS1_VALUE", "is no coupon code")


def _is_piece_of_total(part: str) -> bool:
    piece, total = int(part[:2]), int(part[2:])
    return 0 < piece <= total


def _is_place_in_sequence(part: str) -> bool:
    place, slash, end = part.partition("/")
    numbers = checks.is_digits(place) and checks.is_digits(end) and not place.startswith("0")
    return slash == "/" and numbers and not end.startswith("0") and int(place) <= int(end)


def _is_media_type(part: str) -> bool:
    return 1 <= int(part) <= _LAST_ICCBBA_MEDIA_TYPE or int(part) >= _FIRST_LOCAL_MEDIA_TYPE


def _is_percent_encoded(part: str) -> bool:
    return all(len(tail) >= _PAIR_LENGTH and set(tail[:2]) <= _HEX for tail in part.split("%")[1:])


def _company_prefix(part: str, offset: int) -> bool:
    prefix = part[offset : offset + _SHORTEST_PREFIX]
    return len(prefix) == _SHORTEST_PREFIX and checks.is_digits(prefix)


_PREFIX_CLAUSE = "does not begin with a GS1 Company Prefix of 4 or more digits"

_CHECKS: Mapping[str, _Check] = {
    "csum": _check_digit,
    "csumalpha": _check_pair,
    "padding": _padding,
    "gcp1": _value(_PREFIX_CLAUSE, lambda part: _company_prefix(part, 0)),
    "gcp2": _value(_PREFIX_CLAUSE, lambda part: _company_prefix(part, 1)),
    "yymmd0": _date(day_may_be_zero=True),
    "yymmdd": _date(day_may_be_zero=False),
    "yyyymmdd": _long_date,
    "hh": _condition("GS1_TIME", "has an hour over 23", dates.is_hour),
    "mi": _condition("GS1_TIME", "has a minute over 59", dates.is_minute),
    "ss": _condition("GS1_TIME", "has a second over 59", dates.is_minute),
    "hhmi": _condition(
        "GS1_TIME",
        "has an hour over 23 or a minute over 59",
        lambda part: dates.is_hour(part[:2]) and dates.is_minute(part[2:]),
    ),
    "iso3166": _value("has no ISO 3166 country number", lambda part: part in codes.country_numbers()),
    "iso3166999": _value(
        "has neither an ISO 3166 country number nor 999",
        lambda part: part == "999" or part in codes.country_numbers(),
    ),
    "iso3166alpha2": _value("has no ISO 3166 country letters", lambda part: part in codes.country_letters()),
    "iso4217": _value("has no ISO 4217 currency number", lambda part: part in codes.currency_numbers()),
    "iso5218": _value("is no ISO/IEC 5218 code", lambda part: part in "0129"),
    "pcenc": _value("has a percent sign without two hexadecimal digits", _is_percent_encoded),
    "yesno": _value("is neither 0 nor 1", lambda part: part in "01"),
    "winding": _value("has a winding direction other than 0, 1 or 9", lambda part: part in "019"),
    "zero": _value("does not begin with 0", lambda part: part == "0"),
    "nonzero": _value("has a dimension of zero", lambda part: part.strip("0") != ""),
    "nozeroprefix": _value("begins with 0", lambda part: not part.startswith("0")),
    "hyphen": _value("ends with something else than a hyphen", lambda part: part == "-"),
    "hasnondigit": _value("consists of digits only", lambda part: not checks.is_digits(part)),
    "pieceoftotal": _value("has no piece number between 1 and the number of pieces", _is_piece_of_total),
    "posinseqslash": _value("is no place in a sequence such as 1/2", _is_place_in_sequence),
    "importeridx": _value("ends with no importer index", lambda part: part != "=" and part in checks.GS1_CSET_64),
    "mediatype": _value("has a media type that is not assigned", _is_media_type),
    "latitude": _value("has a latitude over 1800000000", lambda part: int(part) <= _LATITUDE_MAX),
    "longitude": _value("has a longitude over 3600000000", lambda part: int(part) <= _LONGITUDE_MAX),
    "iban": _iban,
    "packagetype": _value("is no package type code", lambda part: part.isalnum() and part == part.upper()),
    "couponcode": _coupon,
    "couponposoffer": _value("is no coupon code", gs1_coupon.is_offer),
}
"""Name in gs1_ai's table -> check. A package type is checked for its characters only: no label of a medical device
carries one, and the list of UN/ECE Recommendation 21 is long."""
