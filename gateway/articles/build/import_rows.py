"""An import's rows as they come: many at once into a table in the file's order; and what stands there twice."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from gateway.articles.identifiers import gtin_text
from gateway.articles.importers.base import RowBatch
from gateway.articles.precedence import BARRED
from gateway.articles.rows import (
    DELISTED,
    SOURCE_BITS,
    SqlValue,
    key_of,
    rest_with_status,
    to_row,
    with_status,
)
from gateway.articles.settings import Field
from gateway.model import Article, ArticleStatus

PENDING_ROWS: Final = 1000
"""Rows handed to SQLite at a time: what a statement costs once does not show, and they take half a megabyte."""
MAX_MANUFACTURERS_REMEMBERED: Final = 10_000
"""Manufacturers kept in memory: more than any hospital's suppliers. Beyond, start afresh."""
MAX_PHRASES_REMEMBERED: Final = 30_000
"""Trade names and descriptions kept in memory to notice those that come again, some 6 MB. Beyond, start afresh:
what comes again is then stored twice."""
SHORTEST_PHRASE: Final = 6
"""Characters of the shortest text worth a row of its own."""

COLUMNS: Final = (
    "key, traits, manufacturer, trade_name, description, article_number, catalog_number, identifier, base,"
    " base_quantity, rest"
)
TABLES: Final = f"""
CREATE TABLE rows.collected (ordinal INTEGER PRIMARY KEY, {COLUMNS}, line);
CREATE TABLE rows.twin (ordinal INTEGER PRIMARY KEY, first INTEGER NOT NULL);
"""
"""collected: the rows in the order of the file. twin: those whose article an earlier one, `first`, has already."""
_INSERT: Final = f"INSERT INTO rows.collected ({COLUMNS}, line) VALUES ({', '.join('?' * 12)})"  # noqa: S608 - constants
_FIND_TWINS: Final = """
INSERT INTO rows.twin SELECT ordinal, first FROM (
    SELECT ordinal, first_value(ordinal) OVER (PARTITION BY {claim} ORDER BY base IS NOT NULL, ordinal) AS first
    FROM rows.collected WHERE {which}
) WHERE ordinal <> first
"""
_NUMBERED: Final = "coalesce('i' || identifier, 'n' || article_number)"
_SHOW_TWINS: Final = """
SELECT later.line, later.*, first.* FROM rows.twin
JOIN rows.collected AS later ON later.ordinal = twin.ordinal
JOIN rows.collected AS first ON first.ordinal = twin.first
ORDER BY twin.ordinal
"""
_WIDTH: Final = 13
"""Columns of `collected`."""
_NUMBER: Final = 5
"""Place of the article number in a row of the generation."""
_KEY, _TRADE_NAME, _DESCRIPTION, _ARTICLE_NUMBER, _IDENTIFIER = 1, 4, 5, 6, 8
"""Places in `collected`."""


class Twin(NamedTuple):
    """A row whose article stands on an earlier line already."""

    line: int
    field: Field
    """What they share."""
    value: str
    same: bool
    """Word for word the earlier row, but for the status."""
    later: list[Any]
    """Its columns, the key first, as they are stored."""
    first: list[Any]
    """Those of the earlier one."""

    @property
    def is_further_number(self) -> bool:
        """Whether it gives the article another number: stock and consignment, or listed anew."""
        numbers = {self.later[_NUMBER], self.first[_NUMBER]}
        return len(numbers) > 1 and None not in numbers and self.field == "deviceIdentifier"


