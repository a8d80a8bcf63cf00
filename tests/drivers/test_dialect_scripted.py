"""Scanners that follow their vendor's protocol, on a pty, read by the real serial driver."""

import os
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from drivers import serial_port
from drivers.base import Scanner, ScannerSettings
from drivers.catalogue import open_scanner
from drivers.dialects.ssi_packet import NakCause, Op, SsiPacket, Status, encode
from drivers.model import RawScan, ScannerInput, Signal
from tests.drivers.scripted import DatalogicScanner, HostAckScanner, ScriptedScanner, SsiScanner

LABEL = b"]d2010952000100010210L1\x1d21S000001"
LONG = b"]Q3" + b"0109520001000102" * 40
DEADLINE_S = 10.0


@contextmanager
def on_a_pty(dialect: str, **more: object) -> Iterator[tuple[Scanner, int]]:
    """A scanner's settings on a pty of its own, connected, and the scanner's end of it."""
    far, near = os.openpty()
    tty.setraw(near)
    settings = ScannerSettings(name="desk", device=os.ttyname(near), dialect=dialect, idle_ms=20, **more)  # type: ignore[arg-type]  # a row of the table
    scanner = open_scanner(settings)
    try:
        assert scanner.read(DEADLINE_S) is not None  # the link
        yield scanner, far
    finally:
        scanner.close()
        os.close(far)
        os.close(near)


class Desk:
    """Stands for the gateway: reads in one thread, stores, and only then acknowledges and signals."""

    def __init__(self, scanner: Scanner, store: Callable[[RawScan], bool] = lambda _scan: True) -> None:
        self.scanner = scanner
        self.inputs: list[ScannerInput] = []
        self._store = store
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over:
            one = self.scanner.read(0.05)
            if one is None:
                continue
            self.inputs.append(one)
            if not isinstance(one, RawScan):
                continue
            stored = self._store(one)
            if stored and (answer := self.scanner.dialect.acknowledge(one.frame)):
                self.scanner.send(answer)
            self.scanner.send(self.scanner.dialect.signal(Signal.ACCEPTED if stored else Signal.TROUBLE))

    def texts(self) -> list[tuple[str, bool]]:
        return [(one.text, one.frame.retransmission) for one in self.inputs if isinstance(one, RawScan)]

    def close(self) -> None:
        self._over = True
        self._thread.join(DEADLINE_S)


@contextmanager
def reading(scanner: Scanner, store: Callable[[RawScan], bool] = lambda _scan: True) -> Iterator[Desk]:
    desk = Desk(scanner, store)
    try:
        yield desk
    finally:
        desk.close()


@contextmanager
def closing(scripted: ScriptedScanner) -> Iterator[None]:
    try:
        yield
    finally:
        scripted.close()


def test_zebra_a_code_is_acknowledged_when_it_is_stored() -> None:
    stored: list[float] = []

    def store(_scan: RawScan) -> bool:
        stored.append(monotonic())
        return True

    with on_a_pty("zebra-ssi") as (scanner, far):
        zebra = SsiScanner(far)
        with closing(zebra), reading(scanner, store) as desk:
            (acknowledged,) = zebra.scan(LABEL)
            assert acknowledged >= stored[0]
            zebra.wait_for(lambda: zebra.beeps == [0x00], "one short high beep")
            assert desk.texts() == [(LABEL[3:].decode(), False)]


def test_zebra_a_code_that_is_not_stored_is_repeated_and_given_up() -> None:
    with on_a_pty("zebra-ssi") as (scanner, far):
        zebra = SsiScanner(far, response_timeout=0.2)
        with closing(zebra), reading(scanner, lambda _scan: False) as desk:
            assert zebra.scan(LABEL) == []
            assert zebra.given_up == 1
            assert [packet for packet in zebra.answers if packet.op == Op.ACK] == []
            zebra.wait_for(lambda: zebra.beeps == [0x12] * 3, "four long low beeps each time")
            text = LABEL[3:].decode()
            assert desk.texts() == [(text, False), (text, True), (text, True)]


