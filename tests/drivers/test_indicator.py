"""Lamps and buzzer: what is shown, that nobody waits for it, and what is said when it cannot be shown."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from threading import Condition, Event
from time import monotonic

import msgspec
import pytest

from drivers.indicator import MAX_WAITING, OFF, PATTERNS, GpioError, GpioSettings, Indicator, Lamp
from drivers.model import Signal

PATIENCE_S = 10.0
EYE = frozenset({Lamp.GREEN, Lamp.AMBER, Lamp.RED})
EAR = frozenset({Lamp.BUZZER})
WIRED = GpioSettings(green=17, amber=27, red=22, buzzer=23)


class Panel:
    """Lines that write down what is switched on; they may hang or break."""

    def __init__(self) -> None:
        self.seen: list[frozenset[Lamp]] = []
        self.news = Condition()
        self.free = Event()
        self.free.set()
        self.broken = False
        self.closed = 0

    def switch(self, on: frozenset[Lamp]) -> None:
        self.free.wait(PATIENCE_S)
        if self.broken:
            raise OSError(5, "Input/output error")
        with self.news:
            self.seen.append(on)
            self.news.notify_all()

    def close(self) -> None:
        self.closed += 1

    def wait_for(self, *shown: frozenset[Lamp]) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.seen[-len(shown) :] == list(shown), PATIENCE_S), self.seen


@contextmanager
def indicator(panel: Panel) -> Iterator[Indicator]:
    made = Indicator(WIRED, lambda _settings: panel)
    made.start()
    try:
        yield made
    finally:
        panel.free.set()
        made.close()


def said(lamps: Indicator) -> str:
    """Wait for its trouble."""
    until = monotonic() + PATIENCE_S
    while lamps.trouble is None:
        assert monotonic() < until
        lamps._thread.join(0.01)
    return lamps.trouble


def rhythm(signal: Signal, sense: frozenset[Lamp]) -> list[tuple[frozenset[Lamp], float]]:
    """What somebody notices who has one sense only: spans of equal light or sound."""
    spans = [(on & sense, seconds) for on, seconds in PATTERNS[signal]]
    joined = [(on, round(sum(one[1] for one in some), 3)) for on, some in groupby(spans, key=lambda span: span[0])]
    while joined and not joined[-1][0]:
        joined.pop()
    return joined


@pytest.mark.parametrize("sense", [EYE, EAR], ids=["eye", "ear"])
def test_each_signal_is_another_pattern_to_each_sense(sense: frozenset[Lamp]) -> None:
    patterns = [rhythm(one, sense) for one in Signal]
    assert all(patterns)
    assert all(patterns.count(one) == 1 for one in patterns)


def test_no_pattern_keeps_the_next_waiting_long() -> None:
    for steps in PATTERNS.values():
        assert sum(seconds for _, seconds in steps) < 1.5
        assert not steps[-1][0] & EAR, "the last step may be cut short, a tone not"


def test_a_signal_is_shown_and_goes_out() -> None:
    panel = Panel()
    with indicator(panel) as lamps:
        panel.wait_for(OFF)
        for signal in Signal:
            lamps.show(signal)
            panel.wait_for(*(on for on, _ in PATTERNS[signal]), OFF)
        assert lamps.trouble is None
    assert panel.seen[-1] == OFF
    assert panel.closed == 1


def test_two_signals_follow_each_other() -> None:
    panel = Panel()
    with indicator(panel) as lamps:
        panel.wait_for(OFF)
        panel.free.clear()
        lamps.show(Signal.REFUSED)
        lamps.show(Signal.ACCEPTED)
        panel.free.set()
        steps = [
            on
            for signal in (Signal.REFUSED, Signal.ACCEPTED)
            for on in [*(one for one, _ in PATTERNS[signal]), OFF]
        ]
        panel.wait_for(*steps)


def test_nobody_waits_for_lamps_that_hang() -> None:
    """A thousand signals go in while nothing is shown; the newest few are shown then."""
    panel = Panel()
    with indicator(panel) as lamps:
        panel.wait_for(OFF)
        panel.free.clear()
        for _ in range(1000):
            lamps.show(Signal.ACCEPTED)
        lamps.show(Signal.TROUBLE)
        assert panel.seen == [OFF], "nothing was shown meanwhile"
        assert len(lamps._waiting) <= MAX_WAITING
        panel.free.set()
        panel.wait_for(*(on for on, _ in PATTERNS[Signal.TROUBLE]), OFF)


def test_a_stop_ends_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATTERNS, Signal.TROUBLE, ((frozenset({Lamp.RED}), 3600.0),))
    panel = Panel()
    with indicator(panel) as lamps:
        panel.wait_for(OFF)
        lamps.show(Signal.TROUBLE)
        panel.wait_for(PATTERNS[Signal.TROUBLE][0][0])
        lamps.close()
        assert panel.seen[-1] == OFF
        lamps.show(Signal.ACCEPTED)
        lamps.close()


def test_lamps_that_break_are_an_alarm() -> None:
    panel = Panel()
    with indicator(panel) as lamps:
        panel.wait_for(OFF)
        panel.broken = True
        lamps.show(Signal.ACCEPTED)
        assert "/dev/gpiochip0 do not answer" in said(lamps)


@pytest.mark.parametrize("chip", ["nowhere", "/dev/null"])
def test_a_chip_that_is_not_there_is_an_alarm(chip: str, tmp_path: Path) -> None:
    lamps = Indicator(GpioSettings(chip=str(tmp_path / chip), green=17))
    lamps.start()
    lamps.show(Signal.ACCEPTED)
    assert "gpioinfo" in said(lamps)
    lamps.close()


def test_a_missing_library_is_an_alarm() -> None:
    code = (
        "import sys; sys.modules['gpiod'] = None\n"
        "from drivers.indicator import GpioSettings, Indicator\n"
        "lamps = Indicator(GpioSettings(green=17)); lamps.start(); lamps._thread.join(); print(lamps.trouble)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "install scangate with its extra `gpio`" in done.stdout


def test_the_library_is_imported_only_when_it_is_needed() -> None:
    code = "import sys, drivers.indicator; print('gpiod' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "give the line of at least one"),
        ({"green": 17, "red": 17}, "one is given twice"),
        ({"green": -1}, ">= 0"),
        ({"green": 17, "blue": 4}, "unknown field"),
    ],
)
def test_sections_that_cannot_be_meant(section: dict[str, object], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(section, GpioSettings)


def test_what_is_wired_where() -> None:
    settings = msgspec.convert({"green": 17, "buzzer": 4, "active_low": True}, GpioSettings)
    assert settings.lines() == {Lamp.GREEN: 17, Lamp.BUZZER: 4}
    assert isinstance(GpioError("use", "it", "broken", "mend it", recoverable=True), OSError)
