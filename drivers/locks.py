"""How Caps Lock and Num Lock stand. Pure.

The gateway is the host, so it says how the locks stand: Caps Lock off, Num Lock on, and tells the device so through
its LEDs. A scanner that makes up for Caps Lock then has nothing to make up for, and one that does not is right too.
"""

from msgspec import Struct


class Locks(Struct, frozen=True, kw_only=True):
    """How the locks stand when a keyboard is opened. None: it is not known how the scanner takes them to stand."""

    caps: bool | None = False
    num: bool | None = True
    settled: bool = True
    """False: the device was told only just now, and may go by what it knew before until it falls silent."""


class Lock:
    """Caps Lock or Num Lock: whether it is on, or None while that is uncertain."""

    def __init__(self, *, at_rest: bool | None, settled: bool) -> None:
        self.on = at_rest if settled else None
        self._at_rest = at_rest
        self._pressed = False
        self._doubtful = False
        self._wandering = False
        self.misled = False
        """Somebody shows the scanner the wrong light."""

    def light(self, *, right: bool) -> None:
        """Be told that its LED was switched; the scanner may go by that, or not yet, until it falls silent."""
        self.misled = not right
        self.on = None

    def press(self) -> None:
        """Be told that its key was pressed."""
        self._pressed = True
        self.on = None if self.on is None or self._doubtful else not self.on

    def missed(self) -> None:
        """Be told that presses may have been lost."""
        self._doubtful = True
        if self._pressed:
            self.on = None

    def silence(self) -> None:
        """Between codes a scanner has put the lock back to where it was, if it has always done so."""
        self._doubtful = False
        if self.misled:
            self.on = None
        elif self.on is None:
            self.on = None if self._wandering else self._at_rest
        elif self.on is not self._at_rest:
            self._wandering = True
            self._at_rest = self.on
