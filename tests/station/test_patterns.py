"""Expressions of the configuration: none may keep the daemon busy."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.station.context_settings import ORBIT, PERSONNUMMER
from gateway.station.patterns import MAX_PATTERN, MAX_TEXT, PatternError, bounded, matches

HARMLESS = [
    "VGR[0-9]{6}",
    "A*",
    r"\d{4}-\w+",
    "(?:19|20)[0-9]{6}",
    "[A-Z]{2}[0-9]{8}(-[A-Z0-9]{2,8})?",
    "(ab|cd|e)[0-9]*",
    "(?i:su)-.*",
    ".*-.*",
    "(?P<name>[a-z]+):x",
    "[0-9]{1,30}?",
    "^A[0-9]+$",
    "(?:[0-9]{2}){3}",
    ORBIT.pattern,
    PERSONNUMMER.pattern,
]
HARMFUL = [
    # each would run for minutes to ages on some text of MAX_TEXT characters
    "(a+)+b",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+b",
    "([a-z]+,?)+x",
    ".*.*.*x",
    "(?:a?){60}a{60}",
    "(.+){20}",
    "((a{1,30}){1,30}){1,30}",
]
REFUSED_FORMS = [r"(a)\1", "(?=a)a", "(?<!a)b", "(?(1)a|b)", "(", "[", "a{2,1}", "*", "A" * (MAX_PATTERN + 1)]


@pytest.mark.parametrize("pattern", HARMLESS)
def test_harmless_ones_are_taken(pattern: str) -> None:
    assert bounded(pattern).pattern == pattern


@pytest.mark.parametrize("pattern", [*HARMFUL, *REFUSED_FORMS])
def test_harmful_ones_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        bounded(pattern)


@given(st.from_regex(r"([ab.]|\[ab\]|\(a\|b\)|\(a\))([*+?]|\{1,9\})?([ab.]|\(a[*+]?\))[*+?]?[ab]?", fullmatch=True))
def test_what_is_taken_comes_to_an_end(pattern: str) -> None:
    """On the text that makes a backtracking matcher try everything: an unbounded one would not return."""
    try:
        form = bounded(pattern + "x")
    except PatternError:
        return
    assert not matches((form,), "a" * (MAX_TEXT - 1) + "y")


@pytest.mark.parametrize("length", [MAX_TEXT, MAX_TEXT + 1])
def test_a_longer_text_is_not_matched(length: int) -> None:
    assert matches((re.compile("A*"),), "A" * length) is (length <= MAX_TEXT)
