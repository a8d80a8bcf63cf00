"""Every way a scanner can be set up against every configuration: what is read is right, refused or flagged.

A scanner that calibration has proved is right, refuses, or says that it never sent a GS; none is silently wrong.
"""

from itertools import product
from time import monotonic_ns
from typing import Final, Literal

import pytest

from drivers.base import ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.hid_keyboard import HidKeyboardScanner
from drivers.locks import Locks
from drivers.model import ConnectionChange, ConnectionState, Discarded, InputQuality, RawScan, ScannerInput
from gateway.devices.calibration import TEXT, diagnose, proves
from tests.drivers.keyboards import Keyboards
from tests.drivers.typist import Caps, Typist

Name = Literal["us", "se"]
Gs = Literal["ctrl-]", "f8", "down", "alt-029"]

LAYOUTS: Final[list[Name]] = ["us", "se"]
WAYS: Final[list[Gs]] = ["ctrl-]", "f8", "down", "alt-029"]
CAPS: Final[list[Caps]] = ["ignores", "compensates", "brackets"]
HOSTS: Final = {
    "Caps Lock off": (Locks(), False),
    "Caps Lock on, and switched off when the scanner was opened": (Locks(settled=False), False),
    "Caps Lock on, and its LED could not be switched": (Locks(caps=None), True),
}
"""What the opening found -> how the locks stand, and whether the scanner sees Caps Lock lit. A device without the
LED is the first case: it cannot know, and nobody else's Caps Lock reaches a grabbed device."""

CODES: Final = [
    "]d20108717648200274\x1d10A-12b\x1d21s/N_7",
    "010871764820027410Lot-A\x1d21x",
    "]A0+A99912345/$$52001510X3",
    "]C0=W00001200000100",
    "]d1PZN-12345678",
    "4006381333931",
    "(a)[b]{c}<d>@e~f^g|h\\i'j\"k`l",
]
"""Codes of the four issuing agencies, one without letters, and characters that layouts move about."""
FLAGS: Final = {InputQuality.UNCALIBRATED, InputQuality.GS_NEVER_SEEN}


class Station:
    """One scanner at one gateway."""

    def __init__(self, typist: Typist, layout: Name, gs: tuple[Gs, ...]) -> None:
        self.settings = ScannerSettings(
            name="desk", driver="hid-keyboard", device="/dev/input/event7", layout=layout, gs=gs, idle_ms=10
        )
        self.bench = Keyboards()
        self.scanner = HidKeyboardScanner(self.settings, PlainDialect(self.settings), self.bench)
        self._typist = typist
        self._now = 0

    def plug(self, locks: Locks, *, lit: bool) -> None:
        """Plug the scanner in, again if need be."""
        self.bench.pull()
        while self.scanner.connection is ConnectionState.CONNECTED:
            self.scanner.read(1)
        self.bench.locks = locks
        self._typist = self._typist._replace(caps_lit=lit)
        self.scanner.look_again()
        times = len(self.bench.opened)
        while len(self.bench.opened) == times:
            self.scanner.read(0)
        self._now = monotonic_ns() + 20_000_000

    def scan(self, text: str) -> RawScan | Discarded:
        """Return the one thing that comes of a scan."""
        told = self._typist.events(text, self._now, 1000)
        self._now = told[-1][3] + 20_000_000
        self.bench.type(told)
        while True:
            item = self.scanner.read(5)
            assert item is not None
            if not isinstance(item, ConnectionChange):
                assert self.scanner.read(0) is None
                return item

    def close(self) -> None:
        self.scanner.close()
        self.bench.pull()


def outcome(item: ScannerInput, text: str) -> str:
    if isinstance(item, Discarded):
        return "refused"
    assert isinstance(item, RawScan)
    if (item.symbology or "") + item.text == text:
        return "exact"
    return "flagged" if item.quality & FLAGS else "wrong"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("configured", LAYOUTS)
def test_nothing_is_silently_wrong(layout: Name, configured: Name) -> None:
    seen = set()
    for typed, gs, caps in product([*WAYS, None], [(), *((way,) for way in WAYS), tuple(WAYS)], CAPS):
        station = Station(Typist(layout=layout, gs=typed, caps=caps), configured, gs)
        station.plug(Locks(), lit=False)
        findings = diagnose([station.scan("]d1" + TEXT)], station.settings)
        proved = proves(findings)
        right = layout == configured and (typed is None or typed in gs)
        assert proved is right, (typed, gs, caps, findings)
        for calibrated in (False, True) if proved else (False,):
            station.scanner.calibrated = calibrated
            for host, (locks, lit) in HOSTS.items():
                station.plug(locks, lit=lit)
                came = {text: station.scan(text) for text in CODES}
                outcomes = {text: outcome(item, text) for text, item in came.items()}
                where = (typed, gs, caps, calibrated, host, outcomes)
                assert "wrong" not in outcomes.values(), where
                if right and typed is not None and "could not" not in host:
                    assert set(outcomes.values()) == {"exact"}, where
                uncalibrated = [
                    InputQuality.UNCALIBRATED in item.quality for item in came.values() if isinstance(item, RawScan)
                ]
                assert set(uncalibrated) <= {not calibrated}, where
                seen |= set(outcomes.values())
        station.close()
    assert seen >= {"refused", "flagged"}


def test_what_is_typed_while_caps_lock_is_being_switched_off() -> None:
    """The scanner may go by the light it saw before: letters wait for a silence."""
    for caps in CAPS:
        station = Station(Typist(caps=caps), "us", ("ctrl-]",))
        station.scanner.calibrated = True
        station.plug(Locks(settled=False), lit=True)
        station._now = monotonic_ns()
        assert outcome(station.scan("]d1aB"), "]d1aB") == "refused"
        station._typist = station._typist._replace(caps_lit=False)
        assert outcome(station.scan("]d1aB"), "]d1aB") == "exact"
        station.close()
