"""What kind of place a station stands in decides how it takes repeats and labels of several symbols. Pure.

| profile | same label again: a repeat within | of a lot, without serial number | GTIN alone in a linear symbol |
|---|---|---|---|
| operating-room | 120 s | a repeat: the nurse doubted the first signal | waits for the rest of the label |
| clinic | 60 s | a repeat | waits only where the master demands more |
| supply-room | 60 s | one more piece: counting is scanning | waits only where the master demands more |

A serial number is one piece of the world, so that scanning it again is a repeat everywhere. A lot is not: for
another patient or case it is another piece.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

ProfileName = Literal["operating-room", "supply-room", "clinic"]


class Profile(Struct, frozen=True, kw_only=True):
    """One row of the table above."""

    repeat_seconds: int
    lot_repeats: bool
    """The same lot label again is a repeat; otherwise it is one more piece."""
    linear_waits: bool
    """A GS1 symbol that is linear and holds nothing but a GTIN has a second symbol beside it."""


PROFILES: Final[Mapping[ProfileName, Profile]] = {
    "operating-room": Profile(repeat_seconds=120, lot_repeats=True, linear_waits=True),
    "supply-room": Profile(repeat_seconds=60, lot_repeats=False, linear_waits=False),
    "clinic": Profile(repeat_seconds=60, lot_repeats=True, linear_waits=False),
}
