"""GS1 labels in every form a scanner or a hand delivers them."""

import sys
from datetime import date

import pytest

from gateway.model import Decoded, Issuer, Precision, Severity
from gateway.udi import decode, decode_symbols, gs1_ai, gs1_rules
from gateway.udi.checks import has_gs1_check_digit
from gateway.udi.label import MAX_FINDINGS

TODAY = date(2026, 11, 21)
GS = "\x1d"


def codes(decoded: Decoded) -> list[str]:
    return [found.code for found in decoded.findings]


@pytest.mark.parametrize(
    ("text", "symbology", "di", "lot", "serial", "expiry"),
    [
        # GS1 General Specifications 3 and the event example of the MQTT documentation
        ("010871764820027417280630101234567A", "]d2", "08717648200274", "1234567A", None, "2028-06-30"),
        ("]d2010871764820027417280630101234567A", None, "08717648200274", "1234567A", None, "2028-06-30"),
        ("010871764820027417280630101234567A", None, "08717648200274", "1234567A", None, "2028-06-30"),
        (f"010406223417459510K010034{GS}1722031521A1", "]C1", "04062234174595", "K010034", "A1", "2022-03-15"),
        # one separator behind a predefined length is tolerated (GenSpecs 7.8.6.3)
        (f"0108717648200274{GS}17280630{GS}10A{GS}", "]d2", "08717648200274", "A", None, "2028-06-30"),
        # day 00 is the month's last (GenSpecs 3.4)
        ("010871764820027417260200", "]d2", "08717648200274", None, None, "2026-02-28"),
        ("010871764820027417280200", "]d2", "08717648200274", None, None, "2028-02-29"),
        # typed by hand
        ("(01)08717648200274(17)280630(10)AB(C)D", None, "08717648200274", "AB(C)D", None, "2028-06-30"),
        ("(10)12345\\(11)991225(01)08717648200274", None, "08717648200274", "12345(11)991225", None, None),
        (" (01) 08717648200274 (10)A", None, "08717648200274", "A", None, None),
        # Digital Link
        (
            "https://id.gs1.org/01/09520123456788/10/ABC1/21/12?17=280426",
            "]Q1",
            "09520123456788",
            "ABC1",
            "12",
            "2028-04-26",
        ),
        ("https://example.com/a/01/9520123456788/10/A%2FB", None, "09520123456788", "A/B", None, None),
        # symbols with a GTIN only
        ("4006381333931", "]E0", "04006381333931", None, None, None),
        ("614141000036", "]E0", "00614141000036", None, None, None),
        ("01234565", "]E0", "00012345000065", None, None, None),
        ("02345673", "]E4", "00000002345673", None, None, None),
        ("15012345678907", "]I1", "15012345678907", None, None, None),
        ("4006381333931", None, "04006381333931", None, None, None),
        (f"2112345678900|]e010COMP{GS}21X", "]E0", "02112345678900", "COMP", "X", None),
    ],
)
def test_reads(
    text: str, symbology: str | None, di: str, lot: str | None, serial: str | None, expiry: str | None
) -> None:
    decoded = decode(text, symbology, today=TODAY)
    assert decoded.ok, decoded.findings
    assert decoded.complete
    assert decoded.issuer is Issuer.GS1
    assert (decoded.device_identifier, decoded.lot_number, decoded.serial_number) == (di, lot, serial)
    assert decoded.expiration_date == expiry


@pytest.mark.parametrize(
    ("yymmdd", "year"),
    [("770101", 1977), ("760101", 2076), ("261121", 2026), ("990101", 1999), ("000101", 2000)],
)
def test_century_is_a_sliding_window(yymmdd: str, year: int) -> None:
    """GS1 General Specifications 7.12, seen from 2026: 51 years ahead is the past."""
    decoded = decode(f"0108717648200274{'17'}{yymmdd}", "]d2", today=TODAY)
    assert decoded.expiration_date is not None
    assert decoded.expiration_date.startswith(str(year))


