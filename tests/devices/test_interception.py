"""The next scan of a scanner goes to whoever asked for it, and no other one does."""

from threading import Thread

import pytest

from drivers.model import ConnectionChange, ConnectionState, Discarded, DiscardReason, Frame, RawScan
from drivers.raw_scan import to_raw_scan
from gateway.devices import interception
from gateway.devices.interception import InterceptedError, Interceptions


def scan(scanner: str = "front", data: bytes = b"]d1A") -> RawScan:
    return to_raw_scan(scanner, Frame(data=data, started_ns=1))


BROKEN = Discarded(scanner="front", reason=DiscardReason.GARBLED, length=3)


@pytest.mark.parametrize("item", [scan(), BROKEN])
def test_one_scan_is_taken_and_the_next_is_not(item: RawScan | Discarded) -> None:
    diversions = Interceptions()
    assert not diversions.take(item)
    awaited = diversions.begin("front", 60)
    assert not diversions.take(scan("back"))
    assert not diversions.take(ConnectionChange(scanner="front", connection=ConnectionState.MISSING))
    assert diversions.take(item)
    assert awaited.wait(0) == (item,)
    assert not diversions.take(item)
    assert awaited.wait(0) == (item,)


def test_what_follows_at_once_is_taken_too() -> None:
    diversions = Interceptions()
    awaited = diversions.begin("front", 60, after_seconds=30)
    assert diversions.take(scan())
    assert diversions.take(BROKEN)
    assert awaited.awaits
    awaited._closes = 0.0
    assert awaited.wait(0) == (scan(), BROKEN)
    assert not diversions.take(BROKEN)


def test_two_scanners_at_once() -> None:
    diversions = Interceptions()
    front, back = diversions.begin("front", 60), diversions.begin("back", 60)
    assert diversions.take(scan("back"))
    assert diversions.take(scan("front"))
    assert [one.scanner for one in (*front.wait(0), *back.wait(0))] == ["front", "back"]


def test_one_scanner_has_one_who_waits() -> None:
    diversions = Interceptions()
    awaited = diversions.begin("front", 60)
    with pytest.raises(InterceptedError, match="awaited by somebody else"):
        diversions.begin("front", 60)
    diversions.end(awaited)
    assert not diversions.take(scan())
    second = diversions.begin("front", 60)
    diversions.end(awaited)  # the first one's end is not the second one's
    assert diversions.take(scan())
    assert second.wait(0)


def test_it_ends_with_its_time() -> None:
    diversions = Interceptions()
    awaited = diversions.begin("front", 0)
    assert awaited.over
    assert not diversions.take(scan())
    assert diversions.begin("front", 60)


def test_who_no_longer_asks_takes_no_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interception, "LEASE_SECONDS", 0.0)
    diversions = Interceptions()
    awaited = diversions.begin("front", 60)
    assert awaited.over
    assert not diversions.take(scan())


def test_asking_keeps_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    diversions = Interceptions()
    awaited = diversions.begin("front", 60)
    monkeypatch.setattr(interception, "LEASE_SECONDS", 0.0)
    assert awaited.wait(1) == ()
    assert awaited.over


def test_it_comes_from_another_thread() -> None:
    diversions = Interceptions()
    awaited = diversions.begin("front", 60)
    worker = Thread(target=diversions.take, args=(scan(),))
    worker.start()
    assert awaited.wait(5) == (scan(),)
    worker.join()
