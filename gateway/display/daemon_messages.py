"""The messages of the daemon's control socket, as far as the page shows them.

Only the fields named here are read. What a scan belongs to (`context`), and everything else, is dropped here:
anybody who passes sees the screen.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field


class Finding(Struct, frozen=True, kw_only=True):
    """One finding of the verdict."""

    code: str
    severity: str


class Verdict(Struct, frozen=True, kw_only=True):
    """The judgement."""

    findings: tuple[Finding, ...] = ()


class Udi(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the label says."""

    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    expiration_precision: str | None = None


class Article(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the article master says."""

    article_number: str | None = None
    trade_name: str | None = None


class Symbol(Struct, frozen=True, kw_only=True):
    """One symbol as read; shown only where it is no UDI, such as a shelf label."""

    text: str


class UsedDespite(Struct, frozen=True):
    """That the scan books what was refused; nothing of it is shown."""


class Data(Struct, frozen=True, kw_only=True):
    """One event."""

    action: str
    reason: str | None = None
    quantity: int = 1
    repeats: str | None = None
    corrects: str | None = None
    used_despite: UsedDespite | None = field(default=None, name="usedDespite")
    symbols: tuple[Symbol, ...] = ()
    udi: Udi | None = None
    article: Article | None = None
    verdict: Verdict = Verdict()


class Waiting(Struct, frozen=True, kw_only=True, rename="camel"):
    """A label whose next symbol is waited for."""

    scanner: str
    missing: tuple[str, ...] = ()
    suggested: str | None = None
    """What the symbol looks like that completes it: square or linear."""
    expires_at: str = ""
    """When it goes out as incomplete, RFC 3339; empty where the daemon does not say."""


class OfScanner(Struct, frozen=True, kw_only=True, rename="camel"):
    """What holds on one scanner for its next item."""

    scanner: str
    action: str
    reason: str | None = None
    quantity: int | None = None
    one_item: bool = False
    locked: bool = False
    destination: str | None = None
    count: str | None = None
    expires_at: str | None = None


class View(Struct, frozen=True, kw_only=True, rename="camel"):
    """The station: `gateway.station.view.StationView` without what nobody needs to see."""

    station: str
    language: str
    action: str
    default_action: str = ""
    """What an item means where nothing was chosen; empty where the daemon does not say."""
    reason: str | None = None
    action_expires_at: str | None = None
    quantity: int = 1
    context_kinds: tuple[str, ...] = ()
    case_since: str | None = None
    location: str | None = None
    context_restored: bool = False
    ended_kinds: tuple[str, ...] = ()
    """What of case and patient has ended and was not set anew."""
    asks: bool = False
    scanners: tuple[OfScanner, ...] = ()
    waiting: tuple[Waiting, ...] = ()


class LinkChange(Struct, frozen=True, kw_only=True):
    """A scanner came or went."""

    scanner: str
    link: str


class UnresolvedScan(Struct, frozen=True, kw_only=True, rename="camel"):
    """A scan of a case that somebody must sort out."""

    name: str
    lot_number: str | None = None
    serial_number: str | None = None
    why: tuple[str, ...] = ()


class UsedArticle(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was used of one article."""

    name: str
    quantity: int


class Case(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a case comes to: `gateway.scanning.case_summary.CaseSummary`."""

    used: int = 0
    wasted: int = 0
    returned: int = 0
    explanted: int = 0
    unresolved: int = 0
    unresolved_scans: tuple[UnresolvedScan, ...] = ()
    used_articles: tuple[UsedArticle, ...] = ()


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """One message of the stream `watch`."""

    scanner: str | None = None
    """None for a message that is not about a scan."""
    signal: str | None = None
    station: View | None = None
    data: Data | None = None
    control: str | None = None
    """Kind of a control code that was obeyed."""
    input: str | None = None
    """What it was in the station's state: an input of `gateway.station.workflow`."""
    keyed: str | None = None
    """Of keyed entry: `typed`, or why what was typed is not taken."""
    foreign: str | None = None
    """Why a control code was not."""
    context: str | None = None
    """Kind of a context code that was taken up."""
    context_refused: str | None = None
    discarded: str | None = None
    """Why a frame was thrown away unread."""
    link: LinkChange | None = None
    closed: Case | None = None
    """What a case comes to that was closed."""
    stored: int | None = None
    """Of a scan: the highest sequence number on disk, its own or one behind it."""
    training: bool = False
    """The signal is played so that people learn it: nothing was scanned."""


class Sequence(Struct, frozen=True, kw_only=True):
    """How far the scans have come: sequence numbers, each for every event up to it."""

    stored: int
    published: int = 0
    """Taken by the broker (PUBACK)."""
    delivered: int
    """Acknowledged by the central system where the box awaits that, else taken by the broker."""

    @property
    def behind(self) -> int:
        """Events that are not delivered."""
        return max(0, self.stored - self.delivered)

    @property
    def unsent(self) -> int:
        """Events that the broker has not taken."""
        return max(0, self.stored - max(self.published, self.delivered))


class Scanner(Struct, frozen=True, kw_only=True):
    """One configured scanner."""

    name: str
    link: str
    failure: str | None = None


class Broker(Struct, frozen=True, kw_only=True, rename="camel"):
    """That there is one."""

    acks_awaited: bool = False
    """What counts as delivered is the central system's own acknowledgement."""


class Disk(Struct, frozen=True, kw_only=True):
    """Capacity for scans."""

    room: str = "free"
    """free | filling | nearly-full | full."""


class Clock(Struct, frozen=True, kw_only=True):
    """The box's clock."""

    synchronised: bool = True


class Master(Struct, frozen=True, kw_only=True):
    """The article master in force."""

    version: str | None = None


class Status(Struct, frozen=True, kw_only=True):
    """How the box is."""

    sequence: Sequence
    broker: Broker | None
    scanners: tuple[Scanner, ...] = ()
    alarms: tuple[str, ...] = ()
    disk: Disk = Disk()
    clock: Clock = Clock()
    master: Master | None = None


Message = TypeVar("Message", Case, Event, View, Status)


def read(message: Any, kind: type[Message]) -> Message:  # noqa: ANN401 - whatever JSON the daemon sent
    """Read one message. Raises msgspec.ValidationError for one of another form."""
    return msgspec.convert(message, kind)
