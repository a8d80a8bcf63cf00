"""Scanners that type: struct input_event through a pipe -> codes, by the driver's own reading code."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic_ns
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import hardware
from drivers.base import DriverError, FrameDiscarded, Scanner, ScannerSettings, Terminator
from drivers.dialects.plain import PlainDialect
from drivers.framing import Framed
from drivers.hardware import Choice
from drivers.hid_keyboard import HidKeyboardScanner
from drivers.keymap import key_decoder
from drivers.model import (
    ConnectionChange,
    ConnectionState,
    Discarded,
    DiscardReason,
    Frame,
    InputQuality,
    RawScan,
    ScannerInput,
)
from drivers.typing_session import TypingSession
from tests.drivers import typist
from tests.drivers.keyboards import MOST_EVENTS, Keyboards
from tests.drivers.machine import Machine
from tests.drivers.typist import INPUT_EVENT, Event, Typist, pack

MS = 1_000_000
GS1 = "]d20108717648200274\x1d10A-12"
NODE = "/dev/input/event7"
SETTINGS = ScannerSettings(name="desk", driver="hid-keyboard", device=NODE, idle_ms=20)
UNCALIBRATED, NO_AIM_ID = InputQuality.UNCALIBRATED, InputQuality.NO_AIM_ID
CONNECTED = ConnectionChange(scanner="desk", connection=ConnectionState.CONNECTED)
Take = Callable[[Scanner, int], list[ScannerInput]]


@pytest.fixture
def bench() -> Iterator[Keyboards]:
    made = Keyboards()
    yield made
    made.pull()


@pytest.fixture
def scanner(bench: Keyboards) -> Iterator[HidKeyboardScanner]:
    made = HidKeyboardScanner(SETTINGS, PlainDialect(SETTINGS), bench)
    yield made
    made.close()


def test_codes_through_the_driver(bench: Keyboards, scanner: HidKeyboardScanner, take: Take) -> None:
    links = [scanner.connection]
    assert take(scanner, 1) == [CONNECTED]
    assert [*links, scanner.connection] == [ConnectionState.MISSING, ConnectionState.CONNECTED]
    began = monotonic_ns()
    bench.type(Typist().events(GS1, began))
    (scan,) = take(scanner, 1)
    assert isinstance(scan, RawScan)
    assert (scan.symbology, scan.text) == ("]d2", GS1[3:])
    assert scan.quality == {UNCALIBRATED}
    assert scan.frame.started_ns == began // 1000 * 1000
    assert scanner.gs_seen
    scanner.calibrated = True
    bench.type(Typist().events("4006381333931", monotonic_ns()))
    (scan,) = take(scanner, 1)
    assert isinstance(scan, RawScan)
    assert scan.text == "4006381333931"
    assert scan.quality == {NO_AIM_ID}
    assert not scanner.send(b"\x07")
    assert scanner.read(0) is None


def test_everything_in_one_read_comes_out_of_it(bench: Keyboards, scanner: HidKeyboardScanner, take: Take) -> None:
    take(scanner, 1)
    now = monotonic_ns()
    data = b"".join(pack(Typist().events(text, now + place * MS, 1000)) for place, text in enumerate("123"))
    assert len(data) < MOST_EVENTS * INPUT_EVENT.size
    bench.write(data)
    assert [scan.text for scan in take(scanner, 3) if isinstance(scan, RawScan)] == ["1", "2", "3"]


def test_a_code_without_its_terminator_is_part_of_a_code(
    bench: Keyboards, scanner: HidKeyboardScanner, take: Take
) -> None:
    take(scanner, 1)
    bench.type(Typist(terminator="none").events("01095200010001021", monotonic_ns()))
    assert take(scanner, 1) == [Discarded(scanner="desk", reason=DiscardReason.UNTERMINATED, length=17)]


def test_a_code_that_only_silence_ends(bench: Keyboards, take: Take) -> None:
    chosen = ScannerSettings(name="desk", driver="hid-keyboard", device=NODE, idle_ms=20, terminator="none")
    scanner = HidKeyboardScanner(chosen, PlainDialect(chosen), bench)
    take(scanner, 1)
    bench.type(Typist(terminator="none").events("12", monotonic_ns()))
    (scan,) = take(scanner, 1)
    assert isinstance(scan, RawScan)
    assert scan.quality == {InputQuality.UNTERMINATED, UNCALIBRATED, NO_AIM_ID}
    scanner.close()


def test_elements_without_gs_from_a_scanner_that_never_sent_one(
    bench: Keyboards, scanner: HidKeyboardScanner, take: Take
) -> None:
    take(scanner, 1)
    scanner.calibrated = True
    texts = ["010871764820027410A1", "0108717648200274", GS1, "010871764820027410A1"]
    bench.write(
        b"".join(pack(Typist().events(text, monotonic_ns() + at * MS, 100)) for at, text in enumerate(texts))
    )
    assert [scan.quality for scan in take(scanner, 4) if isinstance(scan, RawScan)] == [
        {InputQuality.GS_NEVER_SEEN, NO_AIM_ID},
        {NO_AIM_ID},
        frozenset(),
        {NO_AIM_ID},
    ]


def test_unplugged_in_the_middle_and_back(bench: Keyboards, scanner: HidKeyboardScanner, take: Take) -> None:
    take(scanner, 1)
    bench.type(Typist().events("one", monotonic_ns()) + Typist(terminator="none").events("12", monotonic_ns()))
    bench.plugged = False
    bench.pull()
    scan, discarded, link = take(scanner, 3)
    assert isinstance(scan, RawScan)
    assert discarded == Discarded(scanner="desk", reason=DiscardReason.BROKEN_OFF, length=2)
    assert link == ConnectionChange(
        scanner="desk", connection=ConnectionState.MISSING, detail=f"{NODE} went away: plug the scanner in again"
    )
    bench.plugged = True
    scanner.look_again()
    assert take(scanner, 1) == [CONNECTED]
    bench.type(Typist().events("two", monotonic_ns()))
    assert [one.text for one in take(scanner, 1) if isinstance(one, RawScan)] == ["two"]
    assert bench.opened == [NODE, NODE]


def test_a_loss_in_the_middle_and_the_keys_held_after_it(
    bench: Keyboards, scanner: HidKeyboardScanner, take: Take
) -> None:
    take(scanner, 1)
    now = monotonic_ns()
    bench.keys = frozenset({42})
    rest = typist.events([*typist.tap(typist.ENTER), *typist.tap(0x04), *typist.tap(typist.ENTER)], now, 0)
    bench.type([*Typist(terminator="none").events("12", now, 0), (0, 3, 0, now), (0, 0, 0, now), *rest])
    discarded, scan = take(scanner, 2)
    assert discarded == Discarded(scanner="desk", reason=DiscardReason.DROPPED, length=2)
    assert isinstance(scan, RawScan)
    assert scan.text == "A"
    assert scan.quality == {InputQuality.DROPPED_BEFORE, UNCALIBRATED, NO_AIM_ID}
    assert bench.shown == 1


def test_keys_held_at_the_grab(bench: Keyboards, scanner: HidKeyboardScanner, take: Take) -> None:
    bench.keys = frozenset({42, 30})
    take(scanner, 1)
    bench.type(Typist(terminator="none").events("b", monotonic_ns()))
    bench.type(typist.events([(typist.SHIFT, False), *typist.tap(0x06), *typist.tap(typist.ENTER)], monotonic_ns()))
    assert [one.text for one in take(scanner, 1) if isinstance(one, RawScan)] == ["Bc"]


def test_another_program_switches_the_leds(bench: Keyboards, scanner: HidKeyboardScanner, take: Take) -> None:
    """Whoever has it open can, a compositor for one. Letters wait until the scanner has seen it put right."""
    take(scanner, 1)
    now = monotonic_ns()
    later = now + 40 * MS
    bench.type([(0x11, 1, 1, now), (0, 0, 0, now), *Typist().events("]d1aB", now), *Typist().events("c", later)])
    bench.type([(0x11, 1, 0, later + 10 * MS), (0, 0, 0, later + 10 * MS), *Typist().events("12", later + 11 * MS)])
    bench.type(Typist().events("]d1aB", later + 40 * MS))
    letters, still, digits, right = take(scanner, 4)
    for refused in (letters, still):
        assert isinstance(refused, Discarded)
        assert refused.reason is DiscardReason.UNREADABLE
    assert [one.text for one in (digits, right) if isinstance(one, RawScan)] == ["12", "aB"]
    assert bench.shown == 1


@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF"])
def test_enter_is_the_end_of_every_kind_of_line(bench: Keyboards, take: Take, terminator: Terminator) -> None:
    lines = ScannerSettings(name="desk", driver="hid-keyboard", device=NODE, idle_ms=20, terminator=terminator)
    scanner = HidKeyboardScanner(lines, PlainDialect(lines), bench)
    take(scanner, 1)
    bench.type(Typist().events("1", monotonic_ns()))
    assert [one.text for one in take(scanner, 1) if isinstance(one, RawScan)] == ["1"]
    scanner.close()


@pytest.mark.parametrize(
    ("number", "link", "detail"),
    [
        (16, ConnectionState.BUSY, f"{NODE} is held by another program: stop that program"),
        (13, ConnectionState.NO_PERMISSION, f"{NODE} may not be opened by this user: install the udev rules"),
        (19, ConnectionState.MISSING, f"{NODE} does not answer"),
    ],
)
def test_a_keyboard_that_cannot_be_opened(
    bench: Keyboards, scanner: HidKeyboardScanner, take: Take, number: int, link: ConnectionState, detail: str
) -> None:
    bench.refusal = OSError(number, os.strerror(number))
    (change,) = take(scanner, 1)
    assert isinstance(change, ConnectionChange)
    assert change.connection is link
    assert change.detail.startswith(detail)
    assert scanner.connection_detail == change.detail
    assert scanner.read(0) is None
    bench.refusal = None
    scanner.look_again()
    assert take(scanner, 1) == [CONNECTED]


def test_what_waiting_does_not_mend(bench: Keyboards) -> None:
    ending = ScannerSettings(name="desk", driver="hid-keyboard", device=NODE, terminator="ETX")
    scanner = HidKeyboardScanner(ending, PlainDialect(ending), bench)
    with pytest.raises(DriverError, match='a keyboard has no key for terminator "ETX"; terminator is one of "CR"'):
        scanner.read(0)
    scanner.close()
    assert bench.opened == []
    null = ScannerSettings(name="desk", driver="hid-keyboard", device="/dev/null")
    scanner = HidKeyboardScanner(null, PlainDialect(null))
    with pytest.raises(DriverError, match="cannot open /dev/null: it is no keyboard") as caught:
        scanner.read(0)
    scanner.close()
    assert not caught.value.recoverable


def test_a_device_that_is_not_there_is_a_state() -> None:
    nothing = ScannerSettings(name="desk", driver="hid-keyboard", device="/dev/input/by-id/none")
    scanner = HidKeyboardScanner(nothing, PlainDialect(nothing))
    change = scanner.read(0)
    scanner.close()
    assert isinstance(change, ConnectionChange)
    assert change.connection is ConnectionState.MISSING


def test_a_keyboard_whose_bluetooth_link_went_down_and_left_its_node(
    bench: Keyboards, scanner: HidKeyboardScanner, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BlueZ keeps uhid devices since 5.77: reading one that is away neither fails nor brings anything."""
    machine = Machine(tmp_path)
    monkeypatch.setattr(hardware, "SYSFS", machine.sysfs)
    machine.bluetooth_keyboard(7)
    machine.radio("hci0:256")
    assert take(scanner, 1) == [CONNECTED]
    bench.plugged = False  # as `choose` finds it while no link is there
    machine.radio()
    (away,) = take(scanner, 1)
    assert isinstance(away, ConnectionChange)
    assert away.connection is ConnectionState.MISSING
    assert "Bluetooth link is down" in away.detail
    bench.plugged = True
    machine.radio("hci0:257")
    scanner.look_again()
    assert take(scanner, 1) == [CONNECTED]


