"""Lamps and a buzzer on GPIO lines: they speak for scanners that take no commands.

Through libgpiod, the kernel's own interface to such lines, so it serves any board. Its binding is imported when
`[gpio]` is configured, not before. Patterns are played in a thread of their own: nobody waits for them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import Annotated, Final, Protocol

from msgspec import Meta, Struct

from drivers.base import DriverError
from drivers.model import Signal
from drivers.signal_forms import FORMS, GAP_SECONDS, HOLD_SECONDS, LONG_SECONDS, SHORT_SECONDS, Lamp, SignalForm

Line = Annotated[int, Meta(ge=0, le=1023)]
"""Number of a line on its chip; no chip of a small board has more."""

MAX_WAITING: Final = 4
"""Signals that wait to be shown. Each is shown within some seconds; one that is older would be taken for the answer
to a later scan, so the oldest go."""
RETRY_SECONDS: Final = 5.0
"""Between two tries with a chip that is not there or whose lines another program holds."""
STOP_SECONDS: Final = 0.3
"""Longest wait for the lamps to go out."""


class GpioSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gpio]`: what is wired to which line; what is left out is not there."""

    chip: str = "/dev/gpiochip0"
    """The chip's device node. `gpioinfo` lists chips and lines; on a Raspberry Pi the line is the GPIO's number."""
    green: Line | None = None
    """Accepted; twice and out: the label has another symbol to scan."""
    amber: Line | None = None
    """Accepted, with something to look at."""
    red: Line | None = None
    """Refused; four times and out: not stored, scan again later."""
    buzzer: Line | None = None
    """A buzzer that sounds by itself while it has power."""
    active_low: bool = False
    """The lines are switched to ground, as most relay boards want it."""

    def __post_init__(self) -> None:
        """Raise ValueError where nothing is wired, or two things to one line."""
        lines = [line for line in (self.green, self.amber, self.red, self.buzzer) if line is not None]
        if not lines:
            raise ValueError("give the line of at least one of green, amber, red and buzzer")
        if len(set(lines)) < len(lines):
            raise ValueError("green, amber, red and buzzer are lines of their own; one is given twice")

    def lines(self) -> dict[Lamp, int]:
        """Return what is wired, and to which line."""
        return {lamp: line for lamp in Lamp if (line := getattr(self, lamp.value)) is not None}


LampStep = tuple[frozenset[Lamp], float]
"""What is on, and for how many seconds."""

OFF: Final[frozenset[Lamp]] = frozenset()
_BUZZER: Final = frozenset({Lamp.BUZZER})


def _steps(form: SignalForm) -> Iterator[LampStep]:
    """Yield the rhythm in light and sound, then the lamp alone; the last step has no tone."""
    for number, element in enumerate(form.rhythm, 1):
        yield form.lamps | _BUZZER, LONG_SECONDS if element == "-" else SHORT_SECONDS
        if number < len(form.rhythm):
            yield form.between, GAP_SECONDS
    yield form.hold, HOLD_SECONDS if form.hold else GAP_SECONDS


PATTERNS: Final[Mapping[Signal, tuple[LampStep, ...]]] = {one: tuple(_steps(form)) for one, form in FORMS.items()}
"""Each is another one to the eye alone and to the ear alone. The last step ends early when another signal waits."""


class Lines(Protocol):
    """Lines that have been taken hold of."""

    def switch(self, on: frozenset[Lamp]) -> None:
        """Switch these on and all others off. Raises OSError."""

    def close(self) -> None:
        """Release the lines."""


class GpioError(DriverError, OSError):
    """The lines cannot be used."""


class _GpiodLines:
    """Lines of a chip, held through libgpiod."""

    def __init__(self, settings: GpioSettings) -> None:
        """Take hold of the lines. Raises GpioError."""
        try:
            import gpiod
            from gpiod.line import Direction, Value
        except ImportError as error:
            raise GpioError(
                "use the lamps on",
                settings.chip,
                "the library gpiod is not installed",
                "install scangate with its extra `gpio`, or remove [gpio]",
                recoverable=False,
            ) from error
        self._lines = settings.lines()
        self._on, self._off = Value.ACTIVE, Value.INACTIVE
        wanted = gpiod.LineSettings(
            direction=Direction.OUTPUT, output_value=Value.INACTIVE, active_low=settings.active_low
        )
        try:
            self._request = gpiod.request_lines(
                settings.chip, consumer="scangate", config={tuple(self._lines.values()): wanted}
            )
        except (OSError, ValueError) as error:
            raise GpioError(
                "use the lamps on",
                settings.chip,
                getattr(error, "strerror", None) or str(error),
                "check chip and lines of [gpio] with `gpioinfo`, and that the user may open the chip (group gpio)",
                recoverable=True,
            ) from error

    def switch(self, on: frozenset[Lamp]) -> None:
        """Switch these on and all others off. Raises OSError."""
        self._request.set_values(
            {line: self._on if lamp in on else self._off for lamp, line in self._lines.items()}
        )

    def close(self) -> None:
        """Release the lines."""
        self._request.release()


class Indicator:
    """Shows signals on lamps and buzzer. `show` may be called from any thread and returns at once."""

    def __init__(self, settings: GpioSettings, open_lines: Callable[[GpioSettings], Lines] = _GpiodLines) -> None:
        self._settings = settings
        self._open_lines = open_lines
        self._news = Condition()
        self._waiting: deque[Signal] = deque(maxlen=MAX_WAITING)
        self._over = Event()
        self._thread = Thread(target=self._run, name="indicator", daemon=True)
        self.trouble: str | None = None
        """Why nothing is shown, for a person; None while all is well."""

    def start(self) -> None:
        """Begin showing."""
        self._thread.start()

    def show(self, signal: Signal) -> None:
        """Show a signal as soon as those before it are done."""
        with self._news:
            self._waiting.append(signal)
            self._news.notify()

    def close(self) -> None:
        """Switch everything off and release the lines."""
        with self._news:
            self._over.set()
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                lines = self._open_lines(self._settings)
            except GpioError as error:
                self.trouble = str(error)
                if not error.recoverable:
                    return
                self._pause(RETRY_SECONDS)
                continue
            self.trouble = None
            with self._news:
                self._waiting.clear()  # what nobody saw is no answer to the next scan
            try:
                self._play_on(lines)
            except OSError as error:
                self.trouble = f"the lamps on {self._settings.chip} do not answer: {error}; check its wiring"
                self._pause(RETRY_SECONDS)
            finally:
                with suppress(OSError):
                    lines.close()

    def _play_on(self, lines: Lines) -> None:
        """Show what comes until the end. Raises OSError."""
        while not self._over.is_set():
            lines.switch(OFF)
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._over.is_set())
                if self._over.is_set():
                    break
                signal = self._waiting.popleft()
            steps = PATTERNS[signal]
            for number, (on, seconds) in enumerate(steps, 1):
                lines.switch(on)
                self._pause(seconds, or_news=number == len(steps))
                if self._over.is_set():
                    break
        lines.switch(OFF)

    def _pause(self, seconds: float, *, or_news: bool = False) -> None:
        with self._news:
            self._news.wait_for(lambda: self._over.is_set() or (or_news and bool(self._waiting)), seconds)


__all__ = ["PATTERNS", "GpioError", "GpioSettings", "Indicator", "Lamp", "Line", "Lines"]
