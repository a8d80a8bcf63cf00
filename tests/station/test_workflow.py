"""The transition table and the machine that walks it: no way into a state that is not in the table."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.station.context import ContextItem, ContextKind, PersonRef
from gateway.station.control_codes import ControlCode
from gateway.station.machine import Given, IllegalMoveError, elapse, resumed, state_of, step
from gateway.station.values import (
    MAX_UNDO,
    Chosen,
    Counted,
    Done,
    Item,
    Kept,
    Label,
    Meaning,
    OpenLabel,
    Published,
    Rules,
    Station,
    Symbol,
    TakenBack,
)
from gateway.station.workflow import TABLE, Input, Output, Region, State

S = 1_000_000_000
RULES = Rules(pairing_ns=5 * S, action_ns=60 * S, undo_ns=120 * S, context_ns=600 * S, default_action="consume")
SYMBOL = Symbol(text="x", symbology=None, raw=b"x", quality=frozenset(), at_ns=0)
ITEM = Item(id="open", scanner="front", symbols=(SYMBOL,), meaning=Meaning(action="consume"), until_ns=5 * S)
CASE = ContextItem(kind="case", value="orbit:OP-1")
CODES = {
    Input.ACTION: ControlCode(kind="action", action="discard", reason="expired"),
    Input.QUANTITY: ControlCode(kind="quantity", quantity=5),
}
MAKING = {Input.WHOLE, Input.BEGINS, Input.CONTINUES, Input.COMPLETES, Input.STRAY, Input.LATE}
"""Symbols of which something comes."""
SYMBOLS = MAKING | {Input.SAME, Input.KNOWN}
FROM_OUTSIDE = [one for one in Input if one not in {Input.ELAPSED, Input.EVENT}]


def station(*, waiting: bool, chosen: bool, counted: bool, context: bool, done: int) -> Station:
    return Station(
        open_items={"front": ITEM} if waiting else {},
        chosen=Chosen(action="return", reason=None, until_ns=60 * S) if chosen else None,
        counted=Counted(quantity=3, until_ns=60 * S) if counted else None,
        context={"case": Kept(item=CASE, until_ns=600 * S)} if context else {},
        done=tuple(Done(id=f"d{number}", scanner="front", quantity=1) for number in range(done)),
        undo_until_ns=120 * S,
    )


STATIONS = [
    station(waiting=waiting, chosen=chosen, counted=counted, context=context, done=done)
    for waiting, chosen, counted, context in product((False, True), repeat=4)
    for done in (0, 1, 2, MAX_UNDO)
]


def make(what: Input, at_ns: int = S) -> Given:
    return Given(
        input=what,
        scanner="front",
        at_ns=at_ns,
        id="new",
        symbols=(SYMBOL,) if what in MAKING else (),
        label=Label() if what in SYMBOLS else None,
        code=CODES.get(what),
        context=CASE if what is Input.CONTEXT else None,
    )


@pytest.mark.parametrize("what", FROM_OUTSIDE)
def test_every_input_in_every_state_does_what_the_table_says_or_nothing(what: Input) -> None:
    for before in STATIONS:
        rows = {
            region: TABLE[region].get((state_of(before, region, "front"), what))
            for region in Region
            if any(known is what for _, known in TABLE[region])
        }
        if None in rows.values():
            with pytest.raises(IllegalMoveError):
                step(before, make(what), RULES)
            continue
        made = step(before, make(what), RULES)
        opens = any(isinstance(effect, Published) for effect in made.effects)
        for region, row in rows.items():
            assert row is not None
            after = state_of(made.station, region, "front")
            assert after in row.after, (region, before)
        for region in set(Region) - set(rows) - ({Region.UNDO} if opens else set()):
            assert state_of(made.station, region, "front") is state_of(before, region, "front")
        assert len(made.station.done) <= MAX_UNDO


def test_every_row_can_be_reached() -> None:
    """Each (state, input) of each region is met by one of the stations above; nothing in the table is dead."""
    for region, rows in TABLE.items():
        for state, what in rows:
            assert any(state_of(one, region, "front") is state for one in STATIONS), (region, state, what)
        states = {state for state, _ in rows}
        assert {after for row in rows.values() for after in row.after} == states


@pytest.mark.parametrize("what", [Input.CONTINUES, Input.COMPLETES, Input.SAME, Input.STRAY])
def test_an_illegal_move_raises_and_changes_nothing(what: Input) -> None:
    before = station(waiting=False, chosen=True, counted=True, context=True, done=1)
    with pytest.raises(IllegalMoveError, match="is not possible in the state 'idle'"):
        step(before, make(what), RULES)
    assert before == station(waiting=False, chosen=True, counted=True, context=True, done=1)


def test_outputs_are_signals_or_effects() -> None:
    """What the table promises is what comes out."""
    effects = {
        Output.HOLD: OpenLabel,
        Output.PUBLISH: Published,
        Output.REPLACE: Published,
        Output.CLOSE: Published,
        Output.TAKE_BACK: TakenBack,
    }
    for before, what in product(STATIONS, FROM_OUTSIDE):
        try:
            made = step(before, make(what), RULES)
        except IllegalMoveError:
            continue
        assert [type(effect) for effect in made.effects] == [effects[one] for one in made.outputs if one in effects]


@pytest.mark.parametrize(
    ("at", "states"),
    [
        (5.0, "waiting chosen counted set open"),
        (5.3, "waiting chosen counted set open"),
        (5.4, "idle chosen counted set open"),
        (60.1, "idle default one set open"),
        (120.1, "idle default one set open"),
        (125.5, "idle default one set closed"),
        (600.1, "idle default one empty closed"),
    ],
)
def test_time_ends_each_thing_at_its_own_time(at: float, states: str) -> None:
    """The label that goes out at 5.4 s is an event, and can be undone for two minutes from then."""
    before = station(waiting=True, chosen=True, counted=True, context=True, done=1)
    if at > 5.3:
        before = elapse(before, int(5.4 * S), RULES).station
    after = elapse(before, int(at * S), RULES).station
    words = {
        State.IDLE: "idle", State.WAITING: "waiting", State.DEFAULT: "default", State.CHOSEN: "chosen",
        State.ONE: "one", State.COUNTED: "counted", State.EMPTY: "empty", State.SET: "set",
        State.CLOSED: "closed", State.OPEN: "open",
    }  # fmt: skip
    assert " ".join(words[state_of(after, region, "front")] for region in Region) == states


def test_the_deadline_is_when_something_ends() -> None:
    one = station(waiting=True, chosen=True, counted=True, context=True, done=1)
    ends = []
    while (deadline := one.deadline_ns()) is not None:
        assert elapse(one, deadline, RULES).station == one, "not before"
        one = elapse(one, deadline + 1, RULES).station
        ends.append(round(deadline / S, 1))
    assert ends == [5.3, 60.0, 125.3, 600.0]


def test_undo_goes_back_no_further_than_its_bound() -> None:
    one = Station()
    for number in range(MAX_UNDO + 5):
        one = resumed(one, Done(id=str(number), scanner="front", quantity=1), S, RULES)
    undone = []
    while one.done:
        made = step(one, make(Input.UNDO), RULES)
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
        one = resumed(one, Done(id=str(number), scanner=scanner, quantity=1), S, RULES)
    found = []
    while one.done:
        made = step(one, make(Input.UNDO), RULES)
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
        passed = elapse(one, now, RULES, "front")
        one = passed.station
        closed = [item.id for item in one.closed_items.get("front", ())]
        given_ = replace(
            make(what, now),
            id=str(number),
            context=CASE,
            target=closed[-1] if closed else None,
            replaces=tuple(closed[:1]) if what is Input.LATE else (),
        )
        try:
            made = step(one, given_, RULES)
        except IllegalMoveError:
            made = None
        if made is not None:
            if what in MAKING:
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


def person(name: str, kind: ContextKind = "patient") -> ContextItem:
    """A sealed identity: it looks different each time, and `mark` tells that it is the same."""
    return ContextItem(kind=kind, value=PersonRef(scheme="s", kid="k", value=f"{name} sealed"), mark=hash(name[:1]))


@pytest.mark.parametrize(
    ("given_at", "left"),
    [
        ([(0, person("A1")), (9, person("A2"))], "A1"),
        ([(0, person("A1")), (9, person("B1"))], "B1"),
        ([(0, person("C1", "case")), (9, person("A1"))], "C1 A1"),
        ([(0, person("C1", "case")), (9, person("A1")), (70, person("A2"))], "C1 A1"),
        ([(0, person("C1", "case")), (9, person("A1")), (70, person("C2", "case"))], "C1 A1"),
        ([(0, person("C1", "case")), (9, person("A1")), (70, person("B1"))], "B1"),
        ([(0, person("C1", "case")), (9, person("A1")), (70, person("D1", "case"))], "D1"),
        ([(0, person("C1", "case")), (9, person("A1")), (60, person("B1"))], "C1 B1"),
    ],
    ids=[
        *("the same again", "another", "case and patient", "the patient again", "the case again"),
        *("the next patient", "the next case", "corrected within a minute"),
    ],
)
def test_a_case_is_one_patients(given_at: list[tuple[int, ContextItem]], left: str) -> None:
    now = Station()
    for second, item in given_at:
        now = step(now, replace(make(Input.CONTEXT, second * S), context=item), RULES).station
    kept = [one.item.value for one in now.context.values()]
    assert sorted(str(value) for value in kept) == sorted(
        str(PersonRef(scheme="s", kid="k", value=f"{name} sealed")) for name in left.split()
    )
