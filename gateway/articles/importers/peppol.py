"""Peppol BIS Catalogue 3, which is UBL 2.1 Catalogue (OASIS), as XML.

docs.peppol.eu/poacc/upgrade-3/syntax/Catalogue. Read with the standard library's expat, line by line of the
catalogue. A document type declaration is refused, and with it every entity of its own: no UBL document has one.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.parsers import expat

from gateway.articles.importers.base import Changes, Record, unusable
from gateway.articles.settings import Field, SourceSettings

READ_BYTES: Final = 64 * 1024
MAX_TOKEN_BYTES: Final = 1024 * 1024
"""Of one tag, comment or the like, which expat holds whole."""
MAX_TEXT_CHARACTERS: Final = 65_536
"""Of one element; a description has 2000."""
MAX_DEPTH: Final = 64
"""Elements inside each other; UBL has some ten."""
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


class _XmlError(ValueError):
    """The document is refused; the message says why."""


def read_peppol(stream: BinaryIO, source: SourceSettings) -> Iterator[Record | Changes]:
    """Yield the lines of the catalogue. SourceFileError: it is no catalogue, or damaged.

    Peppol BIS Catalogue 3, use cases 1 to 3: with the action Update or Delete in its header, or without any and
    Update in its lines, it changes what was sent before; else it is the whole.
    """
    reader = _Reader()
    try:
        yield from reader.read(stream)
    except (_XmlError, expat.ExpatError, LookupError, ValueError) as error:  # the last two: an unheard-of encoding
        raise unusable(stream, source, str(error), "have it sent again") from error


class _Reader:
    """What is known at one place of the document: the open elements and the texts of the present line."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._path: list[str] = []
        self._line = 0
        self._texts: dict[str, str] = {}
        self._scheme = ""
        self._action = ""
        self._text: list[str] | None = None
        self._length = 0
        self._unit = ""
        self._changes: bool | None = None
        self._done: list[tuple[Record, str]] = []

    def read(self, stream: BinaryIO) -> Iterator[Record | Changes]:
        """Yield each line when it ends. Raises _XmlError, ExpatError."""
        fed = 0
        while data := stream.read(READ_BYTES):
            self._parser.Parse(data, False)
            fed += len(data)
            if fed - max(self._parser.CurrentByteIndex, 0) > MAX_TOKEN_BYTES:
                raise _XmlError(f"a tag is longer than {MAX_TOKEN_BYTES} bytes")
            yield from self._finished()
        self._parser.Parse(b"", True)
        yield from self._finished()

    def _finished(self) -> Iterator[Record | Changes]:
        """Yield the lines that have ended, before the first of all whether they are changes."""
        header = self._action.casefold()
        for record, action in self._done:
            changes = header in _CHANGING if header else action == "update"
            if self._changes is None and changes:
                yield Changes()
            elif changes and not self._changes:
                raise _XmlError(
                    f"line {record.line} changes what was sent before, and the lines above are a whole catalogue"
                )
            self._changes = changes or bool(self._changes)
            yield record
        self._done.clear()

    def _refuse(self, *_: object) -> None:
        raise _XmlError("it has a document type declaration, which may hide anything")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != _CATALOGUE:
            raise _XmlError(f"expected a UBL Catalogue, got {name.rpartition(' ')[2][:40]!r}")
        if len(self._path) >= MAX_DEPTH:
            raise _XmlError(f"more than {MAX_DEPTH} elements inside each other")
        namespace, _, local = name.rpartition(" ")
        self._path.append(_PREFIXES.get(namespace, "") + local)
        if self._path[1:] == [_LINE]:
            self._line = self._parser.CurrentLineNumber
            self._texts = {}
            self._scheme = self._unit = ""
        elif self._place() in _WANTED or self._path[1:] == [_ACTION]:
            self._text = []
            self._length = 0
            if self._place() == "cac:Item/cac:StandardItemIdentification/cbc:ID":
                self._scheme = attributes.get("schemeID", "").upper()
            elif self._place() == _CONTENT:
                self._unit = attributes.get("unitCode", "").upper()

    def _characters(self, text: str) -> None:
        if self._text is None:
            return
        self._length += len(text)
        if self._length > MAX_TEXT_CHARACTERS:
            raise _XmlError(f"line {self._line}: a text is longer than {MAX_TEXT_CHARACTERS} characters")
        self._text.append(text)

    def _end(self, _: str) -> None:
        place = self._place()
        if self._text is not None:
            text = "".join(self._text).strip()
            if place in _WANTED:
                self._texts.setdefault(place, text)
            else:
                self._action = text
            self._text = None
        elif self._path[1:] == [_LINE]:
            action = self._texts.get(_ACTION, self._action).casefold()
            if self._unit not in PIECES:
                self._texts.pop(_CONTENT, None)
            self._done.append((Record(self._line, _article(self._texts, self._scheme, action)), action))
        self._path.pop()

    def _place(self) -> str:
        """Return where in a line the present element is, "" outside of one."""
        return "/".join(self._path[2:]) if self._path[1:2] == [_LINE] else ""


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
