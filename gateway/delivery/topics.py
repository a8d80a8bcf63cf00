"""The MQTT topics of one box. Pure."""

from msgspec import Struct

ROOT = "udi/v1"


class Topics(Struct, frozen=True, kw_only=True):
    """Every level is made of `[A-Za-z0-9_-]` only (checked with the configuration)."""

    scan: str
    """Scan and clock events, one sequence. Not retained."""
    status: str
    """Retained: online | offline; the last will."""
    health: str
    """Retained: what the box says of itself."""
    doctor: str
    """`scangate doctor` sends a message here and waits for it to come back."""
    everything: str
    """A filter for all of them."""

    @classmethod
    def of(cls, tenant: str, site: str, gateway: str) -> "Topics":
        """Make the topics of a box."""
        base = f"{ROOT}/{tenant}/{site}/{gateway}"
        return cls(
            scan=f"{base}/scan",
            status=f"{base}/status",
            health=f"{base}/health",
            doctor=f"{base}/doctor",
            everything=f"{base}/#",
        )
