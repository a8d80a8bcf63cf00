"""The workflow of a station as a transition table: its states, what can happen, and what comes of it. Pure.

Seven regions go their own ways at the same time: pairing, action, quantity and keyed entry (for each scanner),
context, question and undo (of the station). Each input reaches every region that has a row for it. Where a region
knows an input, but not in its present state, the move is illegal. `gateway.station.machine` makes the moves.

A code can ask for different things, as what went before has it (the code `undo` at once again is the same one read
twice): `gateway.scanning.code_input` tells which input it is, so that each row has one outcome.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Region(StrEnum):
    """What goes its own way."""

    PAIRING = "pairing"
    ACTION = "action"
    QUANTITY = "quantity"
    KEYED = "keyed entry"
    CONTEXT = "context"
    QUESTION = "question"
    UNDO = "undo"


class State(StrEnum):
    """Where a region is."""

    IDLE = "idle"
    WAITING = "waiting for the next symbol"
    DEFAULT = "default action"
    CHOSEN = "action chosen"
    ONE = "one piece"
    COUNTED = "quantity given"
    SCANNED = "codes are scanned"
    TYPED = "the label is typed"
    EMPTY = "no context"
    SET = "context set"
    QUIET = "no question"
    ASKED = "same patient?"
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
    DISAGREES = "typed again, and otherwise"
    """Lot or serial number, or the article in keyed entry, typed a second time, and not as the first time."""
    KEYED = "keyed-entry code"
    """What is scanned or typed next is one label, until the code that ends it."""
    KEY = "character or field code"
    MISTYPED = "typed wrong"
    """What was typed proves to be none: a wrong check digit, no date. The field is typed anew."""
    LEFT = "another label in keyed entry"
    """A symbol was scanned that is not of the label that is typed: keyed entry ends before it."""
    UNLABELLED = "no-label code"
    """An item that has no label: booked without saying what it is."""
    TAKEN_BACK = "item to take back"
    """A label scanned behind the code `take back an item`, whose event was found."""
    NOT_FOUND = "item to take back, not found"
    ACTION = "action code"
    DESTINATION = "place code behind a transfer"
    LOCK = "lock code"
    """The chosen action stays until it is ended."""
    QUANTITY = "quantity or digit code"
    QUANTITY_AGAIN = "another quantity"
    """A quantity code in place of an earlier quantity: said, because the earlier one no longer holds."""
    UNDO = "undo code"
    AGAIN = "code at once again"
    """One that does one thing (undo, used despite, same patient, close case, end of a count), read twice."""
    USED = "used-despite code"
    """The article that was refused is used all the same."""
    CANCEL = "cancel code"
    CLEAR_CONTEXT = "clear-context code"
    CLOSE_CASE = "close-case code"
    WHO_AM_I = "who-am-I code"
    IMPOSSIBLE = "code that asks for what is not there"
    CONTEXT = "context code"
    CONTEXT_ASKS = "context code that ends another"
    """A new patient where a case is set, or a new case where a patient is; or a first one after a context ended."""
    CONTEXT_CLASHES = "wristband of another"
    """Of another patient than that of the case which the central system has set."""
    PUSHED = "pushed case begins"
    """The time of a case has come that the central system has set, and nothing else is set."""
    OFFERED = "pushed case beside a patient"
    """Its time has come, and a patient is set of whom nothing says that it is hers."""
    SAME_PATIENT = "same-patient code"
    ELAPSED = "time is up"
    EVENT = "event"
    """An item has become an event: the machine's own input, made by CLOSE and PUBLISH."""
    WITHDRAWN = "event withdrawn"
    """The machine's own input, made by WITHDRAW."""
    ENDED = "context ended"
    """The machine's own input, made when the context's time is up."""


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
    TYPE = "type"
    """The code is obeyed, and more is to be typed."""
    GIVE_UP = "give up"
    """Keyed entry ends without anything to be recorded: only that a label could not be read."""
    WITHDRAW = "withdraw"
    """The event of CLOSE is taken back with it: nothing is booked, and no symbol is lost."""
    TAKE_BACK = "take back"
    """An event `undo` that names the newest event not taken back: of this scanner, or where it has none, of any; or
    the event of the label that was scanned."""
    BOOK = "book"
    """An event that books what was refused."""
    CLOSE_CASE = "close case"
    """An event that says what the case comes to, and what is still to be sorted out; the context ends."""
    ACCEPT = "accept"
    """The code is obeyed."""
    OVERRIDE = "override"
    """The code is obeyed, and what an earlier one had said no longer holds."""
    ASK = "ask"
    """The code is obeyed, and the screen asks: same patient?"""
    ALARM = "alarm"
    """The code is obeyed, the strongest signal is given, and the box has an alarm until it is settled."""
    REFUSE = "refuse"
    """The code asks for what is not possible."""
    IDENTIFY = "identify"
    """The station says who it is and what is set."""


