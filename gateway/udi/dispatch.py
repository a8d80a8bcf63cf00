"""Which standard a text belongs to, and the decoding of one symbol or of all symbols of an item.

The order of the tests is that of the standards themselves: the AIM symbology identifier (ISO/IEC 15424) first,
then the issuing agency's own flag character, then GS1.
"""

from collections.abc import Sequence
from datetime import date

from gateway.model import Decoded, Issuer
from gateway.udi import gs1, gs1_link, gs1_rules
from gateway.udi.findings import finding
from gateway.udi.label import Part, compose, merge

MAX_TEXT = 7089
"""Characters: what the largest QR Code holds, and no other symbology of a label holds more."""
_AIM_LENGTH = 3
_GS1_SYMBOLOGIES = frozenset(("]C1", "]e0", "]e1", "]e2", "]d2", "]d5", "]Q3", "]Q4", "]J1"))
"""GS1-128, DataBar and composite, DataMatrix, QR and DotCode with FNC1 in the first place: element strings."""
_TRADE_SYMBOLOGIES = {"]E0": (6, 8, 12, 13), "]E4": (8,)}
"""EAN-13, UPC-A and UPC-E; EAN-8: the numbers of digits scanners transmit."""
_ITF_SYMBOLOGIES = frozenset(("]I0", "]I1"))
_ITF_14 = 14


def decode(text: str, symbology: str | None = None, *, today: date) -> Decoded:
    """Decode the text of one symbol; never raises on any text.

    `symbology` is the AIM identifier such as `]d2`; when it is None the text may begin with one. `today` sets
    the century of two-digit years. GS1 elements that require others are judged only when the symbol has a
    device identifier: without one it is half a label, to be judged with its partner by `decode_symbols`.

    >>> decode("]d2010871764820027417280630101234567A", today=date(2026, 11, 21)).device_identifier
    '08717648200274'
    """
    part = read_symbol(text, symbology, today)
    return _decoded([part], whole=part.facts.device_identifier is not None)


def decode_symbols(symbols: Sequence[tuple[str, str | None]], *, today: date) -> Decoded:
    """Decode all symbols of one item, (text, AIM identifier or None) each; never raises on any text."""
    if not symbols:
        return compose(None, Part().facts, (), "", [finding("EMPTY", "there is no symbol")])
    return _decoded([read_symbol(text, symbology, today) for text, symbology in symbols], whole=True)


def read_symbol(text: str, symbology: str | None, today: date) -> Part:
    """Read one symbol by the standard it belongs to."""
    if symbology is None:
        symbology, text = split_symbology(text)
    if not text:
        return Part(findings=(finding("EMPTY", "there is no text"),))
    if len(text) > MAX_TEXT:
        return Part(
            findings=(finding("TEXT_TOO_LONG", f"{len(text)} characters, of which {MAX_TEXT} are allowed"),)
        )
    if symbology in _GS1_SYMBOLOGIES:
        return gs1.read_element_string(text, today)
    if symbology in _TRADE_SYMBOLOGIES:
        return gs1.read_trade_symbol(text, _TRADE_SYMBOLOGIES[symbology], today)
    if symbology in _ITF_SYMBOLOGIES and len(text) == _ITF_14:
        return gs1.read_trade_symbol(text, (_ITF_14,), today)
    if gs1_link.is_link(text):
        return gs1_link.read_link(text, today)
    if text.lstrip(" ").startswith("("):
        return gs1.read_hri(text, today)
    if symbology is not None:
        return Part(findings=(finding("NOT_UDI", f"{len(text)} characters that are no label of an item"),))
    return _read_unknown(text, today)


def split_symbology(text: str) -> tuple[str | None, str]:
    """Take the AIM symbology identifier off the front of a text.

    >>> split_symbology("]d2010871"), split_symbology("]")
    ((']d2', '010871'), (None, ']'))
    """
    letter, modifier = text[1:2], text[2:3]
    if text.startswith("]") and letter.isascii() and letter.isalpha() and modifier.isascii() and modifier.isalnum():
        return text[:_AIM_LENGTH], text[_AIM_LENGTH:]
    return None, text


def _read_unknown(text: str, today: date) -> Part:
    if gs1.is_bare_gtin(text):
        part = gs1.read_gtin(text, today)
        if not gs1.is_sound_element_string(text, today):
            return part
        doubt = finding("AMBIGUOUS", f"{len(text)} digits are a GTIN, and valid GS1 elements too")
        return Part(
            issuer=part.issuer,
            facts=part.facts,
            elements=part.elements,
            hri=part.hri,
            findings=(*part.findings, doubt),
        )
    part = gs1.read_element_string(text, today)
    if part.elements:
        return part
    return Part(findings=(finding("UNRECOGNISED", f"{len(text)} characters in the form of no issuing agency"),))


def _decoded(parts: Sequence[Part], *, whole: bool) -> Decoded:
    facts, _ = merge(part.facts for part in parts)
    elements = [element for part in parts for element in part.elements]
    findings = [found for part in parts for found in part.findings]
    issuer = next((part.issuer for part in parts if part.issuer is not None), None)
    if issuer is Issuer.GS1:
        findings.extend(gs1_rules.judge(elements, whole=whole))
    return compose(issuer, facts, elements, "".join(part.hri for part in parts), findings)
