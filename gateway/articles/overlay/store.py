"""What deltas have changed since the sources' files: overlay.db, beside the generations. The reading side.

One thread uses an `Overlay`; several may look at one file, and one at a time may write (`overlay.writer`).
"""

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.articles.overlay.merge import state_of
from gateway.articles.overlay.schema import BUSY_MS, SCHEMA_VERSION, open_writer
from gateway.articles.overlay.statements import (
    Block,
    Deletion,
    OverlayChange,
    OverlaySource,
    Recalled,
    Release,
    Statement,
    Upsert,
)
from gateway.model import ArticleStatus, Recall

OVERLAY: Final = "overlay.db"
"""Inside the articles directory."""
FOLLOW_SECONDS: Final = 0.25
"""What another process applied is seen at most so much later."""
EVERY_ARTICLE: Final = "*"
"""In place of an identity: the release of a recall wherever it is in force, for one that is still to come."""
MAX_NAMES: Final = 50_000
"""Names of changed articles held in memory, some 5 MB; of more, the file is asked at every look-up."""

STATEMENTS: Final[dict[str, type[Statement]]] = {
    "upsert": Upsert,
    "delete": Deletion,
    "block": Block,
    "recall": Recall,
    "release": Release,
}
"""`kind` of a change -> what its body is."""
CHANGES: Final = "SELECT identity, source, number, place, kind, body, under, any_source FROM change"
_NAMES: Final = """
SELECT identity, kind, number, place, article_number, catalog_number, kind = 'recall'
    OR (kind = 'upsert' AND json_extract(CAST(body AS TEXT), '$.article.status') = 'recalled')
FROM change
"""
DAMAGE: Final = (sqlite3.DatabaseError, msgspec.MsgspecError, LookupError, TypeError, ValueError)


class StoredChange(NamedTuple):
    """A change, and what it was stored with."""

    identity: str
    change: OverlayChange
    any_source: bool
    """It names, by a number, articles of every source."""


class _Contents(NamedTuple):
    """What is held in memory of one state of the file."""

    names: frozenset[str] | None = frozenset()
    """Identities and numbers that changes speak of; None: too many."""
    recalled: frozenset[str] = frozenset()
    """Identities of which a recall is kept."""
    sources: tuple[OverlaySource, ...] = ()
    size: int = 0
    """Changes in it."""
    rows: tuple[tuple[str, int, int], ...] = ()
    """Identity, number and place of the upserts and deletions."""


