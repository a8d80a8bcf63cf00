"""Key events -> codes: locks, lost events, and whatever else may come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.keymap import KeyEvent
from drivers.locks import Locks
from drivers.model import DiscardReason, Frame, InputQuality
from tests.drivers import typist
from tests.drivers.decoding import GS1, IDLE_NS, MS, Said, decoder, feed, reasons, said
from tests.drivers.typist import CAPS_LOCK, SHIFT, Event, Typist, events, tap

NUM_LOCK, KEYPAD_1 = 0x53, 0x59
"""HID Usage Tables, keyboard page."""

# Locks -----------------------------------------------------------------------------------------------


def locked(told: list[Event], locks: Locks) -> list[Said]:
    under_test = decoder()
    under_test.opened(-2 * IDLE_NS, (), locks)
    return said(feed(under_test, told))


@pytest.mark.parametrize(
    ("locks", "expected"),
    [
        (Locks(), "aB-1"),
        (Locks(caps=True), "Ab-1"),
        (Locks(caps=None), (DiscardReason.UNREADABLE, 2)),
        (Locks(settled=False), "aB-1"),
        (Locks(caps=None, settled=False), (DiscardReason.UNREADABLE, 2)),
    ],
)
def test_caps_lock_when_it_is_opened(locks: Locks, expected: Said) -> None:
    assert locked(Typist().events("aB-1"), locks) == [expected]
    assert locked(Typist().events("-1"), locks) == ["-1"]


def test_a_lock_just_switched_is_certain_after_a_silence() -> None:
    under_test = decoder()
    under_test.opened(0, (), Locks(settled=False))
    told = Typist().events("]d", MS) + Typist().events("1", 20 * MS) + Typist().events("a", 50 * MS)
    told += Typist().events("a", 500 * MS)
    expected = [(DiscardReason.UNREADABLE, 1), "1", (DiscardReason.UNREADABLE, 0), "a"]
    assert said(feed(under_test, told)) == expected


def test_caps_lock_pressed_around_codes() -> None:
    scanner = Typist(caps="brackets")
    told = scanner.events("aB-1") + scanner.events("c", 30 * MS) + Typist().events("dE", 60 * MS)
    assert said(feed(decoder(), told)) == ["aB-1", "c", "dE"]


def test_caps_lock_pressed_for_good() -> None:
    told = events(tap(CAPS_LOCK)) + Typist().events("aB", 500 * MS) + Typist().events("aB", 1000 * MS)
    assert said(feed(decoder(), told)) == ["Ab", "Ab"]


@pytest.mark.parametrize(
    ("led", "value", "misled", "keypad", "letter"),
    [
        (0, 1, False, "1", "a"),
        (0, 0, True, None, "a"),
        (1, 0, False, "1", "a"),
        (1, 1, True, "1", None),
    ],
)
def test_a_light_that_another_program_switches(
    led: int,
    value: int,
    misled: bool,  # noqa: FBT001 - a column of the table
    keypad: str | None,
    letter: str | None,
) -> None:
    """LED_NUML is 0 and LED_CAPSL 1 (Linux): the gateway keeps Num Lock lit and Caps Lock dark."""
    for moves, written in ((tap(0x59), keypad), (tap(0x04), letter)):
        under_test = decoder()
        under_test.feed(KeyEvent(0x11, led, value, 1))
        assert under_test.misled is misled
        frames = feed(under_test, events([*moves, *tap(typist.ENTER)], 3 * IDLE_NS))
        assert said(frames) == [(DiscardReason.UNREADABLE, 0) if written is None else written]


# Loss ------------------------------------------------------------------------------------------------


def drop(told: list[Event], at: int, lost: int) -> list[Event]:
    """Take `lost` events out, as a client's full buffer does (Linux, drivers/input/evdev.c)."""
    return [*told[:at], (0, typist.SYN_DROPPED, 0, told[at : at + lost][-1][3]), *told[at + lost :]]


def test_a_loss_throws_the_code_away_and_flags_the_next_one() -> None:
    told = drop(Typist().events(GS1), 30, 4) + Typist().events("one", 500 * MS) + Typist().events("two", 900 * MS)
    under_test = decoder()
    frames = feed(under_test, told)
    assert [one for one in said(frames) if isinstance(one, str)] == ["one", "two"]
    assert reasons(frames) == [DiscardReason.DROPPED]
    assert [one.quality for one in frames if isinstance(one, Frame)] == [
        {InputQuality.DROPPED_BEFORE},
        frozenset(),
    ]


