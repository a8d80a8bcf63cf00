"""A keyboard of the kernel's, through python-evdev: open, grab, lamps, held keys, events.

All events of a read are taken (`InputDevice.read`): leaving `read_loop` after a terminator would lose the beginning
of the next code. python-evdev has no binding for EVIOCSCLOCKID, so that ioctl is made here.
"""

import errno
import fcntl
import os
import struct
import time
from contextlib import closing
from typing import Final

from evdev import EvdevError, InputDevice, ecodes

from drivers.keymap import KeyEvent
from drivers.locks import Locks

_EVIOCSCLOCKID: Final = 0x400445A0
"""_IOW('E', 0xa0, int) of include/uapi/linux/input.h on x86, ARM and RISC-V."""
_LETTERS: Final = frozenset({ecodes.KEY_Q, ecodes.KEY_A, ecodes.KEY_ENTER})
"""What has these keys types text; media keys and mice do not."""


class EvdevKeyboard:
    """A grabbed keyboard. Raises OSError: EBUSY when another program holds it, ENOTTY if it is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._device: InputDevice[str] = InputDevice(path)
        try:
            capabilities = self._device.capabilities(absinfo=False)
            if not _LETTERS.issubset(capabilities.get(ecodes.EV_KEY, ())):
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), path)  # noqa: TRY301  (closed below)
            fcntl.ioctl(self._device.fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
            self._device.grab()
            self.locks = self._set_locks(frozenset(capabilities.get(ecodes.EV_LED, ())))
        except BaseException:
            self.close()
            raise

    @property
    def fd(self) -> int:
        """Descriptor of the node."""
        return self._device.fd

    def read(self) -> list[KeyEvent]:
        """Return what waits. Raises BlockingIOError if that is nothing, another OSError if the device is gone."""
        return [
            KeyEvent(one.type, one.code, one.value, (one.sec * 1_000_000 + one.usec) * 1_000)
            for one in self._device.read()
        ]

    def held(self) -> frozenset[int]:
        """Return the keys held now, asked through another descriptor: asking takes waiting key events away."""
        with closing(InputDevice(self._path)) as other:
            return frozenset(other.active_keys())

    def show_locks(self) -> None:
        """Show Caps Lock off and Num Lock on, where that is possible."""
        self._switch(ecodes.LED_CAPSL, 0)
        self._switch(ecodes.LED_NUML, 1)

    def _set_locks(self, there: frozenset[int]) -> Locks:
        """Show Caps Lock off and Num Lock on, and return what the scanner believes.

        A device without the LED cannot know of the lock. Where the LED cannot be switched, a lit Caps Lock may be
        made up for by the scanner, or not: that is not known.
        """
        lit = frozenset(self._device.leds())
        caps_lit = ecodes.LED_CAPSL in there & lit
        num_dark = ecodes.LED_NUML in there - lit
        caps_switched = caps_lit and self._switch(ecodes.LED_CAPSL, 0)
        num_switched = num_dark and self._switch(ecodes.LED_NUML, 1)
        return Locks(
            caps=None if caps_lit and not caps_switched else False,
            num=num_switched or not num_dark,
            settled=not (caps_switched or num_switched),
        )

    def _switch(self, led: int, value: int) -> bool:
        """Switch a LED and end the packet; False where this user may only read the node."""
        try:
            self._device.set_led(led, value)
            self._device.syn()
        except (OSError, EvdevError):
            return False
        return True

    def close(self) -> None:
        """Close the node; the grab ends with it."""
        self._device.close()
