"""The worker with a station's workflow: half labels, deadlines, frames sent again, jobs, restarts."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.base import ScannerSettings
from drivers.model import Frame, Signal
from drivers.raw_scan import to_raw_scan
from gateway import samples
from gateway.articles.build.import_job import import_file
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.settings import SourceSettings
from gateway.config.loader import parse
from gateway.devices.interception import Interceptions
from gateway.events import cloudevent
from gateway.outbox.entry import NewEvent, decode
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.scanning import worker as workers
from gateway.scanning.inbox import MAX_JOBS, Inbox, Notice
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.reader import Reader
from gateway.scanning.worker import Worker
from gateway.system import clock as clocks
from gateway.system.clock import Clock
from gateway.system.systemd import ServiceManager
from tests.brokers import wait_for
from tests.outbox.events import BOX, ROOMY, stored
from tests.scanning.stage import KEYS, NAIL, NAIL_LOT, SHELF, control

SCANNER: dict[str, Any] = {"name": "front", "driver": "replay", "device": "/nowhere"}
WHOLE = "]d2010952000100010221S1"


class Bench:
    """A worker between an inbox and an outbox; `told` is what everybody who watches is told."""

    def __init__(self, directory: Path, settings: OutboxSettings, pairing_seconds: int) -> None:
        document = {
            "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
            "scanner": [SCANNER],
            "station": {
                "pairing_seconds": pairing_seconds,
                "item_patterns": ["VGR-[0-9]{6}"],
                "severity": {"ARTICLE_UNKNOWN": "info"},
            },
        }
        self.path = directory / "outbox.db"
        self.inbox = Inbox()
        self.clock = Clock()
        self.diversions = Interceptions()
        self.worker = Worker(
            self.inbox,
            Outbox(self.path, settings, BOX),
            Pipeline(parse(document, "test"), ArticleMaster(directory / "articles"), KEYS),
            self.clock,
            {"front": Reader(ScannerSettings(**SCANNER), self.inbox)},
            ServiceManager(),
            interceptions=self.diversions,
            on_event=lambda event: self.on_event(event),  # noqa: PLW0108 - tests replace it
        )
        self.told: list[Mapping[str, Any]] = []
        self.on_event: Callable[[Mapping[str, Any]], None] = self.told.append
        self.thread = threading.Thread(target=self.worker.run)

    def scan(self, *codes: str, again: bool = False) -> None:
        """Offer scans; `again`: the scanner says that it sends them once more."""
        for code in codes:
            now = self.clock.now().monotonic_ns
            frame = Frame(data=code.encode(), started_ns=now, retransmission=again)
            assert self.inbox.offer(to_raw_scan("front", frame))

    def signals(self, count: int) -> list[Signal]:
        wait_for(lambda: len(self.signalled()) >= count, f"{count} signals ({self.told})")
        return self.signalled()

    def signalled(self) -> list[Signal]:
        return [one["signal"] for one in list(self.told) if "signal" in one]

    def kill(self) -> None:
        """End the thread as a power cut would: nothing more is written. The outbox is left as it is."""
        self.worker._outbox.abandon()
        self.inbox.post(Notice.STOP)
        self.thread.join(10)


Work = Callable[..., Any]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Return a context manager that lets a worker work, and stops it in order."""
    monkeypatch.setattr(workers, "TIDY_SECONDS", 0.05)
    monkeypatch.setattr(workers, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(clocks, "SYNCHRONISED_FLAG", tmp_path / "synchronized")
    monkeypatch.setenv("PATH", str(tmp_path))  # no busctl to ask

    @contextmanager
    def at_work(
        settings: OutboxSettings = ROOMY, before: Callable[[Bench], None] | None = None, pairing_seconds: int = 60
    ) -> Iterator[Bench]:
        bench = Bench(tmp_path, settings, pairing_seconds)
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


@contextmanager
def left_open(path: Path) -> Iterator[list[NewEvent]]:
    """Read the items that a restart would find open."""
    db = sqlite3.connect(path)
    yield [decode(text) for (text,) in db.execute("SELECT draft FROM open_item")]
    db.close()


def events(path: Path) -> list[cloudevent.ScanEvent]:
    return [cloudevent.decode_scan(body) for body in stored(path).values()]


def findings(event: cloudevent.ScanEvent) -> set[str]:
    return {finding.code for finding in event.data.verdict.findings}


def test_a_label_of_two_symbols(work: Work) -> None:
    with work() as bench:
        bench.scan(NAIL)
        assert bench.signals(1) == [Signal.MORE]
        assert bench.told[0]["id"] is None
        assert [one.missing for one in bench.told[0]["station"].waiting] == [("production-identifier",)]
        assert stored(bench.path) == {}
        bench.scan(NAIL_LOT)
        assert bench.signals(2) == [Signal.MORE, Signal.ACCEPTED]
        assert bench.told[1]["station"].waiting == ()
    (event,) = events(bench.path)
    assert [symbol.text for symbol in event.data.symbols] == [NAIL[3:], NAIL_LOT[3:]]
    assert "INCOMPLETE_LABEL" not in findings(event)
    assert bench.worker.status.counters["more"] == bench.worker.status.counters["accepted"] == 1


def test_the_worker_wakes_when_a_label_has_waited_long_enough(work: Work) -> None:
    with work(pairing_seconds=1) as bench:
        bench.scan(NAIL)
        assert bench.signals(2) == [Signal.MORE, Signal.WARNING]
        (event,) = events(bench.path)
        assert "INCOMPLETE_LABEL" in findings(event)
        assert bench.told[1]["id"] == event.id
        wait_for(lambda: "signal" not in bench.told[-1], "the display is told that nothing is waited for")
        assert bench.told[-1]["station"].waiting == ()
    assert bench.worker.status.counters["incomplete"] == 1


def test_a_stop_lets_half_a_label_go(work: Work) -> None:
    with work() as bench:
        bench.scan(NAIL)
        bench.signals(1)
    (event,) = events(bench.path)
    assert "INCOMPLETE_LABEL" in findings(event)


def test_half_a_label_survives_a_power_cut_and_goes_out_at_the_next_start(work: Work, tmp_path: Path) -> None:
    bench = Bench(tmp_path, ROOMY, 60)
    bench.thread.start()
    bench.scan(NAIL)
    assert bench.signals(1) == [Signal.MORE]
    bench.kill()
    assert stored(tmp_path / "outbox.db") == {}
    with work() as again:
        wait_for(lambda: len(stored(again.path)) == 1, "it is an event")
        (event,) = events(again.path)
        assert event.data.symbols[0].text == NAIL[3:]
        assert "INCOMPLETE_LABEL" in findings(event)
        wait_for(lambda: any(one.get("data") for one in again.told), "who watches is told of it")
        again.scan(NAIL_LOT)
        assert again.signals(2) == [Signal.WARNING, Signal.ACCEPTED], (
            "told at the start; then the rest comes in time"
        )
        half, undo, whole = events(again.path)
        assert (undo.data.undoes, undo.data.reason) == (half.id, "label-completed")
        assert whole.data.udi is not None
        assert whole.data.udi.lot_number == "7K3"


def test_what_is_repeated_is_known_after_a_restart(work: Work) -> None:
    with work() as bench:
        bench.scan(WHOLE)
        assert bench.signals(1) == [Signal.ACCEPTED]
    with work() as bench:
        bench.scan(WHOLE)
        assert bench.signals(1) == [Signal.WARNING]
    first, second = events(bench.path)
    assert second.data.repeats == first.id


def test_a_disk_that_fails_leaves_the_station_as_it_was(work: Work) -> None:
    """The first symbol is told as trouble: scanned again it is the first one once more, not the same one again."""
    with work(OutboxSettings(min_free_bytes=1 << 60)) as bench:
        bench.scan(NAIL)
        assert bench.signals(1) == [Signal.TROUBLE]
        assert bench.told[0]["station"].waiting == ()
        assert bench.worker.status.counters["trouble"] == 1
        bench.worker._outbox.settings = ROOMY
        bench.scan(NAIL, NAIL_LOT)
        assert bench.signals(3)[1:] == [Signal.MORE, Signal.ACCEPTED]
    assert len(stored(bench.path)) == 1


def test_half_a_label_whose_time_is_up_waits_for_a_disk_that_fails(work: Work) -> None:
    with work(pairing_seconds=1) as bench:
        bench.scan(NAIL)
        bench.signals(1)
        full = OutboxSettings(min_free_bytes=1 << 60)
        bench.worker.submit(lambda: fill(bench, full))
        wait_for(lambda: bench.worker.status.trouble is not None, "it cannot be stored")
        bench.worker._outbox.settings = ROOMY
        assert bench.signals(2) == [Signal.MORE, Signal.WARNING]
        assert bench.worker.status.trouble is None
    assert len(stored(bench.path)) == 1


def test_a_salvage_between_two_symbols(work: Work) -> None:
    """The damaged outbox is replaced while a label is half scanned: still on disk, and still one event."""
    with work() as bench:
        bench.scan(WHOLE, NAIL)
        bench.signals(2)
        before = bench.worker._outbox
        bench.worker.submit(lambda: bench.worker._salvage(bench.clock.now()))
        wait_for(lambda: bench.worker._outbox is not before, "there is a new one")
        with left_open(bench.path) as left:
            assert [draft.data.symbols[0].text for draft in left] == [NAIL[3:]]
        bench.scan(NAIL_LOT)
        assert bench.signals(3)[2] is Signal.ACCEPTED
        with left_open(bench.path) as left:
            assert left == []
    assert [len(event.data.symbols) for event in events(bench.path)] == [1, 2]


def fill(bench: Bench, settings: OutboxSettings) -> None:
    """Let the outbox find its disk full."""
    bench.worker._outbox.settings = settings
    bench.worker._outbox.maintain(bench.clock.now())


class TestAgain:
    """A scanner that saw no acknowledgement sends a frame again and says so."""

    def test_what_was_stored_is_only_answered_again(self, work: Work) -> None:
        with work() as bench:
            bench.scan(WHOLE)
            bench.signals(1)
            bench.scan(WHOLE, again=True)
            assert bench.signals(2) == [Signal.ACCEPTED, Signal.ACCEPTED]
            assert bench.told[1]["id"] is None
            bench.scan(WHOLE)
            assert bench.signals(3)[2] is Signal.WARNING, "a repeat: nothing says that it is the same frame"
        assert len(stored(bench.path)) == 2
        assert bench.worker.status.counters["retransmission"] == 1

    def test_in_the_same_batch_as_the_first(self, work: Work) -> None:
        def queued(bench: Bench) -> None:
            bench.scan(WHOLE)
            bench.scan(WHOLE, again=True)

        with work(before=queued) as bench:
            assert bench.signals(2) == [Signal.ACCEPTED, Signal.ACCEPTED]
        assert len(stored(bench.path)) == 1

    def test_what_was_not_stored_is_new(self, work: Work) -> None:
        with work(OutboxSettings(min_free_bytes=1 << 60)) as bench:
            bench.scan(WHOLE)
            bench.signals(1)
            bench.worker._outbox.settings = ROOMY
            bench.scan(WHOLE, again=True)
            assert bench.signals(2) == [Signal.TROUBLE, Signal.ACCEPTED]
        assert len(stored(bench.path)) == 1

    def test_another_frame_is_new_whatever_the_scanner_says(self, work: Work) -> None:
        with work() as bench:
            bench.scan(WHOLE)
            bench.signals(1)
            bench.scan(f"{WHOLE}2", again=True)
            bench.signals(2)
        assert len(stored(bench.path)) == 2

    def test_the_first_symbol_of_a_label(self, work: Work) -> None:
        with work() as bench:
            bench.scan(NAIL)
            bench.signals(1)
            bench.scan(NAIL, again=True)
            bench.signals(2)
            bench.scan(NAIL_LOT)
            assert bench.signals(3) == [Signal.MORE, Signal.MORE, Signal.ACCEPTED]
        assert len(stored(bench.path)) == 1


def test_codes_are_told_by_kind_and_are_no_events(work: Work) -> None:
    with work() as bench:
        bench.scan(control("RETURN"), SHELF, control("UNDO"), "]d2orbit:OP-1", "hunter2")
        bench.signals(5)
        told = bench.told
        assert [one.get("control") for one in told] == ["action", None, "undo", None, None]
        assert told[3].get("contextRefused") == "case"
        assert told[2]["data"].undoes == told[1]["id"]
        assert b"OP-1" not in msgspec.json.encode(told)
    assert [event.data.action for event in events(bench.path)] == ["return", "undo"]
    counters = bench.worker.status.counters
    assert (counters["control.action"], counters["undo"], counters["context-refused.case.no-seal-key"]) == (1, 1, 1)


def test_an_article_that_the_master_learns_leaves_the_list_of_unknown_ones(work: Work, tmp_path: Path) -> None:
    with work() as bench:
        bench.scan(WHOLE, SHELF)
        bench.signals(2)
        wait_for(lambda: bench.worker.status.unknown_articles == 2, "both are listed")
        import_file(tmp_path / "articles", SourceSettings(name="s"), samples.articles_csv(), now=datetime.now(UTC))
        bench.worker.submit(lambda: setattr(bench.worker._relearning, "_next_walk", 0.0))
        wait_for(lambda: bench.worker.status.unknown_articles == 0, "both are known")


def test_a_scan_that_is_diverted_goes_nowhere_else(work: Work) -> None:
    with work() as bench:
        diversion = bench.diversions.begin("front", 30)
        bench.scan(WHOLE, f"{WHOLE}2")
        assert bench.signals(1) == [Signal.ACCEPTED]
        came = diversion.wait(10)
    assert came is not None
    assert [event.data.symbols[0].text for event in events(bench.path)] == [f"{WHOLE}2"[3:]]


def fail() -> None:
    raise RuntimeError("a job that fails")


class TestJobs:
    def test_a_job_is_done_between_scans_by_the_worker(self, work: Work) -> None:
        with work() as bench:
            done: list[str] = []
            for word in ("a", "b", "c"):
                assert bench.worker.submit(partial(done.append, word))
            assert bench.worker.submit(lambda: done.append(threading.current_thread().name))
            wait_for(lambda: len(done) == 4, "all are done")
            assert done == ["a", "b", "c", bench.thread.name]

    def test_a_job_that_fails_stops_nothing(self, work: Work) -> None:
        with work() as bench:
            bench.worker.submit(fail)
            bench.scan(WHOLE)
            assert bench.signals(1) == [Signal.ACCEPTED]
            wait_for(lambda: bench.worker.status.counters["fault"] == 1, "it is counted")

    def test_jobs_are_bounded_and_done_before_the_end(self, work: Work) -> None:
        done: list[int] = []

        def many(bench: Bench) -> None:
            for _ in range(MAX_JOBS):
                assert bench.worker.submit(lambda: done.append(1))
            assert not bench.worker.submit(lambda: done.append(2))
            bench.inbox.post(Notice.STOP)

        with work(before=many):
            pass
        assert done == [1] * MAX_JOBS

    def test_a_scanner_is_identified(self, work: Work) -> None:
        with work() as bench:
            assert bench.worker.identify("front")
            assert not bench.worker.identify("nobody")
