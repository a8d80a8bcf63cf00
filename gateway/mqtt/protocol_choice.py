"""Which version of MQTT is spoken with a broker: 5, and 3.1.1 only with one that is known to speak nothing newer.

A PUBACK of MQTT 3.1.1 says success to everything, so a wrong guess costs the truth of every delivery. MQTT 5 comes
first at every connection. 3.1.1 is tried when the broker says that it does not know 5 (CONNACK 0x84, or return code
1 of 3.1.1), or after SILENCES hang-ups or silences in a row; never with a broker that has once spoken 5.

Example: a broker is frozen for 7 seconds while the box connects. The first CONNECT meets silence, the second one is
answered: MQTT 5, as before. amqtt, which knows only 3.1.1, is silent to each CONNECT of MQTT 5: after the second
one 3.1.1 is spoken, and at the next connection 5 is tried once more.
"""

import logging
from collections import Counter
from typing import Final, NamedTuple

from gateway.mqtt.connection import Connection, ConnectResult, Will
from gateway.mqtt.delivery_memory import DeliveryMemory
from gateway.mqtt.settings import BrokerSettings

log = logging.getLogger(__name__)

SILENCES: Final = 2
"""Hang-ups or silences in a row that make a broker one that may not know MQTT 5."""
RETRY_5_SECONDS: Final = 3600.0
"""A connection of MQTT 3.1.1 ends after this, when it is at rest, so that 5 is tried again."""


class Attempt(NamedTuple):
    """An attempt to connect. The connection is the caller's to close, whatever came of it."""

    connection: Connection
    result: ConnectResult
    why: str
    downgraded: str | None = None
    """Why it speaks 3.1.1, where the broker did not say so itself."""


class ProtocolChoice:
    """Connects. Used by one thread; it outlives connections."""

    def __init__(self, settings: BrokerSettings, client_id: str, memory: DeliveryMemory) -> None:
        self._settings = settings
        self._client_id = client_id
        self._memory = memory
        self._silences: Counter[str] = Counter()

    def connect(self, url: str, will: Will | None) -> Attempt:
        """Connect to a broker, or try to."""
        if self._settings.protocol == "3.1.1":
            return self._try(url, will, v5=False)
        attempt = self._try(url, will, v5=True)
        if attempt.result is ConnectResult.CONNECTED:
            self._memory.note_mqtt5(url)
        silent = attempt.result is ConnectResult.SILENT
        self._silences[url] = self._silences[url] + 1 if silent else 0
        unknown = attempt.result is ConnectResult.OLD_PROTOCOL
        if self._settings.protocol == "5" or not (silent or unknown):
            return attempt
        if unknown and url in self._memory.value.mqtt5:
            why = f'{attempt.why}; it has spoken MQTT 5 before: only [broker] protocol = "3.1.1" brings it to less'
            return attempt._replace(why=why)
        if silent and (self._silences[url] < SILENCES or url in self._memory.value.mqtt5):
            return attempt
        return self._older(attempt, url, will, unknown=unknown)

    def _older(self, attempt: Attempt, url: str, will: Will | None, *, unknown: bool) -> Attempt:
        """Speak MQTT 3.1.1; `unknown`: the broker itself has said that it does not know 5."""
        attempt.connection.abandon()
        older = self._try(url, will, v5=False)
        if older.result is not ConnectResult.CONNECTED:
            return older._replace(why=older.why or attempt.why)
        if unknown:
            return older
        why = f"{url} did not answer MQTT 5 ({attempt.why}): MQTT 3.1.1 proves less"
        log.warning("%s", why)
        return older._replace(downgraded=why)

    def _try(self, url: str, will: Will | None, *, v5: bool) -> Attempt:
        connection = Connection(url, self._settings, self._client_id, v5=v5)
        result, why = connection.open(will)
        if result is ConnectResult.NO_RETAIN and will is not None:
            connection.abandon()  # MQTT 5, 3.2.2.3.5: a broker without retained messages refuses a retained will
            connection = Connection(url, self._settings, self._client_id, v5=v5)
            result, why = connection.open(will.without_retain())
        return Attempt(connection, result, why)
