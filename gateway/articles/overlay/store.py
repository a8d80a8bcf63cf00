"""What deltas have changed since the sources' files: overlay.db, beside the generations.

Each source's change lies over its own rows of the generation, until a file of that source comes that is as new as
the change (`as_of`): the file has swallowed it. Nothing is forgotten then, so that a rollback to an older file
brings it back in force. A recall is swallowed by no file, because few files say anything of recalls and none of
lots and serial numbers: it goes on until another delta lifts it, or it is over. Nor is a block swallowed by a file
that cannot say what is blocked. Of two changes of one article by one source the one issued later counts.

One thread uses an `Overlay`; several may look at one file, and one at a time may apply.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from gateway.articles.overlay.merge import FileState, OverlayChange
from gateway.articles.overlay.schema import BUSY_MS, SCHEMA_VERSION, open_writer
from gateway.articles.overlay.statements import (
    Deletion,
    Delta,
    DeltaOutcome,
    OverlaySource,
    Recalled,
    Refused,
    Said,
    StatusChange,
    recalled,
)
from gateway.model import Article, Recall

OVERLAY: Final = "overlay.db"
"""Inside the articles directory."""
DAMAGED: Final = "overlay.db.damaged"
"""Where one that cannot be read is moved when the next delta comes."""
FOLLOW_SECONDS: Final = 0.25
"""What another process applied is seen at most so much later."""
AHEAD_NS: Final = 86_400 * 1_000_000_000
"""A message issued further than a day in the future is refused: nothing would ever supersede it."""

_TYPES: Final[dict[str, type[Said]]] = {
    "row": Article,
    "gone": Deletion,
    "status": StatusChange,
    "released": StatusChange,
    "recall": Recall,
}
_SAID: Final = "SELECT source, identity, kind, body FROM change ORDER BY issued_ns"
_DAMAGE: Final = (sqlite3.DatabaseError, msgspec.MsgspecError, LookupError, TypeError, ValueError)


class Overlay:
    """The overlay of an articles directory. Construction does no I/O."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / OVERLAY
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._names: frozenset[str] = frozenset()
        self._sources: tuple[OverlaySource, ...] = ()
        self._count = 0
        self.problem: str | None = None
        """Why what deltas said is not in force; None when it is. The next delta begins anew where it is damage."""
        self._damaged = False

    def anything(self) -> bool:
        """Tell whether there is any change."""
        if time.monotonic() >= self._look_at:
            self._follow()
        return bool(self._names)

    def touches(self, name: str) -> bool:
        """Tell whether a change speaks of an identity, an article number or a catalogue number."""
        return self.anything() and name in self._names

    def sources(self) -> tuple[OverlaySource, ...]:
        """Return how far each source's deltas have come."""
        self._follow()
        return self._sources

    def count(self) -> int:
        """Return how many changes are kept."""
        self._follow()
        return self._count

    def of(self, identity: str) -> list[OverlayChange]:
        """Return what the sources say of an article, by the time it was issued."""
        return self._read("SELECT source, issued_ns, kind, body FROM change WHERE identity = ?", identity)

    def recalls(self) -> list[Recalled]:
        """Return every recall that deltas have brought and none has lifted, the oldest first."""
        self._follow()
        if self._db is None:
            return []
        found = []
        try:
            for source, identity, kind, body in self._db.execute(_SAID):
                one = recalled(identity, source, msgspec.json.decode(body, type=_TYPES[kind]))
                if one is not None:
                    found.append(one)
        except _DAMAGE as error:
            self._give_up(error)
        return found

    def numbered(self, number: str) -> list[str]:
        """Return the identities of upserted articles with this article or catalogue number."""
        if self._db is None:
            return []
        try:
            rows = self._db.execute(
                "SELECT DISTINCT identity FROM change WHERE article_number = ? OR catalog_number = ?",
                (number, number),
            ).fetchall()
        except _DAMAGE as error:
            self._give_up(error)
            return []
        return [identity for (identity,) in rows]

    def _read(self, query: str, *values: str) -> list[OverlayChange]:
        if self._db is None:
            return []
        try:
            found = [
                OverlayChange(source, issued_ns, msgspec.json.decode(body, type=_TYPES[kind]))
                for source, issued_ns, kind, body in self._db.execute(query, values)
            ]
        except _DAMAGE as error:
            self._give_up(error)
            return []
        return sorted(found, key=lambda over: over.issued_ns)

    def apply(
        self,
        payload: bytes,
        key: bytes | None = None,
        *,
        files: FileState | None = None,
        now_ns: int | None = None,
    ) -> DeltaOutcome:
        """Take one message: on the disk and in force when this returns.

        `key`: the Ed25519 public key by which it must be signed. `files`: what the sources' files
        have swallowed makes room when there is none. `now_ns`: by a clock that is set.
        A message that cannot be stored (disk full) is refused, too.
        """
        from gateway.articles.overlay.delta_message import read_delta
        from gateway.articles.overlay.signing import verifier
        from gateway.articles.overlay.writer import refusal  # most days none comes

        delta = read_delta(payload, None if key is None else verifier(key))
        if isinstance(delta, Refused):
            return DeltaOutcome(applied=False, refused=delta.reason)
        if now_ns is not None and delta.issued_ns > now_ns + AHEAD_NS:
            return refusal(delta, "issuedAt lies in the future")
        self._follow()
        damaged = self._damaged
        if self.problem is not None and not damaged:
            return refusal(delta, self.problem)
        try:
            if damaged:
                self._path.replace(self._directory / DAMAGED)
            outcome = self._store(delta, files or FileState(), lost=damaged)
        except (sqlite3.Error, OSError) as error:
            return refusal(delta, f"cannot write {self._path}: {error}; check the disk")
        finally:
            self._look_at = 0.0
        return outcome

    def _store(self, delta: Delta, files: FileState, *, lost: bool) -> DeltaOutcome:
        from gateway.articles.overlay.writer import Application

        with closing(open_writer(self._path)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                outcome = Application(db, delta, files).carry_out(lost=lost)
                db.execute("COMMIT" if outcome.applied else "ROLLBACK")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        return outcome

    def _follow(self) -> None:
        """Read what is new, if the file is another than before."""
        self._look_at = time.monotonic() + FOLLOW_SECONDS
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - as in the store
        except OSError:
            self._forget()
            self._identity = None
            self._damaged, self.problem = False, None
            return
        identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if identity == self._identity:
            return
        self._forget()
        self._identity = identity
        try:
            self._load()
        except _DAMAGE as error:
            self._give_up(error)

    def _load(self) -> None:
        db = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        self._db = db
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA cache_size = -256")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.OperationalError(f"a newer scangate wrote it (version {version}): install that one again")
        if version != SCHEMA_VERSION:
            raise ValueError("it has no tables")
        rows = db.execute("SELECT identity, article_number, catalog_number FROM change").fetchall()
        self._names = frozenset(name for row in rows for name in row if name is not None)
        self._count = len(rows)
        self._sources = tuple(
            OverlaySource(name=name, number=number, issued_ns=issued_ns, gap_ns=gap_ns)
            for name, number, issued_ns, gap_ns in db.execute("SELECT * FROM source ORDER BY name")
        )
        self.problem = None
        self._damaged = False

    def _give_up(self, error: Exception) -> None:
        """Go on without; what may pass (a lock, a permission) is tried again, what is damage is not."""
        self._forget()
        self._damaged = not isinstance(error, sqlite3.OperationalError)
        if not self._damaged:
            self._identity = None
        self.problem = f"cannot read {self._path}: {error}; deltas are not in force until the next sync"

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._names = frozenset()
        self._count = 0
        self._sources = ()

    def close(self) -> None:
        """Let the file go. A later call opens it again."""
        self._forget()
        self._identity = None
        self._look_at = 0.0