class WorkflowRow(NamedTuple):
    """What one input does in one state."""

    after: tuple[State, ...]
    """The state it leads to; several where it depends on what is left."""
    outputs: tuple[Output, ...] = ()


ITEMS: Final = (Input.WHOLE, Input.BEGINS, Input.UNLABELLED)
"""With them a new item begins."""
_FURTHER: Final = (
    *(Input.CONTINUES, Input.COMPLETES, Input.SAME, Input.STRAY, Input.KNOWN, Input.LATE),
    Input.DISAGREES,
)
SYMBOLS: Final = (*ITEMS, *_FURTHER)
_IDLE, _WAITING = (State.IDLE,), (State.WAITING,)
_DEFAULT, _CHOSEN = (State.DEFAULT,), (State.CHOSEN,)
_ONE, _COUNTED = (State.ONE,), (State.COUNTED,)
_SCANNED, _TYPED = (State.SCANNED,), (State.TYPED,)
_EMPTY, _SET = (State.EMPTY,), (State.SET,)
_QUIET, _ASKED = (State.QUIET,), (State.ASKED,)


def _same(state: State, inputs: tuple[Input, ...]) -> dict[tuple[State, Input], WorkflowRow]:
    return {(state, given): WorkflowRow((state,)) for given in inputs}


