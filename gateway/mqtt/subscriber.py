"""Listening to the broker as this box: for `tail`, and for `doctor`'s round trip."""

import time
from collections.abc import Iterator
from typing import Final, Self

from gateway.mqtt.connection import Connection, ConnectResult, Message
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.protocol_choice import SILENCES, ProtocolChoice
from gateway.mqtt.settings import BrokerSettings

POLL_SECONDS: Final = 0.5
SUBSCRIBE_SECONDS: Final = 10.0
"""A broker that asks a directory about permissions takes its time; longer is silence."""


class BrokerUnreachableError(Exception):
    """No broker of the list can be used: operation, brokers, cause, next step."""


class Subscriber:
    """One connection that subscribes. A context manager; raises BrokerUnreachableError."""

    def __init__(self, settings: BrokerSettings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._open: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection; inside the `with` only."""
        if self._open is None:
            raise RuntimeError("use a Subscriber in a with statement")
        return self._open

    def __enter__(self) -> Self:
        problems = []
        choice = ProtocolChoice(self._settings, self._client_id, DeliveryMemory(None))
        for url in self._settings.urls:
            attempt = choice.connect(url, None)
            for _ in range(SILENCES - 1):
                if attempt.result is ConnectResult.SILENT:
                    attempt.connection.abandon()
                    attempt = choice.connect(url, None)
            if attempt.result is ConnectResult.CONNECTED:
                self._open = attempt.connection
                return self
            attempt.connection.abandon()
            problems.append(f"{url}: {attempt.result.name.lower().replace('_', ' ')}: {attempt.why}")
        raise BrokerUnreachableError(
            f"cannot connect to the broker: {'; '.join(problems)}; check urls, certificates and credentials"
        )

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def subscribe(self, topic: str) -> None:
        """Ask for a topic and wait for the broker's answer."""
        self.connection.subscribe(topic)
        until = time.monotonic() + SUBSCRIBE_SECONDS
        while not self.connection.subscribed and self.connection.lost is None and time.monotonic() < until:
            self.connection.poll(None, POLL_SECONDS)
        refused = self.connection.refused_topics.get(topic)
        if refused or not self.connection.subscribed:
            why = refused or self.connection.lost or "no answer"
            raise BrokerUnreachableError(f"cannot subscribe to {topic}: {why}; check the broker's access list")

    def messages(self, seconds: float | None = None) -> Iterator[Message]:
        """Yield messages as they come; end after so many seconds, or never."""
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            while self.connection.messages:
                yield self.connection.messages.popleft()
            if self.connection.lost is not None:
                raise BrokerUnreachableError(f"the connection ended: {self.connection.lost}; try again")
            self.connection.poll(None, POLL_SECONDS)
