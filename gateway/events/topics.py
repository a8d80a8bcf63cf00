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
    articles: str
    """Retained: the article master's sources, versions, rows and age."""
    commands: str
    """A filter for the commands to this box: `cmd/{name}`."""
    ack: str
    """The central system's own acknowledgements."""
    intake: str
    """Retained: an intake that acknowledges is there."""
    deltas: str
    """Article deltas for all boxes of the tenant."""
    delta_state: str
    """Retained: the number of each source's newest delta, so that a box that was away sees what it missed."""
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
            articles=f"{base}/articles",
            commands=f"{base}/cmd/+",
            ack=f"{base}/ack",
            intake=f"{ROOT}/{tenant}/intake",
            deltas=f"{ROOT}/{tenant}/articles/delta",
            delta_state=f"{ROOT}/{tenant}/articles/state",
            doctor=f"{base}/doctor",
            everything=f"{base}/#",
        )

    def command_of(self, topic: str) -> str:
        """Return the name in a command's topic."""
        return topic.removeprefix(self.commands[:-1])

    def reply_to(self, command: str) -> str:
        """Return where the reply to a command goes."""
        return f"{self.commands[:-1]}{command}/reply"
