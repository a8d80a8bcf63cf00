"""The workflow of a station as a transition table: its states, what can happen, and what comes of it. Pure.

Five regions go their own ways at the same time: pairing (one for each scanner), action, quantity, context and undo
(of the station). Each input reaches every region that has a row for it. Where a region knows an input, but not in
its present state, the move is illegal. `gateway.station.machine` makes the moves.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Region(StrEnum):
    """What goes its own way."""

    PAIRING = "pairing"
    ACTION = "action"
    QUANTITY = "quantity"
    CONTEXT = "context"
    UNDO = "undo"


class State(StrEnum):
    """Where a region is."""

    IDLE = "idle"
    WAITING = "waiting for the next symbol"
    DEFAULT = "default action"
    CHOSEN = "action chosen"
    ONE = "one piece"
    COUNTED = "quantity given"
    EMPTY = "no context"
    SET = "context set"
    CLOSED = "nothing to undo"
    OPEN = "undo window"


class Input(StrEnum):
    """What can happen."""

    WHOLE = "whole label"
    """A symbol that needs no other."""
    BEGINS = "first of several"
    """A symbol that needs others, and does not belong to the open item."""
    CONTINUES = "one more of it"
    """It belongs to the open item, which needs more."""
    COMPLETES = "last of it"
    """It belongs to the open item, which is then complete."""
    SAME = "same symbol again"
    """A symbol of the open item once more, or one that says nothing new: never its partner."""
    STRAY = "stray symbol"
    """One that cannot be the open label's: a secondary that names another primary (HIBC link character), a damaged
    one, an asset's. It is an event of its own, and the right one is still waited for."""
    KNOWN = "symbol of a closed label"
    """It says nothing that a label just closed does not say."""
    LATE = "late symbol"
    """It belongs to a label just closed and says more."""
    ACTION = "action code"
    QUANTITY = "quantity code"
    UNDO = "undo code"
    CANCEL = "cancel code"
    CLEAR_CONTEXT = "clear-context code"
    WHO_AM_I = "who-am-I code"
    CONTEXT = "context code"
    ELAPSED = "time is up"
    EVENT = "event"
    """An item has become an event: the machine's own input, made by CLOSE and PUBLISH."""


class Output(StrEnum):
    """What comes of a move."""

    HOLD = "hold"
    """The symbol is journalled and the scanner asks for the next one."""
    REMIND = "remind"
    """The scanner asks for the next one again; nothing is written."""
    PUBLISH = "publish"
    """The item with this symbol becomes an event."""
    CONFIRM = "confirm"
    """The signal of the label's event is given again; nothing is written."""
    REPLACE = "replace"
    """The events of what the label was so far are undone, and the item with this symbol becomes an event."""
    CLOSE = "close"
    """The open item becomes an event as it stands."""
    TAKE_BACK = "take back"
    """An event `undo` that names the newest event not taken back: of this scanner, or where it has none, of any."""
    ACCEPT = "accept"
    """The code is obeyed."""
    REFUSE = "refuse"
    """The code asks for what is not possible."""
    IDENTIFY = "identify"
    """The station says who it is and what is set."""


class Row(NamedTuple):
    """What one input does in one state."""

    after: tuple[State, ...]
    """The state it leads to; two where it depends on how many events are left to undo."""
    outputs: tuple[Output, ...] = ()


ITEMS: Final = (Input.WHOLE, Input.BEGINS)
"""With them a new item begins."""
_SYMBOL: Final = (
    Input.WHOLE,
    Input.BEGINS,
    Input.CONTINUES,
    Input.COMPLETES,
    Input.SAME,
    Input.STRAY,
    Input.KNOWN,
    Input.LATE,
)
_IDLE, _WAITING = (State.IDLE,), (State.WAITING,)


def _same(state: State, inputs: tuple[Input, ...]) -> dict[tuple[State, Input], Row]:
    return {(state, given): Row((state,)) for given in inputs}


