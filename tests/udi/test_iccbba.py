"""ISBT 128 structures: ICCBBA ST-001 and ST-017, with the examples of those documents."""

from datetime import date

import pytest

from gateway.model import Issuer, Precision
from gateway.udi import decode, decode_symbols
from gateway.udi.iccbba import read_date

TODAY = date(2026, 11, 21)


def test_full_device_label() -> None:
    """FDA UDI formats by issuing agency 1.3, IMDRF N48 appendix A."""
    text = "=/A9999XYZ100T0944=,000025=A99971312345600=>014032=}013032&,1000000000000XYZ123"
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert (decoded.issuer, decoded.device_identifier) == (Issuer.ICCBBA, "A9999XYZ100T0944")
    assert (decoded.serial_number, decoded.lot_number) == ("000025", "000000000000XYZ123")
    assert (decoded.expiration_date, decoded.manufacture_date) == ("2014-02-01", "2013-02-01")
    assert decoded.donation_identification_number == "A999713123456"
    assert decoded.elements[0] == ("=/", "A9999XYZ100T0944")
    assert decoded.hri == text


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("=+04000=/A9997XYZ100T0479=A99991712345600=,000012=>019031", []),  # ST-017 4.3.1
        ("=+05000=/A9997XYZ100T0479=A99991712345600=,000012=>019031", ["ISBT_COMPOUND"]),
        ("=G12341765432170", []),  # ST-001 appendix A.2: check value 10
        ("=G12341765432171", ["ISBT_FLAG"]),
        ("=)1TE123456A&)RZ12345678", []),  # blood bag
        ("=/A999OAB3456T0123", ["ISBT_CHARACTER"]),
        ("=/A9997ab3456T0123", ["ISBT_CHARACTER"]),
        ("=A99991x12345600", ["ISBT_CHARACTER"]),
        ("=,000000", ["ISBT_CHARACTER"]),
        ("=,000012=,000012", []),
        ("=,000012=,000013", ["ITEM_DISAGREES"]),
        # beside the others on a blood component's label: ST-001 2.4.10, .21, .22, .33, .36
        ("=-ABabcd1234&-LOT1234567&(N0008&+A9997ABC123&,2ABCDEFGHIJ12345678", []),
        ("&+A9997abc123", ["ISBT_CHARACTER"]),
        ("=]202813", ["ISBT_DATE"]),
        # those of a person are not read: donor, staff, patient
        ("=;A9997123456789012345A", ["ISBT_UNKNOWN"]),
        ("='A9997123456", ["ISBT_UNKNOWN"]),
        ("=#SE19800229", ["ISBT_UNKNOWN"]),
        ("=>019366", ["ISBT_DATE"]),
        ("=>019000", ["ISBT_DATE"]),
        ("=/A9997AB3456T012", ["ISBT_LENGTH"]),
        ("=!12345", ["ISBT_UNKNOWN"]),
        ("&", ["ISBT_UNKNOWN"]),
    ],
)
def test_findings(text: str, codes: list[str]) -> None:
    decoded = decode(text, today=TODAY)
    assert [found.code for found in decoded.findings] == codes


def test_bad_structure_hides_no_other() -> None:
    decoded = decode("=/A9997AB3456T0123=>019366=,000012", today=TODAY)
    assert (decoded.device_identifier, decoded.serial_number) == ("A9997AB3456T0123", "000012")
    assert decoded.expiration_date is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("014032", "2014-02-01"),
        ("999365", "1999-12-31"),
        ("024366", "2024-12-31"),
        ("0183652359", "2018-12-31T23:59"),
    ],
)
def test_date(text: str, expected: str) -> None:
    found = read_date(text)
    assert found is not None
    assert found.text == expected


def test_expiry_of_a_month() -> None:
    """ST-001 2.4.26."""
    decoded = decode("=/A9999XYZ100T0944=]202802", today=TODAY)
    assert decoded.findings == ()
    assert (decoded.expiration_date, decoded.expiration_precision) == ("2028-02-29", Precision.MONTH)


def test_structures_in_symbols_of_their_own_in_any_order() -> None:
    """ST-017 section 5: each element may be a Code 128 symbol."""
    symbols = ["=>019032", "&,1000000000000XYZ123", "=/A9999XYZ100T0476", "=}017032", "=,000025"]
    decoded = decode_symbols([(text, "]C0") for text in symbols], today=TODAY)
    assert decoded.findings == ()
    assert decoded.device_identifier == "A9999XYZ100T0476"
    assert (decoded.serial_number, decoded.lot_number) == ("000025", "000000000000XYZ123")
    assert (decoded.expiration_date, decoded.manufacture_date) == ("2019-02-01", "2017-02-01")
