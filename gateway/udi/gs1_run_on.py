"""Suspecting an element of variable length that swallowed the ones behind it.

In a symbol a separator was lost; in typed text an AI or one of its brackets is wrong. It cannot be seen in the
string, where `10ABC17261231` is one legal lot and `(10)ABC(71)280630` another: it is reported, and never divided by
guess.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from gateway.model import Finding
from gateway.udi import dates, gs1_ai
from gateway.udi.checks import DIGITS, has_gs1_check_digit
from gateway.udi.findings import finding

_HIDDEN = re.compile("(?=(01)([0-9]{14})|(1[17])([0-9]{6}))")
may_hide = _HIDDEN.search
"""Tell, from a place on, whether an element's value holds digits that could be another element."""
SHORTEST = len("10A17YYMMDD")
"""Characters of the shortest element, AI included, that can hold another one."""
_WRONG_AI = re.compile(
    r"(?<!\\)"  # a bracket behind a backslash was meant
    r"(?:\(([0-9lIiOoSZB|]{2,4})\)"  # both brackets: digits, or what is taken for them
    r"|\(([0-9]{2,4})(?=[^()]*(?:\(|$))"  # the closing one is missing
    r"|(?<![0-9(])([0-9]{2,4})\)(?=[^()]*(?:\(|$)))"  # the opening one is missing
    r"(?=[^()])",  # and a value follows
    re.ASCII,
)
_AS_DIGITS = str.maketrans("lIi|OoSZB", "111100528")
"""Letters that are typed or printed for a digit."""
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


def mistyped(pairs: Iterable[tuple[str, str]]) -> list[Finding]:
    """Find the typed elements whose value holds what seems to be a further AI, mistyped.

    >>> [found.element for found in mistyped([("10", "ABC(71)280630"), ("21", "7(l7)280630"), ("10", "AB(C)D")])]
    ['10', '21']
    """
    return [
        finding("GS1_LOST_SEPARATOR", f"AI {ai} seems to run on into another AI: was one mistyped?", ai)
        for ai, value in pairs
        if ("(" in value or ")" in value) and _holds_wrong_ai(value)
    ]


def _holds_wrong_ai(value: str) -> bool:
    for found in _WRONG_AI.finditer(value):
        enclosed, opened, closed = found.groups()
        if enclosed:
            digits = enclosed.translate(_AS_DIGITS)
            if any(character in DIGITS for character in enclosed) or gs1_ai.lookup(digits) is not None:
                return True
        elif any(gs1_ai.match(part, 0) is not None for part in (opened, closed) if part):
            return True
    return False


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
