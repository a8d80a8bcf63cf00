"""The quick answer for a right element and the long one for a wrong one are the same answer."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.udi import checks, dates, gs1_ai, gs1_checks
from tests.udi.encoders import with_gs1_check_digit

TODAY = date(2026, 11, 21)
CHARSETS = {
    "N": checks.DIGITS,
    "X": checks.GS1_CSET_82,
    "Y": checks.GS1_CSET_39,
    "Z": checks.GS1_CSET_64,
}


@st.composite
def elements(draw: st.DrawFn) -> tuple[str, str]:
    """An AI and a value in its form or nearly so, with dates and check digits that are right as often as not."""
    ai = draw(st.sampled_from(gs1_ai.assigned()))
    entry = gs1_ai.lookup(ai)
    assert entry is not None
    value = ""
    for component in entry.components:
        if component.optional and draw(st.booleans()):
            break
        length = draw(st.integers(component.shortest, component.longest))
        alphabet = draw(st.sampled_from([CHARSETS[component.charset], "01", CHARSETS[component.charset]]))
        part = draw(st.text(alphabet, min_size=length, max_size=length))
        if "csum" in component.checks and draw(st.booleans()):
            part = with_gs1_check_digit(part[:-1])
        elif length == len("YYMMDD") and draw(st.booleans()):
            part = f"{draw(st.dates(date(2000, 1, 1), date(2049, 12, 31))):%y%m%d}"
        value += part
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(value)))
        value = (
            value[:place]
            + draw(st.text("0A~=\x1d\u0660%/-", max_size=2))
            + value[place + draw(st.integers(0, 1)) :]
        )
    return ai, value


@given(elements())
@example(("8030", "AB="))
@example(("8030", "A=B"))
@example(("423", "752"))
@example(("423", "7527"))
@example(("10", ""))
@example(("17", "28063\u0660"))
def test_quick_and_long_answer_agree(element: tuple[str, str]) -> None:
    ai, value = element
    entry = gs1_ai.lookup(ai)
    assert entry is not None
    assert gs1_checks.is_right(ai, value, TODAY) is (list(gs1_checks.problems(entry, value, TODAY)) == [])


@pytest.mark.parametrize("ai", ["", "05", "9", "100", "3106", "A1"])
@given(value=st.text(max_size=5))
def test_nothing_is_right_under_an_unassigned_ai(ai: str, value: str) -> None:
    assert not gs1_checks.is_right(ai, value, TODAY)


@given(st.dates(date(1970, 1, 1), date(2090, 1, 1)), st.text("0123456789", min_size=6, max_size=6))
def test_century_follows_the_day_that_is_given(today: date, text: str) -> None:
    """GenSpecs 7.12; what was read for another day is not remembered for this one."""
    found = dates.yymmdd(text, today, day_may_be_zero=True)
    if found is not None:
        assert -49 <= int(found.text[:4]) - today.year <= 50
        assert found.text[2:4] + found.text[5:7] == text[:4]
