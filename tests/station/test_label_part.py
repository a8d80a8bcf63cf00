"""The second symbol of a label, told from wristbands, logistic labels and typed text."""

from datetime import date

import pytest

from gateway.model import LookUp, Match
from gateway.station.assets import asset_of
from gateway.station.label_part import is_label_part
from gateway.station.privacy import Kind, Withheld, withheld
from gateway.udi import decode

UNKNOWN = LookUp(match=Match.NONE, master_version="v")
GSRN = "952000000000000019"

CASES: list[tuple[str, str | None, bool, str]] = [
    # GS1: production identifiers in a symbol of their own (GS1 General Specifications, section 3)
    ("10ABC123", "]C1", True, "lot"),
    ("17261231" + "10ABC123", "]C1", True, "expiry and lot"),
    ("21S1", "]d2", True, "serial"),
    ("10ABC\x1d24012345", "]C1", True, "lot and the manufacturer's number"),
    ("11261121", "]C1", True, "production date"),
    ("80121.2.3", "]C1", True, "software version (AI 8012)"),
    ("(10)ABC123", None, True, "typed as printed"),
    ("17261231" + "10ABC123", None, True, "a date, and no word about the symbology"),
    ("17261231", None, False, "a date alone: eight digits may be anything"),
    ("10ABC\x1d21S1", None, True, "a separator, which nobody types"),
    ("24012345", "]C1", False, "nothing that tells pieces apart"),
    ("3012", "]C1", False, "a count alone"),
    ("17261331", "]C1", True, "no such date: a misprinted label"),
    ("17261331", None, False, "typed"),
    ("17261231" + "99999999999", "]C1", True, "a company's internal element"),
    ("17261231" + "05123", "]C1", False, "not to be read to its end"),
    # what may stand beside a GTIN (GS1 General Specifications 4.13: a national number, country, weight, NSN)
    ("17451231" + "10K7\x1d715123", "]C1", True, "a national healthcare number"),
    ("10K7\x1d422752", "]C1", True, "country of origin"),
    ("10K7\x1d3103000123", "]C1", True, "net weight"),
    ("10K7\x1d70019123456789012", "]C1", True, "NATO stock number"),
    ("10K7\x1d00095200010000000019", "]C1", False, "beside an SSCC it is a pallet's"),
    ("10K7\x1d80040614141ABC", "]C1", False, "beside a GIAI it is an asset's"),
    ("10K7\x1d3712", "]C1", False, "the count of a pallet's content"),
    # what persons wear, and what logistics stick on pallets
    (f"8018{GSRN}", "]C1", False, "a patient's wristband"),
    (f"8017{GSRN}", "]d2", False, "a badge"),
    (f"8018{GSRN}\x1d801901", "]d2", False, "a wristband with its instance"),
    ("10ABC\x1d" + f"8018{GSRN}", "]d2", False, "a lot beside a wristband's number"),
    ("72531912", "]d2", False, "a family name"),
    ("00095200010000000019", "]C1", False, "a pallet (SSCC)"),
    ("4149520001000003", "]C1", False, "a place (GLN)"),
    ("21191212121212", "]C1", False, "a person number as a serial number"),
    ("1019121212-1212", "]d2", False, "or as a lot"),
    ("2119810829M071", "]d2", False, "a reserve number as a serial number"),
    ("10121212-1212", "]d2", False, "a person number without its century"),
    ("1020000101-2384", "]d2", False, "one of this century with its sign"),
    ("10200001012384", "]C1", True, "a lot that begins with its date"),
    ("102511200018", "]C1", True, "and without century"),
    # typed text that reads like elements
    ("10hunter2", None, False, "a password"),
    ("21Summer", None, False, "another"),
    ("1001011234", None, False, "digits, such as a phone number"),
    ("1001012382", None, False, "ten digits of a person born 2010-01-01"),
    ("1001012382", "]C1", True, "a lot, where FNC1 says that it is one"),
    # HIBC 2.6: secondary symbols
    ("+$$52001510X3GD", None, True, "expiry and lot with link and check character"),
    ("+$$52001510X3GD", "]C0", True, "the same, by a scanner that tells the symbology"),
    ("+$$52001510X3GE", None, False, "wrong check character"),
    ("+46701234567", None, False, "a telephone number"),
    # ISBT 128 (ICCBBA ST-001): one structure a symbol
    ("=>014032", None, True, "expiry"),
    ("=,000025", None, True, "serial number"),
    ("&,1000000000000XYZ123", None, True, "lot"),
    ("=G12341765432100", None, True, "donation identification number"),
    # IFA: data identifiers of ISO/IEC 15434 format 06 without 9N
    ("[)>\x1e06\x1d1TABC\x1dD261231\x1e\x04", None, False, "lot and expiry: many industries use them"),
    ("[)>\x1e06\x1dPAZ1117\x1d1TH510592.U1\x1dQ1", "]d1", False, "a part number, lot and quantity of electronics"),
    ("[)>\x1e06\x1dQ12\x1e\x04", None, False, "a quantity alone"),
    # a whole label is no part of one
    ("0109520001000102", "]C1", False, "a device identifier"),
    ("hunter2", None, False, "a word"),
    ("", None, False, "nothing"),
]


@pytest.mark.parametrize(("text", "symbology", "is_part", "_what"), CASES, ids=[case[3] for case in CASES])
def test_label_parts(text: str, symbology: str | None, is_part: bool, _what: str) -> None:  # noqa: FBT001
    decoded = decode(text, symbology, today=date(2026, 11, 21))
    assert is_label_part(text, symbology, decoded) is is_part
    if decoded.device_identifier is None and asset_of(decoded) is None:
        kept = withheld(text, symbology, decoded, UNKNOWN)
        assert (kept is None) is is_part


@pytest.mark.parametrize(
    ("text", "is_part"),
    [
        ("10ABC123", True),  # the scanner does not tell the symbology, and the lot is what is waited for
        ("21S1", True),
        ("17261231", True),
        ("+46701234567", False),  # a wrong check character
        (f"8018{GSRN}", False),
        ("1001012382", False),
        # an unknown field costs itself, not the lot beside it
        ("10K7\x1d05123", True),
        ("10K7\x1d30ABC", True),
        ("10K7\x1d05123\x1d2119121212-1212", False),
        ("+$$1245D023/L13GF", True),
        ("[)>\x1e06\x1d1TABC\x1dD261231\x1e\x04", True),
        ("[)>\x1e06\x1dQ12\x1e\x04", False),
    ],
)
def test_a_scanner_that_waits_takes_more(text: str, is_part: bool) -> None:  # noqa: FBT001 - a column
    decoded = decode(text, None, today=date(2026, 11, 21))
    assert is_label_part(text, None, decoded, waiting=True) is is_part
    assert (withheld(text, None, decoded, UNKNOWN, waiting=True) is None) is is_part


def test_what_was_beside_a_persons_number_is_no_label() -> None:
    """`redact` took the GSRN out: what is left has no device identifier, and came from a wristband."""
    decoded = decode("10ABC", "]d2", today=date(2026, 11, 21))
    kept = withheld("10ABC", "]d2", decoded, UNKNOWN, redacted=True)
    assert kept == Withheld(kind=Kind.GS1_WITHOUT_DI, length=5)
