"""What the large panel can show. Each state has a colour, a shape and a word of its own. Pure."""

from enum import StrEnum


class State(StrEnum):
    """A state of the large panel."""

    ACCEPTED = "accepted"
    WARNING = "warning"
    DEVIATING = "deviating"
    """Accepted under an action that takes the article out of use."""
    QUESTION = "question"
    """A code was obeyed, and the station asks something back."""
    REFUSED = "refused"
    INVALID = "invalid"
    """A code that is not taken up, and of which nothing was stored."""
    MORE = "more"
    TROUBLE = "trouble"
    CHOSEN = "chosen"
    """A control or context code was obeyed."""
    UNDONE = "undone"
    IDENTIFIED = "identified"
    CLOSED = "closed"
    """A case was closed: what it comes to."""
    READY = "ready"
    ATTENTION = "attention"
    """Nothing is shown of a scan, and a scanner cannot be read."""
    LIMITED = "limited"
    """Scans are stored, but something that the station judges by is missing."""
    UNABLE = "unable"
    """Scans cannot be stored."""
    LOST = "lost"
    """What is shown would be old: the daemon, or whoever serves the page, does not answer."""
