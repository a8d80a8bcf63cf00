"""The `[station]` section of the configuration: what this station is, and what it lets pass."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.model import Severity

Action = Literal["consume", "receive", "return", "discard", "inventory"]


class StationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[station]`."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")] | None = None
    """What this station is called in events; the gateway's id when left out."""
    profile: Literal["operating-room", "supply-room", "clinic"] = "supply-room"
    """Kind of place. Carried by every event."""
    item_patterns: tuple[str, ...] = ()
    """Regular expressions: a text that one of them matches from end to end is an article scan even when the
    master does not know it (shelf labels, supplier item numbers)."""
    default_action: Action = "consume"
    """What a scan means here."""
    near_expiry_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    """Warn when a label expires within so many days; 0 does not warn."""
    severity: dict[str, Severity] = {}
    """Finding code -> how much it matters here, where that differs from the finding's own severity."""
