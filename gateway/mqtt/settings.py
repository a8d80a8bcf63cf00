"""The `[broker]` section of the configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


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
    confirm: Literal["auto", "puback", "ack"] = "auto"
    """What counts as delivered: the broker's acknowledgement, or the central system's own on the topic `ack`. auto:
    its own once an intake has announced itself, which the box remembers; until then the broker's."""
    proof: Literal["echo", "none"] = "echo"
    """MQTT 3.1.1 acknowledges what it drops: there an event counts as delivered when it has come back to this box.
    none: where the broker denies this box to read its own `scan` topic."""
    no_subscribers: Literal["hold", "delivered"] = "hold"
    """What a broker's word that nobody subscribes means (MQTT 5, reason 0x10): not delivered, or good enough."""
    replay_per_second: Annotated[float, Meta(gt=0)] | None = None
    """Events a second, at most, while a backlog is sent; no limit when left out."""


class CentralSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[central]`: how messages of the central system are known to be its own."""

    key_file: str | None = None
    """Ed25519 public key: article deltas, commands and acknowledgements must be signed by it. Without, whoever may
    publish on the broker commands this box."""
