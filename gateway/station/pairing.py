"""What a label of several symbols lacks, by the rule of its issuing agency, and what its symbols say together. Pure.

| agency | symbol | waits for | source |
|---|---|---|---|
| GS1 | production identifiers without GTIN | the GTIN | GenSpecs 4.14: the data of all symbols of an item are one |
| GS1 | GTIN, and the master demands lot, serial number or expiry, or an implant has neither lot nor serial number | what is demanded | article master; MDR Art. 27(9) |
| GS1 | GTIN alone in a linear symbol (GS1-128, DataBar) | any production identifier, where the profile says so | GenSpecs 2.1.4: regulated healthcare, two linear symbols |
| GS1 | GTIN alone in EAN, UPC, ITF-14 or a 2D symbol | nothing: a 2D symbol holds the whole label, the others have no partner | GenSpecs 2.1.4 |
| HIBCC | primary | its secondary, by the link character | ANSI/HIBC 2.6, 2.3 |
| HIBCC | secondary | its primary | the same |
| ICCBBA | one structure in a linear symbol | device identifier, lot, serial or donation number, and expiry | ST-017: linear symbols carry one structure each |
| ICCBBA | several structures in one symbol | what is missing of device identifier and lot, serial or donation number | ST-001, compound message |
| IFA | PPN or HPC | nothing: the whole label stands in one symbol | IFA UDI 2.5 |
| IFA | production identifiers without PPN or HPC | the device identifier | the same |

A symbol with an error of its own (a wrong check digit) waits for nothing: it is refused at once and scanned again.
What a further symbol is to the labels before it, `gateway.station.label_engine` says.
"""  # noqa: E501 - a table

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from gateway.model import Decoded, Finding, Issuer, LookUp, Severity
from gateway.station.assets import asset_of
from gateway.station.label import says_nothing_new, statements
from gateway.station.label_part import own_fault
from gateway.station.profiles import StationProfile
from gateway.station.values import Symbol
from gateway.station.verdict import SHELF_LABELS, TRACED_CLASSES, MissingPart
from gateway.udi import decode, decode_symbols, gs1

LINEAR_GS1: Final = frozenset({"]C1", "]e0", None})
"""GS1-128 and DataBar; None: the scanner does not say, and element strings are most often these."""
WHOLE_GS1: Final = frozenset({"]d2", "]Q3", "]J1", "]d1", "]Q1", "]J0"})
"""GS1 DataMatrix, QR Code and DotCode, as element strings and as Digital Links: 2D symbols of GS1."""
ELEMENT_STRING: Final = len("01") + 14
"""Shortest element string of a GTIN; fewer characters are an EAN, UPC or ITF-14."""
REQUIRED: Final = "GS1_AI_REQUIRED"


class Missing(StrEnum):
    """What a label lacks, for the display to say in its language."""

    DEVICE_IDENTIFIER = "device-identifier"
    PRODUCTION = "production-identifier"
    """Any of them: which one the label has is not known."""
    LOT = "lot"
    SERIAL = "serial"
    EXPIRY = "expiry"
    TYPED_AGAIN = "typed-again"
    """Lot, serial or donation number was typed once: it has no check digit that proves it."""
    END = "end"
    """The code that ends keyed entry."""


BY_HAND: Final = frozenset({Missing.TYPED_AGAIN, Missing.END})
"""What a person has to type; all else stands in a further symbol."""


_WHAT: Final[Mapping[str, str]] = {
    Missing.DEVICE_IDENTIFIER: "the device identifier",
    Missing.PRODUCTION: "the symbol with the production identifiers",
    Missing.LOT: "the lot number",
    Missing.SERIAL: "the serial number",
    Missing.EXPIRY: "the expiry date",
}
_ELEMENTS: Final[Mapping[Issuer, Mapping[str, str]]] = {
    Issuer.GS1: {
        Missing.DEVICE_IDENTIFIER: "01",
        Missing.LOT: "10",
        Missing.SERIAL: "21",
        Missing.EXPIRY: "17",
    },
    Issuer.HIBCC: {
        Missing.DEVICE_IDENTIFIER: "DI",
        Missing.LOT: "lot",
        Missing.SERIAL: "serial",
        Missing.EXPIRY: "expiry",
    },
    Issuer.ICCBBA: {
        Missing.DEVICE_IDENTIFIER: "=/",
        Missing.LOT: "&,1",
        Missing.SERIAL: "=,",
        Missing.EXPIRY: "=>",
    },
}

SymbolText = tuple[str, str | None]
"""Text and AIM identifier, as `decode_symbols` takes them."""


