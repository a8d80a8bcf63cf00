"""The keyboard driver's work at the device, through python-evdev."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evdev import ecodes

from drivers.base import DriverError, ScannerSettings
from drivers.dialects.plain import PlainDialect
from drivers.evdev_keyboard import EvdevKeyboard
from drivers.hid_keyboard import HidKeyboardScanner
from drivers.keymap import KeyEvent
from drivers.locks import Locks
from drivers.model import ConnectionChange, ConnectionState, RawScan
from tests.drivers.input_kernel import InputKernel
from tests.drivers.typist import Typist


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InputKernel:
    return InputKernel(tmp_path, monkeypatch)


def test_it_is_grabbed_with_its_times_on_the_monotonic_clock(kernel: InputKernel) -> None:
    keyboard = EvdevKeyboard(str(kernel.path))
    assert kernel.grabbed_by == keyboard.fd
    assert kernel.clocks == {keyboard.fd: time.CLOCK_MONOTONIC}
    with pytest.raises(OSError, match="resource busy") as busy:
        EvdevKeyboard(str(kernel.path))
    assert busy.value.errno == errno.EBUSY
    keyboard.close()
    keyboard.close()


def test_what_waits_comes_in_one_read_and_nothing_is_an_error(kernel: InputKernel) -> None:
    keyboard = EvdevKeyboard(str(kernel.path))
    with pytest.raises(BlockingIOError):
        keyboard.read()
    told = Typist().events("12", 7_000)
    kernel.type(told)
    assert keyboard.read() == [KeyEvent(*event) for event in told]
    kernel.unplug()
    with pytest.raises(OSError, match="No such device"):
        keyboard.read()
    keyboard.close()


@pytest.mark.parametrize(
    ("leds", "locks", "written"),
    [
        ({0: 1, 1: 0}, Locks(), []),
        ({0: 0, 1: 0}, Locks(settled=False), [(ecodes.LED_NUML, 1)]),
        ({0: 1, 1: 1}, Locks(settled=False), [(ecodes.LED_CAPSL, 0)]),
        ({0: 0, 1: 1}, Locks(settled=False), [(ecodes.LED_CAPSL, 0), (ecodes.LED_NUML, 1)]),
        ({}, Locks(), []),
        ({1: 1}, Locks(settled=False), [(ecodes.LED_CAPSL, 0)]),
        ({0: 0}, Locks(settled=False), [(ecodes.LED_NUML, 1)]),
    ],
)
def test_the_lamps_at_the_opening(
    kernel: InputKernel, leds: dict[int, int], locks: Locks, written: list[tuple[int, int]]
) -> None:
    """Num Lock (LED 0) on, Caps Lock (LED 1) off; a device without the LED cannot know of the lock."""
    kernel.leds = dict(leds)
    keyboard = EvdevKeyboard(str(kernel.path))
    assert keyboard.locks == locks
    syn = (ecodes.EV_SYN, ecodes.SYN_REPORT, 0)
    assert kernel.written == [one for led, on in written for one in ((ecodes.EV_LED, led, on), syn)]
    keyboard.close()


@pytest.mark.parametrize(
    ("leds", "locks"),
    [
        ({0: 0, 1: 1}, Locks(caps=None, num=False)),
        ({0: 1, 1: 1}, Locks(caps=None)),
        ({0: 0, 1: 0}, Locks(num=False)),
    ],
)
def test_lamps_that_cannot_be_switched(
    kernel: InputKernel, monkeypatch: pytest.MonkeyPatch, leds: dict[int, int], locks: Locks
) -> None:
    """What python-evdev says of a node that this user may only read."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "read only")

    kernel.leds = dict(leds)
    monkeypatch.setattr("evdev.eventio._uinput.write", refuse)
    keyboard = EvdevKeyboard(str(kernel.path))
    assert keyboard.locks == locks
    keyboard.show_locks()
    keyboard.close()


def test_held_keys_are_asked_through_another_descriptor(kernel: InputKernel) -> None:
    """EVIOCGKEY takes the waiting key events of the client that asks (Linux, drivers/input/evdev.c)."""
    keyboard = EvdevKeyboard(str(kernel.path))
    kernel.held = [ecodes.KEY_LEFTSHIFT]
    assert keyboard.held() == {ecodes.KEY_LEFTSHIFT}
    assert keyboard.fd not in kernel.asked
    keyboard.close()


def test_what_types_no_text_is_no_keyboard(kernel: InputKernel) -> None:
    kernel.keys = [ecodes.KEY_MUTE, ecodes.KEY_VOLUMEUP]
    with pytest.raises(OSError, match="event7") as other:
        EvdevKeyboard(str(kernel.path))
    assert other.value.errno == errno.ENOTTY
    assert kernel.grabbed_by is None


def test_a_label_from_the_node_to_the_scan(kernel: InputKernel) -> None:
    settings = ScannerSettings(name="desk", driver="hid-keyboard", device=str(kernel.path), idle_ms=10)
    scanner = HidKeyboardScanner(settings, PlainDialect(settings))
    kernel.leds = {}
    assert isinstance(scanner.read(10), ConnectionChange)
    kernel.type(Typist().events("]d2A-12", time.monotonic_ns()))
    scan = scanner.read(10)
    assert isinstance(scan, RawScan)
    assert (scan.symbology, scan.text) == ("]d2", "A-12")
    kernel.type(Typist(terminator="none").events("A", time.monotonic_ns()))
    kernel.unplug()
    kernel.path.unlink()
    links = [item.connection for item in (scanner.read(10), scanner.read(10)) if isinstance(item, ConnectionChange)]
    assert links == [ConnectionState.MISSING]
    scanner.close()


def test_without_python_evdev_the_driver_says_what_to_install() -> None:
    """`make demo` does without it, for it needs a compiler."""
    code = (
        "import sys; sys.modules['evdev'] = None\n"
        "from drivers.base import DriverError, ScannerSettings\n"
        "from drivers.catalogue import open_scanner\n"
        "settings = ScannerSettings(name='desk', driver='hid-keyboard', device='/dev/null')\n"
        "try: open_scanner(settings).read(0)\n"
        "except DriverError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the Python package evdev is not installed; install it beside scangate" in done.stdout


def test_what_is_no_input_device(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Inappropriate ioctl|No such file"):
        EvdevKeyboard("/dev/null")
    settings = ScannerSettings(name="desk", driver="hid-keyboard", device=str(tmp_path))
    scanner = HidKeyboardScanner(settings, PlainDialect(settings))
    with pytest.raises(DriverError, match="it is no keyboard"):
        scanner.read(0)
    scanner.close()