@pytest.mark.parametrize(
    ("text", "code", "element", "di", "lot", "expiry"),
    [
        # one bad field hides no other
        ("01087176482002751728063010L1", "GS1_CHECK_DIGIT", "01", "08717648200275", "L1", "2028-06-30"),
        ("01087176482002741700000010L1", "GS1_DATE", "17", "08717648200274", "L1", None),
        ("01087176482002741728023010L1", "GS1_DATE", "17", "08717648200274", "L1", None),
        (f"0108717648200274{GS}10A~B{GS}17280630", "GS1_CHARACTER", "10", "08717648200274", "A~B", "2028-06-30"),
        ("0108717648200274172806", "GS1_LENGTH", "17", "08717648200274", None, None),
        (f"01087176482002{GS}10L1", "GS1_LENGTH", "01", None, "L1", None),
        (f"0108717648200274891234{GS}10L1", "GS1_UNKNOWN_AI", None, "08717648200274", "L1", None),
        ("0108717648200274105", "", None, "08717648200274", "5", None),
        (f"10L1{GS}{GS}0108717648200274", "GS1_SEPARATOR", None, "08717648200274", "L1", None),
        (f"{GS}010871764820027410L1", "GS1_SEPARATOR", None, "08717648200274", "L1", None),
        (f"0108717648200274{GS}10{GS}17280630", "GS1_LENGTH", "10", "08717648200274", None, "2028-06-30"),
        # digits of other scripts are no digits
        ("(01)08717648200274(17)28063\u0660", "GS1_CHARACTER", "17", "08717648200274", None, None),
        # jodal/biip issue 247: a date of zeros on a real label
        ("019906600092731431030078881500000010215359", "GS1_DATE", "15", "99066000927314", "215359", None),
    ],
)
def test_bad_field_hides_no_other(
    text: str, code: str, element: str | None, di: str | None, lot: str | None, expiry: str | None
) -> None:
    decoded = decode(text, None if text.startswith("(") else "]d2", today=TODAY)
    assert [(found.code, found.element) for found in decoded.findings] == ([(code, element)] if code else [])
    assert (decoded.device_identifier, decoded.lot_number, decoded.expiration_date) == (di, lot, expiry)
    assert decoded.ok is not any(found.severity is Severity.ERROR for found in decoded.findings)


@pytest.mark.parametrize(
    ("text", "symbology", "complete", "expected"),
    [
        ("", None, False, ["EMPTY"]),
        ("]", None, False, ["UNRECOGNISED"]),
        ("]d2", None, False, ["EMPTY"]),
        ("TESTING", "]d1", False, ["NOT_UDI"]),
        # the composite component's own troubles are told
        (f"4006381333931|]e010A{GS}8912", "]E0", True, ["GS1_UNKNOWN_AI"]),
        # a carton's own number, and a GTIN-14 whose check digit is wrong
        ("123457", "]I1", False, ["NOT_UDI"]),
        ("15012345678900", "]I1", True, ["GS1_CHECK_DIGIT"]),
        ("hello", None, False, ["UNRECOGNISED"]),
        ("0" * 7090, None, False, ["TEXT_TOO_LONG"]),
        ("4006381333930", "]E0", True, ["GS1_CHECK_DIGIT"]),
        ("400638133393", "]E4", False, ["GS1_GTIN_FORM"]),
        # a GTIN-14 and no SSCC; a GTIN-13 and customer order 6381333931 as well
        ("00614141000036", None, True, []),
        ("4006381333931", None, True, ["AMBIGUOUS"]),
        # the AIM identifier is given beside the text and in it
        ("]d20108717648200274", "]d2", True, []),
        # a GTIN and a date behind a lost separator, a date that no label of today has, one that is none
        ("0108717648200274211234010871764820027", "]d2", True, []),
        ("2112345010871764820027410X", "]d2", False, ["GS1_LENGTH", "GS1_LOST_SEPARATOR"]),
        ("010871764820027410ABC17761231", "]d2", True, []),
        ("01087176482002741728063010ABC17261231", "]d2", True, []),
        ("010871764820027410ABC17269931", "]d2", True, []),
        ("010871764820027470032806302400", "]d2", True, ["GS1_TIME"]),
        # a GTIN-14, and lot 197106724460 as well
        ("10197106724460", None, True, ["AMBIGUOUS"]),
        # the content of a logistic unit is not the item
        ("00123456789012345675020871764820027437 5".replace(" ", ""), "]C1", False, ["GS1_LOGISTIC_CONTENT"]),
        ("8006087176482002740102", "]d2", True, ["GS1_PIECE"]),
        ("0308717648200274", "]d2", True, ["GS1_MADE_TO_ORDER"]),
        ("0102112345678900", "]d2", True, ["GS1_RESTRICTED_CIRCULATION"]),
        # a lot that may be one of 13 characters: never split by guess
        ("010871764820027410ABC17261231", "]d2", True, ["GS1_LOST_SEPARATOR"]),
        ("https://a/NOPRIMARYAI", "]Q1", False, ["GS1_LINK_NO_KEY"]),
        ("https://id.gs1.org/DBHKVAdpQgqrCg", None, False, ["GS1_LINK_COMPRESSED"]),
        ("https://a/01/09520123456788/99/ABC", None, True, ["GS1_LINK_ORDER"]),
        ("https://a/01/09520123456788?21=A", None, True, ["GS1_LINK_ATTRIBUTE"]),
        ("https://a/01/09520123456788/10/A?10=A", None, True, ["GS1_LINK_REPEATED", "GS1_LINK_ATTRIBUTE"]),
        ("https:///01/09520123456788", None, True, ["GS1_LINK_FORM"]),
        ("https://a/01/09520123456788/10/A%2", None, True, ["GS1_LINK_FORM"]),
        ("https://a/01/09520123456788?linkType=all", None, True, ["GS1_LINK_EXTENSION"]),
        ("(1A)12345", None, False, ["GS1_HRI"]),
        ("(89)ABC", None, False, ["GS1_UNKNOWN_AI"]),
        # two values for one AI, on one symbol
        (f"010871764820027410A{GS}10B", "]d2", True, ["GS1_AI_REPEATED"]),
        (f"010871764820027410A{GS}10A", "]d2", True, []),
        ("0108717648200274375", "]d2", True, ["GS1_AI_EXCLUDED", "GS1_AI_REQUIRED"]),
    ],
)
def test_findings(text: str, symbology: str | None, complete: bool, expected: list[str]) -> None:  # noqa: FBT001 - a column of the table
    decoded = decode(text, symbology, today=TODAY)
    assert codes(decoded) == expected
    assert decoded.complete is complete


