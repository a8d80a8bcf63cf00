"""Past scans that a recall touches: from the journal, with what the master knows of packages and numbers.

A recall asked about by hand is typed by hand: `certain` is what stands on the label exactly as it was typed,
`possible` what does so only without regard to case, spaces and leading zeros, or does not say. What names nothing
is an error.
"""

import contextlib
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from datetime import date
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
from gateway.udi import decode
from gateway.udi.dispatch import split_symbology

MAX_REMEMBERED: Final = 5000
"""Look-ups kept in memory while the journal is gone through. Beyond, start afresh."""
_ANY_DAY: Final = date(2000, 1, 1)
"""A code is decoded for its identifier, which no day changes."""
MAX_SUGGESTED: Final = 10
"""Numbers on past labels that are named in place of one that none has."""


class Affected(Struct, frozen=True, kw_only=True, rename="camel"):
    """One scan."""

    event: FlatEvent
    certain: bool
    """False: possibly. The label does not say what would tell (its lot, serial number or date), or says it in
    another spelling: look at the device."""
    source: str | None
    """Who recalls; None when asked by hand."""
    reason: str | None
    taken_back: bool = False
    """An undo has taken it back: the device was most likely not used then."""


class NothingNamedError(ValueError):
    """What was asked about by hand is no article, lot or serial number; the message says what there is instead."""


class Question(Struct, frozen=True, kw_only=True):
    """A recall asked about by hand."""

    recall: Recall
    names: frozenset[str]
    """What an event may say of an article that is meant: identifiers, and `#` with a number."""
    spelt: frozenset[str] = frozenset()
    """The same, folded, where the spelling is not the article's own: those are possible only."""

    def meets(self, named: Iterable[str | None]) -> bool | None:
        """Return whether an article of one of these names is meant; None: possibly."""
        given = set(named) - {None}
        if given & self.names:
            return True
        return None if self.spelt and {_fold_name(one) for one in given if one} & self.spelt else False


def question(text: str, master: ArticleMaster, journal: Iterable[StoredEvent], recall: Recall) -> Question:
    """Return what is asked about: `text` is a device identifier, an article or catalogue number, or a whole code.

    An article that is neither in the master nor on a past label is a NothingNamedError, as is a lot or serial
    number that no past label of the article has. Raises MasterError.
    """
    names = _names_of(text, master)
    other = [text.upper(), text.lower(), _fold_name(text)]
    alike = frozenset() if names else frozenset(name for one in other for name in _names_of(one, master))
    spelt = frozenset(map(_fold_name, (*alike, text, f"#{text.removeprefix('#')}")))
    given = {spelled(text), f"#{text.removeprefix('#')}"}
    asked = Question(recall=recall, names=names | given, spelt=frozenset() if names else spelt)
    labels: list[Decoded] = []
    search = _Search(master, None, ())
    for stored in journal:
        event = flat(stored)
        if event.text is not None and event.undoes is None and asked.meets(search.names(event)) is not False:
            labels.append(_label(event))
            if recall.means(labels[-1]) is not False:
                return asked
    if not labels and not names and not alike:
        raise NothingNamedError(
            f"{text!r} is no article of this box: neither its master nor a past scan has it; give the device "
            "identifier, the article number, or the whole code of the label"
        )
    if labels:
        lots = {one.lot_number for one in labels if one.lot_number is not None}
        serials = {one.serial_number for one in labels if one.serial_number is not None}
        raise NothingNamedError(
            "; ".join([*_on_no_label("lot", recall.lots, lots), *_on_no_label("serial", recall.serials, serials)])
        )
    return asked


def _on_no_label(what: str, asked: Sequence[str], seen: Collection[str]) -> Iterator[str]:
    """Say that no past label has any of these numbers, and what is there instead."""
    if asked:
        alike = sorted(one for one in seen if any(_fold_name(number) in _fold_name(one) for number in asked))
        there = ", ".join((alike or sorted(seen))[:MAX_SUGGESTED]) or "none"
        given = ", ".join(asked[:MAX_SUGGESTED])
        yield f"no past label of the article has the {what} {given}; {'alike' if alike else 'there'} are: {there}"


def _label(event: FlatEvent) -> Decoded:
    return Decoded(
        ok=True,
        lot_number=event.lot_number,
        serial_number=event.serial_number,
        expiration_date=event.expiration_date,
        manufacture_date=event.manufacture_date,
    )


