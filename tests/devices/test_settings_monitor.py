"""The daemon looks after the scanners' own settings: beside the scans, never in their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from drivers.base import ScannerSettings
from drivers.model import ConnectionChange, ConnectionState, RawScan
from firmware_config.vendors import base
from gateway.devices import settings_monitor as drifts
from gateway.devices.settings_monitor import SettingsMonitor
from gateway.devices.station_registry import FirmwareRecord, StationRegistry
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader
from gateway.system.clock import Clock
from gateway.system.control_socket import RequestError
from tests.end_to_end.plant import Wire, label
from tests.end_to_end.wired import WiredDevice
from tests.firmware_config.devices import HoneywellDevice

DEADLINE_S = 30.0
AS_NEEDED = {"TERMID": "130", "SUFBK2": "990D", "PREBK2": "995C81", "BEPBEP": "1"}
RESET = AS_NEEDED | {"SUFBK2": ""}


class Place:
    def __init__(self, state: Path, wired: WiredDevice, reader: Reader, inbox: Inbox) -> None:
        self.wired, self.reader, self.inbox = wired, reader, inbox
        self.registry = StationRegistry(state / "station.json")
        self.drift = SettingsMonitor(state, {"front": reader}, self.registry, Clock())
        self.scans: list[RawScan] = []

    def turn_until(self, true: Callable[[], object]) -> None:
        end = monotonic() + DEADLINE_S
        while not true():
            assert monotonic() < end, (self.drift.troubles, self.wired.messages)
            self.drift.turn()
            for item in self.inbox.take(0.02)[0]:
                if isinstance(item, ConnectionChange) and item.connection is ConnectionState.CONNECTED:
                    self.drift.connected("front")
                elif isinstance(item, RawScan):
                    self.scans.append(item)

    @property
    def idle(self) -> bool:
        """It has asked, and nothing is under way."""
        thread = self.drift._thread
        return thread is not None and not thread.is_alive()


@contextmanager
def place(directory: Path, flash: dict[str, str], *, profile: str | None) -> Iterator[Place]:
    wire = Wire(directory)
    wired = WiredDevice(HoneywellDevice(flash), wire)
    inbox = Inbox()
    settings = ScannerSettings(
        name="front",
        device=str(wire.path),
        dialect="honeywell",
        firmware_profile=profile,
    )
    reader = Reader(settings, inbox)
    reader.start()
    made = Place(directory, wired, reader, inbox)
    try:
        yield made
    finally:
        made.drift.close()
        wired.close()
        reader.stop()
        reader.join(DEADLINE_S)
        wire.unplug()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUIET_SECONDS", "AGAIN_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(drifts, name, 0.05)
    monkeypatch.setattr(base, "ANSWER_SECONDS", 1.0)


def test_as_needed_is_noted(tmp_path: Path) -> None:
    with place(tmp_path, AS_NEEDED, profile="honeywell") as one:
        one.turn_until(lambda: one.registry.firmware("front"))
        assert one.drift.troubles == {}
        record = one.registry.firmware("front")
        assert record is not None
        assert (record.profile, record.values["SUFBK2"], record.identity["serial"]) == ("honeywell", "990D", "S-1")
        assert one.wired.device.flash_writes == 0


@pytest.mark.parametrize(
    ("record", "profile", "serial", "words"),
    [
        (None, "honeywell", "S-1", "its settings are not those of profile honeywell: SUFBK2"),
        ("S-1", "honeywell", "S-1", "its settings have changed since they were checked: SUFBK2"),
        ("S-1", None, "S-1", "its settings have changed since they were checked: SUFBK2"),
        ("S-0", None, "S-1", "another one answers (serial S-1) than the one that was set up: SUFBK2 differ"),
    ],
)
def test_what_is_not_as_it_was(
    tmp_path: Path, record: str | None, profile: str | None, serial: str, words: str
) -> None:
    with place(tmp_path, RESET, profile=profile) as one:
        one.wired.device.serial = serial
        if record is not None:
            identity: dict[str, str | None] = {"model": "Xenon 1900", "serial": record}
            noted = FirmwareRecord(profile="honeywell", identity=identity, values={"SUFBK2": "990D"})
            one.registry.note_firmware("front", noted)
        one.turn_until(lambda: one.drift.troubles)
        assert one.drift.troubles == {"front": words}
        one.turn_until(lambda: one.idle)
        assert one.wired.device.flash == RESET, "nothing is written"
        one.drift.note("front", {"profile": "honeywell", "identity": {}, "values": {"SUFBK2": "990D"}})
        assert one.drift.troubles == {}, "what a command brought there is no trouble any more"


def test_nobody_asked_for_it(tmp_path: Path) -> None:
    """Neither a profile nor a record: the scanner is not asked."""
    with place(tmp_path, RESET, profile=None) as one:
        one.turn_until(lambda: one.drift._due.get("front", 0.0) > monotonic())
        assert (one.drift._thread, one.wired.messages) == (None, [])


def test_a_scan_ends_the_asking(tmp_path: Path) -> None:
    """Whoever scans is served at once; the work is done later."""
    with place(tmp_path, RESET, profile="honeywell") as one:
        said: list[bytes] = []

        def scan(message: bytes) -> None:
            if not said and b"SUFBK2" in message:
                said.append(label(1))
                one.wired.say(label(1))

        one.wired.before_answer = scan
        one.turn_until(lambda: one.scans)
        one.turn_until(lambda: one.idle or not one.reader.leased)
        assert one.scans[0].text.startswith("0109520001000102")
        one.turn_until(lambda: one.drift.troubles)
        assert len(one.scans) == 1


def test_no_answer_is_an_alarm_when_it_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drifts, "ANSWERLESS", 2)
    monkeypatch.setattr(base, "ANSWER_SECONDS", 0.1)
    with place(tmp_path, AS_NEEDED, profile="honeywell") as one:
        one.wired.answers = False
        one.turn_until(lambda: one.drift._answerless.get("front") == 1)
        assert one.drift.troubles == {}
        one.turn_until(lambda: one.drift.troubles)
        assert "its settings cannot be read: " in one.drift.troubles["front"]
        one.wired.answers = True
        one.turn_until(lambda: not one.drift.troubles)


def test_a_note_that_is_none_is_refused(tmp_path: Path) -> None:
    with place(tmp_path, AS_NEEDED, profile=None) as one, pytest.raises(RequestError, match="cannot be noted"):
        one.drift.note("front", {"values": 1})