def test_unread_rest_is_told_by_position_and_length() -> None:
    decoded = decode(f"01087176482002748912SECRET{GS}10L1", "]d2", today=TODAY)
    [found] = decoded.findings
    assert "position 17" in found.message
    assert "10 characters" in found.message
    assert "SECRET" not in found.message


def test_exact_expiry_of_ai_7003() -> None:
    decoded = decode(f"010871764820027470032806301445{GS}17280630", "]d2", today=TODAY)
    assert (decoded.expiration_date, decoded.expiration_precision) == ("2028-06-30T14:45", Precision.MINUTE)
    decoded = decode(f"010871764820027470032806301445{GS}17280629", "]d2", today=TODAY)
    assert codes(decoded) == ["GS1_DATES_DISAGREE"]


def test_month_precision() -> None:
    decoded = decode("01087176482002741128020017280600", "]d2", today=TODAY)
    assert (decoded.manufacture_date, decoded.manufacture_precision) == ("2028-02-29", Precision.MONTH)
    assert (decoded.expiration_date, decoded.expiration_precision) == ("2028-06-30", Precision.MONTH)


@pytest.mark.parametrize(
    ("gtin", "level"), [("08717648200274", None), ("18717648200271", 1), ("98717648200277", 9)]
)
def test_package_level_is_the_indicator(gtin: str, level: int | None) -> None:
    assert decode(f"01{gtin}", "]d2", today=TODAY).package_level == level


def test_extra_elements_are_kept() -> None:
    decoded = decode(f"01087176482002743012{GS}8012v2.1{GS}240REF-1{GS}", "]d2", today=TODAY)
    assert decoded.quantity == 12
    assert decoded.software_version == "v2.1"
    assert decoded.elements == (("01", "08717648200274"), ("30", "12"), ("8012", "v2.1"), ("240", "REF-1"))
    assert decoded.hri == "(01)08717648200274(30)12(8012)v2.1(240)REF-1"


def test_source_form_of_a_gtin_is_kept() -> None:
    decoded = decode("4006381333931", "]E0", today=TODAY)
    assert decoded.elements == (("01", "4006381333931"),)
    assert decoded.hri == "(01)04006381333931"


def test_requirements_are_judged_over_all_symbols() -> None:
    primary, secondary = ("0108717648200274", "]C1"), ("10L1\x1d17280630", "]C1")
    assert codes(decode(*secondary, today=TODAY)) == []
    assert codes(decode_symbols([secondary], today=TODAY)) == ["GS1_AI_REQUIRED", "GS1_AI_REQUIRED"]
    both = decode_symbols([primary, secondary], today=TODAY)
    assert (both.ok, both.complete, both.lot_number) == (True, True, "L1")
    assert both.hri == "(01)08717648200274(10)L1(17)280630"


