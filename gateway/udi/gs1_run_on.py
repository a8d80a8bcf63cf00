"""Suspecting a separator that was lost: an element of variable length that swallowed the ones behind it.

It cannot be seen in the string, where `10ABC17261231` is one legal lot: it is told, and never divided by guess.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from gateway.model import Finding
from gateway.udi import dates, gs1_ai
from gateway.udi.checks import has_gs1_check_digit
from gateway.udi.findings import finding

_HIDDEN = re.compile("(?=(01)([0-9]{14})|(1[17])([0-9]{6}))")
may_hide = _HIDDEN.search
"""Tell, from a place on, whether an element's value holds digits that could be another element."""
SHORTEST = len("10A17YYMMDD")
"""Characters of the shortest element, AI included, that can hold another one."""
_EXPIRIES = (-10, 15)
"""Years from today within which six digits behind `11` or `17` are taken for a date of a label, not for chance."""


def suspicions(suspects: Iterable[tuple[str, str]], pairs: Sequence[tuple[str, str]], today: date) -> list[Finding]:
    """Find the elements whose end reads like a GTIN or a date, with an AI that the symbol does not have else.

    `suspects`: those of the symbol's elements that have a variable length and `may_hide` another; `pairs`: all.
    """
    present = {ai for ai, _ in pairs}
    return [
        finding("GS1_LOST_SEPARATOR", f"AI {ai} seems to run on into AI {hidden}: was a separator lost?", ai)
        for ai, value in suspects
        for hidden in _hidden(value, present, today)
    ]


def _hidden(value: str, present: set[str], today: date) -> Iterable[str]:
    for found in _HIDDEN.finditer(value, 1):
        hidden, field = found[1] or found[3], found[2] or found[4]
        if hidden in present:
            continue
        likely = has_gs1_check_digit(field) if hidden == "01" else _is_likely_date(field, today)
        end = found.end(2 if hidden == "01" else 4)
        if likely and (end == len(value) or gs1_ai.match(value, end)):
            return (hidden,)
    return ()


def _is_likely_date(field: str, today: date) -> bool:
    found = dates.yymmdd(field, today, day_may_be_zero=True)
    if found is None:
        return False
    earliest, latest = _EXPIRIES
    return earliest <= int(found.text[:4]) - today.year <= latest
