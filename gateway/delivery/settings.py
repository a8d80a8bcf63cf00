"""The sections `[broker]`, `[outbox]` and `[health]` of the configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MIB = 1024 * 1024


class BrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[broker]`: the way to the central system. Without it the box stands alone."""

    urls: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)]
    """Brokers in order of preference: `mqtts://host[:8883]` (TLS), `mqtt://host[:1883]`, or
    `wss://host[:443][/path]` (TLS through a web proxy; the path is /mqtt when left out), `ws://host[:80][/path]`."""
    client_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,128}$(?!\n)")] | None = None
    """MQTT client identifier; made of tenant, site and gateway id when left out. Never shared by two boxes."""
    username: str | None = None
    """User name for the broker, with `password_file`."""
    password_file: str | None = None
    """File that holds the password on its first line; a bare name is looked up among systemd's credentials."""
    ca_file: str | None = None
    """Certificates to trust for mqtts; the system's when left out. Verification cannot be switched off."""
    cert_file: str | None = None
    """Client certificate for mqtts, with `key_file`."""
    key_file: str | None = None
    """The client certificate's private key, without a pass phrase."""
    keepalive: Annotated[int, Meta(ge=5, le=15)] = 15
    """Seconds. Longer would hide a dead connection for too long."""
    window: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Events under way without an acknowledgement, at most; the broker's Receive Maximum can lower it."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """auto: MQTT 5, and 3.1.1 with brokers that refuse it."""
    confirm: Literal["puback", "ack"] = "puback"
    """What counts as delivered: the broker's acknowledgement, or the central system's own on the topic `ack`."""
    no_subscribers: Literal["hold", "delivered"] = "hold"
    """What a broker's word that nobody subscribes means (MQTT 5, reason 0x10): not delivered, or good enough."""
    replay_per_second: Annotated[float, Meta(gt=0)] | None = None
    """Events a second, at most, while a backlog is sent; no limit when left out."""


class OutboxSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[outbox]`: how much room the scans may take."""

    max_bytes: Annotated[int, Meta(ge=MIB)] = 1024 * MIB
    """Size of the database, at most; some 700,000 scans."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 128 * MIB
    """Space left on the disk, at least."""
    keep_delivered_days: Annotated[int, Meta(ge=0, le=3650)] = 30
    """How long delivered scans stay as a journal, in days of a trusted clock."""


class HealthSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: what the box says of itself."""

    interval: Annotated[int, Meta(ge=5, le=3600)] = 60
    """Seconds between two health messages; a change is told at once."""
    prometheus_file: str | None = None
    """File that is written at each of them for node_exporter's textfile collector, such as
    /run/scangate/scangate.prom; its directory must be writable for the service."""
