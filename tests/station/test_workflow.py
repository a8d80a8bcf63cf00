"""The transition table and the machine that walks it: no way into a state that is not in the table."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.station import binding
from gateway.station.context import ContextItem
from gateway.station.control_codes import ControlCode
from gateway.station.machine import IllegalMoveError, Occurrence, deadline_ns, elapse, resumed, state_of, step
from gateway.station.protect import PersonRef
from gateway.station.settings import Action
from gateway.station.values import (
    MAX_UNDO,
    CaseClosed,
    Chosen,
    Counted,
    Done,
    Ended,
    Item,
    Kept,
    KeyedEntry,
    Label,
    Meaning,
    MoveTimes,
    OpenLabel,
    Published,
    PushedCase,
    Station,
    Symbol,
    TakenBack,
    UsedDespite,
)
from gateway.station.workflow import SYMBOLS, TABLE, Input, Output, Region, State

S = 1_000_000_000
TIMES = MoveTimes(
    pairing_ns=5 * S,
    keyed_ns=60 * S,
    action_ns=60 * S,
    lasting_ns=300 * S,
    undo_ns=120 * S,
    context_ns=600 * S,
    default_action="consume",
)
SYMBOL = Symbol(text="x", symbology=None, raw=b"x", quality=frozenset(), at_ns=0)
ENTRY = KeyedEntry(id="typed", unread="damaged", until_ns=60 * S)
ITEM = Item(
    id="open", scanner="front", symbols=(SYMBOL,), at_ns=0, meaning=Meaning(action="consume"), until_ns=5 * S
)
CASE = ContextItem(kind="case", value="orbit:OP-1")
PATIENT = ContextItem(kind="patient", value="p:1")
CODES = {
    Input.ACTION: ControlCode(kind="action", action="discard", reason="expired"),
    Input.QUANTITY: ControlCode(kind="quantity", quantity=5),
    Input.QUANTITY_AGAIN: ControlCode(kind="quantity", quantity=6),
}
OWN = {Input.ELAPSED, Input.EVENT, Input.WITHDRAWN, Input.ENDED, Input.PUSHED, Input.OFFERED}
"""Inputs that the machine makes itself."""
FROM_OUTSIDE = [one for one in Input if one not in OWN]
OTHER = ContextItem(kind="patient", value="p:2")
CONTEXTS = {
    **dict.fromkeys((Input.CONTEXT, Input.CONTEXT_ASKS, Input.DESTINATION), CASE),
    Input.CONTEXT_CLASHES: OTHER,
}
PUSHED = PushedCase(
    item=ContextItem(kind="case", value="orbit:OP-2"),
    from_ns=0,
    until_ns=900 * S,
    patient=PersonRef(scheme="personnummer", kid="hmac-1", value="AA=="),
)
ENDED = Ended(items={"case": Kept(item=CASE, since_ns=0)}, why="time", asks=True, until_ns=900 * S)


def station(
    *,
    waiting: bool,
    chosen: Action | None,
    counted: bool,
    context: bool,
    asked: bool,
    done: int,
    typed: bool = False,
) -> Station:
    return Station(
        open_items={"front": ITEM} if waiting else {},
        chosen={"front": Chosen(action=chosen, until_ns=60 * S)} if chosen else {},
        counted={"front": Counted(quantity=3, until_ns=60 * S)} if counted else {},
        keyed={"front": ENTRY} if typed else {},
        context={"patient": Kept(item=PATIENT, since_ns=0)} if context else {},
        context_until_ns=600 * S,
        ended=ENDED if asked else None,
        done=tuple(Done(id=f"d{number}", scanner="front", quantity=1) for number in range(done)),
        undo_until_ns=120 * S,
    )


CHOICES: tuple[Action | None, ...] = (None, "return", "receive")
STATIONS = [
    station(waiting=waiting, chosen=chosen, counted=counted, context=context, asked=asked, done=done, typed=typed)
    for waiting, counted, context, asked, typed in product((False, True), repeat=5)
    for chosen in CHOICES
    for done in (0, 1, 2, MAX_UNDO)
]


def make(what: Input, at_ns: int = S) -> Occurrence:
    return Occurrence(
        input=what,
        scanner="front",
        at_ns=at_ns,
        id="new",
        symbols=(SYMBOL,) if what in SYMBOLS else (),
        label=Label(),
        code=CODES.get(what),
        entry=ENTRY if what in {Input.KEYED, Input.KEY, Input.MISTYPED} else None,
        context=CONTEXTS.get(what),
        target=Done(id="d0", scanner="front", quantity=1) if what in {Input.TAKEN_BACK, Input.USED} else None,
    )


def possible(before: Station, what: Input, at_ns: int) -> bool:
    """Whether the input can come in this state: what `binding.input_of` tells apart."""
    if what in {Input.CONTEXT, Input.CONTEXT_ASKS, Input.CONTEXT_CLASHES}:
        return binding.input_of(before, CONTEXTS[what], at_ns) is what
    return what is not Input.TAKEN_BACK or bool(before.done)


@pytest.mark.parametrize("what", FROM_OUTSIDE)
def test_every_input_in_every_state_does_what_the_table_says_or_nothing(what: Input) -> None:
    met = 0
    for one in STATIONS:
        before = replace(one, pushed=(PUSHED,)) if what is Input.CONTEXT_CLASHES else one
        at_ns = 100 * S if what is Input.CONTEXT_ASKS else S
        rows = {
            region: TABLE[region].get((state_of(before, region, "front"), what))
            for region in Region
            if any(known is what for _, known in TABLE[region])
        }
        if None in rows.values():
            with pytest.raises(IllegalMoveError):
                step(before, make(what, at_ns), TIMES)
            continue
        if not possible(before, what, at_ns):
            continue
        met += 1
        made = step(before, make(what, at_ns), TIMES)
        own = {Region.UNDO} if any(isinstance(effect, Published) for effect in made.effects) else set()
        for region, row in rows.items():
            assert row is not None
            after = state_of(made.station, region, "front")
            assert after in row.after or region in own or region is Region.CONTEXT, (region, before)
        for region in set(Region) - set(rows) - own:
            assert state_of(made.station, region, "front") is state_of(before, region, "front")
        assert len(made.station.done) <= MAX_UNDO
    assert met


def test_every_row_can_be_reached() -> None:
    """Each (state, input) of each region is met by one of the stations above; nothing in the table is dead."""
    for region, rows in TABLE.items():
        for state, what in rows:
            assert any(state_of(one, region, "front") is state for one in STATIONS), (region, state, what)
        states = {state for state, _ in rows}
        assert {after for row in rows.values() for after in row.after} == states


@pytest.mark.parametrize("what", [Input.CONTINUES, Input.COMPLETES, Input.SAME, Input.STRAY])
def test_an_illegal_move_raises_and_changes_nothing(what: Input) -> None:
    before = station(waiting=False, chosen="return", counted=True, context=True, asked=False, done=1)
    with pytest.raises(IllegalMoveError, match="is not possible in the state 'idle'"):
        step(before, make(what), TIMES)
    assert before == station(waiting=False, chosen="return", counted=True, context=True, asked=False, done=1)


def test_outputs_are_signals_or_effects() -> None:
    """What the table promises is what comes out."""
    effects = {
        Output.HOLD: OpenLabel,
        Output.PUBLISH: Published,
        Output.CLOSE: Published,
        Output.WITHDRAW: TakenBack,
        Output.TAKE_BACK: TakenBack,
        Output.BOOK: UsedDespite,
        Output.CLOSE_CASE: CaseClosed,
        Output.REPLACE: Published,
    }
    for before, what in product(STATIONS, FROM_OUTSIDE):
        if not possible(before, what, S):
            continue
        try:
            made = step(before, make(what), TIMES)
        except IllegalMoveError:
            continue
        assert [type(effect) for effect in made.effects] == [effects[one] for one in made.outputs if one in effects]


@pytest.mark.parametrize(
    ("at", "states"),
    [
        (5.0, "waiting chosen counted scanned set quiet open"),
        (5.3, "waiting chosen counted scanned set quiet open"),
        (5.4, "idle chosen counted scanned set quiet open"),
        (60.1, "idle default one scanned set quiet open"),
        (120.1, "idle default one scanned set quiet open"),
        (125.5, "idle default one scanned set quiet closed"),
        (600.1, "idle default one scanned empty asked closed"),
    ],
)
def test_time_ends_each_thing_at_its_own_time(at: float, states: str) -> None:
    """The label that goes out at 5.4 s is an event, and can be undone for two minutes from then."""
    before = station(waiting=True, chosen="return", counted=True, context=True, asked=False, done=1)
    if at > 5.3:
        before = elapse(before, int(5.4 * S), TIMES).station
    after = elapse(before, int(at * S), TIMES).station
    words = {
        State.IDLE: "idle", State.WAITING: "waiting", State.DEFAULT: "default", State.CHOSEN: "chosen",
        State.ONE: "one", State.COUNTED: "counted", State.SCANNED: "scanned",
        State.TYPED: "typed", State.EMPTY: "empty", State.SET: "set",
        State.QUIET: "quiet", State.ASKED: "asked", State.CLOSED: "closed", State.OPEN: "open",
    }  # fmt: skip
    assert " ".join(words[state_of(after, region, "front")] for region in Region) == states


def test_the_deadline_is_when_something_ends() -> None:
    one = station(waiting=True, chosen="return", counted=True, context=True, asked=False, done=1)
    ends = []
    while (deadline := deadline_ns(one)) is not None:
        assert elapse(one, deadline, TIMES).station == one, "not before"
        one = elapse(one, deadline + 1, TIMES).station
        ends.append(round(deadline / S, 1))
    assert ends == [5.3, 60.0, 125.3, 600.0, 15000.0]


def test_undo_goes_back_no_further_than_its_bound() -> None:
    one = Station()
    for number in range(MAX_UNDO + 5):
        one = resumed(one, Done(id=str(number), scanner="front", quantity=1), S, TIMES)
    undone = []
    while one.done:
        made = step(one, make(Input.UNDO), TIMES)
        one = made.station
        undone += [effect.done.id for effect in made.effects if isinstance(effect, TakenBack)]
    assert undone == [str(number) for number in reversed(range(5, MAX_UNDO + 5))]


@pytest.mark.parametrize(
    ("done", "undone"),
    [
        ("front back", "0 1"),  # two people at one station: the own one first
        ("back front back", "1 2 0"),
        ("back back", "1 0"),  # this scanner has none: the station's newest
        ("front back front", "2 0 1"),
    ],
)
def test_a_scanner_takes_back_its_own_events_first(done: str, undone: str) -> None:
    one = Station()
    for number, scanner in enumerate(done.split()):
        one = resumed(one, Done(id=str(number), scanner=scanner, quantity=1), S, TIMES)
    found = []
    while one.done:
        made = step(one, make(Input.UNDO), TIMES)
        one = made.station
        found += [effect.done.id for effect in made.effects if isinstance(effect, TakenBack)]
    assert found == undone.split()


Move = tuple[Input, int]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FROM_OUTSIDE), st.integers(0, 30 * S)), max_size=40))
def test_any_history(history: list[Move]) -> None:
    """Whatever happens, each symbol ends in exactly one event, and an event is taken back at most once."""
    one, now = Station(), 0
    given_ids: list[str] = []
    published: list[str] = []
    undone: list[str] = []
    for number, (what, pause) in enumerate(history):
        now += pause
        passed = elapse(one, now, TIMES, "front")
        one = passed.station
        new = (SYMBOL,) if what in SYMBOLS else ()
        occurrence = Occurrence(
            input=what,
            scanner="front",
            at_ns=now,
            id=str(number),
            symbols=new,
            label=Label(),
            code=CODES.get(what),
            context=CASE,
            target=None,
        )
        try:
            made = step(one, occurrence, TIMES)
        except IllegalMoveError:
            made = None
        if made is not None:
            if what in SYMBOLS and what is not Input.SAME:
                given_ids.append(str(number))
            one = made.station
        for effect in [*passed.effects, *(made.effects if made else ())]:
            if isinstance(effect, Published):
                published.append(effect.item.id)
            elif isinstance(effect, TakenBack):
                undone.append(effect.done.id)
    published += [item.id for item in one.open_items.values()]
    assert len(published) == len(set(published))
    assert set(published) <= set(given_ids)
    assert len(undone) == len(set(undone))
    assert set(undone) <= set(published)
