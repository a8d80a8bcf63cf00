"""Several symbols of one item, and symbols that are not of one item."""

from datetime import date

import pytest

from gateway.model import Issuer
from gateway.udi import decode_symbols

TODAY = date(2026, 11, 21)
GS1_PRIMARY = ("0108717648200274", "]C1")
GS1_SECONDARY = ("1728063010L1", "]C1")


DI = "08717648200274"
EAN = ("8717648200274", "]E0")
MATRIX = ("010871764820027410L1", "]d2")
ISBT = ("=/A9999XYZ100T0476", "]C0")


@pytest.mark.parametrize(
    ("symbols", "codes", "di", "lot"),
    [
        ([], ["EMPTY"], None, None),
        ([GS1_PRIMARY, GS1_SECONDARY], [], DI, "L1"),
        ([GS1_SECONDARY, GS1_PRIMARY], [], DI, "L1"),
        ([EAN, GS1_SECONDARY], [], DI, "L1"),
        # the linear and the matrix symbol of one label say the same
        ([GS1_PRIMARY, MATRIX], [], DI, "L1"),
        ([EAN, MATRIX], [], DI, "L1"),
        ([GS1_PRIMARY, GS1_PRIMARY], ["ITEM_SAME_SYMBOL"], DI, None),
        ([GS1_PRIMARY, ("0109520123456788", "]C1")], ["ITEM_IDENTIFIERS"], DI, None),
        ([GS1_PRIMARY, ("+$$52001510X3GD", "]C0")], ["ITEM_ISSUERS"], DI, None),
        ([GS1_PRIMARY, GS1_SECONDARY, ("10L2", "]C1")], ["GS1_AI_REPEATED"], DI, "L1"),
        ([GS1_PRIMARY, ("17280630", "]C1"), ("70032806291200", "]C1")], ["GS1_DATES_DISAGREE"], DI, None),
        ([GS1_PRIMARY, ("374", "]C1")], ["GS1_AI_EXCLUDED", "GS1_AI_REQUIRED"], DI, None),
        ([GS1_SECONDARY], ["GS1_AI_REQUIRED", "GS1_AI_REQUIRED"], None, "L1"),
        ([GS1_PRIMARY, ("TESTING", "]d1")], ["NOT_UDI"], DI, None),
        ([ISBT, ("=,000025", "]C0"), ("=,000025=>019032", "]C0")], [], "A9999XYZ100T0476", None),
        ([ISBT, ("=,000025", "]C0"), ("=,000026", "]C0")], ["ITEM_DISAGREES"], "A9999XYZ100T0476", None),
    ],
)
def test_symbols_of_one_item(
    symbols: list[tuple[str, str | None]], codes: list[str], di: str | None, lot: str | None
) -> None:
    decoded = decode_symbols(symbols, today=TODAY)
    assert [found.code for found in decoded.findings] == codes
    assert (decoded.device_identifier, decoded.lot_number) == (di, lot)


def test_refused_symbol_gives_no_elements() -> None:
    decoded = decode_symbols([("+A123BJC5D6E71G", None), GS1_PRIMARY], today=TODAY)
    assert decoded.issuer is Issuer.HIBCC
    assert decoded.elements == (("DI", "A123BJC5D6E71"),)


def test_symbol_with_the_identifier_decides_whatever_came_first() -> None:
    decoded = decode_symbols([("10L1", "]C1"), ("+A123BJC5D6E71G", None)], today=TODAY)
    assert (decoded.issuer, decoded.device_identifier) == (Issuer.HIBCC, "A123BJC5D6E71")
    assert [found.code for found in decoded.findings] == ["ITEM_ISSUERS"]
