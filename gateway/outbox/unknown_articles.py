"""Articles that were scanned and that the article master did not know: for whoever maintains the master.

The list stands in outbox.db beside the scans and is written in their transactions, but outlives them: how often an
article was scanned is still known when its scans have been delivered and removed. An entry is marked as resolved
when the master has learnt the article, and opens again when it forgets it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from gateway.events import cloudevent

FINDING: Final = "ARTICLE_UNKNOWN"
"""The verdict's finding that puts an article on the list."""
MAX_UNKNOWN: Final = 10_000
"""Entries kept, some 1 MB. Beyond, the resolved ones go first, then those not scanned for longest."""
ROOM_MADE: Final = 100
"""Entries that go at a time when the list is full, so that the search for them is rare."""
MAX_IDENTIFIER: Final = 128
"""Characters of an entry's identifier: no device identifier and no shelf label's text is longer."""
SETTLE_ROWS: Final = 200
"""Entries asked for in one `settle`: some 5 ms of look-ups, so that no scan waits."""

FIRST_VERSION: Final = 2
"""Of the outbox's schema: earlier ones have no such list."""

_NOTE: Final = """
INSERT INTO unknown VALUES (:identifier, :issuer, 1, :now, :now, NULL)
ON CONFLICT (identifier) DO UPDATE SET scans = scans + 1, last_ns = :now, resolved_ns = NULL RETURNING scans
"""
_MAKE_ROOM: Final = """
DELETE FROM unknown WHERE identifier IN (
    SELECT identifier FROM unknown ORDER BY resolved_ns IS NULL, last_ns LIMIT ?
)
"""


class UnknownArticle(Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry of the list."""

    identifier: str
    """Device identifier, or the text of a label that is no UDI."""
    issuer: str | None
    """GS1, HIBCC, ICCBBA, IFA; None for a label that is no UDI."""
    scans: int
    first_ns: int
    """First scanned, nanoseconds since 1970 UTC by the box's clock."""
    last_ns: int
    resolved_ns: int | None = None
    """When the master was seen to know it."""


class Noted(Protocol):
    """What `note` reads of a scan: an outbox NewEvent."""

    @property
    def data(self) -> cloudevent.ScanData:
        """The scan."""


def note(db: sqlite3.Connection, drafts: Iterable[Noted], wall_ns: int) -> None:
    """List the drafts' unknown articles. Called within the transaction that stores them. Raises sqlite3.Error."""
    for draft in drafts:
        entry = _entry(draft.data)
        if entry is None:
            continue
        identifier, issuer = entry
        values = {"identifier": identifier, "issuer": issuer, "now": wall_ns}
        ((scans,),) = db.execute(_NOTE, values).fetchall()
        if scans == 1 and count(db) > MAX_UNKNOWN:
            db.execute(_MAKE_ROOM, (ROOM_MADE,))


def _entry(data: cloudevent.ScanData) -> tuple[str, str | None] | None:
    """Return identifier and issuer of the article a scan did not find, or None."""
    if all(finding.code != FINDING for finding in data.verdict.findings):
        return None
    if data.udi is not None:
        identifier = data.udi.device_identifier
        if identifier is None or len(identifier) > MAX_IDENTIFIER:
            return None
        return identifier, data.udi.issuer
    if len(data.symbols) == 1 and 0 < len(data.symbols[0].text) <= MAX_IDENTIFIER:
        return data.symbols[0].text, None
    return None


def count(db: sqlite3.Connection) -> int:
    """Tell how many entries there are. Raises sqlite3.Error."""
    ((entries,),) = db.execute("SELECT count(*) FROM unknown").fetchall()
    return int(entries)


def count_open(db: sqlite3.Connection) -> int:
    """Tell how many of them the master does not know yet. Raises sqlite3.Error."""
    ((entries,),) = db.execute("SELECT count(*) FROM unknown WHERE resolved_ns IS NULL").fetchall()
    return int(entries)


def listed(db: sqlite3.Connection) -> Iterator[UnknownArticle]:
    """Yield the entries, the open ones first, the most scanned first. Raises sqlite3.Error."""
    for row in db.execute("SELECT * FROM unknown ORDER BY resolved_ns IS NOT NULL, scans DESC, identifier"):
        identifier, issuer, scans, first_ns, last_ns, resolved_ns = row
        yield UnknownArticle(
            identifier=identifier,
            issuer=issuer,
            scans=scans,
            first_ns=first_ns,
            last_ns=last_ns,
            resolved_ns=resolved_ns,
        )


def read(path: Path) -> list[UnknownArticle]:
    """Return the list of an outbox that the daemon may be using. Raises OutboxError."""
    from gateway.outbox.schema import OutboxError, connect  # it needs SCHEMA

    try:
        with closing(connect(path, read_only=True)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] < FIRST_VERSION:
                return []
            return list(listed(db))
    except sqlite3.DatabaseError as error:
        raise OutboxError("read", path, error, "is there an outbox, and may this user read it?") from error


def settle(
    db: sqlite3.Connection, known: Callable[[str, str | None], bool], wall_ns: int, *, after: str = ""
) -> tuple[int, str | None]:
    """Ask `known(identifier, issuer)` for the next SETTLE_ROWS open entries, and mark those the master knows now.

    Returns how many were marked, and where to go on (`after`), or None when the list has come to its end. Called in
    no transaction; it makes one of its own when there is something to write. Raises sqlite3.Error.
    """
    rows = db.execute(
        "SELECT identifier, issuer FROM unknown WHERE identifier > ? AND resolved_ns IS NULL"
        " ORDER BY identifier LIMIT ?",
        (after, SETTLE_ROWS),
    ).fetchall()
    learnt = [(wall_ns, identifier) for identifier, issuer in rows if known(identifier, issuer)]
    if learnt:
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("UPDATE unknown SET resolved_ns = ? WHERE identifier = ?", learnt)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    return len(learnt), rows[-1][0] if len(rows) == SETTLE_ROWS else None


def carry_over(source: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    """Copy what can be read of a damaged outbox's list into a new one. Raises sqlite3.Error of the new one."""
    try:
        rows = source.execute(
            "SELECT identifier, issuer, scans, first_ns, last_ns, resolved_ns FROM unknown"
        ).fetchall()
    except sqlite3.DatabaseError:
        return
    fresh.executemany("INSERT OR IGNORE INTO unknown VALUES (?, ?, ?, ?, ?, ?)", rows)
