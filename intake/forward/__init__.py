"""Hands events on to the systems a hospital has: one file per transport, each exactly as far as confirmed.

Every receiver has a cursor for each stream. It follows the stream's frontier, event by event: sent, confirmed,
moved. What a receiver refuses for what is in it becomes a dead letter and the next one follows; a receiver that
is away, or refuses everything, holds the line. After a break the last event may come twice, recognisable by its id.
"""

from typing import Protocol


class ReceiverAwayError(Exception):
    """The receiver takes nothing now: operation, address, cause. The event is sent again."""


class RefusedByReceiverError(Exception):
    """The receiver will never take this event: its words."""


class Receiver(Protocol):
    """Where events go."""

    def send(self, payload: bytes, name: str) -> None:
        """Send one event, and return when it is confirmed. `name`: its place, for transports that name things.

        Raises ReceiverAwayError, RefusedByReceiverError.
        """

    def close(self) -> None:
        """End the connection."""