class Pair:
    """Two keyboard collections of one interface."""

    def __init__(self) -> None:
        self.first, self.second = Keyboards(), Keyboards()

    def choose(self, settings: ScannerSettings) -> Choice:  # noqa: ARG002 - the interface's argument
        return Choice(path="event3", others=("event4",), connection=ConnectionState.CONNECTED)

    def open(self, path: str) -> Keyboards:
        return (self.first if path == "event3" else self.second).open(path)


def test_a_scanner_with_two_keyboards_types_on_either(take: Take) -> None:
    """Each has a decoder of its own: what one types is no part of what the other does."""
    pair = Pair()
    scanner = HidKeyboardScanner(SETTINGS, PlainDialect(SETTINGS), pair)
    assert take(scanner, 1) == [CONNECTED]
    now = monotonic_ns()
    half = Typist(terminator="none").events("1", now)
    pair.first.type(half)
    pair.second.type(Typist().events("B2", now))
    pair.first.type(Typist().events("3", half[-1][3] + MS))
    assert sorted(one.text for one in take(scanner, 2) if isinstance(one, RawScan)) == ["13", "B2"]
    pair.second.pull()
    (gone,) = take(scanner, 1)
    assert isinstance(gone, ConnectionChange)
    assert gone.connection is ConnectionState.MISSING
    scanner.close()
    pair.first.pull()


