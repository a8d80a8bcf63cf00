"""What kind of place a station stands in decides how it takes repeats and labels of several symbols. Pure.

| profile | same label again: a repeat within | of a lot, without serial number | GTIN alone in a linear symbol |
|---|---|---|---|
| operating-room | 120 s | a repeat: the nurse doubted the first signal | waits for the rest of the label |
| clinic | 60 s | a repeat | waits only where the master demands more |
| supply-room | 60 s | one more piece: counting is scanning | waits only where the master demands more |

| profile | receiving, counting last | case, patient, place last | because |
|---|---|---|---|
| operating-room | 5 min | 90 min without a scan | an operation has long pauses, a change has longer ones |
| clinic | 10 min | 10 min without a scan | patients follow each other |
| supply-room | 15 min | 4 h without a scan | a carton is unpacked; a place stays |

A serial number is one piece of the world, so that scanning it again is a repeat everywhere. A lot is not: for
another patient or case it is another piece.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

ProfileName = Literal["operating-room", "supply-room", "clinic"]


class StationProfile(Struct, frozen=True, kw_only=True):
    """One row of the table above."""

    repeat_seconds: int
    lot_repeats: bool
    """The same lot label again is a repeat; otherwise it is one more piece."""
    lasting_seconds: int
    """How long an action over many items lasts without a scan."""
    context_seconds: int
    """How long case, patient and place last without a scan."""
    receives: bool
    """Deliveries are unpacked here: the label of one (SSCC) begins to receive."""
    linear_waits: bool
    """A GS1 symbol that is linear and holds nothing but a GTIN has a second symbol beside it."""


PROFILES: Final[Mapping[ProfileName, StationProfile]] = {
    "operating-room": StationProfile(
        repeat_seconds=120,
        lot_repeats=True,
        lasting_seconds=300,
        context_seconds=5400,
        receives=False,
        linear_waits=True,
    ),
    "supply-room": StationProfile(
        repeat_seconds=60,
        lot_repeats=False,
        lasting_seconds=900,
        context_seconds=14_400,
        receives=True,
        linear_waits=False,
    ),
    "clinic": StationProfile(
        repeat_seconds=60,
        lot_repeats=True,
        lasting_seconds=600,
        context_seconds=600,
        receives=False,
        linear_waits=False,
    ),
}
