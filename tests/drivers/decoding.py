"""A key decoder at rest, and what it says of events."""

from collections.abc import Iterable
from typing import Literal

from drivers.framing import Framed
from drivers.keymap import ENTER, TAB, KeyDecoder, KeyEvent
from drivers.layouts import layout
from drivers.model import DiscardReason, Frame
from tests.drivers.typist import Event

MS = 1_000_000
IDLE_NS = 100 * MS
GS1 = "]d20108717648200274\x1d10A-12"
Name = Literal["us", "gb", "se", "no", "dk", "fi", "de", "fr"]
LAYOUTS: list[Name] = ["us", "gb", "se", "no", "dk", "fi", "de", "fr"]
ENDING = {"CR": ENTER, "TAB": TAB, "none": ""}


def decoder(layout_name: str = "us", gs: Iterable[str] = ("ctrl-]",), terminator: str = "CR") -> KeyDecoder:
    made = KeyDecoder(layout(layout_name), gs, ENDING[terminator], IDLE_NS)
    made.opened(-IDLE_NS)
    made.idle(0)
    return made


def feed(under_test: KeyDecoder, told: list[Event]) -> list[Framed]:
    done: list[Framed] = []
    for event in told:
        done += under_test.feed(KeyEvent(*event))
        if under_test.state_lost:
            under_test.restate(())
    return done


Said = str | tuple[DiscardReason, int]


def said(frames: Iterable[Framed]) -> list[Said]:
    return [one.data.decode() if isinstance(one, Frame) else (one.reason, one.length) for one in frames]


def reasons(frames: Iterable[Framed]) -> list[DiscardReason]:
    return [one.reason for one in frames if not isinstance(one, Frame)]