def test_zebra_a_slow_disk_costs_a_repetition_but_no_second_acknowledgement() -> None:
    slow = threading.Event()

    def store(_scan: RawScan) -> bool:
        return slow.wait(DEADLINE_S)

    with on_a_pty("zebra-ssi") as (scanner, far):
        zebra = SsiScanner(far, response_timeout=0.3)
        with closing(zebra), reading(scanner, store) as desk:
            threading.Timer(0.45, slow.set).start()
            assert len(zebra.scan(LABEL)) == 1
            zebra.wait_for(lambda: len(zebra.beeps) == len(desk.texts()), "all is answered")
            assert len(zebra.scan(b"4006381333931")) == 1
            zebra.wait_for(lambda: len(zebra.beeps) == len(desk.texts()), "all is answered")
            text = LABEL[3:].decode()
            assert set(desk.texts()) <= {(text, False), (text, True), ("4006381333931", False)}


def test_zebra_a_long_code_in_parts_and_a_garbled_one() -> None:
    with on_a_pty("zebra-ssi") as (scanner, far):
        zebra = SsiScanner(far)
        with closing(zebra), reading(scanner) as desk:
            assert len(zebra.scan(LONG)) == 3
            zebra.wait_for(lambda: len(zebra.beeps) == 1, "one signal for the whole code")
            assert len(zebra.scan(LABEL, garble_first=True)) == 1
            naks = [packet.data[0] for packet in zebra.answers if packet.op == Op.NAK]
            assert naks == [NakCause.RESEND]
            assert desk.texts() == [(LONG[3:].decode(), False), (LABEL[3:].decode(), False)]


def test_honeywell_host_ack_is_answered_with_the_signal() -> None:
    with on_a_pty("honeywell", feedback="host-ack") as (scanner, far):
        xenon = HostAckScanner(far)
        with closing(xenon), reading(scanner) as desk:
            assert xenon.scan(LABEL) == b"\x1b7,"
            xenon.say(b"CBRENA1\x06.")
            assert xenon.scan(b"4006381333931") == b"\x1b7,"
            assert [text for text, _ in desk.texts()] == [LABEL[3:].decode(), "4006381333931"]


def test_datalogic_is_told_and_stays_enabled() -> None:
    with on_a_pty("datalogic") as (scanner, far):
        gryphon = DatalogicScanner(far)
        with closing(gryphon):
            for one in Signal:
                assert scanner.send(scanner.dialect.signal(one))
            gryphon.wait_for(lambda: gryphon.heard.endswith(b"FEFE"), "all signals arrive")
            assert gryphon.enabled
            assert (gryphon.tones, gryphon.not_on_file) == (15, 3)


@pytest.mark.parametrize("dialect", ["honeywell", "zebra-ssi", "datalogic"])
def test_a_scanner_that_takes_no_bytes_loses_no_scan(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads the far end, its buffer is full: codes come through, at once and whole. Then it listens."""
    with on_a_pty(dialect) as (scanner, far):
        while scanner.send(b"\x00"):
            pass
        monkeypatch.setattr(serial_port, "SEND_NS", 3600 * 10**9)  # waited for once, not with every signal
        for _ in range(20):
            assert not scanner.send(scanner.dialect.signal(Signal.ACCEPTED))
        stream = LABEL + b"\r"
        if dialect == "zebra-ssi":
            part = encode(SsiPacket(op=Op.DECODE_DATA, source=0, status=Status.CONTINUED, data=b"\x1b" + LABEL[:9]))
            stream = part + encode(SsiPacket(op=Op.DECODE_DATA, source=0, data=b"\x1b" + LABEL[9:]))
        os.write(far, stream * 3)
        texts: list[str] = []
        while len(texts) < 3:
            one = scanner.read(DEADLINE_S)
            assert isinstance(one, RawScan)
            texts.append(one.text)
        assert texts == [LABEL[3:].decode()] * 3
        while select.select([far], [], [], 0)[0]:
            os.read(far, 4096)
        assert scanner.send(scanner.dialect.signal(Signal.ACCEPTED))


def test_wrong_feedback_is_named(tmp_path: Path) -> None:
    from drivers.settings_check import wrong

    def problems(**more: str) -> list[str]:
        return list(wrong([ScannerSettings(name="desk", device=str(tmp_path), **more)]))  # type: ignore[arg-type]  # a row of the table

    assert problems(dialect="honeywell", feedback="host-ack") == []
    assert problems(dialect="datalogic", feedback="cordless") == []
    assert problems(dialect="zebra-ssi", feedback="host-ack") == [
        "scanner[0].feedback = 'host-ack': zebra-ssi scanners have beep, none"
    ]
