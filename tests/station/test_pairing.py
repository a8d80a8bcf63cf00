"""What a label lacks, agency by agency, and what belongs to it. Sources stand in gateway/station/pairing.py."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from gateway.model import Article, Issuer, LookUp, Match
from gateway.station.pairing import Missing, joined, missing, missing_part
from gateway.station.profiles import PROFILES, ProfileName
from gateway.station.values import Symbol
from gateway.udi.checks import hibc_check_character

TODAY = date(2026, 11, 22)
DI, PI, LOT, SERIAL, EXPIRY = (
    Missing.DEVICE_IDENTIFIER,
    Missing.PRODUCTION,
    Missing.LOT,
    Missing.SERIAL,
    Missing.EXPIRY,
)
OR: ProfileName = "operating-room"
STORE: ProfileName = "supply-room"
GTIN = "0109520001000102"


def hibc(text: str) -> str:
    return f"]A0{text}{hibc_check_character(text)}"


PRIMARY = hibc("+A123BJC5D6E71")
SECONDARY = hibc("+$$52001510X3G")

LACKS: list[tuple[str, tuple[str, ...], dict[str, Any] | None, ProfileName, tuple[Missing, ...]]] = [
    ("GS1, everything in one symbol", (f"]d2{GTIN}17451231" + "10A\x1d21S",), None, OR, ()),
    ("GS1-128, a GTIN alone, in theatre", (f"]C1{GTIN}",), None, OR, (PI,)),
    ("GS1 DataBar, a GTIN alone, in theatre", (f"]e0{GTIN}",), None, OR, (PI,)),
    ("no AIM identifier, a GTIN alone, in theatre", (GTIN,), None, OR, (PI,)),
    ("GS1-128, a GTIN alone, in a store", (f"]C1{GTIN}",), None, STORE, ()),
    ("Data Matrix, a GTIN alone, in theatre", (f"]d2{GTIN}",), None, OR, ()),
    ("EAN-13 in theatre", ("]E09520001000102",), None, OR, ()),
    ("bare digits in theatre", ("9520001000102",), None, OR, ()),
    ("EAN-13, the master demands a lot", ("]E09520001000102",), {"lot_required": True}, STORE, (LOT,)),
    (
        "Data Matrix, the master demands serial and expiry",
        (f"]d2{GTIN}10A",),
        {"serial_required": True, "expiry_required": True},
        STORE,
        (SERIAL, EXPIRY),
    ),
    ("the master demands what is there", (f"]d2{GTIN}10A",), {"lot_required": True}, STORE, ()),
    ("an implant without lot and serial", (f"]d2{GTIN}17451231",), {"implant": True}, STORE, (PI,)),
    ("class III with a lot", (f"]d2{GTIN}10A",), {"risk_class": "III"}, STORE, ()),
    ("class III without", (f"]d2{GTIN}",), {"risk_class": "III"}, STORE, (PI,)),
    ("production identifiers alone", ("]C117451231" + "10A",), None, STORE, (DI,)),
    ("production identifiers in two symbols", ("]C117451231", "]C110A"), None, STORE, (DI,)),
    ("three symbols, two of them read", (f"]C1{GTIN}", "]C117451231"), {"serial_required": True}, OR, (SERIAL,)),
    ("all three read", (f"]C1{GTIN}", "]C117451231", "]C121S"), {"serial_required": True}, OR, ()),
    ("a wrong check digit waits for nothing", ("]C10109520001000103",), None, OR, ()),
    ("a misprinted date beside no GTIN", ("]C117459999",), None, OR, (DI,)),
    ("Digital Link", ("]Q1https://id.gs1.org/01/09520001000102",), None, OR, ()),
    ("HIBC primary", (PRIMARY,), None, STORE, (PI,)),
    ("HIBC secondary", (SECONDARY,), None, STORE, (DI,)),
    ("HIBC both", (PRIMARY, SECONDARY), None, STORE, ()),
    ("HIBC both, secondary first", (SECONDARY, PRIMARY), None, STORE, ()),
    ("HIBC concatenated", ("]A0+A123BJC5D6E71/$$52001510X3C",), None, STORE, ()),
    ("HIBC both, a serial is demanded", (PRIMARY, SECONDARY), {"serial_required": True}, STORE, (SERIAL,)),
    ("ISBT 128, one structure", ("]C0=/A9999XYZ100T0944",), None, STORE, (PI, EXPIRY)),
    ("ISBT 128, its serial", ("]C0=,000025",), None, STORE, (DI,)),
    ("ISBT 128, two of three", ("]C0=/A9999XYZ100T0944", "]C0=,000025"), None, STORE, (EXPIRY,)),
    ("ISBT 128, all three", ("]C0=/A9999XYZ100T0944", "]C0=,000025", "]C0=>045032"), None, STORE, ()),
    ("ISBT 128, several in one symbol", ("]C4=/A9999XYZ100T0944=,000025",), None, STORE, ()),
    ("ISBT 128, donation number instead of a serial",
     ("]C0=/A9999XYZ100T0944", "]C0=G12341765432170", "]C0=>045032"), None, STORE, ()),
    ("blood bag", ("]C0=)1234567890",), None, STORE, (PI,)),
    ("blood bag and its lot", ("]C0=)1234567890", "]C0&)abcdefghij"), None, STORE, ()),
    ("IFA, a PPN alone", ("]d1[)>\x1e06\x1d9N111234567842\x1e\x04",), None, OR, ()),
    ("IFA, no PPN", ("]d1[)>\x1e06\x1d1TABC\x1dD451231\x1e\x04",), None, OR, (DI,)),
    ("no UDI", ("VGR-200010",), None, OR, ()),
]  # fmt: skip


def split(code: str) -> tuple[str, str | None]:
    return (code[3:], code[:3]) if code.startswith("]") else (code, None)


def read(symbols: Sequence[tuple[str, str | None]]) -> list[Symbol]:
    return [
        Symbol(text=text, symbology=symbology, raw=b"", quality=frozenset(), at_ns=number)
        for number, (text, symbology) in enumerate(symbols)
    ]


@pytest.mark.parametrize(
    ("codes", "article", "profile", "lacks"), [one[1:] for one in LACKS], ids=[one[0] for one in LACKS]
)
def test_what_a_label_lacks(
    codes: tuple[str, ...], article: dict[str, Any] | None, profile: ProfileName, lacks: tuple[Missing, ...]
) -> None:
    symbols = [split(code) for code in codes]
    decoded = joined(read(symbols), TODAY)
    known = LookUp(match=Match.NONE) if article is None else LookUp(match=Match.DI, article=Article(**article))
    assert missing(decoded, symbols, known, PROFILES[profile]) == lacks


def test_a_shelf_label_demands_nothing() -> None:
    """It stands for the article, which has its own label."""
    known = LookUp(match=Match.ARTICLE_NUMBER, article=Article(lot_required=True, implant=True))
    symbols = [("9520001000102", "]E0")]
    assert missing(joined(read(symbols), TODAY), symbols, known, PROFILES[OR]) == ()


@pytest.mark.parametrize(
    ("lacks", "issuer", "element", "words"),
    [
        ((DI,), Issuer.GS1, "01", "the device identifier"),
        ((SERIAL, EXPIRY), Issuer.GS1, "21", "the serial number and the expiry date"),
        ((PI,), Issuer.HIBCC, None, "the symbol with the production identifiers"),
        ((EXPIRY,), Issuer.ICCBBA, "=>", "the expiry date"),
        ((DI,), Issuer.IFA, None, "the device identifier"),
    ],
)
def test_what_is_missing_is_named(
    lacks: tuple[Missing, ...], issuer: Issuer, element: str | None, words: str
) -> None:
    part = missing_part(lacks, issuer)
    assert part is not None
    assert (part.element, part.what) == (element, words)
    assert missing_part((), issuer) is None
