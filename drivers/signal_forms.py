"""The signals to the operator as one table: what each sounds like and looks like, wherever it is given. Values.

Signals differ by their rhythm, which is heard in noise, felt through a glove and seen as blinking light;
pitch and colour only add to it. An element is short or long, a long one three times the short, with a gap of one
short between (ITU-R M.1677-1, 2: a dash is three dots). Lamps and buzzer (`drivers.indicator`) and the station's
screen play these rhythms; a scanner plays what its own protocol can (`drivers.dialects`), where the number of beeps
or their pitches keep the signals apart. Worked example, REFUSED `--`:

    red, tone   240 ms on   80 ms off   240 ms on   then red alone for half a second
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from drivers.model import Signal

SHORT_SECONDS: Final = 0.08
LONG_SECONDS: Final = 3 * SHORT_SECONDS
GAP_SECONDS: Final = SHORT_SECONDS
HOLD_SECONDS: Final = 0.5
"""How long a lamp stays on behind the rhythm of a signal that is an answer, not a demand."""


class Lamp(StrEnum):
    """What may be wired to a line."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    BUZZER = "buzzer"


class SignalForm(Struct, frozen=True, kw_only=True):
    """How one signal is given."""

    rhythm: str
    """`.` short, `-` long. No two signals have the same."""
    high: bool
    """Pitch where it can be chosen: high for what may go on, low for what is to stop."""
    lamps: frozenset[Lamp]
    """On with each tone."""
    between: frozenset[Lamp] = frozenset()
    """On in the gaps."""
    hold: frozenset[Lamp] = frozenset()
    """On behind the rhythm, unless another signal waits."""


_GREEN: Final = frozenset({Lamp.GREEN})
_AMBER: Final = frozenset({Lamp.AMBER})
_RED: Final = frozenset({Lamp.RED})
_NOTED: Final = _GREEN | _AMBER

FORMS: Final[Mapping[Signal, SignalForm]] = {
    # The five answers to a scan.
    Signal.ACCEPTED: SignalForm(rhythm=".", high=True, lamps=_GREEN, hold=_GREEN),
    Signal.MORE: SignalForm(rhythm="..", high=True, lamps=_GREEN),
    Signal.WARNING: SignalForm(rhythm="...", high=True, lamps=_AMBER, hold=_AMBER),
    Signal.REFUSED: SignalForm(rhythm="--", high=False, lamps=_RED, hold=_RED),
    Signal.TROUBLE: SignalForm(rhythm="----", high=False, lamps=_RED),
    # Beside them, what a control code leads to: an article that is put aside, and a question on the screen.
    Signal.DEVIATING: SignalForm(rhythm="-.", high=True, lamps=_NOTED, hold=_NOTED),
    Signal.QUESTION: SignalForm(rhythm=".-.", high=True, lamps=_AMBER, between=_GREEN, hold=_AMBER),
}
"""Signal -> its form, in the order in which people learn them."""


def drawn(rhythm: str) -> str:
    """Return a rhythm for people to read: `- .` becomes `▬ ●`."""
    return " ".join("▬" if one == "-" else "●" for one in rhythm)