@pytest.mark.parametrize(
    ("digits", "gtin"),
    [
        # GS1 General Specifications 5.2.2.4.2: one row per last digit of the six
        ("123450", "012000003455"),
        ("123451", "012100003454"),
        ("123452", "012200003453"),
        ("123453", "012300000451"),
        ("123454", "012340000053"),
        ("123455", "012345000058"),
        ("123459", "012345000096"),
        ("01234531", "012300000451"),
        ("934565", "093456000052"),
        ("40123455", "40123455"),
    ],
)
def test_upc_e_expands(digits: str, gtin: str) -> None:
    assert has_gs1_check_digit(gtin)
    assert decode(digits, "]E0", today=TODAY).device_identifier == gtin.zfill(14)


def test_garbage_does_not_make_a_list_without_end() -> None:
    decoded = decode(f"89{GS}" * 200, "]d2", today=TODAY)
    assert len(decoded.findings) == MAX_FINDINGS + 1
    assert codes(decoded)[-1] == "FINDINGS_CUT"
    assert not decoded.ok


@pytest.mark.parametrize(
    ("text", "symbology", "elements", "findings"),
    [
        # GenSpecs 4.14: brackets belong to the printed text only; printers encode them all the same
        (
            "(01)08031527012711(11)150317(17)161017(21)449BY0F1",
            "]C1",
            [("01", "08031527012711"), ("11", "150317"), ("17", "161017"), ("21", "449BY0F1")],
            ["GS1_BRACKETS"],
        ),
        ("(01)08031527012711(10)A", "]d2", [("01", "08031527012711"), ("10", "A")], ["GS1_BRACKETS"]),
        ("(01)08031527012711(10)A", "]C0", [("01", "08031527012711"), ("10", "A")], ["GS1_BRACKETS"]),
        ("(01)08031527012711(10)A", None, [("01", "08031527012711"), ("10", "A")], []),
        # GenSpecs 7.8.5: an element that begins with 14 has 8 characters, though no AI 14 is assigned
        (
            "01095200010001021426010110ABC",
            "]d2",
            [("01", "09520001000102"), ("10", "ABC")],
            ["GS1_UNKNOWN_AI"],
        ),
        # GenSpecs 3.9.11: the serial number of a component or part does not begin with 0
        ("(8010)1234567890(8011)0", None, [("8010", "1234567890"), ("8011", "0")], ["GS1_VALUE"]),
        ("https://id.gs1.org/01/09520001000102/", None, [("01", "09520001000102")], []),
        ("https://id.gs1.org/01/09520001000102/10/", None, [("01", "09520001000102"), ("10", "")], ["GS1_LENGTH"]),
    ],
)
def test_what_printers_and_resolvers_make_of_a_label(
    text: str, symbology: str | None, elements: list[tuple[str, str]], findings: list[str]
) -> None:
    decoded = decode(text, symbology, today=TODAY)
    assert list(decoded.elements) == elements
    assert [found.code for found in decoded.findings] == findings


@pytest.mark.parametrize(
    ("value", "suspected"),
    [
        ("ABC(71)280630", True),  # two digits changed places
        ("ABC(17280630", True),  # the closing bracket is missing
        ("ABC17)280630", True),  # the opening one
        ("ABC(l7)280630", True),  # a letter for a digit
        ("ABC(I0)7", True),
        ("AB(C)D", False),
        ("A(1)B", False),  # no AI has one digit
        ("AB(71)", False),  # nothing stands behind it
        ("AB(12-3)X", False),
        (r"A\(71)28", False),  # a bracket that was meant
    ],
)
def test_a_mistyped_ai_is_suspected(value: str, suspected: bool) -> None:  # noqa: FBT001 - a column of the table
    """GenSpecs 4.14 lets a value hold brackets: a typed AI that is none cannot be told from one, only suspected."""
    decoded = decode(f"(01)09520001000102(10){value}", today=TODAY)
    assert [found.code for found in decoded.findings] == ["GS1_LOST_SEPARATOR"] * suspected
    assert decoded.lot_number == value.replace("\\(", "(")


def test_association_rules_take_linear_time() -> None:
    """Twice as many AIs on one item take no more than some twice the calls; they would be four times as many."""
    sizes = (100, 200, 400)
    calls = [_calls_to_judge(sizes_of) for sizes_of in sizes]
    assert calls[2] < 3 * calls[1] < 9 * calls[0]


def _calls_to_judge(number: int) -> int:
    pairs = [(ai, "1") for ai in gs1_ai.assigned()[:number]]
    gs1_rules.judge(pairs, whole=True)  # what is read once of the table is read now
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        gs1_rules.judge(pairs, whole=True)
    finally:
        sys.setprofile(before)
    return calls
