"""The values of a station's workflow: what was scanned, what it means, and where everything is. Pure.

Times are CLOCK_MONOTONIC in nanoseconds.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from drivers.model import InputQuality
from gateway.model import Article, Decoded, Match
from gateway.station.context import ContextItem
from gateway.station.settings import Action

MAX_SYMBOLS: Final = 8
"""Symbols of one item: the labels of ISBT 128 have up to six. One that goes on is no label."""
MAX_CLOSED: Final = 8
"""Labels just closed that a scanner remembers: more than a person scans within the longest window but one."""
MAX_UNDO: Final = 32
"""Events that can be taken back one after the other; more is not undoing but sorting out, at a desk."""
ON_THE_WIRE_NS: Final = 300_000_000
"""A symbol whose trigger was pulled within the window may still be on its way: 300 ms are 280 characters at 9600
baud. Its own trigger decides whether it came in time."""


LABEL_COMPLETED: Final = "label-completed"
"""Why an event is undone: a further symbol of its label came, and the event of the whole label follows."""


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


class Label(Struct, frozen=True, kw_only=True):
    """What the symbols of an item say together, and what there is to know to compare a further one with them."""

    decoded: Decoded = Decoded(ok=False)
    article: Article | None = None
    """What the master says of it."""
    match: Match = Match.NONE
    further: tuple[Symbol, ...] = ()
    """Symbols that were scanned, too, and said nothing new."""
    again: tuple[Symbol, ...] = ()
    """Symbols of a closed label that were scanned again, and do not say all of it yet."""
    again_of: str | None = None
    """Id of the event of the label of which this is a symbol scanned again; None once it is another piece."""
    unlinked: bool = False
    """Symbols were joined that nothing but time says to be of one label."""
    interleaved: bool = False
    """And another label was under way at that time."""
    linear: bool = False
    """A linear element string is among its symbols."""
    two_dimensional: bool = False
    """A 2D symbol of GS1 is among them."""
    apart: bool = False
    """Neither takes further symbols nor is taken up by another label: a fault, an asset, a logistic unit."""


class Item(Struct, frozen=True, kw_only=True):
    """What was scanned as one label, whole or not."""

    id: str
    """Of the event it is or becomes."""
    scanner: str
    symbols: tuple[Symbol, ...]
    """In the order they were read."""
    meaning: Meaning
    label: Label = Label()
    missing: tuple[str, ...] = ()
    """What is still to be scanned: names of `gateway.station.pairing.Missing`."""
    until_ns: int = 0
    """How long a further symbol is taken for one of this label."""


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
    closed_items: Mapping[str, tuple[Item, ...]] = {}
    """Scanner -> its labels just closed, the newest last: a further symbol of theirs may still come."""
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
    reason: str | None = None
    """LABEL_COMPLETED where no person asked for it."""


Effect = Published | OpenLabel | TakenBack
