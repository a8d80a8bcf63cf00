"""North American coupon codes in AI 8110 and 8112, which may be typed or scanned by mistake.

Source: GS1 US, North American Coupon Application Guideline. A coupon is digits in groups; many groups begin with a
digit that tells how many follow.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from gateway.udi.checks import DIGITS, is_digits
from gateway.udi.dates import yymmdd

_Step = int | Mapping[str, int]
"""So many digits; or one digit of these, and as many more as it stands for."""


def _one_of(allowed: str) -> _Step:
    return dict.fromkeys(allowed, 0)


def _counted(allowed: str, more: int = 0) -> _Step:
    return {digit: int(digit) + more for digit in allowed}


_PREFIX = _counted("0123456", 6)
_VALUE = _counted("12345")
_PURCHASE: Sequence[_Step] = (_VALUE, _one_of("012349"), 3)
_OTHER_PREFIX: _Step = {**{digit: int(digit) + 6 for digit in "0123456"}, "9": 0}
_EXPIRY, _START = "3", "4"
_COUPON: Sequence[_Step] = (_PREFIX, 6, _VALUE, *_PURCHASE)
_OPTIONAL: Mapping[str, Sequence[_Step]] = {
    "1": (_one_of("0123"), *_PURCHASE, _OTHER_PREFIX),
    "2": (*_PURCHASE, _OTHER_PREFIX),
    _EXPIRY: (6,),
    _START: (6,),
    "5": (_counted(DIGITS, 6),),
    "6": (_counted("1234567", 6),),
    "9": (_one_of("01256"), _one_of("012"), _one_of(DIGITS), _one_of("01")),
}
"""First digit of an optional group -> what follows; the groups stand in this order, each at most once."""
_OFFER: Sequence[_Step] = (_one_of("01"), _PREFIX, 6, _counted(DIGITS, 6))


def is_coupon(text: str, today: date) -> bool:
    """Return whether AI 8110 holds a coupon code.

    >>> is_coupon("012345612345611110123", date(2026, 11, 21)), is_coupon("01234561234561111", date(2026, 11, 21))
    (True, False)
    """
    position = _follow(_COUPON, text, 0) if is_digits(text) else None
    days: dict[str, str] = {}
    for first, steps in _OPTIONAL.items():
        if position is None or text[position : position + 1] != first:
            continue
        start = position + 1
        position = _follow(steps, text, start)
        if first in (_EXPIRY, _START) and position is not None:
            found = yymmdd(text[start:position], today, day_may_be_zero=False)
            if found is None:
                return False
            days[first] = found.text
    return position == len(text) and days.get(_START, "") <= days.get(_EXPIRY, "9")


def is_offer(text: str) -> bool:
    """Return whether AI 8112 holds a coupon of a positive offer file.

    >>> is_offer("001234561234560123456"), is_offer("201234561234560123456")
    (True, False)
    """
    return is_digits(text) and _follow(_OFFER, text, 0) == len(text)


def _follow(steps: Sequence[_Step], text: str, position: int) -> int | None:
    for step in steps:
        if isinstance(step, int):
            position += step
        else:
            more = step.get(text[position : position + 1])
            if more is None:
                return None
            position += 1 + more
    return position if position <= len(text) else None
