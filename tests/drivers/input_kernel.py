"""The kernel's side of evdev, where python-evdev calls it: its C functions, on a FIFO instead of a device node.

python-evdev itself and the driver run as they are; only ioctl and the device's answers are made up.
"""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import evdev._input as evdev_input
import evdev.device
import evdev.eventio
import pytest
from evdev import ecodes

from tests.drivers.typist import Event, pack

EVIOCSCLOCKID = 0x400445A0
"""_IOW('E', 0xa0, int), include/uapi/linux/input.h."""
TYPING = [ecodes.KEY_Q, ecodes.KEY_A, ecodes.KEY_ENTER]


class InputKernel:
    """One keyboard."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "event7"
        os.mkfifo(self.path)
        self.keys = TYPING
        self.leds = {ecodes.LED_NUML: 0, ecodes.LED_CAPSL: 1}
        """LED -> whether it is lit."""
        self.held: list[int] = []
        self.asked: list[int] = []
        """Descriptors through which held keys were asked for."""
        self.grabbed_by: int | None = None
        self.clocks: dict[int, int] = {}
        self.gone = False
        self.written: list[tuple[int, int, int]] = []
        answers = SimpleNamespace(
            ioctl_devinfo=lambda _fd: (3, 0x0C2E, 0x0B61, 0x110, "scanner", "usb-1", ""),
            ioctl_EVIOCGVERSION=lambda _fd: 0x10001,
            ioctl_EVIOCGEFFECTS=lambda _fd: 0,
            ioctl_capabilities=lambda _fd: {ecodes.EV_KEY: self.keys, ecodes.EV_LED: list(self.leds)},
            ioctl_EVIOCGRAB=self._grab,
            ioctl_EVIOCG_bits=self._bits,
            device_read_many=self._read,
        )
        monkeypatch.setattr(evdev.device, "_input", answers)
        monkeypatch.setattr(evdev.eventio, "_input", answers)
        monkeypatch.setattr(evdev.eventio, "_uinput", SimpleNamespace(write=self._write))
        monkeypatch.setattr("drivers.evdev_keyboard.fcntl.ioctl", self._ioctl)

    def type(self, told: list[Event]) -> None:
        with self.path.open("r+b", buffering=0) as node:
            node.write(pack(told))

    def unplug(self) -> None:
        self.gone = True

    def _read(self, fd: int) -> tuple[tuple[int, int, int, int, int], ...]:
        if self.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        events: tuple[tuple[int, int, int, int, int], ...] = evdev_input.device_read_many(fd)
        return events

    def _bits(self, fd: int, kind: int) -> list[int]:
        if kind == ecodes.EV_LED:
            return [led for led, lit in self.leds.items() if lit]
        self.asked.append(fd)
        return self.held

    def _grab(self, fd: int, flag: int) -> None:
        assert flag == 1
        if self.grabbed_by not in {None, fd}:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        self.grabbed_by = fd

    def _ioctl(self, fd: int, request: int, argument: bytes) -> bytes:
        assert request == EVIOCSCLOCKID
        self.clocks[fd] = int.from_bytes(argument, "little")
        return argument

    def _write(self, _fd: int, kind: int, code: int, value: int) -> None:
        self.written.append((kind, code, value))
        if kind == ecodes.EV_LED:
            self.leds[code] = value
