"""What may go on, and of what no more than kind and length is kept."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Article, Decoded, LookUp, Match
from gateway.station.privacy import Kind, Withheld, withheld
from gateway.udi import decode
from gateway.udi.checks import gs1_check_digit, has_gs1_check_digit
from tests.outbox.events import reading

UNKNOWN = LookUp(match=Match.NONE, master_version="v")
TODAY = reading().today()


def check_digit(nine: str) -> str:
    """Modulus 10 with weights 2 and 1 over YYMMDDNNN (SKV 704, section 3), written anew for the test."""
    total = sum(sum(divmod(int(digit) * (2, 1)[index % 2], 10)) for index, digit in enumerate(nine))
    return str(-total % 10)


def guard(text: str, symbology: str | None = None, look_up: LookUp = UNKNOWN, *patterns: str) -> Withheld | None:
    """Decode the text and ask the guard."""
    decoded = decode(text, symbology, today=TODAY)
    return withheld(text, symbology, decoded, look_up, [re.compile(pattern) for pattern in patterns])


def test_some_person_numbers_are_gtins_too() -> None:
    """Found by search, so that the guard is tested with what it is there for."""
    both = [
        number
        for birth in range(100, 1000)
        if has_gs1_check_digit(number := f"19560229{birth}" + check_digit(f"560229{birth}"))
    ]
    assert 50 < len(both) < 150, "one in ten"
    for number in both[:20]:
        assert decode(number, None, today=TODAY).device_identifier == number.zfill(14)
        assert guard(number) == Withheld(kind=Kind.PERSON_NUMBER, length=12)
        assert guard(number, "]C0") == Withheld(kind=Kind.PERSON_NUMBER, length=12), "a Code 128 wristband"
        assert guard(number, "]E0") is None, "an EAN symbol can hold nothing but an article number"


KNOWN = LookUp(match=Match.DI, article=Article(article_number="A1"), master_version="v")
GTIN = "09520001000102"


@pytest.mark.parametrize(
    ("text", "symbology", "patterns", "kind"),
    [
        # labels of articles
        (f"01{GTIN}", "]d2", (), None),
        (GTIN, None, (), None),
        ("9520001000102", "]E0", (), None),
        # GS1 without a device identifier: GSRN of a patient and of a provider, SSCC, GLN
        ("801809520001000017", "]C1", (), Kind.GS1_WITHOUT_DI),
        ("414952000100004", "]C1", (), Kind.GS1_WITHOUT_DI),
        # what people type or wear
        ("hunter2", None, (), Kind.TEXT),
        ("Summer2026!", None, (), Kind.TEXT),
        ("19121212-1212", None, (), Kind.PERSON_NUMBER),
        ("19121212+1212", None, (), Kind.PERSON_NUMBER),
        ("121212-1212", None, (), Kind.PERSON_NUMBER),
        ("991981000010", None, (), Kind.PERSON_NUMBER),  # reserve numbers of digits
        ("198108320014", "]C0", (), Kind.PERSON_NUMBER),
        ("19810829M071", None, (), Kind.PERSON_NUMBER),
        # a word behind a plus sign has the form of a HIBC label, and not its check character
        ("+SOMMAR20261", None, (), Kind.TEXT),
        ("+ADMIN12345", None, (), Kind.TEXT),
        ("1212121212", None, (), Kind.PERSON_NUMBER),
        ("Anna Andersson 12/12 1912", None, (), Kind.TEXT),
        ("", None, (), Kind.TEXT),
        ("12345", "]C0", (), Kind.DIGITS),
        ("191212121212", None, (), Kind.PERSON_NUMBER),
        ("191212121212", "]A0", (), Kind.PERSON_NUMBER),
        # in a lot, a serial number or a donation of another agency; GS1 elements of that kind are redacted before
        ("+A99912345/$19121212-1212I", "]C0", (), Kind.PERSON_NUMBER),
        ("9N111234567842\x1dS19810829M071", "]d2", (), Kind.PERSON_NUMBER),
        ("&,119121212-1212", "]C0", (), Kind.PERSON_NUMBER),
        # what the station's own patterns let pass
        ("VGR104233", None, ("VGR[0-9]{6}",), None),
        ("VGR1042331", None, ("VGR[0-9]{6}",), Kind.TEXT),
        ("xVGR104233", None, ("VGR[0-9]{6}",), Kind.TEXT),
        ("VGR104233\n", None, ("VGR[0-9]{6}",), Kind.TEXT),
        ("A" * 128, None, ("A*",), None),
        ("A" * 129, None, ("A*",), Kind.TEXT),
        ("191212121212", None, ("[0-9]{12}",), Kind.PERSON_NUMBER),
        ("1212121212", None, ("[0-9]{10}",), Kind.PERSON_NUMBER),
        ("1212121213", None, ("[0-9]{10}",), None),
        ("19121212-1212", None, (".{1,40}",), Kind.PERSON_NUMBER),
        ("Anna 121212-1212", None, (".{1,40}",), Kind.PERSON_NUMBER),
        ("19810829M071", None, (".{1,40}",), Kind.PERSON_NUMBER),
        ("991981000010", None, (".{1,40}",), Kind.PERSON_NUMBER),
    ],
)
def test_guard(text: str, symbology: str | None, patterns: tuple[str, ...], kind: Kind | None) -> None:
    kept = guard(text, symbology, UNKNOWN, *patterns)
    assert kept == (None if kind is None else Withheld(kind=kind, length=len(text)))


def test_ten_digits_go_no_further() -> None:
    """A person number without its century: it may look like GS1 elements, but never has a device identifier."""
    assert guard("1912121212") is not None
    assert guard("1212121212") is not None


@pytest.mark.parametrize("text", ["191212121212", "hunter2", "1912121212"])
def test_what_the_master_knows_goes_on(text: str) -> None:
    assert guard(text, None, KNOWN) is None


@given(st.text(max_size=40))
def test_nothing_of_the_text_is_kept(text: str) -> None:
    kept = guard(text)
    if kept is not None:
        assert {field: getattr(kept, field) for field in kept.__struct_fields__} == {
            "kind": kept.kind,
            "length": len(text),
        }


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzåäö 0123456789.,!-", min_size=1, max_size=30))
def test_typed_words_never_go_on(text: str) -> None:
    """Unless they happen to be a GTIN with a right check digit, or a date and another element of a label."""
    decoded = decode(text, None, today=TODAY)
    if decoded.device_identifier is None and len(decoded.elements) < 2:
        assert guard(text) is not None


def test_check_digits_of_the_table() -> None:
    assert GTIN[-1] == str(gs1_check_digit(GTIN[:-1]))


def test_the_decoding_decides_not_the_text() -> None:
    """A device identifier of any agency passes."""
    decoded = Decoded(ok=True, device_identifier="A99912345", complete=True)
    assert withheld("anything", None, decoded, UNKNOWN) is None
