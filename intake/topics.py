"""Which topic belongs to which box, as the intake sees them: filters over all boxes of a tenant. Pure."""

import re
from typing import Final

from msgspec import Struct

ROOT: Final = "udi/v1"
REPLY: Final = "cmd/outbox-replay/reply"
"""Behind a box's level: what it says of a replay that it was asked for."""
_BOX_TOPIC: Final = re.compile(r"udi/v1/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)/([a-z/-]+)")
_SOURCE: Final = re.compile(r"urn:scangate:([A-Za-z0-9_-]+):([A-Za-z0-9_-]+):([A-Za-z0-9_-]+)")


class TenantTopics(Struct, frozen=True, kw_only=True):
    """The topics of one tenant."""

    scans: str
    """Filter: the events of all boxes."""
    boxes: tuple[str, ...]
    """Filters: what boxes say of themselves, and their replies to commands."""
    announcement: str
    """Retained: an intake that acknowledges is there."""
    deltas: str
    state: str
    """Retained: the newest delta number of each source."""

    @classmethod
    def of(cls, tenant: str) -> "TenantTopics":
        """Make the topics of a tenant."""
        base = f"{ROOT}/{tenant}"
        return cls(
            scans=f"{base}/+/+/scan",
            boxes=tuple(f"{base}/+/+/{last}" for last in ("status", "health", "articles", REPLY)),
            announcement=f"{base}/intake",
            deltas=f"{base}/articles/delta",
            state=f"{base}/articles/state",
        )


def box_topic(topic: str) -> tuple[str, str] | None:
    """Return the CloudEvents source of the box that a topic belongs to, and what the topic is for.

    >>> box_topic("udi/v1/vgr/su/su-op3-gw01/scan")
    ('urn:scangate:vgr:su:su-op3-gw01', 'scan')
    >>> box_topic("udi/v1/vgr/articles/delta") is None
    True
    """
    match = _BOX_TOPIC.fullmatch(topic)
    if match is None:
        return None
    tenant, site, gateway, last = match.groups()
    return f"urn:scangate:{tenant}:{site}:{gateway}", last


def source_of(topic: str) -> str | None:
    """Return the CloudEvents source that may publish on a scan topic; None for any other topic."""
    found = box_topic(topic)
    return found[0] if found is not None and found[1] == "scan" else None


def topic_of(source: str, last: str) -> str:
    """Return a topic of the box that a source names. Raises ValueError for a source that is none of a box.

    >>> topic_of("urn:scangate:vgr:su:su-op3-gw01", "ack")
    'udi/v1/vgr/su/su-op3-gw01/ack'
    """
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ValueError(f"no source of a box: {source!r}")
    return f"{ROOT}/{'/'.join(match.groups())}/{last}"
