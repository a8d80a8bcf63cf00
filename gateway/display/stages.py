"""How far scans have come: stored on the box, sent to the broker, booked by the central system. Pure.

A scan is called sent only where every event up to it has its PUBACK, and booked only where the central system's own
acknowledgement covers it; where the box awaits none, sent is the end of what can be known.
"""

from gateway.display.daemon_messages import Status
from gateway.languages.form import Vocabulary


def stage_of(stored: int | None, status: Status | None) -> str:
    """Return how far one scan has come: `sent`, `booked` or, as nothing more is known of it, `stored`.

    `stored`: the highest sequence number on disk when its event was announced. The event's own is not above it.
    """
    if stored is None or status is None or status.broker is None:
        return "stored"
    if stored <= status.sequence.delivered:
        return "booked" if status.broker.acks_awaited else "sent"
    return "sent" if stored <= status.sequence.published else "stored"


def of_all(status: Status | None, words: Vocabulary) -> str:
    """Return how far all scans have come, for the foot of the page."""
    if status is None:
        return words.unknown_stage
    behind = status.sequence.behind
    if status.broker is None:
        return words.to_export.format(behind) if behind else words.all_stages["stored"]
    if status.sequence.unsent and (behind or not status.broker.acks_awaited):
        return words.to_send.format(status.sequence.unsent)
    if behind:
        return (words.to_book if status.broker.acks_awaited else words.to_send).format(behind)
    return words.all_stages["booked" if status.broker.acks_awaited else "sent"]