class Collector:
    """Takes a source's rows. `connection` has the generation as main and an empty file attached as `rows`."""

    def __init__(self, connection: sqlite3.Connection, source: int, last_ordinal: int = 0) -> None:
        """`last_ordinal`: of the source's articles without a GTIN that are in the generation already."""
        self._connection = connection
        self._source = source
        self._last_ordinal = last_ordinal
        self._barred: list[tuple[int]] = []
        self._pending: list[tuple[Any, ...]] = []
        self._manufacturers: dict[str, int] = {}
        self._phrases: dict[str, int] = {}
        self._without_gtin = 0
        self.rows = 0
        """Rows taken so far, twins included."""
        self.bars_only = 0
        """Among them, those that are rejected and only bar."""
        for statement in filter(str.strip, TABLES.split(";")):
            connection.execute(statement)

    def add(self, article: Article, line: int, *, bars_only: bool = False) -> None:
        """Take one article; `bars_only`: the rest of its row is no good, so that it names and bars it only."""
        self.bars_only += bars_only
        key = key_of(article, self._last_ordinal + self._without_gtin + 1, self._source)
        self._without_gtin += key < 0
        if article.status in BARRED:
            self._barred.append((key,))
        row = to_row(article, key)
        self._take(
            (
                row[0],
                row[1] | DELISTED if bars_only else row[1],
                self.manufacturer(article.manufacturer_name),
                self._phrase(article.trade_name),
                self._phrase(article.description),
                *row[5:],
                line,
            )
        )

    def add_batch(self, batch: RowBatch) -> None:
        """Take rows that have been judged already."""
        source, phrase, manufacturer, pending = self._source, self._phrase, self.manufacturer, self._pending
        for line, row in zip(batch.lines, batch.rows, strict=True):
            gtin, traits, name, trade_name, description, number, catalog, identifier, base, quantity, rest = row
            key = gtin << SOURCE_BITS | source
            maker, brand, text = manufacturer(name), phrase(trade_name), phrase(description)
            pending.append(
                (key, traits, maker, brand, text, number, catalog, identifier, base, quantity, rest, line)
            )
        self.rows += len(batch.rows)
        self.flush()

    @property
    def with_gtin(self) -> int:
        """Rows taken so far that have a GTIN."""
        return self.rows - self._without_gtin

    def flush(self) -> None:
        """Hand what is pending to the database."""
        self._connection.executemany(_INSERT, self._pending)
        self._pending.clear()
        self._connection.executemany("INSERT OR IGNORE INTO barred VALUES (?)", self._barred)
        self._barred.clear()

    def new_key(self) -> int:
        """Return a key for one more article without a GTIN."""
        self._without_gtin += 1
        return -(self._last_ordinal + self._without_gtin) << SOURCE_BITS | self._source

    def find_twins_without_gtin(self) -> int:
        """Note the articles without GTIN that an earlier row has already; return how many."""
        if not self._without_gtin:
            return 0
        return self._connection.execute(_FIND_TWINS.format(claim=_NUMBERED, which="key < 0")).rowcount

    def _take(self, row: tuple[Any, ...]) -> None:
        self._pending.append(row)
        self.rows += 1
        if len(self._pending) >= PENDING_ROWS:
            self.flush()

    def manufacturer(self, name: SqlValue) -> int | None:
        """Return the row of `manufacturer` that holds a name, made if need be."""
        if not isinstance(name, str):
            return None
        if (known := self._manufacturers.get(name)) is not None:
            return known
        if len(self._manufacturers) == MAX_MANUFACTURERS_REMEMBERED:
            self._manufacturers.clear()
        self._connection.execute("INSERT OR IGNORE INTO manufacturer (name) VALUES (?)", (name,))
        ((key,),) = self._connection.execute("SELECT id FROM manufacturer WHERE name = ?", (name,)).fetchall()
        self._manufacturers[name] = key
        return int(key)

    def _phrase(self, text: SqlValue) -> SqlValue:
        """Return a text as it is stored: itself the first time, and from then on the row it gets in `phrase`."""
        if not isinstance(text, str) or len(text) < SHORTEST_PHRASE:
            return text
        known = self._phrases.get(text)
        if known is None:
            if len(self._phrases) == MAX_PHRASES_REMEMBERED:
                self._phrases.clear()
            self._phrases[text] = 0
            return text
        if known == 0:
            known = self._connection.execute("INSERT INTO phrase (text) VALUES (?)", (text,)).lastrowid or 0
            self._phrases[text] = known
        return known


def twins(connection: sqlite3.Connection, *, gtins: bool) -> Iterator[Twin]:
    """Yield the rows that were not taken; `gtins`: there are some among those with a GTIN. In the file's order."""
    if gtins:
        connection.execute(_FIND_TWINS.format(claim="key", which="key > 0"))
    for line, *both in connection.execute(_SHOW_TWINS):
        later, first = both[:_WIDTH], both[_WIDTH:]
        field: Field = "deviceIdentifier"
        if later[_KEY] > 0:
            value = gtin_text(later[_KEY] >> SOURCE_BITS)
        elif later[_IDENTIFIER] is not None:
            value = later[_IDENTIFIER]
        else:
            field, value = "articleNumber", later[_ARTICLE_NUMBER]
        same = _comparable(connection, later) == _comparable(connection, first)
        yield Twin(line, field, value, same, later[_KEY:-1], first[_KEY:-1])


def _comparable(connection: sqlite3.Connection, row: list[Any]) -> list[Any]:
    """Return what two rows of one article have in common when they say the same; of the status the strictest counts."""
    said = row[_KEY + 1 : -1]
    said[0] = with_status(said[0], ArticleStatus.ACTIVE)
    said[-1] = rest_with_status(said[-1], None)
    for place in (_TRADE_NAME, _DESCRIPTION):
        if isinstance(row[place], int):
            ((text,),) = connection.execute("SELECT text FROM phrase WHERE id = ?", (row[place],)).fetchall()
            said[place - _KEY - 1] = text
    return said