def test_a_second_keyboard_that_is_held_leaves_none_open(take: Take) -> None:
    pair = Pair()
    pair.second.refusal = OSError(16, os.strerror(16))
    scanner = HidKeyboardScanner(SETTINGS, PlainDialect(SETTINGS), pair)
    (busy,) = take(scanner, 1)
    assert isinstance(busy, ConnectionChange)
    assert busy.connection is ConnectionState.BUSY
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pair.first.fd)
    scanner.close()
    pair.first.pull()


def test_two_scanners_at_once_at_full_speed(take: Take) -> None:
    """One decoder a device: a thousand codes each, interleaved event by event, and none mixed or lost."""
    layouts: list[Literal["us", "se"]] = ["us", "se"]
    codes = {name: [f"]d2010871764820027410{name}-{n:04}\x1d21{n:03}" for n in range(1000)] for name in layouts}
    read: dict[str, list[str]] = {}
    readers, writers = [], []
    for layout in layouts:
        bench = Keyboards()
        chosen = ScannerSettings(name=layout, driver="hid-keyboard", device=NODE, layout=layout, idle_ms=20)
        scanner = HidKeyboardScanner(chosen, PlainDialect(chosen), bench)
        take(scanner, 1)
        now = monotonic_ns() + 100_000 * MS  # the times are made up: no silence may be found between them
        data = b"".join(
            pack(Typist(layout=layout).events(code, now + place * MS, 1000))
            for place, code in enumerate(codes[layout])
        )
        writers.append(Thread(target=bench.write, args=(data,)))

        def collect(scanner: HidKeyboardScanner, layout: str) -> None:
            scans = take(scanner, 1000)
            read[layout] = [(one.symbology or "") + one.text for one in scans if isinstance(one, RawScan)]
            scanner.close()

        readers.append(Thread(target=collect, args=(scanner, layout)))
    for thread in (*writers, *readers):
        thread.start()
    for thread in (*writers, *readers):
        thread.join(60)
    assert read == codes


