"""The `[health]` section of the configuration.

It stands here because `monitoring`, its owner, reads the whole configuration and so lies above this package.
"""

from typing import Annotated

from msgspec import Meta, Struct


class HealthSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[health]`: what the box says of itself."""

    interval: Annotated[int, Meta(ge=5, le=3600)] = 60
    """Seconds between two health messages; a change is published at once."""
    prometheus_file: str | None = None
    """File that is written at each of them for node_exporter's textfile collector, such as
    /run/scangate/scangate.prom; its directory must be writable for the service."""
