"""Which standard a text belongs to, and the decoding of one symbol or of all symbols of an item.

The order of the tests is that of the standards themselves: the AIM symbology identifier (ISO/IEC 15424) first,
then the issuing agency's own flag character, then GS1.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum

from msgspec.structs import replace

from gateway.model import Decoded
from gateway.udi import gs1, gs1_link, hibcc, iccbba, ifa
from gateway.udi.findings import finding
from gateway.udi.item import alone, join
from gateway.udi.label import Part

MAX_TEXT = 7089
"""Characters: what the largest QR Code holds, and no other symbology of a label holds more."""
_AIM_LENGTH = 3


class Form(StrEnum):
    """What a text is, before it is read."""

    EMPTY = "empty"
    GS1_ELEMENTS = "gs1-elements"
    """A symbology that says so: FNC1 in the first place."""
    GS1_TRADE = "gs1-trade"
    """EAN, UPC or ITF-14: digits, and nothing but a GTIN."""
    GS1_LINK = "gs1-link"
    """A web address."""
    GS1_HRI = "gs1-hri"
    """Elements typed with brackets."""
    HIBC = "hibc"
    ISBT_128 = "isbt-128"
    IFA = "ifa"
    GTIN = "gtin"
    """Bare digits with a right check digit, the symbology unknown."""
    OTHER = "other"
    """The symbology says that it is no GS1 data, and it has no agency's form."""
    UNKNOWN = "unknown"
    """The symbology is unknown, and it has no other form: perhaps GS1 elements."""


_FORM_OF_SYMBOLOGY: Mapping[str | None, Form] = {
    # GS1-128, DataBar and composite, DataMatrix, QR and DotCode with FNC1 in the first place; ]d5, ]Q4: with ECI.
    **dict.fromkeys(("]C1", "]e0", "]e1", "]e2", "]d2", "]d5", "]Q3", "]Q4", "]J1"), Form.GS1_ELEMENTS),
    **dict.fromkeys(("]E0", "]E4"), Form.GS1_TRADE),
}
_DIGITS_OF_SYMBOLOGY: Mapping[str | None, tuple[int, ...]] = {
    "]E0": (6, 8, 12, 13),
    "]E4": (8,),
    "]I0": (14,),
    "]I1": (14,),
}
"""EAN-13, UPC-A and UPC-E; EAN-8; ITF-14: the numbers of digits that scanners transmit."""
_TRADE = Form.GS1_TRADE
_ITF = ("]I0", "]I1")
"""Interleaved 2 of 5, which carries much else than a GTIN-14."""
_RECOGNISERS: Sequence[tuple[Form, Callable[[str], bool]]] = (
    (Form.IFA, ifa.is_ifa),
    (Form.HIBC, hibcc.is_hibc),
    (Form.ISBT_128, iccbba.is_isbt),
    (Form.GS1_LINK, gs1_link.is_link),
    (Form.GS1_HRI, gs1.is_hri),
)
_NO_FLAG = frozenset("012345678")
"""First characters by which no recogniser knows its form."""


def decode(text: str, symbology: str | None = None, *, today: date) -> Decoded:
    """Decode the text of one symbol; never raises on any text.

    `symbology` is the AIM identifier such as `]d2`; when it is None the text may begin with one. `today` sets
    the century of two-digit years. GS1 elements that require others are judged only when the symbol has a
    device identifier: without one it is half a label, to be judged with its partner by `decode_symbols`.

    >>> decode("]d2010871764820027417280630101234567A", today=date(2026, 11, 21)).device_identifier
    '08717648200274'
    """
    return alone(read_symbol(text, symbology, today))


def decode_symbols(symbols: Sequence[tuple[str, str | None]], *, today: date) -> Decoded:
    """Decode all symbols of one item, (text, AIM identifier or None) each; never raises on any text."""
    if not symbols:
        return join([Part(findings=(finding("EMPTY", "there is no symbol"),))], today)
    return join([read_symbol(text, symbology, today) for text, symbology in symbols], today)