class Overlay:
    """The overlay of an articles directory. Construction does no I/O."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / OVERLAY
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._held = _Contents()
        self.damaged = False
        """`problem` is damage, and the next delta begins anew."""
        self.problem: str | None = None
        """Why what deltas said is not in force; None when it is."""

    def anything(self) -> bool:
        """Return whether there is any change."""
        if time.monotonic() >= self._look_at:
            self.follow()
        return self._held.size > 0

    def touches(self, name: str) -> bool:
        """Return whether a change speaks of an identity, an article number or a catalogue number."""
        if not self.anything():
            return False
        names = self._held.names
        return names is None or name in names

    def recalled(self) -> frozenset[str]:
        """Return the identities of which a recall is kept; the same object until the file changes."""
        self.anything()
        return self._held.recalled

    def changed_rows(self) -> tuple[tuple[str, int, int], ...]:
        """Return what tells one state of the upserted and deleted rows from another."""
        return self._held.rows

    def sources(self) -> tuple[OverlaySource, ...]:
        """Return how far each source's deltas have come."""
        self.follow()
        return self._held.sources

    def count(self) -> int:
        """Return how many changes are kept."""
        self.follow()
        return self._held.size

    def of(self, identity: str) -> list[StoredChange]:
        """Return what the sources say of an article."""
        return self._read(f"{CHANGES} WHERE identity IN (?, ?)", identity, EVERY_ARTICLE)

    def numbered(self, number: str) -> list[str]:
        """Return the identities of upserted articles with this article or catalogue number."""
        if self._db is None:
            return []
        try:
            rows = self._db.execute(
                "SELECT identity FROM change WHERE article_number = :n UNION"
                " SELECT identity FROM change WHERE catalog_number = :n",
                {"n": number},
            ).fetchall()
        except DAMAGE as error:
            self._give_up(error)
            return []
        return [identity for (identity,) in rows]

    def recalls(self) -> list[Recalled]:
        """Return every recall that deltas have brought and none has ended, by the number of its delta."""
        self.follow()
        found: list[tuple[tuple[int, int], Recalled]] = []
        for identity in sorted(
            {one.identity for one in self._read(f"{CHANGES} WHERE kind IN ('recall', 'upsert')")}
        ):
            found.extend(_recalls_of(identity, self.of(identity)))
        return [recalled for _, recalled in sorted(found, key=lambda one: one[0])]

    def _read(self, query: str, *values: str) -> list[StoredChange]:
        if self._db is None:
            return []
        try:
            return read_changes(self._db.execute(query, values))
        except DAMAGE as error:
            self._give_up(error)
            return []

    def follow(self) -> None:
        """Read what is new, if the file is another than before."""
        self._look_at = time.monotonic() + FOLLOW_SECONDS
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - as in the master
        except OSError:
            self._forget()
            self._identity = None
            self.damaged, self.problem = False, None
            return
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if identity == self._identity:
            return
        self._forget()
        self._identity = identity
        try:
            self._load()
        except DAMAGE as error:
            self._give_up(error)

    def _load(self) -> None:
        db = self._opened()
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.OperationalError(f"a newer scangate wrote it (version {version}): install that one again")
        if version < 1:
            raise ValueError("it has no tables")
        if version < SCHEMA_VERSION:
            db.close()
            with closing(open_writer(self.path)):  # brings it forward
                pass
            db = self._opened()
        rows = db.execute(_NAMES).fetchall()
        names = frozenset(name for one in rows for name in (one[0], *one[4:6]) if name is not None)
        self._held = _Contents(
            names=names if len(rows) <= MAX_NAMES else None,
            recalled=frozenset(one[0] for one in rows if one[6]),
            sources=tuple(_sources(db)),
            size=len(rows),
            rows=tuple((one[0], one[2], one[3]) for one in rows if one[1] in {"upsert", "delete"}),
        )
        self.problem = None
        self.damaged = False

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        self._db = db
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA cache_size = -256")
        return db

    def _give_up(self, error: Exception) -> None:
        """Go on without; what may pass (a lock, a permission) is tried again, what is damage is not."""
        self._forget()
        self.damaged = not isinstance(error, sqlite3.OperationalError)
        if not self.damaged:
            self._identity = None
        self.problem = f"cannot read {self.path}: {error}; deltas are not in force: have them sent again"

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._held = _Contents()

    def close(self) -> None:
        """Close the file. A later call opens it again."""
        self._forget()
        self._identity = None
        self._look_at = 0.0


def read_changes(rows: Iterable[tuple[str, str, int, int, str, bytes, bytes | None, int]]) -> list[StoredChange]:
    """Return what `CHANGES` has selected. Raises what `DAMAGE` lists."""
    return [
        StoredChange(
            identity,
            OverlayChange(source, number, place, msgspec.json.decode(body, type=STATEMENTS[kind]), under),
            bool(any_source),
        )
        for identity, source, number, place, kind, body, under, any_source in rows
    ]


def _sources(db: sqlite3.Connection) -> Iterable[OverlaySource]:
    runs: dict[str, list[tuple[int, int]]] = {}
    for name, first, last in db.execute("SELECT source, first, last FROM missing ORDER BY source, first"):
        runs.setdefault(name, []).append((first, last))
    for name, number, announced, issued_at in db.execute(
        "SELECT name, number, announced, issued_at FROM source ORDER BY name"
    ):
        missing = tuple(runs.get(name, ()))
        yield OverlaySource(name=name, number=number, announced=announced, issued_at=issued_at, missing=missing)


def _recalls_of(identity: str, stored: Iterable[StoredChange]) -> Iterable[tuple[tuple[int, int], Recalled]]:
    by_source: dict[str, list[OverlayChange]] = {}
    for one in stored:
        by_source.setdefault(one.change.source, []).append(one.change)
    for source, changes in by_source.items():
        state = state_of(None, changes, tells_status=True)
        for change, recall in state.recalls:
            yield change.order, Recalled(identity=identity, recall=recall)
        if state.bar is not None and state.bar.status is ArticleStatus.RECALLED:
            row = Recall(source=source, reason=state.bar.reason, starts=state.bar.since)
            yield changes[-1].order, Recalled(identity=identity, recall=row)
