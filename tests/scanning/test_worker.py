"""The worker with a real outbox: told is stored, and what cannot be stored is told as well."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.base import ScannerSettings
from drivers.model import Discarded, DiscardReason, Frame, RawScan, Signal
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import parse
from gateway.events import cloudevent
from gateway.outbox.delivery import StandAlone
from gateway.outbox.reader import OutboxReader
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import SEAL_ROWS, Outbox
from gateway.scanning import worker as workers
from gateway.scanning.inbox import MAX_SCANS, Inbox, Notice
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.reader import Reader
from gateway.scanning.worker import Worker
from gateway.system import clock as clocks
from gateway.system.clock import Clock
from gateway.system.systemd import ServiceManager
from tests.brokers import wait_for
from tests.outbox.events import BOX, ROOMY, draft, stored

SCANNER: dict[str, Any] = {"name": "front", "driver": "replay", "device": "/nowhere"}
CONFIG: dict[str, Any] = {
    "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
    "scanner": [SCANNER],
    "station": {"severity": {"ARTICLE_UNKNOWN": "info"}},
}


class Bench:
    """A worker between an inbox and an outbox; `told` is what everybody who watches is told."""

    def __init__(self, directory: Path, settings: OutboxSettings) -> None:
        config = parse(CONFIG, "test")
        self.path = directory / "outbox.db"
        self.inbox = Inbox()
        self.clock = Clock()
        self.reader = Reader(ScannerSettings(**SCANNER), self.inbox)
        self.alone = StandAlone()
        self.worker = Worker(
            self.inbox,
            Outbox(self.path, settings, BOX),
            Pipeline(config, ArticleMaster(directory / "articles")),
            self.clock,
            {"front": self.reader},
            ServiceManager(),
            delivery=self.alone,
            on_event=lambda event: self.on_event(event),  # noqa: PLW0108 - tests replace it
        )
        self.told: list[Mapping[str, Any]] = []
        self.on_event: Callable[[Mapping[str, Any]], None] = self.told.append
        self.thread = threading.Thread(target=self.worker.run)

    def scan(self, *texts: str) -> None:
        for text in texts:
            frame = Frame(data=text.encode(), started_ns=self.clock.now().monotonic_ns)
            assert self.inbox.offer(RawScan(scanner="front", frame=frame, symbology="]d2", text=text))

    def signals(self, count: int) -> list[Signal]:
        wait_for(lambda: len(self.told) >= count, f"{count} are told ({self.told})")
        return [one["signal"] for one in self.told]


Work = Callable[..., Any]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Return a context manager that lets a worker work, and stops it in order."""
    monkeypatch.setattr(workers, "TIDY_SECONDS", 0.05)
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(clocks, "SYNCHRONISED_FLAG", tmp_path / "synchronized")
    monkeypatch.setenv("PATH", str(tmp_path))  # no busctl to ask

    @contextmanager
    def at_work(settings: OutboxSettings = ROOMY, before: Callable[[Bench], None] | None = None) -> Iterator[Bench]:
        bench = Bench(tmp_path, settings)
        if before is not None:
            before(bench)
        bench.thread.start()
        try:
            yield bench
        finally:
            bench.inbox.post(Notice.STOP)
            bench.thread.join(10)
            assert not bench.thread.is_alive()
            bench.worker.finish()

    return at_work


LABEL = "010952000100010221S1"


def test_what_is_told_is_on_disk(work: Work, tmp_path: Path) -> None:
    on_disk: list[bool] = []

    def look(event: Mapping[str, Any]) -> None:
        bodies = b"".join(stored(tmp_path / "outbox.db").values())
        on_disk.append(event["id"].encode() in bodies)

    def watch_closely(bench: Bench) -> None:
        bench.on_event = look

    with work(before=watch_closely) as bench:
        bench.scan(*(f"{LABEL}{number}" for number in range(100)))
        wait_for(lambda: len(on_disk) == 100, "all are told")
    assert all(on_disk)
    texts = [cloudevent.decode_scan(body).data.symbols[0].text for body in stored(bench.path).values()]
    assert texts == [f"{LABEL}{number}" for number in range(100)], "in the order of the scans"


def test_signals(work: Work) -> None:
    with work() as bench:
        bench.scan(LABEL, "hunter2", "0109520001000103")
        assert bench.signals(3) == [Signal.ACCEPTED, Signal.REFUSED, Signal.REFUSED]
        assert bench.told[1]["id"] is None, "nothing of it was stored"
    assert len(stored(bench.path)) <= 2
    assert b"hunter2" not in bench.path.read_bytes()
    assert bench.worker.status.counters["withheld.text"] == 1


def test_a_full_outbox_is_trouble_until_there_is_room(work: Work) -> None:
    with work(OutboxSettings(min_free_bytes=1 << 60)) as bench:
        bench.scan(LABEL, LABEL)
        assert bench.signals(2) == [Signal.TROUBLE, Signal.TROUBLE]
        assert "the disk is as full" in (bench.worker.status.trouble or "")
        assert bench.worker.status.counters["trouble"] == 2
        bench.worker._outbox.settings = ROOMY
        bench.scan(LABEL)
        assert bench.signals(3)[-1] is Signal.ACCEPTED
        assert bench.worker.status.trouble is None
    assert len(stored(bench.path)) == 1


