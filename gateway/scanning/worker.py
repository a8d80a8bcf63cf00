"""The worker: takes what scanners bring through the pipeline, stores it, and only then tells the operator.

It runs in one thread, is the only writer of scans and the only one that writes to a scanner.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from drivers.model import Discarded, RawScan, ScannerInput, Signal
from gateway.devices.interception import Interceptions
from gateway.outbox.delivery import Delivery, StandAlone
from gateway.outbox.entry import Write
from gateway.outbox.salvage import salvaged
from gateway.outbox.schema import CorruptOutboxError, OutboxError
from gateway.outbox.writer import Outbox
from gateway.recalls.newly_known import Relearning
from gateway.scanning import station_note
from gateway.scanning.inbox import MAX_BATCH, Inbox, Job, Notice
from gateway.scanning.label_problems import problems_of
from gateway.scanning.label_quality import LabelQuality
from gateway.scanning.outcome import Answered, Outcome
from gateway.scanning.pipeline import RESUMED_EVENTS, Pipeline
from gateway.scanning.reader import Reader
from gateway.scanning.worker_status import WorkerStatus
from gateway.system.clock import NS, Clock, ClockReading
from gateway.system.systemd import ServiceManager

if TYPE_CHECKING:  # most boxes have no lamps
    from drivers.indicator import Indicator
    from gateway.station.view import StationView

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 5.0
"""The worker's loop turns at least so often. Marks of delivery wait so long for a scan to ride with: losing them
only sends again, and a flush for each would double what a scan costs."""
TIDY_SECONDS: Final = 2.0
"""Monitor begins when nothing has been scanned for so long."""
CLOCK_STEP: Final = 0.001
"""Seconds: woken so much behind a deadline, the worker finds that it has passed."""


class NotStoredError(Exception):
    """What was asked for could not be stored, and was not done: why."""


class Worker:
    """Everything between a scanner's bytes and the signal to the operator."""

    def __init__(  # noqa: PLR0913 - every collaborator of the scan path comes in here
        self,
        inbox: Inbox,
        outbox: Outbox,
        pipeline: Pipeline,
        clock: Clock,
        readers: Mapping[str, Reader],
        service_manager: ServiceManager,
        *,
        delivery: Delivery | None = None,
        interceptions: Interceptions | None = None,
        indicator: "Indicator | None" = None,
        on_event: Callable[[Mapping[str, object]], None] = lambda _event: None,
    ) -> None:
        """`on_event` is called with each scan and each change of a scanner, after the fact; it must not wait.

        `indicator`: lamps and a buzzer that show each signal.
        """
        self._inbox = inbox
        self._outbox = outbox
        self._pipeline = pipeline
        self._clock = clock
        self._readers = readers
        self._service_manager = service_manager
        self._delivery: Delivery = delivery or StandAlone()
        self._interceptions = interceptions or Interceptions()
        self._indicator = indicator
        self._on_event = on_event
        self._counters: Counter[str] = Counter()
        """Events: accepted, refused, undo, completed; of these incomplete, repeat. Scans: more, control.<kind>,
        foreign.<why>, context.<kind>, context-refused.<kind>.<why>, withheld.<kind>, discarded.<reason>,
        retransmission, trouble, fault."""
        self.completing: Final = pipeline.completing
        """Which symbol of an article's label completes it."""
        self.quality: Final = LabelQuality()
        """How well labels are read, since the start."""
        self._trouble: str | None = None
        self._unknown_articles = 0
        self._oldest_waiting_ns: int | None = None
        self._view: StationView | None = None
        self._status = self._make_status()
        self._last_scan = time.monotonic()
        self._idle_seconds = min(IDLE_SECONDS, service_manager.feed_seconds or IDLE_SECONDS)
        self._outbox_lost = False
        self._clock_news = False
        """Times are to be settled again: a try has failed."""
        self._clock_again_at = 0.0
        self._relearning = Relearning(pipeline.knows)
        self._elapse_again_at = 0.0
        """After labels could not be stored whose time was up: not before."""
        self._dropped_reported: Counter[str] = Counter()
        self._answered = Answered()

    @property
    def status(self) -> WorkerStatus:
        """The worker and its outbox. Safe from any thread."""
        return self._status

    def _make_status(self) -> WorkerStatus:
        outbox = self._outbox
        return WorkerStatus(
            epoch=outbox.epoch,
            epoch_begins=outbox.epoch_begins,
            stored=outbox.last,
            delivered=outbox.delivered,
            dead_letters=outbox.dead_letters,
            capacity=outbox.capacity,
            lost=outbox.lost,
            view=self._view,
            trouble=self._trouble,
            master_trouble=self._pipeline.master_trouble,
            unknown_articles=self._unknown_articles,
            oldest_waiting_ns=self._oldest_waiting_ns,
            counters=self._counters.copy(),
        )

    def submit(self, job: Job) -> bool:
        """Have a small job done by the worker's thread between scans; False: too many wait. From any thread."""
        return self._inbox.submit(job)

    def retry(self, wanted: Collection[int] | None) -> list[int]:
        """Have dead letters sent again, those named or all; return which will be. As a job of `submit` only.

        Raises OutboxError.
        """
        return self._outbox.retry(wanted, self._clock.now())

    def change(self, do: Callable[[ClockReading, str], Outcome | None]) -> Outcome | None:
        """Do to the station what nobody scanned, store it and show it. As a job of `submit` only.

        `do`: takes the time and an id for the event that may come of it. Raises NotStoredError; then nothing was done.
        """
        clock, before = self._clock.now(), self._pipeline.memory
        outcome = do(clock, str(uuid.uuid4()))
        if outcome is None:
            self._pipeline.memory = before
            return None
        if outcome.writes and not self._store(outcome.writes, clock):
            self._pipeline.memory = before
            raise NotStoredError(f"nothing was done: {self._trouble}")
        self._view = self._pipeline.view(clock)
        if outcome.signal is None:
            self._counters.update(outcome.tally())
            self._on_event({"station": self._view})
        else:
            self._tell(outcome)
        return outcome

    def identify(self, scanner: str) -> bool:
        """Have a scanner signal, so that a person sees which one it is. False: there is none. From any thread."""
        return scanner in self._readers and self.submit(lambda: self._signal(scanner, Signal.MORE))

    def play(self, signal: Signal, scanner: str | None) -> bool:
        """Play a signal for training on a scanner (None: on all), the lamps and the screen. From any thread.

        False: there is no such scanner, or too much waits.
        """
        names = [one for one in self._readers if scanner in {None, one}]
        return bool(names) and self.submit(lambda: self._play(signal, names))

    def run(self) -> None:
        """Work until the stop and everything that was queued is done."""
        feed_at = 0.0
        self._begin()
        while True:
            batch, notices = self._inbox.take(self._patience())
            if batch:
                self._last_scan = time.monotonic()
                self._take(batch)
            if len(batch) < MAX_BATCH:  # what is queued may belong to a label whose time seems to be up
                self._let_time_pass()
            self._take_notices(notices)
            self._report_dropped()
            self._do_a_job()
            self._status = self._make_status()
            if Notice.STOP in notices:
                self._end()
                return
            if not batch:
                self._use_idle_time()
            now = time.monotonic()
            if now >= feed_at:
                self._look_at_oldest()
                self._service_manager.alive()
                feed_at = now + self._idle_seconds

    def _begin(self) -> None:
        """Take up what an earlier life left: labels half scanned become events, and what was scanned is known."""
        clock = self._clock.now()
        if clock.synchronised:  # set while no daemon ran
            self._inbox.post(Notice.CLOCK_SET)
        left = self._outbox.left_open
        if left:
            log.warning("labels left half scanned go out as incomplete count=%d", len(left))
            self._store([problem for draft in left for problem in problems_of((draft,))], clock)
        try:
            note = self._outbox.station_note(station_note.KEY)
            self._store(self._pipeline.resume(self._outbox.recent(RESUMED_EVENTS), clock, note), clock)
        except OutboxError as error:
            self._outbox_failed(error)
        self._view = self._pipeline.view(clock)
        self._status = self._make_status()
        for draft in left:  # whoever stands there sees which label is to be scanned again
            self._tell(Outcome(scanner=draft.data.station.scanner, signal=Signal.WARNING, writes=(draft,)))

    def _end(self) -> None:
        """Finish what is under way: nobody scans the rest of a label here, and a job that was taken is done."""
        clock = self._clock.now()
        before = self._pipeline.memory
        if not self._settle(self._pipeline.finish(clock), clock):
            self._pipeline.memory = before
        while self._do_a_job():
            pass

    def _patience(self) -> float:
        """Seconds to wait for the next scan before there is something else to do."""
        now = time.monotonic()
        idle_for = now - self._last_scan
        patience = min(self._idle_seconds, TIDY_SECONDS - idle_for if idle_for < TIDY_SECONDS else IDLE_SECONDS)
        deadline_ns = self._pipeline.deadline_ns()
        if deadline_ns is None:
            return patience
        return min(patience, max(0.0, deadline_ns / NS + CLOCK_STEP - now, self._elapse_again_at - now))

    def _take(self, batch: list[ScannerInput]) -> None:
        clock = self._clock.now()
        before = self._pipeline.memory
        considered: list[tuple[RawScan | Discarded, Outcome | None]] = []
        for item in batch:
            if self._interceptions.take(item):
                if isinstance(item, RawScan):
                    self._acknowledge(item)
                    self._signal(item.scanner, Signal.MORE)  # some wait for a signal, not for an acknowledgement
            elif isinstance(item, RawScan):
                considered.append((item, self._consider(item, clock)))
            elif isinstance(item, Discarded):
                considered.append((item, None))
            else:
                log.info("scanner=%s link=%s %s", item.scanner, item.connection, item.detail)
                self._on_event({"link": item})
        writes = [write for _, outcome in considered if outcome for write in outcome.writes]
        stored = not writes or self._store(writes, clock)
        if not stored:
            self._pipeline.memory = before
            self._counters["trouble"] += sum(outcome is not None and outcome.moved for _, outcome in considered)
        if considered:
            self._view = self._pipeline.view(clock)
        for item, outcome in considered:
            if isinstance(item, Discarded):
                self._discard(item)
            else:
                self._answer(item, outcome, stored=stored)

    def _consider(self, scan: RawScan, clock: ClockReading) -> Outcome | None:
        """Take one scan through the pipeline; None when this code is at fault. Nothing leaves this thread yet."""
        try:
            outcome = self._answered.again(scan) or self._pipeline.consider(scan, clock, str(uuid.uuid4()))
        except Exception:  # a scan that trips the code must not stop the scans behind it
            self._counters["fault"] += 1
            log.exception("scanner=%s a scan could not be judged length=%d", scan.scanner, len(scan.text))
            return None
        self._answered.note(scan, outcome)
        return outcome

    def _let_time_pass(self) -> None:
        """Close what has waited for its next symbol in vain."""
        clock = self._clock.now()
        deadline_ns = self._pipeline.deadline_ns()
        if deadline_ns is None or clock.monotonic_ns <= deadline_ns or time.monotonic() < self._elapse_again_at:
            return
        before = self._pipeline.memory
        if self._settle(self._pipeline.elapse(clock), clock):
            self._view = self._pipeline.view(clock)
            self._on_event({"station": self._view})
        else:
            self._pipeline.memory = before  # the symbols are journalled: nothing is lost meanwhile
            self._elapse_again_at = time.monotonic() + IDLE_SECONDS

    def _settle(self, outcomes: Sequence[Outcome], clock: ClockReading) -> bool:
        """Store and tell what came of time alone."""
        writes = [write for outcome in outcomes for write in outcome.writes]
        if writes and not self._store(writes, clock):
            return False
        for outcome in outcomes:
            self._say(outcome)
        return True

    def _store(self, writes: Sequence[Write], clock: ClockReading) -> bool:
        """Make the scans durable, all or none."""
        try:
            if self._outbox_lost:
                self._salvage(clock)
            self._outbox.note(self._delivery.take_marks())
            try:
                self._outbox.append(writes, clock, seal=self._delivery.connected)
            except CorruptOutboxError as error:
                log.critical("%s", error)
                self._salvage(clock)
                self._outbox.append(writes, clock, seal=self._delivery.connected)
        except OutboxError as error:
            if str(error) != self._trouble:
                log.critical("scan not stored: %s", error)
            self._trouble = str(error)
            return False
        self._trouble = None
        self._delivery.wake()
        return True

    def _answer(self, scan: RawScan, outcome: Outcome | None, *, stored: bool) -> None:
        """Tell the scanner, and who watches, what became of a scan: after the commit, and whatever MQTT does."""
        if outcome is None or (outcome.moved and not stored):
            outcome = Outcome(scanner=scan.scanner, signal=Signal.TROUBLE)
        self._answered.note(scan, replace(outcome, moved=False))
        if outcome.signal is not Signal.TROUBLE:
            self._acknowledge(scan)
        if outcome.signal is not None:
            self._signal(scan.scanner, outcome.signal)
        if outcome.remark is not None:
            log.warning("scanner=%s %s", scan.scanner, outcome.remark)
        self._tell(outcome)

    def _say(self, outcome: Outcome) -> None:
        if outcome.signal is not None:
            self._signal(outcome.scanner, outcome.signal)
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        self._counters.update(outcome.tally())
        self.quality.count(outcome.writes)
        self.completing.learn(outcome.writes)
        self._status = self._make_status()
        for message in outcome.messages(self._view):
            self._on_event({**message, "stored": self._status.stored})

    def _acknowledge(self, scan: RawScan) -> None:
        """Tell the scanner's protocol that the frame was taken; without, it may come again."""
        scanner = self._readers[scan.scanner].scanner
        acknowledgement = scanner.dialect.acknowledge(scan.frame)
        if acknowledgement:
            scanner.send(acknowledgement)

    def _signal(self, name: str, signal: Signal) -> None:
        if self._indicator is not None:
            self._indicator.show(signal)
        self._send_signal(name, signal)

    def _send_signal(self, name: str, signal: Signal) -> None:
        scanner = self._readers[name].scanner
        pattern = scanner.dialect.signal(signal)
        if pattern and not scanner.send(pattern):
            log.warning("scanner=%s took no signal=%s", name, signal)

    def _play(self, signal: Signal, names: Sequence[str]) -> None:
        if self._indicator is not None:
            self._indicator.show(signal)
        for name in names:
            self._send_signal(name, signal)
        self._on_event({"scanner": names[0], "signal": signal, "training": True})

    def _do_a_job(self) -> bool:
        """Do one small job; return whether there was one. A fault of it is its own."""
        job = self._inbox.next_job()
        if job is None:
            return False
        try:
            job()
        except Exception:  # whoever submitted it is not to stop the scans
            self._counters["fault"] += 1
            log.exception("a job failed")
        return True

    def _report_dropped(self) -> None:
        """Scans that found the queue full were never looked at: say so at the scanner and in the log."""
        for reader in self._readers.values():
            dropped = reader.dropped - self._dropped_reported[reader.name]
            if dropped:
                self._dropped_reported[reader.name] += dropped
                self._counters["trouble"] += dropped
                log.error("scanner=%s queue full, scans not taken count=%d", reader.name, dropped)
                self._say(Outcome(scanner=reader.name, signal=Signal.TROUBLE))

    def _discard(self, item: Discarded) -> None:
        log.warning("scanner=%s discarded reason=%s bytes=%d", item.scanner, item.reason, item.length)
        counts, news = (f"discarded.{item.reason}",), {"discarded": item.reason.value}
        self._say(Outcome(scanner=item.scanner, signal=Signal.REFUSED, counts=counts, news=news))

    def _take_notices(self, notices: list[Notice]) -> None:
        clock = self._clock.now()
        try:
            if Notice.CLOCK_SET in notices:
                if self._outbox.seal(clock):
                    self._inbox.post(Notice.CLOCK_SET)  # the rest behind the scans that wait
                else:
                    self._outbox.clock_learnt(lambda: str(uuid.uuid4()), clock)
            elif Notice.UNSETTLED in notices:
                self._outbox.seal(clock)
        except OutboxError as error:
            self._clock_news = self._clock_news or Notice.CLOCK_SET in notices
            self._clock_again_at = time.monotonic() + IDLE_SECONDS
            self._outbox_failed(error)
            return
        if Notice.CLOCK_SET in notices or Notice.UNSETTLED in notices:
            self._delivery.wake()

    def _use_idle_time(self) -> None:
        clock = self._clock.now()
        if self._clock_news and time.monotonic() >= self._clock_again_at:
            self._clock_news = False
            self._inbox.post(Notice.CLOCK_SET)
        try:
            if self._outbox_lost or self._delivery.outbox_damaged:
                self._salvage(clock)
            if self._outbox.left_open:
                self._store([], clock)
            if time.monotonic() - self._last_scan >= TIDY_SECONDS:
                self._outbox.note(self._delivery.take_marks())
                self._outbox.write_marks(clock)
                self._outbox.maintain(clock)
                self._relearning.go_on(self._outbox, clock)
        except OutboxError as error:
            self._outbox_failed(error)

    def _look_at_oldest(self) -> None:
        try:
            self._oldest_waiting_ns = self._outbox.oldest_waiting_ns()
            self._unknown_articles = self._outbox.unknown_articles()
        except OutboxError as error:
            self._outbox_failed(error)

    def finish(self) -> None:
        """Write what the publisher delivered last, and close the outbox. After `run` has returned."""
        self._outbox.note(self._delivery.take_marks())
        self._pipeline.close()  # it reads the outbox: SQLite empties the log when the last connection closes
        self._outbox.close(self._clock.now())

    def _outbox_failed(self, error: OutboxError) -> None:
        if str(error) != self._trouble:
            log.critical("outbox: %s", error)
        self._trouble = str(error)
        if isinstance(error, CorruptOutboxError):
            try:
                self._salvage(self._clock.now())
            except OutboxError as second:
                self._trouble = str(second)

    def _salvage(self, clock: ClockReading) -> None:
        """Go on with a new outbox that holds what could be read of the damaged one."""
        log.critical("the outbox is damaged and is salvaged")
        self._outbox_lost = True  # until there is one again, each idle turn and each scan tries
        left = self._outbox.left_open
        self._outbox = salvaged(self._outbox, clock, self._service_manager.at_work)
        self._outbox.left_open = left  # the other open items are of the present life, and known here
        self._outbox_lost = False
        self._delivery.outbox_replaced()
