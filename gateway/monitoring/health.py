"""What the box says of itself, retained on its health topic: the Struct is the contract. Pure."""

import msgspec
from msgspec import Struct

from gateway.scanning.label_quality import QualityRow

_encoder = msgspec.json.Encoder()


class SequenceHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far the scans have come."""

    epoch: str
    epoch_begins: int
    """First sequence number of this epoch: with it a consumer sees what is missing from the start."""
    stored: int
    published: int
    """Every event up to this one was taken by the broker, as far as this life of the daemon knows."""
    delivered: int
    """Every event up to this one is delivered or a dead letter."""
    waiting: int
    oldest_waiting_seconds: int | None
    dead_letters: int


class DiskHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """Room for scans."""

    room: str
    """free | filling (70 %) | nearly-full (90 %) | full."""
    used_bytes: int
    free_bytes: int
    written_bytes: int | None = None
    """What the daemon has had written since its start: an SD card wears by it; null where it is not known."""
    written_bytes_per_scan: int | None = None
    """The same, for each scan stored since the start."""


class BrokerHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """The way to the central system."""

    url: str | None
    protocol: str | None
    problem: str | None
    authorisation: str
    """proven (events are known to pass: by MQTT 5's acknowledgement, by their echo under 3.1.1, or by the central
    system's own) | unproven."""
    acknowledged: int
    refused: int
    inbound_problem: str | None
    """Why commands and article deltas do not come in."""
    certificate_ends: str | None
    """When the broker's certificate ends, RFC 3339; null without TLS."""
    client_certificate_ends: str | None
    """When the box's own certificate ends."""
    acks_awaited: bool = False
    """What counts as delivered is the central system's own acknowledgement."""
    reconnects: int = 0
    """Connections that broke in the last ten minutes."""
    replays: int = 0
    """Ranges of events that are being sent again."""


class ScannerHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """One configured scanner."""

    name: str
    link: str
    detail: str | None
    """What to do about `link`, while the scanner is not connected."""
    failure: str | None
    queue_full: int
    """Scans that were not taken because the queue was full."""
    calibrated: bool | None = None
    """A calibration scan has proved what it types; null for a scanner that does not type."""
    replaced: str | None = None
    """The hardware that answered under this name before, when another one has come since the daemon's start."""
    settings: str | None = None
    """What is wrong with its own settings: they have changed, are not those of its profile, or cannot be read."""


class MasterHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """The article master in force."""

    version: str | None
    age_days: int | None
    rows: int
    problem: str | None
    affected_scans: int | None
    """Past scans that the recalls of deltas touch (`scangate articles affected`); null: there is none."""


class ClockHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether the clock can be believed."""

    synchronised: bool
    boot_id: str


class BoardHealth(Struct, frozen=True, kw_only=True, rename="camel"):
    """The board, as far as it tells."""

    temperature_celsius: float | None
    under_voltage: bool | None
    """The power supply is too weak now; null on boards that do not tell."""
    under_voltage_since_boot: bool | None
    throttled: bool | None
    """Slowed by heat or for want of power now."""


class Health(Struct, frozen=True, kw_only=True, rename="camel"):
    """One retained health message."""

    gateway: str
    machine: str | None = None
    """A hash that tells this machine from another one under the same identity; null where it is not known."""
    version: str
    time: str
    uptime_seconds: int
    ok: bool
    """No alarm."""
    alarms: tuple[str, ...]
    """What a person should look at, most urgent first."""
    sequence: SequenceHealth
    disk: DiskHealth
    broker: BrokerHealth | None
    """Null on a box that stands alone."""
    scanners: tuple[ScannerHealth, ...]
    master: MasterHealth
    clock: ClockHealth
    board: BoardHealth | None
    """Null on a machine that tells nothing of itself."""
    counters: dict[str, int]
    """Scans since the start: accepted, refused, trouble, withheld by kind, discarded by reason."""
    quality: dict[str, QualityRow] = {}
    """Scanner -> how well it has read labels since the start."""

    def encode(self) -> bytes:
        """Return it as JSON."""
        return _encoder.encode(self)


def essence(health: Health) -> Health:
    """Return what of a health message is worth telling at once when it changes: not the clockwork."""
    return msgspec.structs.replace(
        health,
        time="",
        uptime_seconds=0,
        counters={},
        quality={},
        sequence=msgspec.structs.replace(
            health.sequence, stored=0, published=0, delivered=0, waiting=0, oldest_waiting_seconds=None
        ),
        disk=msgspec.structs.replace(
            health.disk, used_bytes=0, free_bytes=0, written_bytes=None, written_bytes_per_scan=None
        ),
        broker=None if health.broker is None else msgspec.structs.replace(health.broker, acknowledged=0, refused=0),
        board=None if health.board is None else msgspec.structs.replace(health.board, temperature_celsius=None),
    )