def test_a_scan_that_trips_the_code_does_not_stop_the_others(work: Work) -> None:
    with work() as bench:
        frame = Frame(data=b"x", started_ns=1)
        broken = msgspec.structs.replace(RawScan(scanner="front", frame=frame, symbology=None, text=""), frame=None)
        bench.scan(LABEL)
        bench.inbox.offer(broken)
        bench.inbox.offer(msgspec.structs.replace(broken, text=LABEL))
        bench.scan(LABEL)
        wait_for(lambda: bench.worker.status.counters["accepted"] == 2, "the sound ones are stored")
        assert bench.worker.status.counters["fault"] >= 1
    assert len(stored(bench.path)) == 2


def test_what_found_no_place_is_told(work: Work) -> None:
    with work() as bench:
        bench.reader.dropped += 3
        bench.scan(LABEL)
        wait_for(lambda: bench.worker.status.counters["trouble"] == 3, "it is counted")
        assert bench.worker._dropped_reported == {"front": 3}
        assert Signal.TROUBLE in bench.signals(2), "who watches must not take the last result for it"


def test_a_discarded_frame_is_refused_and_counted(work: Work) -> None:
    with work() as bench:
        bench.inbox.offer(Discarded(scanner="front", reason=DiscardReason.TOO_LONG, length=9000))
        wait_for(lambda: bench.worker.status.counters["discarded.too-long"] == 1, "it is counted")
        assert bench.signals(1) == [Signal.REFUSED]
        assert (bench.told[0]["id"], bench.told[0]["discarded"]) == (None, DiscardReason.TOO_LONG)


def test_results_come_in_the_order_of_the_scans(work: Work) -> None:
    """A frame that was thrown away behind a label is the last thing that was scanned, however they were queued."""

    def queue(bench: Bench) -> None:
        bench.scan(LABEL)
        bench.inbox.offer(Discarded(scanner="front", reason=DiscardReason.GARBLED, length=9))

    with work(before=queue) as bench:
        assert bench.signals(2)[-1] is Signal.REFUSED


def test_what_was_exported_counts_as_delivered_where_there_is_no_broker(work: Work) -> None:
    with work() as bench:
        bench.scan(LABEL, LABEL, LABEL)
        bench.signals(3)
        bench.alone.exported(2)
        backlog = OutboxReader(bench.path)
        wait_for(lambda: backlog.delivered() == 2, "it is on disk")
        bench.alone.exported(99)
        wait_for(lambda: backlog.delivered() == 3, "no further than what is there")
        bench.alone.exported(1)
        backlog.close()
    assert bench.worker._outbox.delivered == 3


def test_a_clock_learnt_settles_a_long_line_and_tells_the_offset_last(work: Work, tmp_path: Path) -> None:
    """Scans in between are stored; times of the earlier ones are corrected."""
    count = 2 * SEAL_ROWS + 10

    def earlier(bench: Bench) -> None:
        now = bench.clock.now()
        assert not now.synchronised
        outbox = bench.worker._outbox
        outbox.append([draft(0, clock=now)], now, seal=True)
        outbox.append([draft(number, clock=now) for number in range(1, count)], now, seal=False)

    with work(before=earlier) as bench:
        (tmp_path / "synchronized").touch()
        assert bench.clock.observe()
        bench.inbox.post(Notice.CLOCK_SET)
        bench.scan(LABEL)
        assert bench.signals(1) == [Signal.ACCEPTED]
        wait_for(lambda: bench.worker._outbox.last == count + 2, "the clock event is there")
    bodies = list(stored(bench.path).values())
    assert b'"type":"scangate.clock.v1"' in bodies[-1]
    corrected = [b'"corrected":true' in body for body in bodies[:-1]]
    assert corrected == [False, *[True] * (count - 1), False]


def test_a_clock_that_was_set_while_no_daemon_ran(work: Work, tmp_path: Path) -> None:
    def earlier(bench: Bench) -> None:
        now = bench.clock.now()
        bench.worker._outbox.append([draft(1, clock=now)], now, seal=True)
        (tmp_path / "synchronized").touch()
        assert bench.clock.observe()

    with work(before=earlier) as bench:
        wait_for(lambda: bench.worker._outbox.last == 2, "the clock event is there")


def test_a_stop_comes_after_what_was_scanned(work: Work) -> None:
    def scanned(bench: Bench) -> None:
        bench.scan(*[LABEL] * MAX_SCANS)
        bench.inbox.post(Notice.STOP)

    with work(before=scanned) as bench:
        bench.thread.join(10)
        assert len(bench.told) == MAX_SCANS
    assert len(stored(bench.path)) == MAX_SCANS
