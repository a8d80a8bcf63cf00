"""Regular expressions from the configuration, bounded: none may keep the daemon busy.

Python's `re` tries one way after the other of matching a text, and some expressions have more ways than there are
seconds in a year: `(a+)+` has 2^n for n characters. So an expression is accepted only when the number of its ways
over the longest text is small, and no text that is longer is matched at all.
"""

import importlib
import re
from collections.abc import Iterable
from typing import Any, Final

MAX_TEXT: Final = 128
"""Characters: a shelf label, a badge or a case id is shorter."""
MAX_WAYS: Final = 20_000
"""Ways of matching: two stretches of any length in one expression are 128 x 128. Each way costs some 100 ns a
character at worst, so that even a hostile text never holds the daemon for as long as a second."""
MAX_PATTERN: Final = 500
"""Characters of the expression itself."""

_LITERALS: Final = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"})
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT"})


class PatternError(ValueError):
    """The expression cannot be used; the message says why."""


def bounded(pattern: str) -> re.Pattern[str]:
    """Compile an expression that matches in bounded time. Raises PatternError.

    >>> bounded("VGR[0-9]{6}").fullmatch("VGR104233") is not None
    True
    >>> bounded("(a+)+b")
    Traceback (most recent call last):
    gateway.station.patterns.PatternError: '(a+)+b': a repetition within a repetition may take for ever ...
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"{pattern[:40]!r}...: longer than {MAX_PATTERN} characters")
    try:
        compiled = re.compile(pattern)
        # The parser of `re` has no public name. Whatever it gives that is not known here is refused below.
        parsed = importlib.import_module("re._parser").parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{pattern!r} is no regular expression: {error}") from error
    ways = _ways_of_all(parsed, pattern)
    if ways > MAX_WAYS:
        raise PatternError(
            f"{pattern!r}: a repetition within a repetition may take for ever to match, and so may more than two "
            "of any length: give each its number of characters, as in [0-9]{1,6}"
        )
    return compiled


def matches(patterns: Iterable[re.Pattern[str]], text: str) -> bool:
    """Return whether an expression matches a text from end to end. A text over MAX_TEXT matches none."""
    return len(text) <= MAX_TEXT and any(pattern.fullmatch(text) for pattern in patterns)


def _ways_of_all(parsed: Iterable[tuple[Any, Any]], pattern: str) -> int:
    """Bound the number of ways in which a sequence can match a text of MAX_TEXT characters."""
    ways = 1
    for operation, argument in parsed:
        ways = min(ways * _ways(str(operation), argument, pattern), MAX_WAYS + 1)
    return ways


def _ways(operation: str, argument: Any, pattern: str) -> int:  # noqa: ANN401 - a node of re's own tree
    if operation in _LITERALS:
        return 1
    if operation == "SUBPATTERN":
        return _ways_of_all(argument[-1], pattern)
    if operation == "BRANCH":
        return sum(_ways_of_all(branch, pattern) for branch in argument[1])
    if operation in _REPEATS:
        least, most, inner = argument
        once = _ways_of_all(inner, pattern)
        turns = range(min(int(least), MAX_TEXT), min(int(most), MAX_TEXT) + 1)
        if once == 1:
            return len(turns)
        ways: int = sum(once**turn for turn in turns)
        return min(ways, MAX_WAYS + 1)
    raise PatternError(
        f"{pattern!r}: only characters, sets, groups, alternatives and repetitions may stand in it, "
        f"not {operation.lower().replace('_', ' ')}"
    )
