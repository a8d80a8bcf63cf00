"""GS1 firstbase's JSON: catalogue items with their hierarchies, in a list, under `Items`, one a line, or alone.

The attributes are GDSN's (`gs1_trade_item`). An item's `CatalogueItemChildItemLink` holds the items that it contains,
each with everything that is known of it.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

from gateway.articles.importers.base import SourceRecord, unusable
from gateway.articles.importers.gs1_trade_item import Node, first, nodes, record
from gateway.articles.importers.json_entries import JsonEntriesError, entries
from gateway.articles.importers.packaging import MAX_DEPTH
from gateway.articles.reports import Rejection
from gateway.articles.settings import SourceSettings

LISTS: Final = frozenset({"Items", "items"})
_STATE: Final = "catalogueItemState/catalogueItemStateCode"


def read_gs1_firstbase(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection]:
    """Yield each item and what it contains. SourceFileError: it is no JSON."""
    try:
        for number, value in entries(stream, LISTS):
            item = next((one for one in nodes(value, "draftItem", "catalogueItem")), value)
            yield from _records(number, item, MAX_DEPTH)
    except JsonEntriesError as error:
        raise unusable(stream, source, str(error), "have it sent again") from error


def _records(number: int, item: Node, depth: int) -> Iterator[SourceRecord | Rejection]:
    trade_item = next(nodes(item, "tradeItem"), None)
    if trade_item is None or not depth:
        reason = "no catalogue item with a TradeItem" if depth else f"more than {MAX_DEPTH} items inside each other"
        yield Rejection(line=number, reason=reason)
        return
    yield record(number, trade_item, state=first(item, _STATE))
    for child in nodes(item, "catalogueItemChildItemLink/catalogueItem"):
        yield from _records(number, child, depth - 1)
