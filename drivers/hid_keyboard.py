"""Scanners that type (USB HID keyboards, Bluetooth ones too), read from evdev under an exclusive grab.

The few ioctls are made here rather than by a library: reading struct input_event ourselves keeps what follows a
terminator in one read, and python-evdev would cost a third of the daemon's memory.
"""

import errno
import fcntl
import os
import struct
import time
from typing import Final, Protocol

from drivers import hardware
from drivers import keycodes as key
from drivers.base import Dialect, DialectOutput, DriverError, ScannerSettings, Terminator
from drivers.framing import Framed
from drivers.hid_node import HidScanner, Session
from drivers.keymap import ENTER, TAB, KeyDecoder
from drivers.layouts import layout
from drivers.locks import Locks
from drivers.model import InputQuality

INPUT_EVENT: Final = struct.Struct("@llHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
READ_BYTES: Final = 256 * INPUT_EVENT.size
"""More than the kernel holds for one client of a keyboard (64 events), so that a read takes all there is."""

ENDINGS: Final[dict[Terminator, str]] = {"CR": ENTER, "LF": ENTER, "CRLF": ENTER, "TAB": TAB, "none": ""}
"""The key behind a code under each setting of `terminator`: a keyboard has one key for all ends of lines."""

_LETTERS: Final = {key.KEY_Q, key.KEY_A, key.KEY_ENTER}
_EVIOCSCLOCKID: Final = 0x400445A0
_EVIOCGRAB: Final = 0x40044590
_KEY_BYTES: Final = (key.KEY_MAX + 8) // 8
_LED_BYTES: Final = 2
_BIT_MAPS: Final = 0x80004500
"""_IOC(_IOC_READ, 'E', 0, 0) on x86, ARM and RISC-V; the number and the length are added."""
_EVIOCGKEY: Final = 0x18
_EVIOCGLED: Final = 0x19
_EVIOCGBIT: Final = 0x20


class Keyboard(Protocol):
    """An opened keyboard that types for nobody else, with the times of its events on CLOCK_MONOTONIC."""

    @property
    def fd(self) -> int:
        """Where its events are read; does not block."""

    @property
    def locks(self) -> Locks:
        """How the locks stood when it was opened."""

    def held(self) -> frozenset[int]:
        """Return the keys that are held now. Takes no event away from `fd`. Raises OSError."""

    def show_locks(self) -> None:
        """Show through its LEDs, where that is possible, that Caps Lock is off and Num Lock on."""

    def close(self) -> None:
        """Let it go."""


class Opener(Protocol):
    """Chooses and opens keyboards; another one stands in where there is no kernel to ask."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which node is the scanner's."""

    def open(self, path: str) -> Keyboard:
        """Open a node. Raises OSError."""


class EvdevKeyboard:
    """A keyboard of the kernel's. Raises OSError: EBUSY when another program holds it, ENOTTY if it is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.fd = _open(path)
        try:
            _check(path, self.fd)
            fcntl.ioctl(self.fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
            fcntl.ioctl(self.fd, _EVIOCGRAB, 1)
            self.locks = self._set_locks()
        except BaseException:
            self.close()
            raise

    def held(self) -> frozenset[int]:
        """Return the keys held now, asked through another descriptor: asking takes waiting key events away."""
        fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _bits(fd, _EVIOCGKEY, _KEY_BYTES)
        finally:
            os.close(fd)

    def show_locks(self) -> None:
        """Show Caps Lock off and Num Lock on, where that is possible."""
        self._switch(key.LED_CAPSL, 0)
        self._switch(key.LED_NUML, 1)

    def _set_locks(self) -> Locks:
        """Show Caps Lock off and Num Lock on, and return what the scanner believes.

        A device without the LED cannot know of the lock. Where the LED cannot be switched, a lit Caps Lock may be
        made up for by the scanner, or not: that is not known.
        """
        there = _bits(self.fd, _EVIOCGBIT + key.EV_LED, _LED_BYTES)
        lit = _bits(self.fd, _EVIOCGLED, _LED_BYTES)
        caps_lit = key.LED_CAPSL in there & lit
        num_dark = key.LED_NUML in there - lit
        caps_switched = caps_lit and self._switch(key.LED_CAPSL, 0)
        num_switched = num_dark and self._switch(key.LED_NUML, 1)
        return Locks(
            caps=None if caps_lit and not caps_switched else False,
            num=num_switched or not num_dark,
            settled=not (caps_switched or num_switched),
        )

    def _switch(self, led: int, value: int) -> bool:
        try:
            os.write(
                self.fd,
                INPUT_EVENT.pack(0, 0, key.EV_LED, led, value)
                + INPUT_EVENT.pack(0, 0, key.EV_SYN, key.SYN_REPORT, 0),
            )
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let the keyboard go; the grab ends with it."""
        os.close(self.fd)


class EvdevOpener:
    """Opens the kernel's keyboards."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which node is the scanner's."""
        return hardware.choose(settings, "input")

    def open(self, path: str) -> Keyboard:
        """Open a node. Raises OSError."""
        return EvdevKeyboard(path)


class TypingSession:
    """A keyboard and its decoder. Raises OSError when the keyboard is gone at once."""

    def __init__(self, keyboard: Keyboard, decoder: KeyDecoder) -> None:
        self.fd = keyboard.fd
        self._keyboard = keyboard
        self._decoder = decoder
        self._rest = b""
        decoder.opened(time.monotonic_ns(), keyboard.held(), keyboard.locks)

    def receive(self, now_ns: int) -> list[DialectOutput]:  # noqa: ARG002  (each event brings its own time)
        """Read what is there; all of it, for a read may hold the end of one code and the next one."""
        data = os.read(self.fd, READ_BYTES)
        if not data:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        data = self._rest + data
        whole = len(data) - len(data) % INPUT_EVENT.size
        self._rest = data[whole:]
        done: list[DialectOutput] = []
        for seconds, micros, kind, code, value in INPUT_EVENT.iter_unpack(data[:whole]):
            done += self._decoder.feed(kind, code, value, (seconds * 1_000_000 + micros) * 1_000)
            if self._decoder.state_lost:
                self._decoder.restate(self._held())
                self._keyboard.show_locks()
            elif kind == key.EV_LED and self._decoder.misled:
                self._keyboard.show_locks()
        return done

    def _held(self) -> frozenset[int]:
        try:
            return self._keyboard.held()
        except OSError:  # it is gone, as the next read will say
            return frozenset()

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what counts as finished because nothing came until `now_ns`."""
        return self._decoder.idle(now_ns)

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""
        return self._decoder.deadline_ns()

    def broken(self) -> list[Framed]:
        """Forget what is half typed; return its FrameDiscarded."""
        return self._decoder.broken()

    def close(self) -> None:
        """Let the keyboard go."""
        self._keyboard.close()


class HidKeyboardScanner(HidScanner):
    """A scanner that types."""

    _subsystem = "input"
    _kind = "keyboard"

    def __init__(self, settings: ScannerSettings, dialect: Dialect, opener: Opener | None = None) -> None:
        super().__init__(settings, dialect)
        self._opener = opener or EvdevOpener()

    def _choose(self) -> hardware.Choice:
        return self._opener.choose(self.settings)

    def _begin(self, path: str) -> Session:
        decoder = key_decoder(self.settings)
        keyboard = self._opener.open(path)
        try:
            return TypingSession(keyboard, decoder)
        except OSError:
            keyboard.close()
            raise

    def _quality(self) -> frozenset[InputQuality]:
        return frozenset() if self.calibrated else frozenset({InputQuality.UNCALIBRATED})


def key_decoder(settings: ScannerSettings) -> KeyDecoder:
    """Return the decoder for a scanner's settings. Raises DriverError for a terminator that no key stands for."""
    ending = ENDINGS.get(settings.terminator)
    if ending is None:
        allowed = ", ".join(f'"{name}"' for name in ENDINGS)
        raise DriverError(
            "read",
            f"scanner {settings.name!r}",
            f'a keyboard has no key for terminator "{settings.terminator}"',
            f"terminator is one of {allowed}",
            recoverable=False,
        )
    return KeyDecoder(layout(settings.layout), settings.gs, ending, settings.idle_ms * 1_000_000)


def _open(path: str) -> int:
    """Open a node for reading and, where that is allowed, for switching its LEDs."""
    flags = os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)


def _check(path: str, fd: int) -> None:
    """Raise OSError ENOTTY for what types no text, such as a mouse or media keys."""
    if not _bits(fd, _EVIOCGBIT + key.EV_KEY, _KEY_BYTES).issuperset(_LETTERS):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), path)


def _bits(fd: int, number: int, size: int) -> frozenset[int]:
    """Return the numbers of the bits that are set in a bit map of the device."""
    content = bytearray(size)
    fcntl.ioctl(fd, _BIT_MAPS | size << 16 | number, content)
    bits = int.from_bytes(content, "little")
    return frozenset(place for place in range(8 * size) if bits >> place & 1)
