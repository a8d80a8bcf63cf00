"""Nothing of a person survives redaction, in any form of GS1 data."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.udi.checks import gs1_check_digit
from gateway.udi.personal import PERSONAL_AIS, redact

GS = "\x1d"
GSRN = "123456789012345675"


@pytest.mark.parametrize(
    ("text", "symbology", "expected"),
    [
        # nothing personal: unchanged to the last character
        ("0108717648200274", "]d2", "0108717648200274"),
        (f"{GS}0108717648200274{GS}{GS}10A{GS}", "]d2", f"{GS}0108717648200274{GS}{GS}10A{GS}"),
        ("(01)08717648200274 (10)A", None, "(01)08717648200274 (10)A"),
        ("https://a/01/09520123456788?17=280630&", "]Q1", "https://a/01/09520123456788?17=280630&"),
        ("https://a/b?x=y#z", "]Q1", "https://a/b?x=y#z"),  # a web address without a GS1 key is no Digital Link
        # an Italian GTIN begins with 801 too
        ("8018759000008", "]E0", "8018759000008"),
        ("80187590000088", None, "80187590000088"),
        # element strings
        (f"8018{GSRN}", "]d2", ""),
        (f"]d28018{GSRN}", None, "]d2"),
        (f"8018{GSRN}{GS}801912{GS}10A", "]d2", "10A"),
        (f"010871764820027410A{GS}7253Berg{GS}7254Eva{GS}17280630", "]d2", f"010871764820027410A{GS}17280630"),
        # malformed: too short, too long, wrong check digit
        (f"80181234{GS}10A", "]d2", "10A"),
        (f"8018{GSRN}10A{GS}17280630", "]d2", "17280630"),
        (f"8018123456789012345670{GS}10A", None, "10A"),
        # a lost separator
        (f"010871764820027410ABC8018{GSRN}XYZ{GS}17280630", "]d2", f"010871764820027410ABC{GS}17280630"),
        # out of step: one digit of the GTIN is missing
        (f"01087176482002748018{GSRN}"[:15] + f"8018{GSRN}", "]d2", "010871764820027"),
        # not GS1 at all: the number is cut off, with what follows
        (f"+A99912345/$8010=8018={GSRN}X", None, "+A99912345/$8010="),
        # taken out, one lays the next bare
        (f"8018{GSRN}{GS}(7253)Berg(10)A", None, "(10)A"),
        # typed
        (f"(01)08717648200274(8018){GSRN}(10)A", None, "(01)08717648200274(10)A"),
        (f"(10)ABC8018{GSRN}(17)280630", None, "(10)ABC(17)280630"),
        ("(7256)Eva Berg", None, ""),
        # Digital Link
        (f"https://id.gs1.org/8018/{GSRN}/8019/12", "]Q1", "https://id.gs1.org"),
        (f"https://id.gs1.org/%38018/{GSRN}", "]Q1", "https://id.gs1.org"),
        (
            f"https://id.gs1.org/01/09520123456788?8017={GSRN}&17=280630",
            None,
            "https://id.gs1.org/01/09520123456788?17=280630",
        ),
        (
            "https://id.gs1.org/01/09520123456788/21/8018?17=280630",
            None,
            "https://id.gs1.org/01/09520123456788/21/8018?17=280630",
        ),
        (f"https://id.gs1.org/01/09520123456788#8018/{GSRN}", None, "https://id.gs1.org/01/09520123456788"),
        (f"https://a/b#8018/{GSRN}", None, "https://a/b"),
        # what is not of GS1 in a Digital Link may be anything
        ("https://a/01/09520123456788?17=280630#Eva", "]Q1", "https://a/01/09520123456788?17=280630"),
        (
            "https://a/01/09520123456788?name=Eva&17=280630&linkType=all",
            None,
            "https://a/01/09520123456788?17=280630",
        ),
        ("https://Eva:Berg@a/01/09520123456788/10/L", None, "https://a/01/09520123456788/10/L"),
        ("https://a/Eva/Berg/01/09520123456788/10/L", None, "https://a/01/09520123456788/10/L"),
        ("https://a/Eva/01/09520123456788/10/L", None, "https://a/01/09520123456788/10/L"),
        # no GS1 data by its symbology, and yet
        (f"PATIENT 8018{GSRN}", "]d1", "PATIENT "),
        (f"4006381333931|]e08018{GSRN}{GS}10A", "]E0", "4006381333931|]e010A"),
    ],
)
def test_redact(text: str, symbology: str | None, expected: str) -> None:
    assert redact(text, symbology) == (expected, text != expected)


@st.composite
def gsrns(draw: st.DrawFn) -> str:
    digits = draw(st.text("123456789", min_size=17, max_size=17))
    return digits + str(gs1_check_digit(digits))


_ANY = st.text(st.characters() | st.sampled_from("01728]d(){}/?&#=%" + GS), max_size=40)
_SYMBOLOGIES = st.sampled_from([None, "]d2", "]C1", "]d1", "]Q1", "]C0", "]E0"])


@given(gsrn=gsrns(), ai=st.sampled_from(["8017", "8018"]), before=_ANY, after=_ANY, symbology=_SYMBOLOGIES)
@example(gsrn=GSRN, ai="8018", before="010871764820027410LOT", after="", symbology="]d2")
def test_no_planted_gsrn_survives_behind_a_separator(
    gsrn: str, ai: str, before: str, after: str, symbology: str | None
) -> None:
    assume(gsrn not in before + after)
    text = f"{before}{GS}{ai}{gsrn}{GS}{after}"
    if symbology == "]E0":
        text = f"4006381333931|]e0{text}"
    elif symbology == "]Q1":
        text = f"https://a/01/09520123456788/{ai}/{gsrn}?99={ai}{gsrn}&{ai}={gsrn}"
    elif symbology is None:
        text = f"(01)08717648200274(10)A{ai}{gsrn}({ai}){gsrn}(21){GS}{ai}{gsrn}"
    cleaned, removed = redact(text, symbology)
    assert gsrn not in cleaned
    assert removed


@given(text=_ANY, symbology=_SYMBOLOGIES)
@example(text=f"8018{GSRN}]d28018{GSRN}", symbology=None)
def test_redacting_twice_changes_nothing(text: str, symbology: str | None) -> None:
    cleaned, removed = redact(text, symbology)
    assert redact(cleaned, symbology) == (cleaned, False)
    assert removed is (cleaned != text)


@given(
    parts=st.lists(
        st.sampled_from(
            ["0108717648200274", "10A", "17280630", "3103000123", "21S", "99X", "8018", "7253Berg", "43021"]
        )
        | gsrns().map(lambda gsrn: f"8018{gsrn}")
        | st.sampled_from(sorted(PERSONAL_AIS)),
        max_size=8,
    ),
    separator=st.sampled_from(["", GS]),
)
def test_redacting_elements_twice_changes_nothing(parts: list[str], separator: str) -> None:
    cleaned, _ = redact(separator.join(parts), "]d2")
    assert redact(cleaned, "]d2") == (cleaned, False)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        # ICCBBA ST-001: donor, staff, patient's date of birth, patient's number; product code and DIN stay
        ("=A99991712345600=;A9997123456789012345A", "=A99991712345600"),
        ("=/A9997AB3456T0123='A99991234567890=,000012", "=/A9997AB3456T0123=,000012"),
        ("=/A9997AB3456T0123&#1912121212126", "=/A9997AB3456T0123"),
        ("=/A9997AB3456T0123=#19121212", "=/A9997AB3456T0123"),
        ("=/A9997AB3456T0123=,000012", "=/A9997AB3456T0123=,000012"),
    ],
)
def test_structures_of_isbt_128_that_name_a_person_go(text: str, kept: str) -> None:
    assert redact(text, None) == (kept, kept != text)
    assert redact(kept, None) == (kept, False)


@pytest.mark.parametrize(
    ("text", "symbology", "kept"),
    [
        (f"010871764820027499191212121212{GS}10A", "]d2", f"0108717648200274{GS}10A"),
        ("010871764820027499191212121212", None, "0108717648200274"),
        ("0108717648200274240191212121212", "]C1", "0108717648200274"),
        ("(01)08717648200274(91)191212121212(10)A", None, "(01)08717648200274(10)A"),
        ("https://a/01/08717648200274?99=191212121212&17=280630", None, "https://a/01/08717648200274?17=280630"),
        # a lot and a serial number are the label's own, and other values of these AIs, too
        ("010871764820027410191212121212", "]d2", "010871764820027410191212121212"),
        ("010871764820027421191212121212", "]d2", "010871764820027421191212121212"),
        ("010871764820027499191212121213", "]d2", "010871764820027499191212121213"),
        # alone it is no label: it is withheld as it stands
        ("99191212121212", "]d2", "99191212121212"),
        ("99191212121212", None, "99191212121212"),
    ],
)
def test_a_number_of_a_person_in_a_free_element(text: str, symbology: str | None, kept: str) -> None:
    def is_person(value: str) -> bool:
        return value == "191212121212"

    assert redact(text, symbology, is_person) == (kept, kept != text)
    assert redact(kept, symbology, is_person) == (kept, False)
