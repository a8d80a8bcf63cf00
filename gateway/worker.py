"""The worker: decodes, guards privacy, looks up, judges, stores, and only then tells the operator.

It runs in one thread, is the only writer of scans and the only one that writes to a scanner.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from drivers.model import Discarded, RawScan, ScannerInput, Signal
from gateway.clock import Clock, ClockReading
from gateway.delivery.outbox import Draft, Outbox
from gateway.delivery.salvage import salvaged
from gateway.delivery.schema import CorruptOutboxError, OutboxError
from gateway.inbox import Inbox, Notice
from gateway.model import Disposition
from gateway.pipeline import Pipeline
from gateway.readers import Reader
from gateway.service_manager import ServiceManager
from gateway.station.privacy import Withheld

if TYPE_CHECKING:  # the publisher brings paho along, and is made when the box is ready
    from gateway.delivery.publisher import Publisher

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 5.0
"""The worker's loop turns at least so often. Marks of delivery wait so long for a scan to ride with: losing them
only sends again, and a flush for each would double what a scan costs."""
TIDY_SECONDS: Final = 2.0
"""Housekeeping begins when nothing has been scanned for so long."""


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
    ) -> None:
        self._inbox = inbox
        self.outbox = outbox
        self._pipeline = pipeline
        self._clock = clock
        self._readers = readers
        self._service_manager = service_manager
        self.publisher: Publisher | None = None
        self.on_event: Callable[[Mapping[str, object]], None] = lambda _event: None
        """Told of each scan and each change of a scanner, after the fact; must not wait."""
        self.counters: Counter[str] = Counter()
        """accepted, refused, withheld.<kind>, discarded.<reason>, trouble, fault."""
        self.trouble: str | None = None
        """Why the last scan could not be stored; None when it could."""
        self.oldest_waiting_ns: int | None = None
        """When the oldest scan that is not delivered was recorded, as of some seconds ago."""
        self._last_scan = time.monotonic()
        self._idle_seconds = min(IDLE_SECONDS, service_manager.feed_seconds or IDLE_SECONDS)
        self._exported = 0
        self._outbox_lost = False
        self._clock_news = False

    @property
    def master_trouble(self) -> str | None:
        """Why the article master cannot be used; None when it can."""
        return self._pipeline.master_trouble

    def run(self) -> None:
        """Work until told to stop and everything that was queued is done."""
        feed_at = 0.0
        if self._clock.now().synchronised:  # set while no daemon ran
            self._inbox.post(Notice.CLOCK_SET)
        while True:
            batch, notices = self._inbox.take(self._patience())
            if batch:
                self._last_scan = time.monotonic()
                self._take(batch)
            self._take_notices(notices)
            self._tell_dropped()
            if Notice.STOP in notices:
                return
            if not batch:
                self._use_idle_time()
            now = time.monotonic()
            if now >= feed_at:
                self._look_at_oldest()
                self._service_manager.alive()
                feed_at = now + self._idle_seconds

    def _patience(self) -> float:
        """Seconds to wait for the next scan before there is something else to do."""
        idle_for = time.monotonic() - self._last_scan
        return min(self._idle_seconds, TIDY_SECONDS - idle_for if idle_for < TIDY_SECONDS else IDLE_SECONDS)

    def _take(self, batch: list[ScannerInput]) -> None:
        clock = self._clock.now()
        considered: list[tuple[RawScan, Draft | Withheld | None]] = []
        for item in batch:
            if isinstance(item, RawScan):
                considered.append((item, self._consider(item, clock)))
            elif isinstance(item, Discarded):
                self.counters[f"discarded.{item.reason}"] += 1
                log.warning("scanner=%s discarded reason=%s bytes=%d", item.scanner, item.reason, item.length)
                self._signal(item.scanner, Signal.REFUSED)
            else:
                log.info("scanner=%s link=%s %s", item.scanner, item.link, item.detail)
                self.on_event({"link": item})
        drafts = [result for _, result in considered if isinstance(result, Draft)]
        stored = not drafts or self._store(drafts, clock)
        for scan, result in considered:
            self._answer(scan, result, stored=stored)

    def _consider(self, scan: RawScan, clock: ClockReading) -> Draft | Withheld | None:
        """Decode, guard and judge one scan; None when this code is at fault. Nothing leaves this thread yet."""
        try:
            return self._pipeline.consider(scan, clock, str(uuid.uuid4()))
        except Exception:  # a scan that trips the code must not stop the scans behind it
            self.counters["fault"] += 1
            log.exception("scanner=%s a scan could not be judged length=%d", scan.scanner, len(scan.text))
            return None

    def _store(self, drafts: list[Draft], clock: ClockReading) -> bool:
        """Make the scans durable, all or none."""
        try:
            if self._outbox_lost:
                self._salvage(clock)
            self._pick_up_marks()
            try:
                self.outbox.append(drafts, clock, seal=self._hand_over_at_once)
            except CorruptOutboxError as error:
                log.critical("%s", error)
                self._salvage(clock)
                self.outbox.append(drafts, clock, seal=self._hand_over_at_once)
        except OutboxError as error:
            if str(error) != self.trouble:
                log.critical("scan not stored: %s", error)
            self.trouble = str(error)
            self.counters["trouble"] += len(drafts)
            return False
        self.trouble = None
        if self.publisher is not None:
            self.publisher.wake()
        return True

    @property
    def _hand_over_at_once(self) -> bool:
        return self.publisher is not None and self.publisher.connected

    def _answer(self, scan: RawScan, result: Draft | Withheld | None, *, stored: bool) -> None:
        """Tell the scanner, and who watches, what became of a scan: after the commit, and whatever MQTT does."""
        if result is None or (isinstance(result, Draft) and not stored):
            signal = Signal.TROUBLE
        elif isinstance(result, Withheld):
            self.counters[f"withheld.{result.kind}"] += 1
            signal = Signal.REFUSED
        else:
            verdict = result.data.verdict
            self.counters[verdict.disposition] += 1
            accepted = Signal.WARNING if verdict.warned else Signal.ACCEPTED
            signal = accepted if verdict.disposition is Disposition.ACCEPTED else Signal.REFUSED
        scanner = self._readers[scan.scanner].scanner
        acknowledgement = scanner.dialect.acknowledge(scan.frame) if signal is not Signal.TROUBLE else b""
        if acknowledgement:
            scanner.send(acknowledgement)
        self._signal(scan.scanner, signal)
        self.on_event(
            {
                "scanner": scan.scanner,
                "signal": signal,
                "id": result.id if isinstance(result, Draft) else None,
                "data": result.data if isinstance(result, Draft) else None,
                "withheld": result if isinstance(result, Withheld) else None,
            }
        )

    def _signal(self, name: str, signal: Signal) -> None:
        scanner = self._readers[name].scanner
        pattern = scanner.dialect.signal(signal)
        if pattern and not scanner.send(pattern):
            log.warning("scanner=%s could not be told signal=%s", name, signal)

    def _tell_dropped(self) -> None:
        """Scans that found the queue full were never looked at: say so at the scanner and in the log."""
        for reader in self._readers.values():
            dropped = reader.dropped - reader.dropped_told
            if dropped:
                reader.dropped_told += dropped
                self.counters["trouble"] += dropped
                log.error("scanner=%s queue full, scans not taken count=%d", reader.name, dropped)
                self._signal(reader.name, Signal.TROUBLE)

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
        """Take what the publisher has delivered. Its progress first: a dead letter is parked before it counts."""
        if self.publisher is None:
            self.outbox.mark_delivered(min(self._exported, self.outbox.last))
        else:
            delivered = self.publisher.progress.delivered
            while self.publisher.parked:
                self.outbox.park(self.publisher.parked.popleft())
            self.outbox.mark_delivered(delivered)

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
            if time.monotonic() - self._last_scan >= TIDY_SECONDS:
                self._pick_up_marks()
                self.outbox.write_marks(clock)
                self.outbox.tidy(clock)
        except OutboxError as error:
            self._outbox_failed(error)

    def _look_at_oldest(self) -> None:
        try:
            self.oldest_waiting_ns = self.outbox.oldest_waiting_ns()
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
        self.outbox = salvaged(self.outbox, clock)
        self._outbox_lost = False
        if self.publisher is not None:
            self.publisher.outbox_replaced()
