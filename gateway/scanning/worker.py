"""The worker: takes what scanners bring through the pipeline, stores it, and only then tells the operator.

It runs in one thread, is the only writer of scans and the only one that writes to a scanner.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from drivers.model import Discarded, RawScan, ScannerInput, Signal
from gateway.devices.interception import Interceptions
from gateway.outbox.entry import JournalledSymbol, Write
from gateway.outbox.salvage import salvaged
from gateway.outbox.schema import CorruptOutboxError, OutboxError
from gateway.outbox.writer import Outbox
from gateway.recalls.newly_known import Relearning
from gateway.scanning import context_note
from gateway.scanning.inbox import MAX_BATCH, Inbox, Job, Notice
from gateway.scanning.label_quality import LabelQuality
from gateway.scanning.outcome import Answered, Outcome
from gateway.scanning.pipeline import RESUMED_EVENTS, Pipeline
from gateway.scanning.reader import Reader
from gateway.system.clock import NS, Clock, ClockReading
from gateway.system.systemd import ServiceManager

if TYPE_CHECKING:  # the publisher brings paho along, and is made when the box is ready
    from drivers.indicator import Indicator
    from gateway.mqtt.publisher import Publisher
    from gateway.station.view import StationView

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 5.0
"""The worker's loop turns at least so often. Marks of delivery wait so long for a scan to ride with: losing them
only sends again, and a flush for each would double what a scan costs."""
TIDY_SECONDS: Final = 2.0
"""Monitor begins when nothing has been scanned for so long."""
CLOCK_STEP: Final = 0.001
"""Seconds: woken so much behind a deadline, the worker finds that it has passed."""


class Worker:
    """Everything between a scanner's bytes and the signal to the operator."""

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        pipeline: Pipeline,
        clock: Clock,
        readers: Mapping[str, Reader],
        service_manager: ServiceManager,
        diversions: Interceptions | None = None,
    ) -> None:
        self._inbox = inbox
        self.outbox = outbox
        self._pipeline = pipeline
        self._clock = clock
        self._readers = readers
        self._service_manager = service_manager
        self._diversions = diversions or Interceptions()
        self.publisher: Publisher | None = None
        self.indicator: Indicator | None = None
        """Lamps and a buzzer that show each signal; None where `[gpio]` is not configured."""
        self.on_event: Callable[[Mapping[str, object]], None] = lambda _event: None
        """Told of each scan and each change of a scanner, after the fact; must not wait."""
        self.counters: Counter[str] = Counter()
        """Events: accepted, refused, undo, completed; of these incomplete, repeat. Scans: more, control.<kind>,
        foreign.<why>, context.<kind>, context-refused.<kind>.<why>, withheld.<kind>, discarded.<reason>,
        retransmission, trouble, fault."""
        self.completing: Final = pipeline.completing
        """Which symbol of an article's label completes it."""
        self.quality: Final = LabelQuality()
        """How well labels are read, since the start."""
        self.view: StationView | None = None
        """What a display shows of the station; None before the worker runs."""
        self.trouble: str | None = None
        """Why the last scan could not be stored; None when it could."""
        self.unknown_articles = 0
        """Articles that were scanned and that the master does not know, as of some seconds ago."""
        self.oldest_waiting_ns: int | None = None
        """When the oldest scan that is not delivered was recorded, as of some seconds ago."""
        self._last_scan = time.monotonic()
        self._idle_seconds = min(IDLE_SECONDS, service_manager.feed_seconds or IDLE_SECONDS)
        self._exported = 0
        self._outbox_lost = False
        self._clock_news = False
        self._relearning = Relearning(pipeline.knows)
        self._elapse_again_at = 0.0
        """After labels could not be stored whose time was up: not before."""
        self._answered = Answered()

    @property
    def master_trouble(self) -> str | None:
        """Why the article master cannot be used; None when it can."""
        return self._pipeline.master_trouble

    def submit(self, job: Job) -> bool:
        """Have a small job done by the worker's thread between scans; False: too many wait. From any thread."""
        return self._inbox.submit(job)

    def identify(self, scanner: str) -> bool:
        """Have a scanner signal, so that a person sees which one it is. False: there is none. From any thread."""
        return scanner in self._readers and self.submit(lambda: self._signal(scanner, Signal.MORE))

    def run(self) -> None:
        """Work until told to stop and everything that was queued is done."""
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
            self._tell_dropped()
            self._do_a_job()
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
        if self.outbox.left_open:
            log.warning("labels left half scanned go out as incomplete count=%d", len(self.outbox.left_open))
            self._store([], clock)
        try:
            note = self.outbox.station_note(context_note.KEY)
            self._store(self._pipeline.resume(self.outbox.recent(RESUMED_EVENTS), clock, note), clock)
        except OutboxError as error:
            self._outbox_failed(error)
        self.view = self._pipeline.view(clock)

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
            if self._diversions.take(item):
                if isinstance(item, RawScan):
                    self._acknowledge(item)
                    self._signal(item.scanner, Signal.MORE)  # some wait for a signal, not for an acknowledgement
            elif isinstance(item, RawScan):
                considered.append((item, self._consider(item, clock)))
            elif isinstance(item, Discarded):
                considered.append((item, None))
            else:
                log.info("scanner=%s link=%s %s", item.scanner, item.connection, item.detail)
                self.on_event({"link": item})
        writes = [write for _, outcome in considered if outcome for write in outcome.writes]
        stored = not writes or self._store(writes, clock)
        if not stored:
            self._pipeline.memory = before
            self.counters["trouble"] += sum(outcome is not None and outcome.moved for _, outcome in considered)
        if considered:
            self.view = self._pipeline.view(clock)
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
            self.counters["fault"] += 1
            log.exception("scanner=%s a scan could not be judged length=%d", scan.scanner, len(scan.text))
            return None
        self._answered.note(scan, outcome)
        return outcome

    def _let_time_pass(self) -> None:
        """Let go out what has waited for its next symbol in vain."""
        clock = self._clock.now()
        deadline_ns = self._pipeline.deadline_ns()
        if deadline_ns is None or clock.monotonic_ns <= deadline_ns or time.monotonic() < self._elapse_again_at:
            return
        before = self._pipeline.memory
        if self._settle(self._pipeline.elapse(clock), clock):
            self.view = self._pipeline.view(clock)
            self.on_event({"station": self.view})
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
            self._pick_up_marks()
            try:
                self.outbox.append(writes, clock, seal=self._hand_over_at_once)
            except CorruptOutboxError as error:
                log.critical("%s", error)
                self._salvage(clock)
                self.outbox.append(writes, clock, seal=self._hand_over_at_once)
        except OutboxError as error:
            if str(error) != self.trouble:
                log.critical("scan not stored: %s", error)
            self.trouble = str(error)
            return False
        self.trouble = None
        if self.publisher is not None:
            self.publisher.wake()
        return True

    @property
    def _hand_over_at_once(self) -> bool:
        return self.publisher is not None and self.publisher.connected

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
        self.counters.update(outcome.tally())
        self.quality.count(outcome.writes)
        self.completing.learn(outcome.writes)
        for message in outcome.messages(self.view):
            self.on_event(message)

    def _acknowledge(self, scan: RawScan) -> None:
        """Tell the scanner's protocol that the frame was taken; without, it may come again."""
        scanner = self._readers[scan.scanner].scanner
        acknowledgement = scanner.dialect.acknowledge(scan.frame)
        if acknowledgement:
            scanner.send(acknowledgement)

    def _signal(self, name: str, signal: Signal) -> None:
        if self.indicator is not None:
            self.indicator.show(signal)
        scanner = self._readers[name].scanner
        pattern = scanner.dialect.signal(signal)
        if pattern and not scanner.send(pattern):
            log.warning("scanner=%s could not be told signal=%s", name, signal)

    def _do_a_job(self) -> bool:
        """Do one small job; whether there was one. A fault of it is its own."""
        job = self._inbox.next_job()
        if job is None:
            return False
        try:
            job()
        except Exception:  # whoever submitted it is not to stop the scans
            self.counters["fault"] += 1
            log.exception("a job failed")
        return True

    def _tell_dropped(self) -> None:
        """Scans that found the queue full were never looked at: say so at the scanner and in the log."""
        for reader in self._readers.values():
            dropped = reader.dropped - reader.dropped_told
            if dropped:
                reader.dropped_told += dropped
                self.counters["trouble"] += dropped
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
                if self.outbox.seal(clock):
                    self._inbox.post(Notice.CLOCK_SET)  # the rest behind the scans that wait
                else:
                    self.outbox.clock_learnt(str(uuid.uuid4()), clock)
            elif Notice.UNSETTLED in notices:
                self.outbox.seal(clock)
        except OutboxError as error:
            self._clock_news = Notice.CLOCK_SET in notices
            self._outbox_failed(error)
            return
        if self.publisher is not None and (Notice.CLOCK_SET in notices or Notice.UNSETTLED in notices):
            self.publisher.wake()

    def _pick_up_marks(self) -> None:
        """Take what the publisher, or an export, has delivered."""
        if self.publisher is None:
            self.outbox.mark_delivered(min(self._exported, self.outbox.last))
        else:
            self.publisher.tell_outbox(self.outbox)

    def exported(self, upto: int) -> None:
        """On a box without a broker, what was exported counts as delivered. Safe from any thread."""
        self._exported = max(self._exported, upto)

    def _use_idle_time(self) -> None:
        clock = self._clock.now()
        if self._clock_news:
            self._clock_news = False
            self._inbox.post(Notice.CLOCK_SET)
        try:
            if self._outbox_lost or (self.publisher is not None and self.publisher.progress.damaged):
                self._salvage(clock)
            if self.outbox.left_open:
                self._store([], clock)
            if time.monotonic() - self._last_scan >= TIDY_SECONDS:
                self._pick_up_marks()
                self.outbox.write_marks(clock)
                self.outbox.tidy(clock)
                self._relearning.go_on(self.outbox, clock)
        except OutboxError as error:
            self._outbox_failed(error)

    def _look_at_oldest(self) -> None:
        try:
            self.oldest_waiting_ns = self.outbox.oldest_waiting_ns()
            self.unknown_articles = self.outbox.unknown_articles()
        except OutboxError as error:
            self._outbox_failed(error)

    def finish(self) -> None:
        """Write what the publisher delivered last, and let the outbox go. After `run` has returned."""
        self._pick_up_marks()
        self.outbox.close(self._clock.now())
        self._pipeline.close()

    def _outbox_failed(self, error: OutboxError) -> None:
        if str(error) != self.trouble:
            log.critical("outbox: %s", error)
        self.trouble = str(error)
        if isinstance(error, CorruptOutboxError):
            try:
                self._salvage(self._clock.now())
            except OutboxError as second:
                self.trouble = str(second)

    def _salvage(self, clock: ClockReading) -> None:
        """Go on with a new outbox that holds what could be read of the damaged one."""
        log.critical("the outbox is damaged and is salvaged")
        self._outbox_lost = True  # until there is one again, each idle turn and each scan tries
        left = self.outbox.left_open
        self.outbox = salvaged(self.outbox, clock, self._service_manager.at_work)
        self.outbox.left_open = left  # those of the present life are known here, and are journalled anew
        holds = [JournalledSymbol(scanner=name, draft=draft) for name, draft in self._pipeline.memory.held.items()]
        if holds:
            self.outbox.append(holds, clock, seal=False)
        self._outbox_lost = False
        if self.publisher is not None:
            self.publisher.outbox_replaced()
