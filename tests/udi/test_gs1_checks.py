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


RIGHT_AND_WRONG = {
    "csum": ("01", "08717648200274", "08717648200275", "GS1_CHECK_DIGIT"),
    "csumalpha": ("8013", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310c2L", "GS1_CHECK_PAIR"),
    "gcp1": ("401", "1234AB", "123AB", "GS1_VALUE"),
    "gcp2": ("00", "123456789012345675", "12345678901234567A", "GS1_CHARACTER"),
    "yymmd0": ("17", "260200", "260230", "GS1_DATE"),
    "yymmdd": ("7006", "260228", "260200", "GS1_DATE"),
    "yyyymmdd": ("7250", "19800229", "19810229", "GS1_DATE"),
    "hh": ("8008", "26022823", "26022824", "GS1_TIME"),
    "mi": ("8008", "2602282359", "2602282360", "GS1_TIME"),
    "ss": ("8008", "260228235959", "260228235960", "GS1_TIME"),
    "hhmi": ("7003", "2602282359", "2602282400", "GS1_TIME"),
    "iso3166": ("422", "752", "753", "GS1_VALUE"),
    "iso3166999": ("7030", "999ABC", "998ABC", "GS1_VALUE"),
    "iso3166alpha2": ("4307", "SE", "XX", "GS1_VALUE"),
    "iso4217": ("3910", "7521", "7501", "GS1_VALUE"),
    "iso5218": ("7252", "9", "3", "GS1_VALUE"),
    "pcenc": ("4300", "A%20B", "A%2", "GS1_VALUE"),
    "yesno": ("4321", "1", "2", "GS1_VALUE"),
    "winding": ("8001", "12341234512391", "12341234512321", "GS1_VALUE"),
    "zero": ("8003", "01234567890128", "11234567890128", "GS1_VALUE"),
    "nonzero": ("8001", "00010000100111", "00000000100111", "GS1_VALUE"),
    "nozeroprefix": ("8011", "10", "01", "GS1_VALUE"),
    "hyphen": ("4330", "000123-", "000123+", "GS1_VALUE"),
    "hasnondigit": ("8014", "1987654Ad4X4bL5ttr2310c2K", "12345678", "GS1_VALUE"),
    "pieceoftotal": ("8006", "087176482002740202", "087176482002740302", "GS1_VALUE"),
    "posinseqslash": ("7258", "1/2", "2/1", "GS1_VALUE"),
    "importeridx": ("7040", "1ABC", "1AB=", "GS1_VALUE"),
    "mediatype": ("7241", "80", "11", "GS1_VALUE"),
    "latitude": ("4309", "18000000003600000000", "18000000010000000000", "GS1_VALUE"),
    "longitude": ("4309", "00000000003600000000", "00000000003600000001", "GS1_VALUE"),
    "iban": ("8007", "DE89370400440532013000", "DE88370400440532013000", "GS1_VALUE"),
    "packagetype": ("7041", "BX", "bx", "GS1_VALUE"),
    "couponcode": ("8110", "012345612345611110123", "01234561234561111", "GS1_VALUE"),
    "couponposoffer": ("8112", "001234561234560123456", "201234561234560123456", "GS1_VALUE"),
    "padding": ("8030", "AB=", "A=B", "GS1_VALUE"),
}
"""Named check -> an AI that has it, a right value, a wrong one, and what is found in that."""


@pytest.mark.parametrize(("ai", "right", "wrong", "code"), RIGHT_AND_WRONG.values(), ids=RIGHT_AND_WRONG)
def test_each_check(ai: str, right: str, wrong: str, code: str) -> None:
    entry = gs1_ai.lookup(ai)
    assert entry is not None
    assert list(gs1_checks.problems(entry, right, TODAY)) == []
    assert code in [found for found, _ in gs1_checks.problems(entry, wrong, TODAY)]


def test_each_check_has_its_example() -> None:
    used = {name for ai in gs1_ai.assigned() for part in _components(ai) for name in part.checks}
    assert used | {"padding"} == RIGHT_AND_WRONG.keys()


def _components(ai: str) -> tuple[gs1_ai.Component, ...]:
    entry = gs1_ai.lookup(ai)
    return entry.components if entry else ()


@pytest.mark.parametrize(
    ("ai", "value"),
    [("8007", "DE8937040"), ("8007", "XX89370400440532013000"), ("8013", "AB"), ("8013", "12"), ("7258", "A/1")],
)
def test_too_short_or_of_another_form(ai: str, value: str) -> None:
    assert not gs1_checks.is_right(ai, value, TODAY)
