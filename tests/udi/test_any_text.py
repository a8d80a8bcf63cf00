"""No text makes the decoder raise, and what a result says of itself holds together."""

import sys
from datetime import date

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model import Decoded, Severity
from gateway.udi import decode, decode_symbols
from gateway.udi.findings import FINDINGS
from gateway.udi.personal import redact

TODAY = date(2026, 11, 21)

_ALPHABET = st.sampled_from("0123456789ABCabc+$/=&,>()[]{}^%.#?:-_ \x1d\x1e\x04\x00\ud800\u0660\uff11")
_BEGINNINGS = st.sampled_from(
    [
        "",
        "]",
        "]d2",
        "]E0",
        "]C4",
        "]Q1",
        "01",
        "(01)",
        "+",
        "+A123",
        "+$$",
        "=",
        "=/",
        "=+",
        "&,1",
        "[)>\x1e06\x1d",
        "9N",
        ".9N",
        "https://a/01/",
        "http://",
        "(9N)",
        "*+",
        "10197106724460",
        "+E260PPAUXEMO19+",
        "=>019032",
        "8030",
    ]
)
_TEXTS = st.builds(str.__add__, _BEGINNINGS, st.text(_ALPHABET | st.characters(), max_size=60))
_SYMBOLOGIES = st.none() | st.sampled_from(["]d2", "]E0", "]E4", "]I1", "]C0", "]C4", "]d1", "]Q1", "", "]", "x"])


def sound(decoded: Decoded) -> bool:
    assert msgspec.json.decode(msgspec.json.encode(decoded), type=Decoded) == decoded
    known = all(found.code in FINDINGS or found.code == "FINDINGS_CUT" for found in decoded.findings)
    errors = any(found.severity is Severity.ERROR for found in decoded.findings)
    return known and decoded.ok is not errors and decoded.complete is (decoded.device_identifier is not None)


@given(text=_TEXTS, symbology=_SYMBOLOGIES)
@example(text="]", symbology=None)
@example(text="\ud800", symbology="]d2")
@example(text="\x00", symbology=None)
@example(text="\u0661" * 14, symbology=None)
def test_decode_never_raises(text: str, symbology: str | None) -> None:
    assert sound(decode(text, symbology, today=TODAY))


@given(symbols=st.lists(st.tuples(_TEXTS, _SYMBOLOGIES), max_size=4))
def test_decode_symbols_never_raises(symbols: list[tuple[str, str | None]]) -> None:
    assert sound(decode_symbols(symbols, today=TODAY))


@pytest.mark.parametrize(
    "text",
    [
        "0" * 1_000_000,
        "\x1d" * 1_000_000,
        "(" * 1_000_000,
        "(10)" * 250_000,
        "https://a/" + "01/" * 300_000,
        "+" * 1_000_000,
        "8018" * 250_000,
        "10A\x1d" * 250_000,
        "https://a/?" + "8018=&" * 160_000,
    ],
    ids=lambda text: f"{text[:12]!a} x {len(text)}",
)
def test_a_million_characters_are_an_ordinary_input(text: str) -> None:
    assert sound(decode(text, today=TODAY))
    redact(text, None)


@pytest.mark.parametrize(
    ("beginning", "unit"),
    [
        *(("]d2", unit) for unit in ["10A\x1d", "\x1d\x1d", "89", "10A17261231", "3103", "9910"]),
        ("", "(10)A"),
        ("", "("),
        ("+A99912345/$A", "/S1"),
        ("+A99912345/$A", "/$$3200915L"),
        ("=/A9999XYZ100T0944", "=,000012"),
        ("[)>\x1e06\x1d", "1TA\x1d"),
        ("https://a/01/09520123456788", "/10/A"),
        ("https://a/01/09520123456788?", "99=A&"),
        ("https://a/01/09520123456788/10/", "%2F"),
    ],
)
def test_work_grows_with_length_only(beginning: str, unit: str) -> None:
    """Twice the text costs twice the calls, not four times: counted, not timed."""
    short, long = (beginning + unit * (size // len(unit)) for size in (1_600, 3_200))
    assert calls(long) < 2.6 * calls(short)


def calls(text: str) -> int:
    decode(text, today=TODAY)  # what is made once, when an AI is first met, does not count
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(profile)
    try:
        decode(text, today=TODAY)
        redact(text, None)
    finally:
        sys.setprofile(previous)
    return count


@given(
    st.permutations(["bad", "17", "10", "21", "11"]),
    st.sampled_from(["3103ABCDEF", "8008999999", "422000", "890000", "12000000", "7003991399", "8012"]),
)
def test_one_bad_element_hides_no_other(order: list[str], bad: str) -> None:
    good = {"17": "17280630", "10": "10L-1", "21": "21S/1", "11": "11260101", "bad": bad}
    decoded = decode("0108717648200274" + "\x1d".join(good[key] for key in order), "]d2", today=TODAY)
    assert not decoded.ok
    assert decoded.device_identifier == "08717648200274"
    assert (decoded.lot_number, decoded.serial_number) == ("L-1", "S/1")
    assert (decoded.expiration_date, decoded.manufacture_date) == ("2028-06-30", "2026-01-01")
