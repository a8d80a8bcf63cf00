"""How Caps Lock and Num Lock stand. Pure.

The gateway is the host, so it says how the locks stand: Caps Lock off, Num Lock on, and tells the device so through
its LEDs. A scanner that makes up for Caps Lock then has nothing to make up for, and one that does not is right too.

How it works. Of each lock two things are kept: how sure its state is (`Certainty`), and what the scanner does with
it (`Habit`). What can happen to a lock is an `_Event`, and `_NEXT` says what each does to the certainty. A
character that depends on a lock whose state is not certain is unreadable: the code is refused, never guessed.

Example: a scanner presses Caps Lock around each code and the kernel loses some of its events. The press that may be
among them makes the state UNCERTAIN; letters are refused until a silence. Between codes this scanner has always put
the lock back (RETURNS), so after the silence the state is that of rest again, and CERTAIN.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from msgspec import Struct


class Locks(Struct, frozen=True, kw_only=True):
    """How the locks stand when a keyboard is opened. None: it is not known how the scanner takes them to stand."""

    caps: bool | None = False
    num: bool | None = True
    settled: bool = True
    """False: the device has only just been written to, and may go by what it knew before until it falls silent."""


class Certainty(Enum):
    """How sure the state of a lock is."""

    CERTAIN = auto()
    FRAGILE = auto()
    """It holds as long as its key is not pressed: events were lost, and this scanner has never used the key yet."""
    UNCERTAIN = auto()
    """Until the scanner falls silent."""
    MISLED = auto()
    """Another program shows the scanner the wrong light. Until the light is right and the scanner falls silent."""


class Habit(Enum):
    """What a scanner does with a lock's key."""

    UNUSED = auto()
    RETURNS = auto()
    """It presses the key, and between codes the lock is where it was."""
    WANDERS = auto()
    """It once left the lock elsewhere: after a loss nothing says where it is."""


class _Event(Enum):
    PRESS = auto()
    LOSS = auto()
    LOSS_UNUSED = auto()
    """The same for a scanner that has never used the key: more likely than not it did not now."""
    RIGHT_LIGHT = auto()
    WRONG_LIGHT = auto()
    SILENCE = auto()


_C, _F, _U, _M = Certainty
_NEXT: Final[Mapping[_Event, Mapping[Certainty, Certainty]]] = {
    _Event.PRESS: {_C: _C, _F: _U, _U: _U, _M: _M},
    _Event.LOSS: {_C: _U, _F: _U, _U: _U, _M: _M},
    _Event.LOSS_UNUSED: {_C: _F, _F: _F, _U: _U, _M: _M},
    _Event.RIGHT_LIGHT: {_C: _U, _F: _U, _U: _U, _M: _U},
    _Event.WRONG_LIGHT: {_C: _M, _F: _M, _U: _M, _M: _M},
    _Event.SILENCE: {_C: _C, _F: _C, _U: _C, _M: _M},  # of a lock that wanders: no change, see `silence`
}


class Lock:
    """Caps Lock or Num Lock of one keyboard."""

    def __init__(self, *, at_rest: bool | None, settled: bool) -> None:
        self._certainty = Certainty.CERTAIN if settled else Certainty.UNCERTAIN
        self._habit = Habit.UNUSED
        self._state = self._at_rest = at_rest

    @property
    def on(self) -> bool | None:
        """Whether the lock is on; None while that is uncertain."""
        return self._state if self._certainty in {Certainty.CERTAIN, Certainty.FRAGILE} else None

    @property
    def misled(self) -> bool:
        """Whether another program shows the scanner the wrong light."""
        return self._certainty is Certainty.MISLED

    def light(self, *, right: bool) -> None:
        """Note that its LED was switched; the scanner may go by that, or not yet, until it falls silent."""
        self._certainty = _NEXT[_Event.RIGHT_LIGHT if right else _Event.WRONG_LIGHT][self._certainty]

    def press(self) -> None:
        """Note that its key was pressed."""
        if self._habit is Habit.UNUSED:
            self._habit = Habit.RETURNS
        if self._certainty is Certainty.CERTAIN and self._state is not None:
            self._state = not self._state
        self._certainty = _NEXT[_Event.PRESS][self._certainty]

    def missed(self) -> None:
        """Note that presses may have been lost."""
        event = _Event.LOSS_UNUSED if self._habit is Habit.UNUSED else _Event.LOSS
        self._certainty = _NEXT[event][self._certainty]

    def silence(self) -> None:
        """Note that no code is under way: a scanner that has always put the lock back has done so."""
        if self._certainty is Certainty.UNCERTAIN:
            if self._habit is Habit.WANDERS:
                return
            self._state = self._at_rest
        elif self._state is not self._at_rest and not self.misled:
            self._habit = Habit.WANDERS
            self._at_rest = self._state
        self._certainty = _NEXT[_Event.SILENCE][self._certainty]
