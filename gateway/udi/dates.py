"""Dates as labels write them, made into calendar dates. Time is an argument: nothing here reads a clock."""

from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from gateway.model import Precision
from gateway.udi.checks import is_digits

_MONTHS = 12
_HOURS = 24
_MINUTES = 60
_CENTURY = 100
_PREVIOUS_CENTURY = 51
"""A two-digit year this much above the current one belongs to the previous century (GS1 GenSpecs 7.12)."""
_NEXT_CENTURY = -50
"""A two-digit year this much below the current one belongs to the next century."""

CACHED = 1024
"""Three years of days: what the stock of a hospital carries, in some 200 KB."""


class LabelDate(Struct, frozen=True):
    """A date of a label and how exactly the label gives it."""

    text: str
    """`YYYY-MM-DD`, with `THH:MM` where the label gives hours. A month is its last day."""
    precision: Precision


def full_year(two_digits: int, today: date) -> int:
    """Return the year that two digits stand for, by the sliding window of GS1 General Specifications 7.12.

    >>> full_year(28, date(2026, 11, 21)), full_year(77, date(2026, 11, 21)), full_year(76, date(2026, 11, 21))
    (2028, 1977, 2076)
    """
    century, current = divmod(today.year, _CENTURY)
    difference = two_digits - current
    if difference >= _PREVIOUS_CENTURY:
        century -= 1
    elif difference <= _NEXT_CENTURY:
        century += 1
    return century * _CENTURY + two_digits


def year_month_day(year: int, month: int, day: int) -> LabelDate | None:
    """Return the date, with day 0 as the month without a day; None when it does not exist.

    >>> year_month_day(2026, 2, 0)
    LabelDate(text='2026-02-28', precision=<Precision.MONTH: 'month'>)
    """
    if not (1 <= year < date.max.year and 1 <= month <= _MONTHS):
        return None
    following = date(year + month // _MONTHS, month % _MONTHS + 1, 1)
    last = (following - timedelta(days=1)).day
    if day == 0:
        return LabelDate(f"{year:04d}-{month:02d}-{last:02d}", Precision.MONTH)
    return LabelDate(f"{year:04d}-{month:02d}-{day:02d}", Precision.DAY) if day <= last else None


def yymmdd(text: str, today: date, *, day_may_be_zero: bool) -> LabelDate | None:
    """Read YYMMDD; None when it is no date.

    >>> yymmdd("260200", date(2026, 11, 21), day_may_be_zero=True).text
    '2026-02-28'
    >>> yymmdd("000000", date(2026, 11, 21), day_may_be_zero=True) is None
    True
    """
    if len(text) != len("YYMMDD"):
        return None
    found = _yymmdd(text, today)
    return found if found is None or day_may_be_zero or found.precision is Precision.DAY else None


@lru_cache(maxsize=CACHED)
def _yymmdd(text: str, today: date) -> LabelDate | None:
    if not is_digits(text):
        return None
    return year_month_day(full_year(int(text[:2]), today), int(text[2:4]), int(text[4:6]))


def yyyymmdd(text: str) -> LabelDate | None:
    """Read YYYYMMDD; None when it is no date.

    >>> yyyymmdd("20210417").text
    '2021-04-17'
    """
    if len(text) != len("YYYYMMDD") or not is_digits(text) or text.endswith("00"):
        return None
    return year_month_day(int(text[:4]), int(text[4:6]), int(text[6:8]))


def year_and_day(year: int, day: int) -> LabelDate | None:
    """Return the n-th day of a year ("Julian" date); None when the year has no such day.

    >>> year_and_day(2014, 32).text
    '2014-02-01'
    >>> year_and_day(2019, 366) is None
    True
    """
    if not 1 <= year < date.max.year or day < 1:
        return None
    found = date(year, 1, 1) + timedelta(days=day - 1)
    return LabelDate(found.isoformat(), Precision.DAY) if found.year == year else None


def is_hour(text: str) -> bool:
    """Return whether the text is an hour, 00 to 23."""
    return len(text) == len("HH") and is_digits(text) and int(text) < _HOURS


def is_minute(text: str) -> bool:
    """Return whether the text is a minute or second, 00 to 59."""
    return len(text) == len("MM") and is_digits(text) and int(text) < _MINUTES


def at_time(day: LabelDate, hours: str, minutes: str | None = None) -> LabelDate | None:
    """Return the date with a time of day (two digits each); None when that time does not exist.

    >>> at_time(LabelDate("2020-02-02", Precision.DAY), "16").text
    '2020-02-02T16:00'
    """
    if not is_hour(hours) or (minutes is not None and not is_minute(minutes)):
        return None
    precision = Precision.HOUR if minutes is None else Precision.MINUTE
    return LabelDate(f"{day.text}T{hours}:{minutes or '00'}", precision)