TABLE: Final[Mapping[Region, Mapping[tuple[State, Input], Row]]] = {
    Region.PAIRING: {
        (State.IDLE, Input.WHOLE): Row(_IDLE, (Output.PUBLISH,)),
        (State.IDLE, Input.BEGINS): Row(_WAITING, (Output.HOLD,)),
        (State.IDLE, Input.KNOWN): Row(_IDLE, (Output.CONFIRM,)),
        (State.IDLE, Input.LATE): Row(_IDLE, (Output.REPLACE,)),
        (State.IDLE, Input.CANCEL): Row(_IDLE, (Output.ACCEPT,)),
        (State.IDLE, Input.UNDO): Row(_IDLE),
        (State.WAITING, Input.SAME): Row(_WAITING, (Output.REMIND,)),
        (State.WAITING, Input.CONTINUES): Row(_WAITING, (Output.HOLD,)),
        (State.WAITING, Input.COMPLETES): Row(_IDLE, (Output.PUBLISH,)),
        (State.WAITING, Input.STRAY): Row(_WAITING, (Output.PUBLISH,)),
        (State.WAITING, Input.KNOWN): Row(_WAITING, (Output.CONFIRM,)),
        (State.WAITING, Input.LATE): Row(_WAITING, (Output.REPLACE,)),
        (State.WAITING, Input.WHOLE): Row(_IDLE, (Output.CLOSE, Output.PUBLISH)),
        (State.WAITING, Input.BEGINS): Row(_WAITING, (Output.CLOSE, Output.HOLD)),
        (State.WAITING, Input.CANCEL): Row(_IDLE, (Output.CLOSE, Output.ACCEPT)),
        (State.WAITING, Input.UNDO): Row(_IDLE, (Output.CLOSE,)),
        (State.WAITING, Input.ELAPSED): Row(_IDLE, (Output.CLOSE,)),
    },
    Region.ACTION: {
        (State.DEFAULT, Input.ACTION): Row((State.CHOSEN,), (Output.ACCEPT,)),
        (State.DEFAULT, Input.CANCEL): Row((State.DEFAULT,)),
        **_same(State.DEFAULT, (*_SYMBOL, Input.QUANTITY)),
        (State.CHOSEN, Input.ACTION): Row((State.CHOSEN,), (Output.ACCEPT,)),
        (State.CHOSEN, Input.CANCEL): Row((State.DEFAULT,)),
        (State.CHOSEN, Input.ELAPSED): Row((State.DEFAULT,)),
        **_same(State.CHOSEN, (*_SYMBOL, Input.QUANTITY)),
    },
    Region.QUANTITY: {
        (State.ONE, Input.QUANTITY): Row((State.COUNTED,), (Output.ACCEPT,)),
        (State.ONE, Input.CANCEL): Row((State.ONE,)),
        **_same(State.ONE, ITEMS),
        (State.COUNTED, Input.QUANTITY): Row((State.COUNTED,), (Output.ACCEPT,)),
        (State.COUNTED, Input.CANCEL): Row((State.ONE,)),
        (State.COUNTED, Input.ELAPSED): Row((State.ONE,)),
        **{(State.COUNTED, given): Row((State.ONE,)) for given in ITEMS},
    },
    Region.CONTEXT: {
        (State.EMPTY, Input.CONTEXT): Row((State.SET,), (Output.ACCEPT,)),
        (State.EMPTY, Input.CLEAR_CONTEXT): Row((State.EMPTY,), (Output.ACCEPT,)),
        (State.EMPTY, Input.WHO_AM_I): Row((State.EMPTY,), (Output.IDENTIFY,)),
        (State.SET, Input.CONTEXT): Row((State.SET,), (Output.ACCEPT,)),
        (State.SET, Input.CLEAR_CONTEXT): Row((State.EMPTY,), (Output.ACCEPT,)),
        (State.SET, Input.WHO_AM_I): Row((State.SET,), (Output.IDENTIFY,)),
        (State.SET, Input.ELAPSED): Row((State.SET, State.EMPTY)),
    },
    Region.UNDO: {
        (State.CLOSED, Input.EVENT): Row((State.OPEN,)),
        (State.CLOSED, Input.UNDO): Row((State.CLOSED,), (Output.REFUSE,)),
        (State.OPEN, Input.EVENT): Row((State.OPEN,)),
        (State.OPEN, Input.UNDO): Row((State.OPEN, State.CLOSED), (Output.TAKE_BACK,)),
        (State.OPEN, Input.ELAPSED): Row((State.CLOSED,)),
    },
}
"""Region -> (state, input) -> where it leads and what comes of it."""