def missing(
    decoded: Decoded, symbols: Sequence[SymbolText], look_up: LookUp, profile: StationProfile
) -> tuple[Missing, ...]:
    """Tell what the label still lacks; nothing for one that is whole, or that is no UDI.

    `decoded` is what `symbols` say together, `look_up` what the master says of it.
    """
    if decoded.issuer is None or not decoded.elements or asset_of(decoded) is not None:
        return ()
    if decoded.device_identifier is None:
        return (Missing.DEVICE_IDENTIFIER,)
    if not decoded.ok:
        return ()
    by_rule: tuple[Missing, ...] = ()
    match decoded.issuer:
        case Issuer.GS1:
            if profile.linear_waits and not _says_more(decoded) and all(map(_is_linear, symbols)):
                by_rule = (Missing.PRODUCTION,)
        case Issuer.HIBCC:
            by_rule = () if _says_more(decoded) else (Missing.PRODUCTION,)
        case Issuer.ICCBBA:
            by_rule = _isbt(decoded, len(symbols))
        case Issuer.IFA:
            return ()
    return _demanded(decoded, look_up) or by_rule


def joined(symbols: Iterable[Symbol], today: date) -> Decoded:
    """Return what the symbols of a label say together, so far: what they lack without the GTIN is no fault yet.

    The symbols are taken in an order of their own, and one that says nothing new is left out: in whatever order a
    label is scanned, its content is the same. A fault that costs no more than a field of its own is a warning.
    """
    texts = [(one.text, one.symbology) for one in symbols]
    if len(texts) > 1:
        texts = _telling(texts, today)
    together = decode_symbols(texts, today=today)
    findings = tuple(
        _as_warning(found) if len(texts) > 1 and own_fault(found) else found
        for found in together.findings
        if together.device_identifier is not None or found.code != REQUIRED
    )
    ok = all(found.severity is not Severity.ERROR for found in findings)
    elements, hri = together.elements, together.hri
    if len(texts) > 1 and together.issuer is Issuer.GS1:
        # what two symbols say alike is said once; an EAN-13 and a GS1-128 give one GTIN with 13 and with 14 digits
        elements = tuple({gs1.normalised(*element): element for element in reversed(elements)}.values())[::-1]
        hri = gs1.hri(gs1.normalised(*element) for element in elements)
    return replace(together, ok=ok, findings=findings, elements=elements, hri=hri)


def _telling(texts: Sequence[SymbolText], today: date) -> list[SymbolText]:
    """Return the symbols that say something, those with the device identifier first, then those that say most."""
    read = [(text, decode(*text, today=today)) for text in texts]
    read.sort(key=lambda one: (one[1].device_identifier is None, -len(one[1].elements), one[0][0], one[0][1] or ""))
    telling: list[SymbolText] = []
    known: dict[str, str] = {}
    identified = False
    for text, decoded in read:
        said = statements(decoded)
        identifies = decoded.device_identifier is not None and not identified
        if identifies or not says_nothing_new(said, known) or not decoded.ok:
            telling.append(text)
        identified = identified or identifies
        known.update({name: value for name, value in said.items() if len(value) > len(known.get(name, ""))})
    return telling or list(texts)


def _as_warning(found: Finding) -> Finding:
    return replace(found, severity=Severity.WARNING) if found.severity is Severity.ERROR else found


def missing_part(lacking: Sequence[str], issuer: Issuer | None) -> MissingPart | None:
    """Name for the verdict what a label lacks; None for one that lacks nothing, or that was not typed to its end."""
    lacking = [one for one in lacking if one not in BY_HAND]
    if not lacking:
        return None
    elements = _ELEMENTS.get(issuer, {}) if issuer else {}
    return MissingPart(what=" and ".join(_WHAT[one] for one in lacking), element=elements.get(lacking[0]))


def _demanded(decoded: Decoded, look_up: LookUp) -> tuple[Missing, ...]:
    article = look_up.article
    if article is None or look_up.match in SHELF_LABELS:
        return ()
    lacking: list[Missing] = []
    if article.lot_required and decoded.lot_number is None:
        lacking.append(Missing.LOT)
    if article.serial_required and decoded.serial_number is None:
        lacking.append(Missing.SERIAL)
    if article.expiry_required and decoded.expiration_date is None:
        lacking.append(Missing.EXPIRY)
    traced = article.implant or article.risk_class in TRACED_CLASSES
    return tuple(lacking) or ((Missing.PRODUCTION,) if traced and not _identified(decoded) else ())


def _identified(decoded: Decoded) -> bool:
    return bool(decoded.lot_number or decoded.serial_number or decoded.donation_identification_number)


def _says_more(decoded: Decoded) -> bool:
    """Return whether the label says anything beside the device identifier that a second symbol would."""
    dates = decoded.expiration_date or decoded.manufacture_date
    return _identified(decoded) or bool(dates or decoded.software_version)


def _isbt(decoded: Decoded, symbols: int) -> tuple[Missing, ...]:
    lacking: list[Missing] = [] if _identified(decoded) else [Missing.PRODUCTION]
    blood_bag = any(identifier == "=)" for identifier, _ in decoded.elements)
    if len(decoded.elements) <= symbols and decoded.expiration_date is None and not blood_bag:
        lacking.append(Missing.EXPIRY)
    return tuple(lacking)


def is_element_string(text: str) -> bool:
    """Return whether a text is long enough for an element string with a GTIN, and no web address."""
    return len(text) >= ELEMENT_STRING and not text.startswith("http")


def _is_linear(symbol: SymbolText) -> bool:
    text, symbology = symbol
    return symbology in LINEAR_GS1 and is_element_string(text)
