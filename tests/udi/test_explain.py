"""Labels in plain words."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.udi import decode
from gateway.udi.explain import distance, explain
from gateway.udi.notation import characters

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-21", "today"),
        ("2026-11-22", "tomorrow"),
        ("2026-11-20", "yesterday"),
        ("2027-01-20", "in 60 days"),
        ("2027-01-21", "in 2 months"),
        ("2028-06-30", "in 19 months"),
        ("2028-06-20", "in 18 months"),
        ("2029-11-21", "in 36 months"),
        ("2029-12-21", "in 3 years"),
        ("2026-09-22", "60 days ago"),
        ("2025-11-21", "12 months ago"),
        ("2011-12-12", "14 years ago"),
    ],
)
def test_distance(day: str, said: str) -> None:
    assert distance(date.fromisoformat(day), TODAY) == said


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        # GS1 General Specifications 3; ANSI/HIBC 2.6; ISBT 128 ST-001; specification UDI 2.5 of IFA
        (
            "(01)18717648200271(11)260101(17)280630(10)A(21)7(8012)1.2(91)X(4309)1",
            [
                *("article 18717648200271, packaging level 1", "made 1 January 2026, 10 months ago"),
                *("expires 30 June 2028, in 19 months", "lot", "serial number", "software version"),
                *("internal to a company", ""),
            ],
        ),
        (
            "(01)08717648200274(7003)2806301430",
            ["article 08717648200274", "expires 30 June 2028 at 14:30, in 19 months"],
        ),
        ("(01)08717648200274(17)280231", ["article 08717648200274", "date of expiry, not readable"]),
        ("(01)08717648200275(11)281301", ["article", "date of manufacture, not readable"]),
        (
            "+A99912345/$$52001510X3/16D20111212/S77DEFG457",
            [
                *("article A99912345, packaging level 5", "expired 15 January 2020, 6 years ago", "lot"),
                *("made 12 December 2011, 14 years ago", "serial number"),
            ],
        ),
        (
            "=/A9999XYZ100T0944=,000025=>014032",
            ["article A9999XYZ100T0944", "serial number", "expired 1 February 2014, 12 years ago"],
        ),
        ("9N111234567842\x1d1TABC\x1dD281200", ["article 111234567842", "lot", "expires 31 December 2028"]),
        ("hello", []),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else None,
)
def test_explain(text: str, meanings: list[str]) -> None:
    found = [one.means for one in explain(decode(text, today=TODAY), TODAY)]
    assert len(found) == len(meanings)
    for means, expected in zip(found, meanings, strict=True):
        assert means.startswith(expected)


@given(st.text(), st.dates())
def test_any_text_is_explained(text: str, today: date) -> None:
    explain(decode(text, today=today), today)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("10A{GS}21B", "10A\x1d21B"),
        ("[)>{RS}06{GS}9N{RS}{EOT}", "[)>\x1e06\x1d9N\x1e\x04"),
        (r"10A\x1d21B\x1D", "10A\x1d21B\x1d"),
        ("{gs} {GS \\x41 \\x7f", "{gs} {GS \\x41 \\x7f"),
        ("10A\x1d21B", "10A\x1d21B"),
    ],
)
def test_notation_of_control_characters(typed: str, meant: str) -> None:
    assert characters(typed) == meant