def test_a_loss_is_reported_where_nothing_of_the_code_is_left() -> None:
    under_test = decoder()
    assert not feed(under_test, [(0, typist.SYN_DROPPED, 0, 5), (0, 0, 0, 5)])
    assert said(under_test.idle(IDLE_NS + 5)) == [(DiscardReason.DROPPED, 0)]


def test_modifiers_after_a_loss() -> None:
    told: list[Event] = [(0, typist.SYN_DROPPED, 0, 0), (1, 42, 1, 0), (0, 0, 0, 0)]
    under_test = decoder()
    for event in told:
        under_test.feed(KeyEvent(*event))
    lost = [under_test.state_lost]
    under_test.restate({42})
    assert [*lost, under_test.state_lost] == [True, False]
    frames = feed(
        under_test, events(tap(typist.ENTER) + tap(0x04) + [(SHIFT, False)] + tap(0x05) + tap(typist.ENTER))
    )
    assert said(frames) == [(DiscardReason.DROPPED, 0), "Ab"]


def test_a_modifier_that_was_not_as_thought_spoils_the_code() -> None:
    """A release without a press: the characters before it were read wrongly."""
    told = events([*tap(0x04), (SHIFT, False), *tap(typist.ENTER)]) + Typist().events("b", 50 * MS)
    assert said(feed(decoder(), told)) == [(DiscardReason.DROPPED, 1), "b"]


def test_caps_lock_that_may_have_been_lost_makes_letters_unreadable_until_a_silence() -> None:
    scanner = Typist(caps="brackets")
    told = scanner.events("A") + drop(scanner.events("B", 200 * MS), 0, 3)
    under_test = decoder()
    frames = feed(under_test, told + scanner.events("C1", 250 * MS) + scanner.events("D", 600 * MS))
    assert said(frames) == ["A", (DiscardReason.DROPPED, 0), (DiscardReason.UNREADABLE, 1), "D"]


def test_num_lock_that_may_have_been_lost_makes_the_keypad_unreadable_until_a_silence() -> None:
    one = [*tap(KEYPAD_1), *tap(typist.ENTER)]
    told = events([*tap(NUM_LOCK), *tap(NUM_LOCK), *one]) + drop(Typist().events("B", 200 * MS), 0, 3)
    frames = feed(decoder(), told + events(one, 250 * MS) + events(one, 600 * MS))
    assert said(frames) == ["1", (DiscardReason.DROPPED, 0), (DiscardReason.UNREADABLE, 0), "1"]


# Whatever happens ------------------------------------------------------------------------------------

EVENTS = st.tuples(
    st.sampled_from([0, 1, 1, 1, 1, 4, 0x11]),
    st.one_of(
        st.sampled_from([0, 3, 28, 30, 42, 56, 58, 69, 29, 97, 100, 27, 26, 13, 82, 80, 73]), st.integers(0, 767)
    ),
    st.integers(0, 2),
    st.integers(0, 60 * MS),
)


@settings(max_examples=150, deadline=None)
@given(soup=st.lists(EVENTS, max_size=80), name=st.sampled_from(["us", "se"]))
def test_no_event_soup_raises(soup: list[tuple[int, int, int, int]], name: str) -> None:
    under_test = decoder(name, ("ctrl-]", "alt-029"))
    now = 0
    told = []
    for kind, code, value, step in soup:
        now += step
        told.append((kind, code, value, now))
    for frame in feed(under_test, told) + under_test.idle(now + IDLE_NS) + under_test.broken():
        assert not isinstance(frame, Frame) or frame.data


@settings(max_examples=150, deadline=None)
@given(data=st.data(), step=st.sampled_from([MS, 20 * MS]), caps=st.sampled_from(["ignores", "brackets"]))
def test_no_part_of_a_code_follows_a_loss(data: st.DataObject, step: int, caps: typist.Caps) -> None:
    """Whatever the kernel lost, what comes out are whole codes."""
    scanner = Typist(caps=caps)
    codes = [GS1, "4006381333931", "]A0+A99912345/$$52001510X3", "aBcD"]
    told: list[Event] = []
    for code in codes:
        pause = data.draw(st.sampled_from([step, 150 * MS]))
        told += scanner.events(code, (told[-1][3] if told else 0) + pause, step)
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(told) - 1))
        told = drop(told, at, data.draw(st.integers(1, 64)))
    under_test = decoder()
    frames = feed(under_test, told) + under_test.idle(10**15)
    assert {one for one in said(frames) if isinstance(one, str)} <= set(codes)
    assert DiscardReason.DROPPED in reasons(frames)