def read_symbol(text: str, symbology: str | None, today: date) -> Part:
    """Read one symbol by the standard it belongs to."""
    form, symbology, body = classify(text, symbology)
    if len(body) > MAX_TEXT:
        return Part(
            findings=(finding("TEXT_TOO_LONG", f"{len(body)} characters, of which {MAX_TEXT} are allowed"),)
        )
    text = _encodable(body)
    if form is _TRADE:
        return gs1.read_trade_symbol(text, _DIGITS_OF_SYMBOLOGY[symbology], today)
    part = _READERS[form](text, today)
    if form is Form.GS1_HRI and symbology is not None and part.elements:
        encoded = finding("GS1_BRACKETS", "the brackets of the printed text are encoded in the symbol")
        return replace(part, findings=(encoded, *part.findings))
    return part


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no JSON encoder takes; no standard allows the replacement either."""
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def classify(text: str, symbology: str | None) -> tuple[Form, str | None, str]:
    """Tell which form a text has, by which AIM identifier, and the text without that identifier."""
    if not symbology:
        symbology, text = split_symbology(text)
    elif text.startswith(symbology) and symbology.startswith("]"):
        text = text[len(symbology) :]  # given in both ways
    if not text:
        return Form.EMPTY, symbology, text
    form = _form_by_symbology(symbology, text)
    if form is not None:
        return form, symbology, text
    if text[0] not in _NO_FLAG:
        for recognised, recognises in _RECOGNISERS:
            if recognises(text):
                return recognised, symbology, text
    if symbology is not None:
        return Form.OTHER, symbology, text
    return Form.GTIN if gs1.is_bare_gtin(text) else Form.UNKNOWN, symbology, text


def _form_by_symbology(symbology: str | None, text: str) -> Form | None:
    form = _FORM_OF_SYMBOLOGY.get(symbology)
    if form is Form.GS1_ELEMENTS and gs1.is_hri(text):
        return Form.GS1_HRI  # no AI begins with a bracket: the printer encoded those of the printed text
    if symbology in _ITF and len(text) in _DIGITS_OF_SYMBOLOGY[symbology]:
        return Form.GS1_TRADE
    return form


def split_symbology(text: str) -> tuple[str | None, str]:
    """Take the AIM symbology identifier off the front of a text.

    >>> split_symbology("]d2010871"), split_symbology("]")
    ((']d2', '010871'), (None, ']'))
    """
    front = text[:_AIM_LENGTH]
    if front in _FORM_OF_SYMBOLOGY or (
        front.startswith("]")
        and len(front) == _AIM_LENGTH
        and front.isascii()
        and front[1].isalpha()
        and front[2].isalnum()
    ):
        return front, text[_AIM_LENGTH:]
    return None, text


def _read_empty(_text: str, _today: date) -> Part:
    return Part(findings=(finding("EMPTY", "there is no text"),))


def _read_gtin(text: str, today: date) -> Part:
    part = gs1.read_gtin(text, today)
    if not gs1.is_sound_element_string(text, today):
        return part
    doubt = finding("AMBIGUOUS", f"{len(text)} digits are a GTIN, and valid GS1 elements too")
    return replace(part, findings=(*part.findings, doubt))


def _read_other(text: str, _today: date) -> Part:
    return Part(findings=(finding("NOT_UDI", f"{len(text)} characters that are no label of an item"),))


def _read_unknown(text: str, today: date) -> Part:
    part = gs1.read_element_string(text, today)
    if part.elements:
        return part
    return Part(findings=(finding("UNRECOGNISED", f"{len(text)} characters in the form of no issuing agency"),))


_READERS: Mapping[Form, Callable[[str, date], Part]] = {
    Form.EMPTY: _read_empty,
    Form.GS1_ELEMENTS: gs1.read_element_string,
    Form.GS1_LINK: gs1_link.read_link,
    Form.GS1_HRI: gs1.read_hri,
    Form.HIBC: hibcc.read,
    Form.ISBT_128: iccbba.read,
    Form.IFA: ifa.read,
    Form.GTIN: _read_gtin,
    Form.OTHER: _read_other,
    Form.UNKNOWN: _read_unknown,
}
