"""What the worker does while something fails: nothing is acknowledged that is not stored, and it is tried again."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from drivers.base import ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.model import Frame, Signal
from drivers.raw_scan import to_raw_scan
from gateway.outbox.salvage import salvaged
from gateway.outbox.schema import CorruptOutboxError, OutboxError
from gateway.outbox.settings import OutboxSettings
from gateway.scanning import worker as workers
from gateway.scanning.inbox import MAX_BATCH, Notice
from gateway.scanning.reader import Reader
from tests.brokers import wait_for
from tests.outbox.events import draft
from tests.scanning.stage import NAIL, NAIL_LOT
from tests.scanning.test_worker_station import SCANNER, WHOLE, Bench, Work, events, left_open, work

__all__ = ["work"]  # the fixture
S = 1_000_000_000
FULL = OutboxSettings(min_free_bytes=1 << 60)


class Acknowledging(PlainDialect):
    """A protocol with an acknowledgement of its own."""

    def acknowledge(self, frame: Frame) -> bytes:
        return b"\x06" if frame.data else b""


@pytest.mark.parametrize(
    ("settings", "acknowledged"), [(None, [b"\x06"]), (FULL, [])], ids=["stored", "not stored"]
)
def test_only_what_is_stored_is_acknowledged(
    work: Work, monkeypatch: pytest.MonkeyPatch, settings: OutboxSettings | None, acknowledged: list[bytes]
) -> None:
    sent: list[bytes] = []

    def speaks(bench: Bench) -> None:
        scanner = bench.worker._readers["front"].scanner
        scanner.dialect = Acknowledging(ScannerSettings(**SCANNER))
        monkeypatch.setattr(scanner, "send", sent.append)

    with work(**({} if settings is None else {"settings": settings}), before=speaks) as bench:
        bench.scan(WHOLE)
        bench.signals(1)
    assert sent == acknowledged


def test_a_label_whose_symbol_is_still_queued_is_whole(work: Work) -> None:
    """Its time seems to be up, because the worker was held up; the second symbol was read in time."""

    def queued(bench: Bench) -> None:
        bench.worker._readers = {**bench.worker._readers, "rear": Reader(ScannerSettings(**SCANNER), bench.inbox)}
        began = bench.clock.now().monotonic_ns - 10 * S

        def read(scanner: str, code: str, at_ns: int) -> None:
            assert bench.inbox.offer(to_raw_scan(scanner, Frame(data=code.encode(), started_ns=at_ns)))

        read("front", NAIL, began)
        for number in range(MAX_BATCH - 1):
            read("rear", f"{WHOLE}{number}", began)
        read("front", NAIL_LOT, began + S // 2)

    with work(before=queued, pairing_seconds=1) as bench:
        bench.signals(MAX_BATCH + 1)
    assert [len(event.data.symbols) for event in events(bench.path) if event.data.station.scanner == "front"] == [2]


def test_a_salvage_that_finds_no_open_label_journals_it_anew(work: Work) -> None:
    with work() as bench:
        bench.scan(NAIL)
        bench.signals(1)
        salvaged_whole = Event()

        def damage_and_salvage() -> None:
            bench.worker._outbox._db.execute("DELETE FROM open_item")
            bench.worker._salvage(bench.clock.now())
            salvaged_whole.set()

        bench.worker.submit(damage_and_salvage)
        wait_for(salvaged_whole.is_set, "the new one holds what was open")
        with left_open(bench.path) as left:
            assert [one.data.symbols[0].text for one in left] == [NAIL[3:]]


def test_a_salvage_that_fails_is_tried_again_until_it_is_done_once(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def at_the_second_try(*arguments: Any) -> object:  # noqa: ANN401 - what is handed on
        tries.append("try")
        if len(tries) == 1:
            raise OutboxError("salvage", Path("outbox.db"), "no room", "make some")
        return salvaged(*arguments)

    monkeypatch.setattr(workers, "salvaged", at_the_second_try)
    with work() as bench:
        before = bench.worker._outbox
        damaged = CorruptOutboxError("read", bench.path, "noise", "it is salvaged")
        bench.worker.submit(lambda: bench.worker._outbox_failed(damaged))
        wait_for(lambda: bench.worker._outbox is not before, "there is a new one")
        bench.scan(WHOLE, WHOLE)
        assert bench.signals(2)[0] is Signal.ACCEPTED
    assert tries == ["try"] * 2


def test_a_clock_that_was_learnt_while_the_disk_failed_is_not_forgotten(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def earlier(bench: Bench) -> None:
        now = bench.clock.now()
        bench.worker._outbox.append([draft(1, clock=now)], now, seal=False)
        (tmp_path / "synchronized").touch()
        assert bench.clock.observe()
        seal, failures = bench.worker._outbox.seal, iter([True])

        def fails_once(clock: Any) -> int:  # noqa: ANN401 - what is handed on
            if next(failures, False):
                raise OutboxError("settle times in", bench.path, "I/O error", "check the disk")
            return seal(clock)

        monkeypatch.setattr(bench.worker._outbox, "seal", fails_once)
        bench.inbox.post(Notice.CLOCK_SET)

    with work(before=earlier) as bench:
        wait_for(lambda: any(event.data.clock.corrected for event in events(bench.path)), "its time is corrected")


def test_each_scan_that_found_no_place_is_reported_once(work: Work) -> None:
    with work() as bench:
        reader = bench.worker._readers["front"]
        for dropped, told in ((3, 1), (2, 2)):
            reader.dropped += dropped
            bench.scan(f"{WHOLE}{told}")
            bench.signals(2 * told)
        bench.scan(f"{WHOLE}3")
        bench.signals(5)
        wait_for(lambda: bench.worker.status.counters["accepted"] == 3, "all are stored")
        assert bench.worker.status.counters["trouble"] == 5
    assert bench.signalled().count(Signal.TROUBLE) == 2
