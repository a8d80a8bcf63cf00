"""Trays, instruments and deliveries: their GS1 keys (GenSpecs 3.2 SSCC, 3.9 GRAI and GIAI), and what is none."""

from datetime import date

import pytest

from gateway.events import cloudevent
from gateway.model import LookUp, Match
from gateway.station.assets import Asset, asset_of
from gateway.station.privacy import withheld
from gateway.udi import decode

UNKNOWN = LookUp(match=Match.NONE)
GRAI, GIAI, SSCC = "09520000000004", "0614141ABC123", "106141412345678908"


@pytest.mark.parametrize(
    ("text", "symbology", "scheme", "identifier", "single"),
    [
        (f"8003{GRAI}", "]d2", "GRAI", GRAI, False),
        (f"8003{GRAI}A1", "]d2", "GRAI", f"{GRAI}A1", True),
        (f"8004{GIAI}", "]d2", "GIAI", GIAI, True),
        (f"(8004){GIAI}", None, "GIAI", GIAI, True),
        (f"https://id.gs1.org/8004/{GIAI}", "]Q1", "GIAI", GIAI, True),
        (f"00{SSCC}", "]C1", "SSCC", SSCC, True),
        (f"00{SSCC}02095200010001023712\x1d10L", "]C1", "SSCC", SSCC, True),
    ],
)
def test_keys(text: str, symbology: str | None, scheme: str, identifier: str, single: bool) -> None:  # noqa: FBT001 - a column
    decoded = decode(text, symbology, today=date(2026, 11, 21))
    asset = asset_of(decoded)
    assert asset is not None
    assert (asset.scheme, asset.identifier, asset.single) == (scheme, identifier, single)
    assert withheld(text, symbology, decoded, UNKNOWN) is None


@pytest.mark.parametrize(
    ("text", "symbology"),
    [
        (f"00{SSCC[:-1]}7", "]C1"),  # a wrong check digit
        (f"8003{GRAI[:-1]}5", "]d2"),
        (f"8004{GIAI}", None),  # typed, it may be anything
        (f"00{SSCC}", None),
        ("800419121212-1212", "]d2"),  # a person's number
        ("801809520001000017", "]C1"),
        ("10ABC", "]C1"),
    ],
)
def test_what_is_none(text: str, symbology: str | None) -> None:
    decoded = decode(text, symbology, today=date(2026, 11, 21))
    assert asset_of(decoded) is None or withheld(text, symbology, decoded, UNKNOWN) is not None


def test_a_wrong_check_digit_is_no_asset() -> None:
    assert asset_of(decode(f"00{SSCC[:-1]}7", "]C1", today=date(2026, 11, 21))) is None


def test_a_type_of_trays_is_no_single_thing() -> None:
    assert not Asset(scheme="GRAI", identifier=GRAI).single
    assert cloudevent.EventAsset(scheme="GRAI", identifier=GRAI)
