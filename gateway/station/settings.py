"""The `[station]` section of the configuration: what this station is, and what it lets pass."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.languages import LANGUAGES
from gateway.model import Severity

Action = Literal["consume", "receive", "return", "discard", "inventory", "order", "transfer", "explant"]
CountMode = Literal["replace", "add"]
EntryReason = Literal["damaged", "no-code", "not-read", "no-label"]
"""Why an item was not scanned: its code is damaged, it has only print, the scanner does not read it, there is no
label."""
LASTING: Final = frozenset({"receive", "inventory", "order", "transfer"})
"""Actions over many items: they last while goods are unpacked and shelves are counted."""


class StationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[station]`."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")] | None = None
    """What this station is called in events; the gateway's id when left out."""
    profile: Literal["operating-room", "supply-room", "clinic"] = "supply-room"
    """Kind of place. Stands in every event."""
    item_patterns: tuple[str, ...] = ()
    """Regular expressions: a text that one of them matches from end to end is an article scan even when the
    master does not know it (shelf labels, supplier item numbers)."""
    default_action: Action = "consume"
    """What a scan means here."""
    action_seconds: Annotated[int, Meta(ge=5, le=86_400)] = 60
    """An action for one item (discard, return, explant), and a quantity, end when nothing has been scanned for so
    long."""
    lasting_seconds: Annotated[int, Meta(ge=5, le=86_400)] | None = None
    """An action over many items (receive, inventory, order, transfer), or one kept by the code `lock`, ends when
    nothing has been scanned under it for so long; left out, as the profile has it (operating-room 300, clinic 600,
    supply-room 900)."""
    moment: Literal["before", "after"] | None = None
    """Operating room: whether articles are scanned before they are used, or afterwards. `before`: what is expired,
    blocked or recalled is refused with the strongest signal, so that it stops the hand. `after`: it is in the
    patient, and is recorded with a warning. Left out, for a place that does both: what is recalled or blocked is
    refused, and booked by the code `used despite`; what is expired is recorded with a warning."""
    pairing_seconds: Annotated[int, Meta(ge=1, le=60)] = 5
    """A label of several symbols: how long each next one is waited for. Then the label goes out as incomplete."""
    keyed_seconds: Annotated[int, Meta(ge=10, le=600)] = 60
    """Keyed entry of a label that cannot be read: how long each next character, or the second typing of a lot or
    serial number, is waited for. Then the label goes out as it stands, with a warning."""
    repeat_seconds: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    """The same label again within so long is marked as a repeat of the first; left out, as the profile has it
    (operating-room 120, supply-room and clinic 60); 0 marks none."""
    undo_seconds: Annotated[int, Meta(ge=5, le=86_400)] = 120
    """How long after the last scan or undo the code `undo` takes a scan back."""
    language: Annotated[str, Meta(extra_json_schema={"enum": LANGUAGES})] = "sv"
    """What the station's screen and printed sheets speak."""
    code_key_file: str | None = None
    """The site's key of the control codes, the same on all its boxes (`scangate station key control`); a bare name
    means a credential. Without it no control code is obeyed."""
    near_expiry_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    """Warn when a label expires within so many days; 0 does not warn."""
    severity: dict[str, Severity] = {}
    """Finding code -> how much it matters here, where that differs from the finding's own severity."""

    def __post_init__(self) -> None:
        """Refuse a language that is not there. Raises ValueError, which msgspec turns into a ValidationError."""
        if self.language not in LANGUAGES:
            raise ValueError(f"`language` must be one of {', '.join(LANGUAGES)}")
