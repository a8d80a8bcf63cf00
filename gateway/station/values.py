"""The values of a station's workflow: what was scanned, what it means, and where everything is. Pure.

Times are CLOCK_MONOTONIC in nanoseconds.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from drivers.model import InputQuality
from gateway.station.context import ContextItem
from gateway.station.settings import Action

MAX_SYMBOLS: Final = 8
"""Symbols of one item: the labels of ISBT 128 have up to six. One that goes on is no label."""
MAX_UNDO: Final = 32
"""Events that can be taken back one after the other; more is not undoing but sorting out, at a desk."""
ON_THE_WIRE_NS: Final = 300_000_000
"""A symbol whose trigger was pulled within the window may still be on its way: 300 ms are 280 characters at 9600
baud. Its own trigger decides whether it came in time."""


class Rules(Struct, frozen=True, kw_only=True):
    """What the table's moves need to know of the configuration. Nanoseconds."""

    pairing_ns: int
    action_ns: int
    undo_ns: int
    context_ns: int
    default_action: Action


class Meaning(Struct, frozen=True, kw_only=True):
    """What an item means: settled by its first symbol."""

    action: Action
    reason: str | None = None
    quantity: int = 1
    context: tuple[ContextItem, ...] = ()


class Symbol(Struct, frozen=True, kw_only=True):
    """One symbol of a label as it was read, free of anything about a person."""

    text: str
    symbology: str | None
    raw: bytes
    quality: frozenset[InputQuality]
    at_ns: int
    """When the trigger was pulled."""
    redacted: bool = False
    """Something about a person was taken out of it."""


class Item(Struct, frozen=True, kw_only=True):
    """What was scanned as one label, whole or not."""

    id: str
    """Of the event it is or becomes."""
    scanner: str
    symbols: tuple[Symbol, ...]
    meaning: Meaning
    missing: tuple[str, ...] = ()
    """What is still to be scanned: names of `gateway.station.pairing.Missing`."""
    until_ns: int = 0
    """How long the next symbol is waited for."""


class Chosen(Struct, frozen=True, kw_only=True):
    """An action chosen by a control code."""

    action: Action
    reason: str | None
    until_ns: int


class Counted(Struct, frozen=True, kw_only=True):
    """A quantity given for the next item."""

    quantity: int
    until_ns: int


class Kept(Struct, frozen=True, kw_only=True):
    """One part of the context."""

    item: ContextItem
    until_ns: int


class Done(Struct, frozen=True, kw_only=True):
    """An event that can be taken back."""

    id: str
    scanner: str
    """That has scanned it."""
    quantity: int


class Station(Struct, frozen=True, kw_only=True):
    """Where everything is. A value: each move returns a new one."""

    open_items: Mapping[str, Item] = {}
    """Scanner -> its half scanned label."""
    chosen: Chosen | None = None
    counted: Counted | None = None
    context: Mapping[str, Kept] = {}
    """Kind -> what is set."""
    done: tuple[Done, ...] = ()
    """Events that can be taken back, the newest last."""
    undo_until_ns: int = 0

    def deadline_ns(self) -> int | None:
        """When `elapse` has something to do if nothing is scanned, or None."""
        return min(
            (
                *(item.until_ns + ON_THE_WIRE_NS for item in self.open_items.values()),
                *(kept.until_ns for kept in self.context.values()),
                *((self.chosen.until_ns,) if self.chosen else ()),
                *((self.counted.until_ns,) if self.counted else ()),
                *((self.undo_until_ns,) if self.done else ()),
            ),
            default=None,
        )


class Published(Struct, frozen=True, kw_only=True):
    """An item is to become an event."""

    item: Item
    was_open: bool = False
    """It stood in the journal as an open item."""
    closed: bool = False
    """It ends as it stood, without a further symbol."""


class OpenLabel(Struct, frozen=True, kw_only=True):
    """An item is to be journalled with its newest symbol."""

    item: Item


class TakenBack(Struct, frozen=True, kw_only=True):
    """An event `undo` is to be published."""

    id: str
    """Of the undo event itself."""
    scanner: str
    at_ns: int
    done: Done
    """What it takes back."""
    context: tuple[ContextItem, ...]


Effect = Published | OpenLabel | TakenBack
