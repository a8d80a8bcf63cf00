"""Scanners that type (USB HID keyboards, Bluetooth ones too), read from evdev under an exclusive grab.

python-evdev does the work at the device (`drivers.evdev_keyboard`), `drivers.keymap` makes codes of its events.
Both are imported when a keyboard is opened: a station without one does not pay for them.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from drivers import hardware
from drivers.base import Dialect, DriverError, ScannerSettings
from drivers.hid_node import HidScanner
from drivers.model import InputQuality
from drivers.node import OpenDevice

if TYPE_CHECKING:  # it imports evdev
    from drivers.typing_session import Keyboard


class KeyboardOpener(Protocol):
    """Chooses and opens keyboards; another one stands in where there is no kernel to ask."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which nodes are the scanner's."""

    def open(self, path: str) -> "Keyboard":
        """Open a node. Raises OSError."""


class EvdevOpener:
    """Opens the kernel's keyboards."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which nodes are the scanner's."""
        return hardware.choose(settings, "input")

    def open(self, path: str) -> "Keyboard":
        """Open a node. Raises OSError."""
        from drivers.evdev_keyboard import EvdevKeyboard

        return EvdevKeyboard(path)


class HidKeyboardScanner(HidScanner):
    """A scanner that types."""

    _subsystem = "input"
    _kind = "keyboard"

    def __init__(self, settings: ScannerSettings, dialect: Dialect, opener: KeyboardOpener | None = None) -> None:
        super().__init__(settings, dialect)
        self._opener = opener or EvdevOpener()

    def _choose(self) -> hardware.Choice:
        return self._opener.choose(self.settings)

    def _begin(self, choice: hardware.Choice) -> OpenDevice:
        try:
            from drivers.keymap import key_decoder
            from drivers.typing_session import TypingSession
        except ModuleNotFoundError as error:
            if error.name != "evdev":
                raise
            raise DriverError(
                "read",
                f"scanner {self.settings.name!r}",
                "the Python package evdev is not installed",
                "install it beside scangate (pip install evdev; it needs gcc and python3-dev)",
                recoverable=False,
            ) from error
        with ExitStack() as opened:
            keyboards = []
            for path in choice.paths:
                decoder = key_decoder(self.settings)
                keyboard = self._opener.open(path)
                opened.callback(keyboard.close)
                keyboards.append((keyboard, decoder))
            session = TypingSession(keyboards)
            opened.pop_all()
        return session

    def _quality(self) -> frozenset[InputQuality]:
        return frozenset() if self.calibrated else frozenset({InputQuality.UNCALIBRATED})