def _names_of(text: str, master: ArticleMaster) -> frozenset[str]:
    """Return the names of the article that a text means, as the master has them; none where it has it not."""
    symbology, whole = split_symbology(text)
    identifier = decode(whole, symbology, today=_ANY_DAY).device_identifier
    number = text.removeprefix("#")
    for wanted, device in ((text, identifier), (text, None), (spelled(number), None), (number, None)):
        found = master.statements(wanted, device)
        if found.rows:
            devices = {row.article.device_identifier for row in found.rows} - {None}
            numbers = {row.article.article_number for row in found.rows} - {None}
            roots = {root for device in devices for root in master.roots(device or "")}
            return frozenset({*filter(None, devices), *(f"#{number}" for number in numbers), *roots})
    return frozenset()


def _fold_name(name: str) -> str:
    return "".join(name.split()).upper()


def recall_of(
    text: str, lots: Sequence[str] = (), serials: Sequence[str] = (), reason: str | None = None
) -> Recalled:
    """Return a recall of an article (identifier, or `#` and number), or of some of its devices."""
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
    recalls: Sequence[Recalled] | Question | None = None,
    taken_back: Container[str] = (),
) -> Iterator[Affected]:
    """Yield the scans that these recalls touch; without any, those of articles the master now knows as recalled.

    `taken_back`: what `undone` has found. An undo itself is no scan.
    A recall of an article touches its whole family of packages. Its days in force do not matter: what was used
    before a recall was known is what it is about. Raises MasterError.
    """
    search = _Search(master, recalls, taken_back)
    for stored in events:
        event = flat(stored)
        if event.text is not None and event.undoes is None:  # a scan
            yield from search.touching(event)


def count_affected(outbox: Path, master: ArticleMaster, recalls: Sequence[Recalled]) -> int:
    """Return how many past scans of a box recalls touch, certainly or not. Raises OutboxError, MasterError."""
    reader = OutboxReader(outbox)
    try:
        return sum(1 for _ in affected(reader.journal(), master, recalls))
    finally:
        reader.close()


class _Search:
    def __init__(
        self, master: ArticleMaster, recalls: Sequence[Recalled] | Question | None, taken_back: Container[str]
    ) -> None:
        self._master = master
        self._taken_back = taken_back
        self._recalls = recalls
        self._by_name: dict[str, list[Recall]] = {}
        if recalls is not None and not isinstance(recalls, Question):
            for one in recalls:
                for name in {one.identity, *master.roots(one.identity)}:
                    self._by_name.setdefault(name, []).append(one.recall)
        self._known: dict[tuple[str, str | None], tuple[LookUp, frozenset[str]]] = {}

    def touching(self, event: FlatEvent) -> Iterator[Affected]:
        label = _label(event)
        answers = [(recall, _both(article, recall.means(label))) for recall, article in self._recalls_of(event)]
        for wanted in (True, None):
            for recall, means in answers:
                if means is wanted:
                    yield Affected(
                        event=event,
                        certain=means is True,
                        source=recall.source or None,
                        reason=recall.reason or recall.id,
                        taken_back=event.id in self._taken_back,
                    )
                    return

    def names(self, event: FlatEvent) -> frozenset[str]:
        """Return every name of the scanned article and its family: what the event says, and the master now."""
        _, known = self._look_up(event)
        said = (event.device_identifier, event.article_number and f"#{event.article_number}")
        return known | frozenset(filter(None, said))

    def _recalls_of(self, event: FlatEvent) -> Iterator[tuple[Recall, bool | None]]:
        """Yield the recalls of the scanned article, and whether that is the article; None: possibly."""
        if isinstance(self._recalls, Question):
            means = self._recalls.meets(self.names(event))
            if means is not False:
                yield self._recalls.recall, means
            return
        if self._recalls is not None:
            for name in self.names(event):
                yield from ((recall, True) for recall in self._by_name.get(name, ()))
            return
        found, _ = self._look_up(event)
        article = found.article
        if article is not None and article.status is ArticleStatus.RECALLED:
            yield Recall(source=found.source or "", reason=article.status_reason), True
        yield from ((recall, True) for recall in found.recalls)

    def _look_up(self, event: FlatEvent) -> tuple[LookUp, frozenset[str]]:
        key = (event.text or "", None) if event.device_identifier is None else ("", event.device_identifier)
        known = self._known.get(key)
        if known is None:
            if len(self._known) == MAX_REMEMBERED:
                self._known.clear()
            found = self._master.look_up(*key)
            names: set[str] = set()
            if found.article is not None:
                named = (found.article.device_identifier, found.article.article_number)
                names = {name for name in (named[0], named[1] and f"#{named[1]}") if name}
                names.update(self._master.roots(named[0]) if named[0] else ())
            known = self._known[key] = found, frozenset(names)
        return known


def _both(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001 - three-valued and
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
