"""A lent line: what ends it, what it keeps back, and what it never keeps back."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any

import pytest

from drivers.base import DriverError, ScannerSettings
from drivers.model import ConnectionChange, ConnectionState, Discarded, DiscardReason, Frame, RawScan, ScannerInput
from gateway.devices.lease import ANSWER_NS, MAX_HEARD, MAX_WRITE, Borrowing, Lease, LeaseOverError, Lender
from gateway.devices.lease_terms import Terms, check_dialect, terms_of
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader
from gateway.system.control_socket import RequestError
from tests.end_to_end.plant import Wire

DEADLINE_S = 20.0


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    made = Wire(tmp_path)
    yield made
    made.unplug()


def read_by(wire: Wire, dialect: str) -> Iterator[Reader]:
    settings = ScannerSettings(name="front", device=str(wire.path), dialect=dialect)  # type: ignore[arg-type] # a test's table
    inbox = Inbox()
    made = Reader(settings, inbox)
    made.start()
    end = monotonic() + DEADLINE_S
    while made.scanner.connection is not ConnectionState.CONNECTED:
        assert monotonic() < end
        inbox.take(0.1)
    yield made
    made.stop()
    made.join(DEADLINE_S)


@pytest.fixture
def reader(wire: Wire) -> Iterator[Reader]:
    yield from read_by(wire, "honeywell")


def heard_by_scanner(wire: Wire, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(wire._scanner, size - len(data))
    return data


def scan(text: str, *, symbology: str | None = None, began_ns: int | None = None) -> RawScan:
    frame = Frame(data=text.encode(), started_ns=monotonic_ns() if began_ns is None else began_ns)
    return RawScan(scanner="front", frame=frame, symbology=symbology, text=text)


DISCARDED = Discarded(scanner="front", reason=DiscardReason.GARBLED, length=9)


@pytest.mark.parametrize(
    ("item", "withheld"),
    [
        (scan("Product Name: Xenon 1900"), True),
        (scan("Serial Number: 10061B45B5"), True),
        (scan("Software Revision: "), True),
        (scan("TERMID130"), False),
        (scan("VGR-200010"), False),
        (scan("4006381333931"), False),
        (scan("Patient: 19121212-1212"), False),
        (DISCARDED, False),
        (scan("VGR-200010", symbology="]C0"), False),
        (scan("0109520001000102174512311021L1"), False),
        (scan("Serial Number: 10061B45B5", began_ns=0), False),
        (scan("Serial Number: 10061B45B5", began_ns=2**62), False),
        (ConnectionChange(scanner="front", connection=ConnectionState.CONNECTED), False),
    ],
)
def test_what_is_taken_for_an_answer(reader: Reader, item: ScannerInput, withheld: bool) -> None:  # noqa: FBT001 - a column of the table
    """The lines of the answer to REVINF (Xenon 1900 User's Guide, Show Software Revision), and nothing else."""
    lease = Lease(reader, terms_of("honeywell"))
    assert not lease.withholds(scan("Serial Number: 10061B45B5")), "nothing was asked"
    lease.write(b"\x16M\rREVINF.")
    if isinstance(item, RawScan) and 0 < item.frame.started_ns < 2**62:
        item = scan(item.text, symbology=item.symbology)
    assert lease.withholds(item) is withheld
    assert lease.withheld == withheld
    lease.end()


def test_answers_must_be_told_from_codes() -> None:
    settings = ScannerSettings(name="front", device="/dev/null", dialect="plain")
    with pytest.raises(
        DriverError, match=r'under dialect = "plain" .* be taken for codes; set dialect = "zebra-ssi"'
    ):
        check_dialect("zebra", settings)
    for other in ("honeywell", "datalogic", "newland", "cognex", "opticon"):
        check_dialect(other, settings)


def test_codes_scanned_while_the_settings_are_read_reach_the_inbox(wire: Wire) -> None:
    """A scanner that says nothing when it is asked, and codes without AIM identifiers, one after the other."""
    settings = ScannerSettings(name="front", device=str(wire.path), dialect="honeywell")
    inbox = Inbox()
    made = Reader(settings, inbox)
    made.start()
    came: list[str] = []
    codes = [f"VGR-{number:06}" for number in range(22)]
    end = monotonic() + DEADLINE_S
    lease = None
    while len(came) < len(codes):
        assert monotonic() < end, came
        items, _ = inbox.take(0.1)
        came += [item.text for item in items if isinstance(item, RawScan)]
        if lease is None and made.scanner.connection is ConnectionState.CONNECTED:
            lease = Lease(made, terms_of("honeywell"))
            lease.write(b"\x16M\rREVINF.")
            os.write(wire._scanner, "".join(f"{code}\r" for code in codes).encode())
    assert came == codes
    assert lease is not None
    assert lease.withheld == 0
    lease.end()
    made.stop()
    made.join(DEADLINE_S)


def test_its_time_is_up(reader: Reader, wire: Wire) -> None:
    lease = Lease(reader, Terms(last_words=b"$s\r"), seconds=0.05)
    assert heard_by_scanner(wire, 3) == b"$s\r"
    assert not reader.leased
    for doing in (lambda: lease.write(b"x"), lambda: lease.read(0.0), lambda: lease.reopen(None)):
        with pytest.raises(LeaseOverError, match="its time was up"):
            doing()
    Lease(reader).end()


def test_signals_wait_for_the_end(reader: Reader, wire: Wire) -> None:
    lease = Lease(reader, Terms(last_words=b"never"))
    assert reader.scanner.send(b"one")
    assert reader.scanner.send(b"two")
    lease.write(b"command")
    assert heard_by_scanner(wire, 7) == b"command"
    lease.end(returned=True)
    assert heard_by_scanner(wire, 6) == b"onetwo"
    lease.end()


def test_one_that_gives_way_ends_with_the_first_scan(reader: Reader, wire: Wire) -> None:
    lease = Lease(reader, Terms(last_words=b"bye"), gives_way=True)
    reader.scanner.send(b"signal")
    os.write(wire._scanner, b"]d2010952000100010221S1\r")
    assert heard_by_scanner(wire, 9) == b"byesignal"
    with pytest.raises(LeaseOverError, match="somebody scans with it"):
        lease.read(DEADLINE_S)
    assert lease.scanned


def test_another_speed_ends_with_the_lease(reader: Reader, wire: Wire) -> None:
    lease = Lease(reader)
    lease.reopen(115_200)
    assert lease.wait_open(DEADLINE_S)
    lease.write(b"fast")
    assert heard_by_scanner(wire, 4) == b"fast"
    lease.end(returned=True)
    again = Lease(reader)
    assert again.wait_open(DEADLINE_S)
    again.write(b"slow")
    assert heard_by_scanner(wire, 4) == b"slow"
    again.end()


def test_a_scanner_that_is_gone(reader: Reader, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease(reader)
    wire.unplug()
    end = monotonic() + DEADLINE_S
    while reader.scanner.connection is ConnectionState.CONNECTED:
        assert monotonic() < end
        with lease._news:
            lease._news.wait(0.01)
    monkeypatch.setattr("gateway.devices.lease.GONE_SECONDS", 0.1)
    with pytest.raises(LeaseOverError, match="scanner front is gone"):
        lease.read(0.01)
    with pytest.raises(LeaseOverError, match="scanner front is gone"):
        lease.write(b"x")
    wire.plug()
    assert lease.wait_open(DEADLINE_S), "a scanner that starts anew comes back to the same borrower"
    lease.write(b"back")
    assert heard_by_scanner(wire, 4) == b"back"
    lease.end()


def test_what_nobody_reads_is_bounded(reader: Reader) -> None:
    lease = Lease(reader)
    for _ in range(20):
        lease._hear(b"x" * 4096)
    assert len(lease.read(0)) == MAX_HEARD
    lease.end()


def test_other_drivers_have_nothing_to_lend(tmp_path: Path) -> None:
    recording = tmp_path / "scans.ndjson"
    recording.write_text("")
    reader = Reader(ScannerSettings(name="front", driver="replay", device=str(recording)), Inbox())
    with pytest.raises(DriverError, match="scangate firmware page"):
        Lease(reader)
    reader.scanner.close()


@pytest.mark.parametrize(
    ("do", "args", "words"),
    [
        ("status", {}, "while a port is lent: note, opened, read"),
        ("write", {"data": "no base64"}, "expected bytes as base64"),
        ("write", {}, "expected bytes as base64"),
        ("write", {"data": base64.b64encode(b"x" * (MAX_WRITE + 1)).decode()}, "at most 4096 bytes"),
        ("read", {"seconds": "long"}, "expected args"),
        ("reopen", {"baud": 0}, "expected a baud rate"),
        ("reopen", {"baud": "fast"}, "expected a baud rate"),
    ],
)
def test_a_wrong_request_is_refused(reader: Reader, do: str, args: dict[str, Any], words: str) -> None:
    borrowing = Borrowing(Lease(reader), lambda _name, _found: None)
    with pytest.raises(RequestError, match=words):
        borrowing.answer(do, args)
    assert borrowing.answer("read", {"seconds": 0}) == "", "the lease goes on"
    borrowing.close()
    with pytest.raises(RequestError, match="its client went away"):
        borrowing.answer("read", {"seconds": 0})


def test_the_daemon_ends(reader: Reader) -> None:
    lender = Lender({"front": reader}, lambda _name, _found: None)
    lease = lender.begin("front")
    lender.close()
    with pytest.raises(LeaseOverError, match="the daemon ends"):
        lease.read(0)
    with pytest.raises(RequestError, match="the daemon ends"):
        lender.lend({"scanner": "front", "vendor": "honeywell"})


def test_the_longest_answer_time() -> None:
    assert ANSWER_NS > 2_000_000_000, "SSI: host serial response timeout"
