"""The values of a station's workflow: what was scanned, what it means, and where everything is. Pure.

Times are CLOCK_MONOTONIC in nanoseconds.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from drivers.model import InputQuality
from gateway.model import Article, Decoded, Match
from gateway.station.context import ContextItem, ContextKind
from gateway.station.protect import PersonRef
from gateway.station.settings import Action, CountMode, EntryReason

EndedWhy = Literal["time", "restart", "replaced", "cleared", "closed", "pushed"]
"""Why a context ended: not used for its time; the daemon was away for longer than it is kept; another patient or
case came; the code that ends it. `pushed`: nothing has ended, a case of the central system waits for the answer."""

ONE_ITEM: Final = frozenset({"discard", "return", "explant", "undo"})
"""Actions that hold for one item: left on by one person they would falsify what the next one uses."""
SAME_CODE_NS: Final = 3_000_000_000
"""A code that does one thing (ONCE), again on a scanner within so long and nothing else between: read twice."""
ONCE: Final = frozenset({"undo", "used-despite", "same-patient", "close-case", "end-count", "unlabelled"})
"""Kinds of control codes that do one thing."""
TOGETHER_NS: Final = 60_000_000_000
"""A patient scanned so shortly behind a case, or a case behind a patient, is of it."""
QUESTION_NS: Final = 4 * 3_600_000_000_000
"""How long the screen's question after a context can be answered: a long operation. Then it is scanned anew."""
MAX_SYMBOLS: Final = 8
"""Symbols of one item: the labels of ISBT 128 have up to six. One that goes on is no label."""
MAX_REFUSED: Final = 8
"""Refusals of one keyed entry that are remembered, for the report of the label's problem."""
MAX_TYPED: Final = 80
"""Characters of one field that is typed code by code: the longest HIBC or ISBT 128 text of a label is shorter."""
MAX_CLOSED: Final = 8
"""Labels just closed that a scanner remembers: more than a person scans within the longest window but one."""
MAX_UNDO: Final = 32
"""Events that can be taken back one after the other; more is not undoing but sorting out."""
ON_THE_WIRE_NS: Final = 300_000_000
"""A symbol whose trigger was pulled within the window may still be on its way: 300 ms are 280 characters at 9600
baud. Its own trigger decides whether it came in time."""


LABEL_COMPLETED: Final = "label-completed"
"""Why an event is undone: a further symbol of its label came, and the event of the whole label follows."""
CANCELLED: Final = "cancelled"
"""Why an event is undone: its label was given up before it was complete."""


class MoveTimes(Struct, frozen=True, kw_only=True):
    """What the table's moves need to know of the configuration. Nanoseconds."""

    pairing_ns: int
    keyed_ns: int
    """Of each step of keyed entry."""
    action_ns: int
    """Of an action for one item, and of a quantity."""
    lasting_ns: int
    """Of an action that lasts over many items: receiving and counting take time to unpack."""
    undo_ns: int
    context_ns: int
    """The context ends so long after its last use."""
    default_action: Action


class Count(Struct, frozen=True, kw_only=True):
    """A count of stock that is under way on a scanner."""

    session: str
    """Random UUID, the same in every event of the count."""
    mode: CountMode
    """Whether what is counted replaces what was known of the article there, or adds to it."""


class Meaning(Struct, frozen=True, kw_only=True):
    """What an item means: settled by its first symbol."""

    action: Action
    reason: str | None = None
    quantity: int = 1
    quantity_given: bool = False
    """A code said how many; otherwise each label is one."""
    one_item: bool = False
    """The action was chosen for this item alone."""
    again: str | None = None
    """Id of the item whose label this is once more, scanned just now under an action for one item."""
    destination: str | None = None
    """Of a transfer: where to."""
    fell_back: Action | None = None
    """The action chosen before, that ended by time just before this item."""
    quantity_ended: bool = False
    """A quantity was given and ended by time just before this item."""
    count: Count | None = None
    context: tuple[ContextItem, ...] = ()
    restored: bool = False
    """The context was restored after a restart and nobody has confirmed it."""
    lacks: frozenset[ContextKind] = frozenset()
    """Of case and patient: what had been set, has ended, and was not set anew."""


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

    @property
    def typed(self) -> bool:
        """It is no symbol: a person has typed what is printed."""
        return InputQuality.TYPED in self.quality


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
    """In the order they were read; none of an item without a label."""
    at_ns: int
    """When its newest symbol was read, or the code for an item without a label."""
    meaning: Meaning
    label: Label = Label()
    missing: tuple[str, ...] = ()
    """What is still to be scanned: names of `gateway.station.pairing.Missing`."""
    until_ns: int = 0
    """How long a further symbol is taken for one of this label."""
    unread: EntryReason | None = None
    """Why it was typed, or not even that; None for one that was scanned, or typed without saying why."""

    @property
    def began_ns(self) -> int:
        """When its first symbol was read."""
        return self.symbols[0].at_ns if self.symbols else self.at_ns


class Chosen(Struct, frozen=True, kw_only=True):
    """An action chosen by a control code, on one scanner."""

    action: Action | Literal["undo"]
    """`undo`: the next label of the scanner is taken back."""
    reason: str | None = None
    until_ns: int
    locked: bool = False
    """A code keeps it until it is ended."""
    destination: str | None = None
    count: Count | None = None

    @property
    def one_item(self) -> bool:
        """It holds for the next item alone."""
        return self.action in ONE_ITEM and not self.locked


