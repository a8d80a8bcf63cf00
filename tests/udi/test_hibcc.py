"""HIBC symbols: ANSI/HIBC 2.6, with its check characters that look like anything."""

from datetime import date

import pytest

from gateway.model import Issuer, Precision
from gateway.udi import decode, decode_symbols

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "di", "level"),
    [
        # verified by hand: 2.6 section 2.3
        ("+A123BJC5D6E71G", "A123BJC5D6E71", 1),
        ("*+A123BJC5D6E71G*", "A123BJC5D6E71", 1),
        ("+H123ABC01234567890D", "H123ABC01234567890", 0),
        # the check character is +
        ("+E260PPAUXEMO19+", "E260PPAUXEMO19", 9),
        # the check character is a space; in print an underline
        ("+A123AA40 ", "A123AA40", 0),
        ("*+A123AA40_*", "A123AA40", 0),
        # a product number keeps its zeros
        ("+EKUR003152EU1G", "EKUR003152EU1", 1),
    ],
)
def test_primary(text: str, di: str, level: int) -> None:
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert (decoded.issuer, decoded.device_identifier, decoded.package_level) == (Issuer.HIBCC, di, level)
    assert decoded.elements == (("DI", di),)


@pytest.mark.parametrize(
    ("text", "lot", "serial", "expiry", "precision", "quantity"),
    [
        ("+$$52001510X3GD", "10X3", None, "2020-01-15", Precision.DAY, None),
        ("+$$8053290331260301104+$", "260301104", None, "2029-03-31", Precision.DAY, 5),
        ("+$A1234GU", "A1234", None, None, None, None),
        ("+$+0001LE", None, "0001", None, None, None),
        ("+05271LY", None, None, "2005-09-28", Precision.DAY, None),
        ("+$$09053C001L+", "3C001", None, "2005-09-30", Precision.MONTH, None),
        ("+$$20928053C001LA", "3C001", None, "2005-09-28", Precision.DAY, None),
        ("+$$4050928223C001LG", "3C001", None, "2005-09-28T22:00", Precision.HOUR, None),
        ("+$$605271223C001L9", "3C001", None, "2005-09-28T22:00", Precision.HOUR, None),
        ("+$$73C001LY", "3C001", None, None, None, None),
        # the check character is /
        ("+$$+4050928200001L/", None, "0001", "2005-09-28T20:00", Precision.HOUR, None),
    ],
)
def test_secondary(
    text: str,
    lot: str | None,
    serial: str | None,
    expiry: str | None,
    precision: Precision | None,
    quantity: int | None,
) -> None:
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert not decoded.complete
    assert (decoded.lot_number, decoded.serial_number) == (lot, serial)
    assert (decoded.expiration_date, decoded.expiration_precision) == (expiry, precision)
    assert decoded.quantity == quantity
    assert decoded.elements[-1] == ("link", text[-2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "+A99912345/$$52001510X3/16D20111212/S77DEFG457",
            (
                ("DI", "A99912345"),
                ("expiry", "20015"),
                ("lot", "10X3"),
                ("manufacture", "20111212"),
                ("serial", "77DEFG45"),
            ),
        ),
        (
            "+A99912349/$10X3/16D20111231/14D20200131/Q500Z",
            (
                ("DI", "A99912349"),
                ("lot", "10X3"),
                ("manufacture", "20111231"),
                ("expiry", "20200131"),
                ("quantity", "500"),
            ),
        ),
        # supplementary fields without a message before them
        ("+A99912345/14D20280630/SABCF", (("DI", "A99912345"), ("expiry", "20280630"), ("serial", "ABC"))),
        ("+A99912345/Q12X", (("DI", "A99912345"), ("quantity", "12"))),
        ("+EHWD3551419/$/Q100X", (("DI", "EHWD3551419"), ("quantity", "100"))),
        (
            "+E308T800206X0/$$7230513/14D20260413F",
            (("DI", "E308T800206X0"), ("lot", "230513"), ("expiry", "20260413")),
        ),
    ],
)
def test_concatenated(text: str, expected: tuple[tuple[str, str], ...]) -> None:
    decoded = decode(text, today=TODAY)
    assert decoded.findings == ()
    assert decoded.elements == expected
    assert decoded.hri == f"*{text}*"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("+A99912345/$$52001510X3/16D20111212/S77DEFG45Z", ["HIBC_CHECK"]),
        ("+a123bjc5d6e710", ["HIBC_CHARACTER", "HIBC_CHARACTER"]),
        ("+%A123BJC5D6E71F", ["HIBC_CHARACTER"]),
        ("++", ["HIBC_LENGTH"]),
        ("+A123BJC5D6E7123456789012K", ["HIBC_LENGTH"]),
        ("+A123BJC5D6E7AP", ["HIBC_CHARACTER"]),
        ("+A123BJ.C5D6E71A", ["HIBC_CHARACTER"]),
        ("+$$5ABCDE3C001L6", ["HIBC_DATE"]),
        ("+A99912345/4", ["HIBC_LENGTH"]),
        ("+A99912345/$10X3/17D20111231N", ["HIBC_FIELD"]),
        ("+A99912345/$10X3/16D2011123L", ["HIBC_DATE"]),
        ("+A99912345/$10X3/Q500/S123A", ["HIBC_FIELD"]),
        ("+/EAB123C", ["HIBC_PROVIDER"]),
        ("+A99912345/$$3200915LOT1/14D20200916/", ["ITEM_DISAGREES"]),
        ("+A99912345/$$420091524LOT1C", ["HIBC_DATE"]),
        ("+A99912345/$LOT1/Q1234567/", ["HIBC_LENGTH"]),
        # behind $$ stands a date flag, or 8 and two digits, 9 and five digits of quantity (table of 2.3.2.3)
        ("+$$ABCG$", ["HIBC_DATE"]),
        ("+A123B1/$$9123U", ["HIBC_LENGTH"]),
        ("+$$8050ABCG9", ["HIBC_DATE"]),
        ("+$$G6", ["HIBC_LENGTH"]),
        ("+$GA", ["HIBC_LENGTH"]),
    ],
)
def test_findings(text: str, codes: list[str]) -> None:
    """Negative cases made from the standard's own examples."""
    decoded = decode(text, today=TODAY)
    assert [found.code for found in decoded.findings] == codes
    assert not decoded.ok


