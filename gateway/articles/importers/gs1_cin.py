"""GS1 Catalogue Item Notification (GDSN 3.1) as XML: what a data pool sends of items when they are new or change.

Namespace urn:gs1:gdsn:catalogue_item_notification:xsd:3. A message holds transactions with documents; a document is a
hierarchy of items, the largest outermost, each with the command that holds for it (ADD, CHANGE_BY_REFRESH, CORRECT,
DELETE). A message never lists everything: it changes what was sent before. The attributes are those of
`gs1_trade_item`; a document is held whole, without what is not read of it.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from gateway.articles.importers.base import Changes, SourceRecord, unusable
from gateway.articles.importers.gs1_trade_item import record
from gateway.articles.importers.xml_reader import DAMAGE, XmlError, XmlReader
from gateway.articles.settings import SourceSettings

MAX_ITEM_CHARACTERS: Final = 4 * 1024 * 1024
"""Of one item that are held, ELEMENT_CHARACTERS for each element among them; a long item takes a hundredth."""
ELEMENT_CHARACTERS: Final = 400
"""What an element takes in memory without its text."""
_NOTIFICATION: Final = "urn:gs1:gdsn:catalogue_item_notification:xsd:3 catalogueItemNotificationMessage"
_COMMAND: Final = "documentCommandHeader"
_ITEM: Final = "catalogueItem"
_TRADE_ITEM: Final = "tradeItem"
_STATE: Final = "catalogueItemStateCode"
_KEPT: Final = frozenset(
    {
        *("gtin", "additionalTradeItemIdentification", "isTradeItemABaseUnit", "isTradeItemRecalled"),
        *("tradeItemUnitDescriptorCode", "brandOwner", "informationProviderOfTradeItem", "manufacturerOfTradeItem"),
        *("gdsnTradeItemClassification", "nextLowerLevelTradeItemInformation", "tradeItemInformation"),
        "tradeItemSynchronisationDates",
    }
)
"""Of a trade item's elements."""
_MODULES: Final = frozenset({"medicalDeviceTradeItemModule", "tradeItemDescriptionModule"})
"""Of those in the extension of its tradeItemInformation."""
_MODULE_DEPTH: Final = 2
"""Elements between a trade item and a module."""


def read_gs1_cin(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Changes]:
    """Yield the items of each document. SourceFileError: it is no Catalogue Item Notification, or damaged."""
    yield Changes()
    items = _Items()
    try:
        yield from items.read(stream)
    except DAMAGE as error:
        raise unusable(stream, source, str(error), "have it sent again") from error


class _Open:
    """A catalogue item that has begun and not ended."""

    def __init__(self, depth: int, *, outermost: bool) -> None:
        self.depth = depth
        self.outermost = outermost
        self.line = 0
        self.state = ""
        self.trade_item: dict[str, Any] = {}
        self.elements: list[dict[str, Any]] = []
        """The trade item's elements that are open, itself first."""
        self.size = 0

    def hold(self, characters: int) -> None:
        """Count what is held of it. Raises XmlError: too much."""
        self.size += characters
        if self.size > MAX_ITEM_CHARACTERS:
            raise XmlError(f"line {self.line}: an item is longer than {MAX_ITEM_CHARACTERS} characters")


class _Items:
    """The catalogue items that are open at one place of the document, the outermost first."""

    def __init__(self) -> None:
        self._xml = XmlReader(_NOTIFICATION, {}, self._start, self._end)
        self._command = ""
        self._open: list[_Open] = []
        self._skipped = 0
        """Depth of an element of which nothing is kept; 0 for none."""
        self._done: list[SourceRecord] = []

    def read(self, stream: BinaryIO) -> Iterator[SourceRecord]:
        """Yield each item when it ends. Raises what `xml_reader.DAMAGE` lists."""
        for _ in self._xml.blocks(stream):
            yield from self._done
            self._done.clear()

    def _start(self, path: list[str], attributes: dict[str, str]) -> bool:
        name = path[-1]
        if self._skipped:
            return False
        if name == _COMMAND:
            self._command = attributes.get("type", "").upper()
        elif name == _ITEM:
            self._open.append(_Open(len(path), outermost=not self._open))
        elif self._open:
            return self._start_inside(self._open[-1], path, attributes)
        return False

    def _start_inside(self, item: _Open, path: list[str], attributes: dict[str, str]) -> bool:
        name = path[-1]
        if not item.elements:
            if name == _TRADE_ITEM and len(path) == item.depth + 1:
                item.line = self._xml.line
                item.elements.append(item.trade_item)
            return name == _STATE
        inside = len(item.elements) - 1
        module = inside == _MODULE_DEPTH and path[item.depth + 1] == "tradeItemInformation"
        if (inside == 0 and name not in _KEPT) or (module and name not in _MODULES):
            self._skipped = len(path)
            return False
        item.hold(ELEMENT_CHARACTERS + sum(map(len, attributes.values())))
        item.elements.append(dict(attributes))
        return True

    def _end(self, path: list[str], text: str | None) -> None:
        if self._skipped:
            if self._skipped == len(path):
                self._skipped = 0
            return
        if not self._open:
            return
        item = self._open[-1]
        if path[-1] == _ITEM and len(path) == item.depth:
            self._open.pop()
            deleted = item.outermost and self._command == "DELETE"
            self._done.append(record(item.line, item.trade_item, state=item.state, deleted=deleted))
        elif len(item.elements) == 1:
            item.elements.clear()
        elif item.elements:
            element = item.elements.pop()
            if text:
                item.hold(len(text))
                element["value"] = text
            item.elements[-1].setdefault(path[-1], []).append(element)
        elif path[-1] == _STATE:
            item.state = text or ""
