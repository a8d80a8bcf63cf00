"""How well labels are read, scanner by scanner and article by article: what a technician and a purchaser look at.

Counted since the start, for a bounded number of articles, and of articles and scanners only: never of a person.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, structs

from gateway.events import cloudevent
from gateway.model import Disposition
from gateway.outbox.entry import NewEvent, Write
from gateway.station.values import LABEL_COMPLETED
from gateway.udi.findings import FINDINGS

MAX_ARTICLES: Final = 500
"""Of which figures are kept, some 100 KB; beyond, the article that was not scanned for longest goes."""
MAX_FIRST_TRIES: Final = 64
"""Events that a further symbol may still replace: more than all scanners read within the longest window."""
_OF_FINDING: Final[Mapping[str, str]] = {
    "INCOMPLETE_LABEL": "incomplete",
    "ARTICLE_UNKNOWN": "unknown",
    "LABELS_INTERLEAVED": "interleaved",
}


class QualityRow(Struct, kw_only=True, rename="camel"):
    """The figures of one scanner or article."""

    labels: int = 0
    """Labels that became events; a label completed later counts once."""
    first_try: int = 0
    """Of these: whole, readable and in force with the first event."""
    unreadable: int = 0
    """Refused for what was read: a wrong check digit, a damaged symbol."""
    incomplete: int = 0
    """A further symbol did not come in time."""
    completed: int = 0
    """It came late, and the event was replaced."""
    unknown: int = 0
    """The article master does not know the article."""
    interleaved: int = 0
    """Two labels were begun at once."""
    keyed: int = 0
    """Typed, because it could not be read."""


class QualityReport(Struct, frozen=True, kw_only=True):
    """All figures at one moment."""

    scanners: Mapping[str, QualityRow]
    articles: Mapping[str, QualityRow]
    """Device identifier -> figures; the one scanned last at the end."""


class LabelQuality:
    """Counts. Thread-safe: the worker counts, and `report` returns a copy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scanners: dict[str, QualityRow] = {}
        self._articles: dict[str, QualityRow] = {}
        self._first_tries: dict[str, tuple[QualityRow, ...]] = {}
        """Event -> rows in which it counts as a first try, of the newest: a further symbol may still come."""

    def count(self, writes: tuple[Write, ...]) -> None:
        """Count what came of a scan, once it is on disk."""
        events = [write for write in writes if isinstance(write, NewEvent)]
        with self._lock:
            late = False
            for event in events:
                if event.data.reason == LABEL_COMPLETED:
                    late = True
                    for row in self._first_tries.pop(event.data.undoes or "", ()):
                        row.first_try -= 1
                elif (
                    event.data.entry != "unlabelled" and event.data.action != "undo" and event.data.repeats is None
                ):
                    self._count(event, late=late)
                    late = False

    def report(self) -> QualityReport:
        """Return the figures as they are now."""
        with self._lock:
            return QualityReport(
                scanners={name: structs.replace(row) for name, row in self._scanners.items()},
                articles={name: structs.replace(row) for name, row in self._articles.items()},
            )

    def _count(self, event: NewEvent, *, late: bool) -> None:
        data = event.data
        codes = {found.code for found in data.verdict.findings}
        refused = data.verdict.disposition is Disposition.REFUSED
        unreadable = refused and any(code in FINDINGS for code in codes)
        names = {name for code, name in _OF_FINDING.items() if code in codes}
        if data.entry == "keyed":
            names.add("keyed")
        first_try = not (late or unreadable or names & {"incomplete", "interleaved", "keyed"})
        rows = tuple(self._rows(data))
        for row in rows:
            row.labels += not late  # what it replaces was counted when it was an event
            row.completed += late
            row.unreadable += unreadable
            row.first_try += first_try
            for name in names:
                setattr(row, name, getattr(row, name) + 1)
        if first_try:
            self._first_tries[event.id] = rows
            if len(self._first_tries) > MAX_FIRST_TRIES:
                del self._first_tries[next(iter(self._first_tries))]

    def _rows(self, data: cloudevent.ScanData) -> Iterator[QualityRow]:
        yield self._scanners.setdefault(data.station.scanner, QualityRow())
        identifier = data.udi.device_identifier if data.udi else None
        if identifier is not None:
            row = self._articles[identifier] = self._articles.pop(identifier, QualityRow())
            if len(self._articles) > MAX_ARTICLES:
                del self._articles[next(iter(self._articles))]
            yield row
