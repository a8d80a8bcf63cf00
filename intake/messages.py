"""Reads what a box says of itself: its status, health and article master. Pure."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""A health message is 2 to 3 KB."""
MAX_STATUS: Final = 64
"""Characters of `online` or `offline`, with room for a word of a later version."""

Kind = Literal["status", "health", "articles"]
KINDS: Final = frozenset({"status", "health", "articles"})


class EpochBegin(Struct, frozen=True, kw_only=True):
    """The first number of an epoch, as the box says it."""

    source: str
    epoch: str
    begins: int


class BoxMessage(Struct, frozen=True, kw_only=True):
    """What a box says of itself: one message."""

    source: str
    kind: Kind
    received: datetime
    text: str
    version: str | None = None
    alarms: int | None = None
    waiting: int | None = None
    begins: tuple[EpochBegin, ...] = ()

    def columns(self) -> dict[str, Any]:
        """Return the columns of the table `box` that it changes."""
        if self.kind == "status":
            return {"status": self.text, "status_received": self.received}
        if self.kind == "articles":
            return {"articles": self.text, "articles_received": self.received}
        return {
            "health": self.text,
            "health_received": self.received,
            "version": self.version,
            "alarms": self.alarms,
            "waiting": self.waiting,
        }


class _Sequence(Struct, frozen=True, rename="camel"):
    epoch: str
    epoch_begins: int
    waiting: int = 0


class _Health(Struct, frozen=True):
    sequence: _Sequence
    version: str | None = None
    alarms: tuple[Any, ...] = ()


_health: Final = msgspec.json.Decoder(_Health)
_any: Final = msgspec.json.Decoder()


def read_box_message(source: str, kind: Kind, body: bytes, received: datetime) -> BoxMessage | None:
    """Read one message; None for one that cannot be used: it is not worth keeping, the next one comes soon."""
    if len(body) > MAX_MESSAGE_BYTES:
        return None
    try:
        text = body.decode().replace("\0", "\ufffd")
        if kind == "status":
            return BoxMessage(source=source, kind=kind, received=received, text=text[:MAX_STATUS])
        if kind == "articles":
            _any.decode(body)
            return BoxMessage(source=source, kind=kind, received=received, text=text)
        health = _health.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    begins = health.sequence.epoch_begins
    known = 1 <= begins < 2**53 and 0 < len(health.sequence.epoch) <= MAX_STATUS
    return BoxMessage(
        source=source,
        kind=kind,
        received=received,
        text=text,
        version=health.version[:MAX_STATUS] if health.version else None,
        alarms=len(health.alarms),
        waiting=min(max(health.sequence.waiting, 0), 2**53),
        begins=(EpochBegin(source=source, epoch=health.sequence.epoch, begins=begins),) if known else (),
    )