class Counted(Struct, frozen=True, kw_only=True):
    """A quantity given for the next item of one scanner."""

    quantity: int
    until_ns: int
    digits: int = 0
    """How many digit codes have made it; 0: a code for the whole number."""


class KeyedEntry(Struct, frozen=True, kw_only=True):
    """Keyed entry that is under way on a scanner: see `gateway.station.keyed_entry`."""

    id: str
    """Of the event that says that nothing could be recorded, should it come to that."""
    unread: EntryReason
    until_ns: int = 0
    field: str = ""
    """GS1 Application Identifier of the field that is being typed; empty for a whole text."""
    text: str = ""
    """What has been typed of it."""
    small: bool = False
    """The next letter is a small one."""
    begun: bool = False
    """Something was typed or scanned that stands in the open item."""
    refused: tuple[str, ...] = ()
    """Codes of the findings for which something typed was refused, MAX_REFUSED at most."""


class PushedCase(Struct, frozen=True, kw_only=True):
    """A case that the central system has set for this station."""

    item: ContextItem
    from_ns: int
    until_ns: int
    """When it ends by itself."""
    patient: PersonRef | None = None
    """Pseudonym of the patient; None: not said."""
    offered: bool = False
    """It was asked whether it is the case of the patient who was set."""


class Kept(Struct, frozen=True, kw_only=True):
    """One part of the context."""

    item: ContextItem
    since_ns: int
    """When it was scanned first: scanning it again moves nothing."""
    restored: bool = False
    """Set before a restart, and not confirmed since."""
    pushed: PushedCase | None = None
    """Of a case that the central system has set: when it ends, and whose it is."""


class Ended(Struct, frozen=True, kw_only=True):
    """A context that has ended, for the question whether the same patient is still meant."""

    items: Mapping[str, Kept]
    why: EndedWhy
    asks: bool
    """The screen asks whether it goes on. Not after the code that ends it, nor when the time to answer is up; what
    is then scanned lacks it all the same."""
    until_ns: int
    """The question can be answered until then."""


class Done(Struct, frozen=True, kw_only=True):
    """An event that can be taken back."""

    id: str
    scanner: str
    """That has scanned it."""
    quantity: int


class Obeyed(Struct, frozen=True, kw_only=True):
    """A control code that does one thing, such as `undo`: read twice it must not do two."""

    kind: str
    at_ns: int


class Station(Struct, frozen=True, kw_only=True):
    """Where everything is. A value: each move returns a new one."""

    open_items: Mapping[str, Item] = {}
    """Scanner -> its half scanned label."""
    closed_items: Mapping[str, tuple[Item, ...]] = {}
    """Scanner -> its labels just closed, the newest last: a further symbol of theirs may still come."""
    chosen: Mapping[str, Chosen] = {}
    """Scanner -> the action chosen there."""
    counted: Mapping[str, Counted] = {}
    """Scanner -> the quantity given there."""
    keyed: Mapping[str, KeyedEntry] = {}
    """Scanner -> its keyed entry."""
    fell_back: Mapping[str, Action] = {}
    """Scanner -> the action that ended there by time, until its next item."""
    quantity_ended: frozenset[str] = frozenset()
    """Scanners whose quantity ended by time, until their next item."""
    context: Mapping[str, Kept] = {}
    """What is set: `case`, `location`, `patient`; and `performer:SCANNER` for each scanner's member of staff."""
    context_until_ns: int = 0
    """When the context ends, all of it, if nothing is scanned."""
    ended: Ended | None = None
    """The last context, as far as it was not set anew."""
    pushed: tuple[PushedCase, ...] = ()
    """Cases of the central system that wait for their time, the earliest first."""
    clash_ns: int | None = None
    """When a wristband was scanned that is another's than that of the pushed case; None once it is settled."""
    done: tuple[Done, ...] = ()
    """Events that can be taken back, the newest last."""
    undo_until_ns: int = 0
    obeyed: Mapping[str, Obeyed] = {}
    """Scanner -> its newest code, where that does one thing and nothing was scanned there since."""


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
    reason: str | None = None
    """LABEL_COMPLETED or CANCELLED; None where a person asked for it."""


class UsedDespite(Struct, frozen=True, kw_only=True):
    """An event is to be published that books what was refused."""

    id: str
    scanner: str
    at_ns: int
    refused: str
    """Id of the refused event."""


class KeyedEnded(Struct, frozen=True, kw_only=True):
    """Keyed entry has ended by time, and nothing was typed that could be recorded: that is to be published."""

    id: str
    scanner: str
    at_ns: int
    entry: KeyedEntry
    context: tuple[ContextItem, ...]


class CaseClosed(Struct, frozen=True, kw_only=True):
    """A case is closed, and its event is to be published."""

    id: str
    scanner: str
    at_ns: int
    context: tuple[ContextItem, ...]
    since_ns: int | None
    """When the case, or without one the patient, was scanned first."""


Effect = Published | OpenLabel | TakenBack | UsedDespite | CaseClosed | KeyedEnded
