"""The opened keyboards of one scanner: events -> codes, and the LEDs kept as the gateway needs them."""

import errno
import os
import time
from collections.abc import Sequence
from typing import Protocol

from evdev import ecodes

from drivers.framing import Framed
from drivers.hid_node import HidSession, Node
from drivers.keymap import KeyDecoder, KeyEvent
from drivers.locks import Locks


class Keyboard(Node, Protocol):
    """An opened keyboard that types for nobody else."""

    @property
    def locks(self) -> Locks:
        """How the locks stood when it was opened."""

    def read(self) -> Sequence[KeyEvent]:
        """Return what waits. Raises BlockingIOError if that is nothing, another OSError if the keyboard is gone."""

    def held(self) -> frozenset[int]:
        """Return the keys that are held now. Takes no event away from `read`. Raises OSError."""

    def show_locks(self) -> None:
        """Show through its LEDs, where that is possible, that Caps Lock is off and Num Lock on."""


class TypingSession(HidSession[Keyboard, KeyDecoder]):
    """The keyboards of one scanner and their decoders. Raises OSError when one is gone at once."""

    def __init__(self, keyboards: Sequence[tuple[Keyboard, KeyDecoder]]) -> None:
        for keyboard, decoder in keyboards:
            decoder.opened(time.monotonic_ns(), keyboard.held(), keyboard.locks)
        super().__init__(keyboards)

    def _read(self, node: Keyboard, decoder: KeyDecoder, now_ns: int) -> list[Framed]:  # noqa: ARG002
        """Decode all events that wait, for they may hold the end of one code and the next one.

        Each event brings its own time: what is read late did not come late.
        """
        events = node.read()
        if not events:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        done: list[Framed] = []
        for event in events:
            done += decoder.feed(event)
            if decoder.state_lost:
                decoder.restate(_held(node))
                node.show_locks()
            elif event.type == ecodes.EV_LED and decoder.misled:
                node.show_locks()
        return done


def _held(keyboard: Keyboard) -> frozenset[int]:
    try:
        return keyboard.held()
    except OSError:  # it is gone, as the next read will say
        return frozenset()
