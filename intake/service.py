"""The intake at work: fetch, read, commit, acknowledge, settle; and whatever is due in between.

One thread does all of it in this order, so that nothing is acknowledged that is not committed. A batch that the
database does not take now is kept and tried again; the broker meanwhile gives what is not settled to another intake
or sends it again, and copies change nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from intake.acknowledge import Acknowledgements
from intake.counters import Counters
from intake.database import DatabaseError
from intake.delta_sender import DeltaSender
from intake.event import EventRow, Poison, read_event
from intake.holes import Holes
from intake.messages import KINDS, BoxMessage, read_box_message
from intake.signing import Signer
from intake.sources import ReceivedMessage, Source
from intake.store import Committed, ReceivedBatch, Store, Stream
from intake.topics import REPLY, TenantTopics, box_topic, topic_of

log = logging.getLogger(__name__)

BATCH: Final = 1000
"""Events of one transaction, at most: larger ones are not faster (PostgreSQL, SQLite), and hold locks for
longer."""
FETCH_SECONDS: Final = 0.25
"""How long a fetch waits for the first message: holes and repeats are looked at so often, too."""
MAY_WORK_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
"""Between two tries of a batch that the database did not take."""


class Announcement(Struct, frozen=True):
    """Retained on `udi/v1/{tenant}/intake`: boxes count as delivered what this intake acknowledges."""

    acks: bool
    since: str
    """RFC 3339: when the stream or session began that keeps events until they are committed. Another one means: what
    was not acknowledged may be lost, send it again."""


class Acknowledgement(Struct, frozen=True, rename="camel"):
    """On a box's topic `ack`: everything of this epoch up to here, without a hole, is committed."""

    epoch: str
    up_to: int


_encoder: Final = msgspec.json.Encoder()


class Intake:
    """The service."""

    def __init__(
        self,
        source: Source,
        store: Store,
        topics: TenantTopics,
        signer: Signer,
        now: Callable[[], datetime],
        counters: Counters,
        deltas: DeltaSender,
    ) -> None:
        self._source = source
        self._store = store
        self._topics = topics
        self._signer = signer
        self._now = now
        self._counters = counters
        self._deltas = deltas
        self._acknowledgements = Acknowledgements()
        self._holes = Holes(store, now)
        self._announced: int | None = None

    def run(self, stop: threading.Event, may_work: Callable[[], bool]) -> None:
        """Work until asked to stop, or until it may not any more; a batch under way is finished first.

        `may_work` is asked now and then: whether this intake still has the session it works in.
        """
        self._source.start()
        looked = time.monotonic()
        try:
            while not stop.is_set():
                self._announce()
                self._turn(stop)
                if time.monotonic() - looked > MAY_WORK_SECONDS:
                    looked = time.monotonic()
                    if not may_work():
                        log.warning(
                            "the session belongs to another intake, or the database has forgotten whose it is"
                        )
                        return
        finally:
            self._source.close()

    def _announce(self) -> None:
        """Say that an intake is there: boxes then wait for its acknowledgements."""
        generation = self._source.generation
        if not self._source.ready or generation == self._announced:
            return
        body = announcement(self._source.since, acks=True)
        self._source.publish(self._topics.announcement, self._signer.signed(body), qos=1, retain=True)
        self._announced = generation
        with _logged():
            self._deltas.announce()
        log.info("announced %s", body.decode())

    def _turn(self, stop: threading.Event) -> None:
        deliveries = self._source.fetch(BATCH, FETCH_SECONDS)
        if deliveries:
            batch = read_batch(deliveries, self._now())
            committed = self._committed(batch, stop)
            if committed is None:
                return  # stopping: nothing is settled, everything comes again
            now = time.monotonic()
            self._send(self._acknowledgements.committed(committed.frontiers, now))
            self._source.settle(deliveries)
            self._counters.batch(deliveries, committed)
            for message in batch.boxes:
                if message.kind == "articles":
                    self._deltas.heard(message, now)
            for one in deliveries:
                if one.topic.endswith(REPLY):
                    self._holes.heard(one.body, now)
        self._send(self._acknowledgements.due(time.monotonic()))
        with _logged():
            self._ask()
            self._deltas.due(time.monotonic())

    def _committed(self, batch: ReceivedBatch, stop: threading.Event) -> Committed | None:
        """Commit a batch, however often it takes; None when asked to stop before."""
        pause = FIRST_PAUSE
        for one in batch.poison:
            log.warning("poison topic=%s reason=%r", one.topic, one.reason)
        while True:
            try:
                committed = self._store.commit(batch)
            except DatabaseError as error:
                self._counters.database_problem = str(error)
                log.error("%s", error)  # noqa: TRY400 - its cause is in its words
            else:
                self._counters.database_problem = None
                return committed
            if stop.wait(pause):
                return None
            pause = min(pause * 2, LONGEST_PAUSE)

    def _send(self, frontiers: dict[Stream, int]) -> None:
        for stream, frontier in frontiers.items():
            body = _encoder.encode(Acknowledgement(stream.epoch, frontier))
            self._source.publish(topic_of(stream.source, "ack"), self._signer.signed(body))

    def _ask(self) -> None:
        """Ask boxes for what is missing."""
        if not self._source.ready:
            return
        now = time.monotonic()
        for source, body in self._holes.due(now):
            self._source.publish(topic_of(source, "cmd/outbox-replay"), self._signer.signed(body))
            self._counters.replays += 1
        self._send(self._acknowledgements.committed(self._holes.given_up(now), now))


def announcement(since: datetime, *, acks: bool) -> bytes:
    """Return what is retained on `udi/v1/{tenant}/intake`."""
    moment = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _encoder.encode(Announcement(acks=acks, since=moment))


@contextmanager
def _logged() -> Iterator[None]:
    """Log what the database does not do now: it is due again in a second."""
    try:
        yield
    except DatabaseError as error:
        log.error("%s", error)  # noqa: TRY400 - its cause is in its words


def read_batch(deliveries: Iterable[ReceivedMessage], received: datetime) -> ReceivedBatch:
    """Read what was fetched."""
    events: list[EventRow] = []
    poison: list[Poison] = []
    boxes: list[BoxMessage] = []
    for one in deliveries:
        found = box_topic(one.topic)
        if found is not None and found[1] in KINDS:
            kind: Any = found[1]
            message = read_box_message(found[0], kind, one.body, received)
            if message is not None:
                boxes.append(message)
        elif found is None or found[1] == "scan":
            read = read_event(one.topic, one.body, received)
            if isinstance(read, EventRow):
                events.append(read)
            elif isinstance(read, Poison):
                poison.append(read)
    return ReceivedBatch(events=tuple(events), poison=tuple(poison), boxes=tuple(boxes))
