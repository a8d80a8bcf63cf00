"""The table of signals in docs/operations.md: `python -m tests.docs.signals` writes it anew."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from drivers.dialects import datalogic, honeywell
from drivers.model import Signal
from drivers.signal_forms import FORMS, drawn
from gateway.languages import vocabulary

PAGE: Final = Path(__file__).parents[2] / "docs/operations.md"
BEGIN: Final = "<!-- signals: made by tests/docs/signals.py -->\n"
END: Final = "<!-- end of signals -->\n"
ZEBRA: Final[Mapping[Signal, str]] = {
    Signal.ACCEPTED: "1 short high",
    Signal.MORE: "low-high",
    Signal.WARNING: "3 short high",
    Signal.REFUSED: "2 long low",
    Signal.TROUBLE: "4 long low",
    Signal.DEVIATING: "high-low",
    Signal.QUESTION: "warble",
}
"""What the beeper codes of `drivers.dialects.zebra_ssi` sound like, by Zebra's SSI Programmer Guide."""


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| signal | screen | rhythm | lamps | Zebra | Honeywell, Datalogic: beeps |"
    yield "|---|---|---|---|---|---|"
    words = vocabulary("en")
    for signal, form in FORMS.items():
        lamps = " + ".join(sorted(form.lamps)) + (", stays on" if form.hold else ", goes out")
        beeps = f"{len(honeywell.BEEPS[signal]) // len(honeywell.BEEP)}, {_datalogic(signal)}"
        yield f"| {signal} | {words.headlines[signal]} | {drawn(form.rhythm)} | {lamps} | {ZEBRA[signal]} | {beeps} |"


def _datalogic(signal: Signal) -> str:
    sent = datalogic.TONES[signal]
    good = sent.count(datalogic.GOOD_READ)
    return str(good) if good else f"{sent.count(datalogic.NOT_ON_FILE)} x not on file"


def page(text: str) -> str:
    """Return the page with the table as it is to be."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + "".join(f"{line}\n" for line in table()) + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