# Any split; evdev hands on whole events ---------------------------------------------------------------


def frames_of(chunks: list[bytes]) -> list[Framed]:
    """Return what a session makes of bytes that arrive in these chunks."""
    bench = Keyboards()
    session = TypingSession([(bench.open(NODE), key_decoder(SETTINGS))])
    frames: list[Framed] = []
    for chunk in chunks:
        bench.write(chunk)
        with suppress(BlockingIOError):
            while True:
                frames += [one for one in session.receive(0) if isinstance(one, Frame | FrameDiscarded)]
    frames += session.idle(1 << 62)
    session.close()
    bench.pull()
    return frames


BASE = 1 << 50
"""Long after the session was opened."""
PARTS = st.one_of(
    st.builds(
        lambda text, caps: Typist(caps=caps).movements(text),
        st.text("aB1-\x1d", max_size=4),
        st.sampled_from(["ignores", "brackets"]),
    ),
    st.lists(st.tuples(st.sampled_from(sorted(typist.KEY_CODES)), st.booleans()), max_size=4),
)


@settings(max_examples=80, deadline=None)
@given(
    parts=st.lists(st.tuples(PARTS, st.sampled_from([0, 1, 19, 25])), max_size=5),
    losses=st.sets(st.integers(0, 60), max_size=2),
    cuts=st.lists(st.integers(0, 170), max_size=12),
)
def test_any_split_of_the_events_gives_the_same_codes(
    parts: list[tuple[list[tuple[int, bool]], int]], losses: set[int], cuts: list[int]
) -> None:
    told: list[Event] = []
    now = BASE
    for moves, pause in parts:
        told += typist.events(moves, now, MS)
        now += len(moves) * MS + pause * MS
    for at in sorted(losses, reverse=True):
        if at < len(told):
            told.insert(at, (0, typist.SYN_DROPPED, 0, told[at][3]))
    data = pack(told)
    places = sorted({cut * INPUT_EVENT.size for cut in cuts if 0 < cut * INPUT_EVENT.size < len(data)})
    chunks = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]
    whole = frames_of([data] if data else [])
    assert frames_of(chunks) == whole
    assert frames_of([data[at : at + INPUT_EVENT.size] for at in range(0, len(data), INPUT_EVENT.size)]) == whole