def test_bad_field_hides_no_other() -> None:
    decoded = decode("+A99912345/$$3201350LOT1/16D20111212/S77#", today=TODAY)
    assert {found.code for found in decoded.findings} == {"HIBC_DATE", "HIBC_CHARACTER"}
    assert (decoded.device_identifier, decoded.lot_number) == ("A99912345", "LOT1")
    assert decoded.manufacture_date == "2011-12-12"


@pytest.mark.parametrize("reverse", [False, True])
def test_link_joins_primary_and_secondary(reverse: bool) -> None:  # noqa: FBT001 - a column of the table
    symbols = [("+A123BJC5D6E71G", None), ("+$$52001510X3GD", None)]
    decoded = decode_symbols(symbols[::-1] if reverse else symbols, today=TODAY)
    assert decoded.findings == ()
    assert (decoded.device_identifier, decoded.lot_number) == ("A123BJC5D6E71", "10X3")
    assert decoded.expiration_date == "2020-01-15"


def test_another_items_secondary_is_refused() -> None:
    decoded = decode_symbols([("+A123BJC5D6E71G", None), ("+$3C001LV", None)], today=TODAY)
    assert [found.code for found in decoded.findings] == ["HIBC_LINK"]
    assert decoded.lot_number is None
    assert not decoded.ok


def test_secondaries_of_two_items_are_not_joined() -> None:
    """Without the primary, their links tell them apart; the first one read decides."""
    decoded = decode_symbols([("+$$52001510X3GD", None), ("+$3C001LV", None)], today=TODAY)
    assert [found.code for found in decoded.findings] == ["HIBC_LINK"]
    assert decoded.lot_number == "10X3"


def test_lot_is_not_lost_with_a_faulty_primary() -> None:
    decoded = decode_symbols([("+A123BJ.C5D6E71/$$7L1S", None), ("+$3C001LV", None)], today=TODAY)
    assert {found.code for found in decoded.findings} == {"HIBC_CHARACTER", "ITEM_DISAGREES"}
    assert decoded.lot_number == "L1"
