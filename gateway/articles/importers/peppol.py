"""Peppol BIS Catalogue 3, which is UBL 2.1 Catalogue (OASIS), as XML.

docs.peppol.eu/poacc/upgrade-3/syntax/Catalogue. Read line by line of the catalogue.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

from gateway.articles.importers.base import Changes, SourceRecord, unusable
from gateway.articles.importers.xml_reader import DAMAGE, XmlError, XmlReader
from gateway.articles.settings import Field, SourceSettings

_CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
_CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
_CATALOGUE: Final = "urn:oasis:names:specification:ubl:schema:xsd:Catalogue-2 Catalogue"
_PREFIXES: Final = {_CBC: "cbc:", _CAC: "cac:"}
_LINE: Final = "cac:CatalogueLine"

GTIN_SCHEMES: Final = frozenset({"0160", "GTIN"})
"""schemeID of a GTIN: ISO 6523 ICD 0160, and the word of earlier versions."""
_FIELDS: Final[dict[str, Field]] = {
    "cac:Item/cbc:Name": "tradeName",
    "cac:Item/cbc:Description": "description",
    "cac:Item/cac:SellersItemIdentification/cbc:ID": "articleNumber",
    "cac:Item/cac:ManufacturersItemIdentification/cbc:ID": "catalogNumber",
    "cac:Item/cac:ManufacturerParty/cac:PartyName/cbc:Name": "manufacturerName",
    "cac:Item/cac:StandardItemIdentification/cbc:ID": "deviceIdentifier",
    "cac:ComponentRelatedItem/cbc:ID": "baseDeviceIdentifier",
}
_ACTION: Final = "cbc:ActionCode"
_LEVEL: Final = "cbc:PackLevelCode"
_PACK_SIZE: Final = "cac:Item/cbc:PackSizeNumeric"
_CONTENT: Final = "cbc:ContentUnitQuantity"
_COMPONENT_QUANTITY: Final = "cac:ComponentRelatedItem/cbc:Quantity"
_WANTED: Final = frozenset({*_FIELDS, _ACTION, _LEVEL, _CONTENT, _COMPONENT_QUANTITY, _PACK_SIZE})
PIECES: Final = frozenset({"", "C62", "EA", "H87", "NAR", "PCE", "XPP"})
"""unitCode (UN/ECE Recommendation 20) of a number of pieces; any other is a volume, a weight, a length."""
PACKAGES: Final = frozenset({"DU", "TU", "HN"})
"""PackLevelCode (GS1 7009) of a package: pallet, case, handling unit. CU is the article itself."""
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})


_CHANGING: Final = frozenset({"update", "delete"})
"""ActionCode of what changes an earlier catalogue."""


def read_peppol(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Changes]:
    """Yield the lines of the catalogue. SourceFileError: it is no catalogue, or damaged.

    Peppol BIS Catalogue 3, use cases 1 to 3: with the action Update or Delete in its header, or without any and
    Update in its lines, it changes what was sent before; else it is the whole.
    """
    lines = _Lines()
    try:
        yield from lines.read(stream)
    except DAMAGE as error:
        raise unusable(stream, source, str(error), "have it sent again") from error


class _Lines:
    """What is known at one place of the document: the texts of the present line."""

    def __init__(self) -> None:
        self._xml = XmlReader(_CATALOGUE, _PREFIXES, self._start, self._end)
        self._line = 0
        self._texts: dict[str, str] = {}
        self._scheme = ""
        self._action = ""
        self._unit = ""
        self._changes: bool | None = None
        self._done: list[tuple[SourceRecord, str]] = []

    def read(self, stream: BinaryIO) -> Iterator[SourceRecord | Changes]:
        """Yield each line when it ends. Raises what `xml_reader.DAMAGE` lists."""
        for _ in self._xml.blocks(stream):
            yield from self._finished()

    def _finished(self) -> Iterator[SourceRecord | Changes]:
        """Yield the lines that have ended, before the first of all whether they are changes."""
        header = self._action.casefold()
        for record, action in self._done:
            changes = header in _CHANGING if header else action == "update"
            if self._changes is None and changes:
                yield Changes()
            elif changes and not self._changes:
                raise XmlError(
                    f"line {record.line} changes what was sent before, and the lines above are a whole catalogue"
                )
            self._changes = changes or bool(self._changes)
            yield record
        self._done.clear()

    def _start(self, path: list[str], attributes: dict[str, str]) -> bool:
        if path[1:] == [_LINE]:
            self._line = self._xml.line
            self._texts = {}
            self._scheme = self._unit = ""
            return False
        place = _in_line(path)
        if place == "cac:Item/cac:StandardItemIdentification/cbc:ID":
            self._scheme = attributes.get("schemeID", "").upper()
        elif place == _CONTENT:
            self._unit = attributes.get("unitCode", "").upper()
        return place in _WANTED or path[1:] == [_ACTION]

    def _end(self, path: list[str], text: str | None) -> None:
        if text is not None:
            if path[1:] == [_ACTION]:
                self._action = text
            else:
                self._texts.setdefault(_in_line(path), text)
        elif path[1:] == [_LINE]:
            action = self._texts.get(_ACTION, self._action).casefold()
            if self._unit not in PIECES:
                self._texts.pop(_CONTENT, None)
            self._done.append((SourceRecord(self._line, _article(self._texts, self._scheme, action)), action))


def _in_line(path: list[str]) -> str:
    """Return where in a line an element is, "" outside of one."""
    return "/".join(path[2:]) if path[1:2] == [_LINE] else ""


def _article(found: dict[str, str], scheme: str, action: str) -> dict[Field, str]:
    """Return the texts of a line by field. `action`: what is to be done with it, in lower case."""
    texts: dict[Field, str] = {field: found[place] for place, field in _FIELDS.items() if place in found}
    if scheme not in GTIN_SCHEMES:
        texts.pop("deviceIdentifier", None)
    if found.get(_LEVEL, "").upper() in PACKAGES:
        texts["packageLevel"] = "package"
        texts["baseQuantity"] = found.get(_PACK_SIZE) or found.get(_CONTENT, "")
    base = texts.get("baseDeviceIdentifier", "")
    if "packageLevel" not in texts or not (base.isdecimal() and len(base) in _GTIN_LENGTHS):
        texts.pop("baseDeviceIdentifier", None)  # the seller's own number, or a part of a set
    elif found.get(_COMPONENT_QUANTITY):
        texts["baseQuantity"] = found[_COMPONENT_QUANTITY]  # of that; a pallet's PackSizeNumeric counts pieces
    if action == "delete":
        texts["status"] = "discontinued"
        texts["statusReason"] = "deleted from the supplier's catalogue"
    return texts
