"""Nothing of a person survives redaction, in any form of GS1 data."""

from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.udi import decode
from gateway.udi.checks import gs1_check_digit
from gateway.udi.personal import PERSONAL_AIS, Persons, is_free_of_persons, redact

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


NUMBER = "191212121212"
SIGNED = "19121212-1212"
PERSONS = Persons(may_name=lambda value: NUMBER in value or SIGNED in value, names=lambda value: SIGNED in value)
DI = "0108717648200274"


@pytest.mark.parametrize(
    ("text", "symbology", "kept"),
    [
        # what a partner or a hospital fills as it likes: a person's number in any form
        (f"{DI}99{NUMBER}{GS}10A", "]d2", f"{DI}{GS}10A"),
        (f"{DI}99{NUMBER}", None, DI),
        (f"{DI}90{SIGNED}", "]d2", DI),
        (f"{DI}91PNR:{NUMBER}{GS}10A", "]d2", f"{DI}{GS}10A"),
        (f"{DI}240{NUMBER}", "]C1", DI),
        (f"(01)08717648200274(91){NUMBER}(10)A", None, "(01)08717648200274(10)A"),
        (f"https://a/01/08717648200274?99={NUMBER}&17=280630", None, "https://a/01/08717648200274?17=280630"),
        (f"{DI}99191212121213", "]d2", f"{DI}99191212121213"),
        # a lot and a serial number are the label's own, unless they are written like a person's
        (f"{DI}10{NUMBER}", "]d2", f"{DI}10{NUMBER}"),
        (f"{DI}21{NUMBER}", "]d2", f"{DI}21{NUMBER}"),
        (f"{DI}21{SIGNED}", "]d2", DI),
        (f"{DI}10{SIGNED}{GS}17280630", "]d2", f"{DI}{GS}17280630"),
        (f"(01)08717648200274(21){SIGNED}", None, "(01)08717648200274"),
        # what has no AI may be a name
        (f"{DI}{GS}Andersson, Anna {SIGNED}", "]d2", f"{DI}{GS}"),
        (f"{DI}{GS}Andersson, Anna{GS}10A", "]d2", f"{DI}{GS}10A"),
        (f"{DI}{GS}05{SIGNED}", "]d2", f"{DI}{GS}"),
        (f"{DI}{GS}0512345", "]d2", f"{DI}{GS}0512345"),
        # alone it is no label: it is withheld as it stands
        (f"99{NUMBER}", "]d2", f"99{NUMBER}"),
        (f"99{NUMBER}", None, f"99{NUMBER}"),
        # a parameter of a Digital Link that is no assigned AI may be anything (URI syntax 1.2, 4.11)
        (f"https://a/01/08717648200274?{NUMBER}", None, "https://a/01/08717648200274"),
        ("https://a/01/08717648200274?12345=Anna&17=280630", None, "https://a/01/08717648200274?17=280630"),
        # data identifiers of category H name persons (ANSI MH10.8.2)
        (
            "[)>\x1e06\x1d9N111234567842\x1dHAnna\x1d1TA\x1e\x04",
            "]d1",
            "[)>\x1e06\x1d9N111234567842\x1d1TA\x1e\x04",
        ),
        ("[)>\x1e06\x1d9N111234567842\x1d2H123\x1e\x04", "]d1", "[)>\x1e06\x1d9N111234567842\x1e\x04"),
        (f"[)>\x1e06\x1d9N111234567842\x1dS{SIGNED}\x1e\x04", "]d1", "[)>\x1e06\x1d9N111234567842\x1e\x04"),
        ("9N111234567842\x1d15HAnna", None, "9N111234567842"),
        (".9N111234567842^5HAnna^1TA", None, ".9N111234567842^1TA"),
        ("(9N)111234567842(H)Anna(1T)A", None, "(9N)111234567842(1T)A"),
    ],
)
def test_what_names_a_person_goes(text: str, symbology: str | None, kept: str) -> None:
    assert redact(text, symbology, PERSONS) == (kept, kept != text)
    assert redact(kept, symbology, PERSONS) == (kept, False)


_PIECES = (
    *("0108717648200274", "17280630", "10A-1", "21S1", "240X", "7253Eva"),
    *(f"21{SIGNED}", f"10{NUMBER}", f"99{NUMBER}"),
)
_OTHERS = (
    *("+A99912345/$8017X", "+A123BJC5D6E71G", "4006381333931", "=/A9997AB3456T0123"),
    *(f"8018{GSRN}", f"+A123/$8018{GSRN}"),
)
_WHOLE = st.lists(st.sampled_from(_PIECES), max_size=5).map(GS.join) | st.sampled_from(_OTHERS)


@given(text=_WHOLE | _ANY, symbology=_SYMBOLOGIES)
def test_the_quick_answer_is_the_long_one(text: str, symbology: str | None) -> None:
    decoded = decode(text, symbology, today=date(2026, 11, 21))
    if is_free_of_persons(text, decoded, PERSONS):
        assert redact(text, symbology, PERSONS) == (text, False)


@pytest.mark.parametrize(
    ("text", "symbology"),
    [(f"{DI}17280630" + f"10A{GS}21S1", "]d2"), ("4006381333931", "]E0"), ("+A123BJC5D6E71G", None)],
)
def test_most_labels_get_the_quick_answer(text: str, symbology: str | None) -> None:
    assert is_free_of_persons(text, decode(text, symbology, today=date(2026, 11, 21)), PERSONS)