TABLE: Final[Mapping[Region, Mapping[tuple[State, Input], WorkflowRow]]] = {
    Region.PAIRING: {
        (State.IDLE, Input.WHOLE): WorkflowRow(_IDLE, (Output.PUBLISH,)),
        (State.IDLE, Input.BEGINS): WorkflowRow(_WAITING, (Output.HOLD,)),
        (State.IDLE, Input.KNOWN): WorkflowRow(_IDLE, (Output.CONFIRM,)),
        (State.IDLE, Input.LATE): WorkflowRow(_IDLE, (Output.REPLACE,)),
        (State.IDLE, Input.UNLABELLED): WorkflowRow(_IDLE, (Output.PUBLISH,)),
        (State.IDLE, Input.CANCEL): WorkflowRow(_IDLE, (Output.ACCEPT,)),
        **_same(State.IDLE, (Input.KEYED, Input.KEY, Input.MISTYPED, Input.LEFT)),
        **_same(State.IDLE, (Input.UNDO, Input.AGAIN, Input.TAKEN_BACK, Input.NOT_FOUND, Input.CLOSE_CASE)),
        (State.WAITING, Input.SAME): WorkflowRow(_WAITING, (Output.REMIND,)),
        (State.WAITING, Input.AGAIN): WorkflowRow(_WAITING),
        (State.WAITING, Input.CONTINUES): WorkflowRow(_WAITING, (Output.HOLD,)),
        (State.WAITING, Input.COMPLETES): WorkflowRow(_IDLE, (Output.PUBLISH,)),
        (State.WAITING, Input.STRAY): WorkflowRow(_WAITING, (Output.PUBLISH,)),
        (State.WAITING, Input.KNOWN): WorkflowRow(_WAITING, (Output.CONFIRM,)),
        (State.WAITING, Input.LATE): WorkflowRow(_WAITING, (Output.REPLACE,)),
        (State.WAITING, Input.WHOLE): WorkflowRow(_IDLE, (Output.CLOSE, Output.PUBLISH)),
        (State.WAITING, Input.BEGINS): WorkflowRow(_WAITING, (Output.CLOSE, Output.HOLD)),
        (State.WAITING, Input.UNLABELLED): WorkflowRow(_IDLE, (Output.CLOSE, Output.PUBLISH)),
        (State.WAITING, Input.DISAGREES): WorkflowRow(_WAITING, (Output.HOLD, Output.REFUSE)),
        **_same(State.WAITING, (Input.KEY, Input.MISTYPED)),
        (State.WAITING, Input.CANCEL): WorkflowRow(_IDLE, (Output.CLOSE, Output.WITHDRAW)),
        **{
            (State.WAITING, one): WorkflowRow(_IDLE, (Output.CLOSE,))
            for one in (
                *(Input.UNDO, Input.TAKEN_BACK, Input.NOT_FOUND, Input.CLOSE_CASE),
                *(Input.KEYED, Input.LEFT, Input.ELAPSED),
            )
        },
    },
    Region.ACTION: {
        (State.DEFAULT, Input.ACTION): WorkflowRow((State.CHOSEN, State.DEFAULT), (Output.ACCEPT,)),
        **_same(State.DEFAULT, (Input.CANCEL, Input.QUANTITY, Input.QUANTITY_AGAIN)),
        **_same(State.DEFAULT, SYMBOLS),
        (State.DEFAULT, Input.IMPOSSIBLE): WorkflowRow(_DEFAULT, (Output.REFUSE,)),
        (State.CHOSEN, Input.ACTION): WorkflowRow((State.CHOSEN, State.DEFAULT), (Output.ACCEPT,)),
        (State.CHOSEN, Input.LOCK): WorkflowRow(_CHOSEN, (Output.ACCEPT,)),
        (State.CHOSEN, Input.DESTINATION): WorkflowRow(_CHOSEN, (Output.ACCEPT,)),
        (State.CHOSEN, Input.CANCEL): WorkflowRow(_DEFAULT),
        (State.CHOSEN, Input.ELAPSED): WorkflowRow(_DEFAULT),
        **{(State.CHOSEN, given): WorkflowRow((State.CHOSEN, State.DEFAULT)) for given in ITEMS},
        **{
            (State.CHOSEN, given): WorkflowRow((State.CHOSEN, State.DEFAULT))
            for given in (Input.TAKEN_BACK, Input.NOT_FOUND)
        },
        **_same(State.CHOSEN, (Input.QUANTITY, Input.QUANTITY_AGAIN)),
        **_same(State.CHOSEN, _FURTHER),
        (State.CHOSEN, Input.IMPOSSIBLE): WorkflowRow(_CHOSEN, (Output.REFUSE,)),
    },
    Region.QUANTITY: {
        (State.ONE, Input.QUANTITY): WorkflowRow(_COUNTED, (Output.ACCEPT,)),
        (State.ONE, Input.CANCEL): WorkflowRow(_ONE),
        **_same(State.ONE, ITEMS),
        (State.COUNTED, Input.QUANTITY): WorkflowRow(_COUNTED, (Output.ACCEPT,)),
        (State.COUNTED, Input.QUANTITY_AGAIN): WorkflowRow(_COUNTED, (Output.OVERRIDE,)),
        (State.COUNTED, Input.CANCEL): WorkflowRow(_ONE),
        (State.COUNTED, Input.ELAPSED): WorkflowRow(_ONE),
        **{(State.COUNTED, given): WorkflowRow(_ONE) for given in ITEMS},
    },
    Region.KEYED: {
        (State.SCANNED, Input.KEYED): WorkflowRow(_TYPED, (Output.TYPE,)),
        **_same(State.SCANNED, (Input.CANCEL, *SYMBOLS)),
        (State.TYPED, Input.KEYED): WorkflowRow(_TYPED, (Output.TYPE,)),
        (State.TYPED, Input.KEY): WorkflowRow(_TYPED, (Output.TYPE,)),
        (State.TYPED, Input.MISTYPED): WorkflowRow(_TYPED, (Output.REFUSE,)),
        (State.TYPED, Input.LEFT): WorkflowRow(_SCANNED),
        (State.TYPED, Input.CANCEL): WorkflowRow(_SCANNED),
        (State.TYPED, Input.ELAPSED): WorkflowRow(_SCANNED, (Output.GIVE_UP,)),
        **{(State.TYPED, one): WorkflowRow(_SCANNED) for one in (Input.WHOLE, Input.COMPLETES, Input.UNLABELLED)},
        **_same(
            State.TYPED,
            tuple(one for one in SYMBOLS if one not in {Input.WHOLE, Input.COMPLETES, Input.UNLABELLED}),
        ),
    },
    Region.CONTEXT: {
        (State.EMPTY, Input.CONTEXT): WorkflowRow(_SET, (Output.ACCEPT,)),
        (State.EMPTY, Input.CONTEXT_ASKS): WorkflowRow(_SET, (Output.ASK,)),
        (State.EMPTY, Input.CONTEXT_CLASHES): WorkflowRow(_SET, (Output.ALARM,)),
        (State.EMPTY, Input.PUSHED): WorkflowRow(_SET),
        (State.EMPTY, Input.SAME_PATIENT): WorkflowRow((State.SET, State.EMPTY)),
        (State.EMPTY, Input.CLEAR_CONTEXT): WorkflowRow(_EMPTY, (Output.ACCEPT,)),
        (State.EMPTY, Input.WHO_AM_I): WorkflowRow(_EMPTY, (Output.IDENTIFY,)),
        **_same(State.EMPTY, SYMBOLS),
        (State.SET, Input.CONTEXT): WorkflowRow(_SET, (Output.ACCEPT,)),
        (State.SET, Input.CONTEXT_ASKS): WorkflowRow(_SET, (Output.ASK,)),
        (State.SET, Input.CONTEXT_CLASHES): WorkflowRow(_SET, (Output.ALARM,)),
        (State.SET, Input.PUSHED): WorkflowRow(_SET),
        (State.SET, Input.SAME_PATIENT): WorkflowRow(_SET),
        (State.SET, Input.CLEAR_CONTEXT): WorkflowRow((State.EMPTY, State.SET), (Output.ACCEPT,)),
        (State.SET, Input.CLOSE_CASE): WorkflowRow((State.EMPTY, State.SET), (Output.CLOSE_CASE,)),
        (State.SET, Input.WHO_AM_I): WorkflowRow(_SET, (Output.IDENTIFY,)),
        **_same(State.SET, SYMBOLS),
        (State.SET, Input.ELAPSED): WorkflowRow(_EMPTY),
    },
    Region.QUESTION: {
        (State.QUIET, Input.CONTEXT): WorkflowRow(_QUIET),
        (State.QUIET, Input.CONTEXT_ASKS): WorkflowRow(_ASKED),
        (State.QUIET, Input.CONTEXT_CLASHES): WorkflowRow((State.QUIET, State.ASKED)),
        (State.QUIET, Input.OFFERED): WorkflowRow(_ASKED),
        (State.QUIET, Input.ENDED): WorkflowRow((State.QUIET, State.ASKED)),
        (State.QUIET, Input.SAME_PATIENT): WorkflowRow(_QUIET, (Output.REFUSE,)),
        (State.QUIET, Input.CLEAR_CONTEXT): WorkflowRow(_QUIET),
        (State.QUIET, Input.CLOSE_CASE): WorkflowRow(_QUIET),
        (State.ASKED, Input.CONTEXT): WorkflowRow((State.QUIET, State.ASKED)),
        (State.ASKED, Input.CONTEXT_ASKS): WorkflowRow(_ASKED),
        (State.ASKED, Input.CONTEXT_CLASHES): WorkflowRow((State.QUIET, State.ASKED)),
        (State.ASKED, Input.ENDED): WorkflowRow((State.QUIET, State.ASKED)),
        (State.ASKED, Input.SAME_PATIENT): WorkflowRow(_QUIET, (Output.ACCEPT,)),
        (State.ASKED, Input.CLEAR_CONTEXT): WorkflowRow(_QUIET),
        (State.ASKED, Input.CLOSE_CASE): WorkflowRow(_QUIET),
        (State.ASKED, Input.ELAPSED): WorkflowRow((State.QUIET, State.ASKED)),
    },
    Region.UNDO: {
        (State.CLOSED, Input.EVENT): WorkflowRow((State.OPEN,)),
        (State.CLOSED, Input.UNDO): WorkflowRow((State.CLOSED,), (Output.REFUSE,)),
        (State.CLOSED, Input.AGAIN): WorkflowRow((State.CLOSED,), (Output.ACCEPT,)),
        (State.CLOSED, Input.TAKEN_BACK): WorkflowRow((State.CLOSED,), (Output.TAKE_BACK,)),
        (State.CLOSED, Input.NOT_FOUND): WorkflowRow((State.CLOSED,), (Output.REFUSE,)),
        (State.OPEN, Input.EVENT): WorkflowRow((State.OPEN,)),
        (State.OPEN, Input.WITHDRAWN): WorkflowRow((State.OPEN, State.CLOSED)),
        (State.OPEN, Input.UNDO): WorkflowRow((State.OPEN, State.CLOSED), (Output.TAKE_BACK,)),
        (State.OPEN, Input.AGAIN): WorkflowRow((State.OPEN,), (Output.ACCEPT,)),
        (State.OPEN, Input.TAKEN_BACK): WorkflowRow((State.OPEN, State.CLOSED), (Output.TAKE_BACK,)),
        (State.OPEN, Input.NOT_FOUND): WorkflowRow((State.OPEN,), (Output.REFUSE,)),
        (State.OPEN, Input.USED): WorkflowRow((State.OPEN,), (Output.BOOK,)),
        (State.OPEN, Input.ELAPSED): WorkflowRow((State.CLOSED,)),
    },
}
"""Region -> (state, input) -> where it leads and what comes of it."""
