"""Past scans that a recall touches: from the journal, with what the master knows of packaging and numbers."""

import contextlib
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.statements import Recalled, spelled
from gateway.events.exports.flat import FlatEvent, flat
from gateway.events.stored_event import StoredEvent
from gateway.model import ArticleStatus, Decoded, LookUp, Recall
from gateway.outbox.reader import OutboxReader

MAX_REMEMBERED: Final = 5000
"""Look-ups kept in memory while the journal is gone through. Beyond, start afresh."""


class Affected(Struct, frozen=True, kw_only=True, rename="camel"):
    """One scan."""

    event: FlatEvent
    certain: bool
    """False: the label does not say what would tell (its lot, serial number or date): look at the device."""
    source: str | None
    """Who recalls; None when asked by hand."""
    reason: str | None
    taken_back: bool = False
    """An undo has taken it back: the device was most likely not used then."""


def recall_of(
    text: str, lots: Sequence[str] = (), serials: Sequence[str] = (), reason: str | None = None
) -> Recalled:
    """Return a recall asked about by hand, of an article (identifier or number) or of some of its devices."""
    identity = text if text.startswith("#") else spelled(text)
    return Recalled(
        identity=identity, recall=Recall(source="", reason=reason, lots=tuple(lots), serials=tuple(serials))
    )


class _Undoing(Struct, frozen=True):
    undoes: str | None = None


class _Event(Struct, frozen=True):
    data: _Undoing


_events = msgspec.json.Decoder(_Event)


def undone(events: Iterable[StoredEvent]) -> frozenset[str]:
    """Return the ids of the events that have been taken back; what cannot be read has taken back nothing."""
    found = set()
    for stored in events:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            undoes = _events.decode(stored.body).data.undoes
            if undoes is not None:
                found.add(undoes)
    return frozenset(found)


def affected(
    events: Iterable[StoredEvent],
    master: ArticleMaster,
    recalls: Sequence[Recalled] | None = None,
    taken_back: Container[str] = (),
) -> Iterator[Affected]:
    """Yield the scans that these recalls touch; without any, those of articles the master now knows as recalled.

    `taken_back`: what `undone` has found. An undo itself is no scan.
    A recall of an article touches its packages and units of use. Its days in force do not matter: what was used
    before a recall was known is what it is about. Raises MasterError.
    """
    search = _Search(master, recalls, taken_back)
    for stored in events:
        event = flat(stored)
        if event.text is not None and event.undoes is None:  # a scan
            yield from search.touching(event)


def count_affected(outbox: Path, master: ArticleMaster, recalls: Sequence[Recalled]) -> int:
    """Tell how many past scans of a box recalls touch, certainly or not. Raises OutboxError, MasterError."""
    backlog = OutboxReader(outbox)
    try:
        return sum(1 for _ in affected(backlog.journal(), master, recalls))
    finally:
        backlog.close()


class _Search:
    def __init__(
        self, master: ArticleMaster, recalls: Sequence[Recalled] | None, taken_back: Container[str]
    ) -> None:
        self._master = master
        self._taken_back = taken_back
        self._recalls = recalls
        self._known: dict[tuple[str, str | None], LookUp] = {}

    def touching(self, event: FlatEvent) -> Iterator[Affected]:
        label = Decoded(
            ok=True,
            lot_number=event.lot_number,
            serial_number=event.serial_number,
            expiration_date=event.expiration_date,
            manufacture_date=event.manufacture_date,
        )
        for recall in self._told(event):
            means = recall.means(label)
            if means is not False:
                yield Affected(
                    event=event,
                    certain=means is True,
                    source=recall.source or None,
                    reason=recall.reason,
                    taken_back=event.id in self._taken_back,
                )
                return

    def _told(self, event: FlatEvent) -> Iterable[Recall]:
        """Return the recalls of the scanned article."""
        found = self._look_up(event)
        article = found.article
        if self._recalls is None:
            told = list(found.recalls)
            if article is not None and article.status is ArticleStatus.RECALLED:
                told.insert(0, Recall(source=found.source or "", reason=article.status_reason))
            return told
        names = {event.device_identifier, event.article_number and f"#{event.article_number}"}
        if article is not None:
            names |= {article.device_identifier, article.base_device_identifier}
            names |= {article.article_number and f"#{article.article_number}"}
        # what was asked for may be an article number, given as people write it
        return [
            one.recall
            for one in self._recalls
            if one.identity in names or (one.recall.source == "" and f"#{one.identity}" in names)
        ]

    def _look_up(self, event: FlatEvent) -> LookUp:
        key = (event.text or "", None) if event.device_identifier is None else ("", event.device_identifier)
        found = self._known.get(key)
        if found is None:
            if len(self._known) == MAX_REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._master.look_up(*key)
        return found
