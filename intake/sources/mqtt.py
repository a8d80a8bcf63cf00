"""Events from any MQTT broker, version 5 or 3.1.1, in a persistent session of one client.

Each connection has a client of its own, driven by one thread: paho would send again by itself, and count on a
broker's memory that may be gone. A message is acknowledged (PUBACK) on the connection it came by, after its
batch is committed; on another one the broker sends it again. One client, not a shared subscription: a broker
gives a group's messages also to a member that is away, where they strand.
"""

import logging
import ssl
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from paho.mqtt import MQTTException
from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.publish import single
from paho.mqtt.reasoncodes import ReasonCode

from intake.errors import BrokerUnreachableError
from intake.sources import QUEUE, ArrivalQueue, ReceivedMessage
from intake.topics import REPLY, TenantTopics, box_topic

log = logging.getLogger(__name__)

PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
CONNECT_SECONDS: Final = 5.0
CONNACK_SECONDS: Final = 5.0
"""Until connected and subscribed. A broker that knows only 3.1.1 may be silent to version 5."""
KEEPALIVE_SECONDS: Final = 15
TURN_SECONDS: Final = 0.5
"""How long the network thread waits for the network before it looks whether it is to stop."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 5.0
"""Between two tries to connect. A tenant has a few intakes, and every box holds its events until one is back."""
SESSION_SECONDS: Final = 30 * 86_400
"""How long the broker keeps what comes while the intake is away: a month, the time a box keeps it, too."""
RECEIVE_MAXIMUM: Final = QUEUE
MAX_PACKET: Final = 8 * 1024 * 1024
"""A box's largest message is 256 KiB; what is beyond is not sent to us by an MQTT 5 broker."""
SILENCES: Final = 2
"""Hang-ups or silences in a row after which version 3.1.1 is tried, where version 5 was never spoken."""
OLD_PROTOCOL: Final = frozenset({0x81, 0x82, 0x84})
"""Malformed packet, protocol error, unsupported version: a broker that does not know MQTT 5."""
TAKEN_OVER: Final = 0x8E
"""MQTT 5, 3.14.2.1: another client has connected with the same client identifier."""
REFUSED: Final = 0x80
"""A reason code from here on is a failure (MQTT 5, 2.4)."""


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """How to reach an MQTT broker."""

    url: str
    """`mqtt://`, `mqtts://`, `ws://` or `wss://`, host, port."""
    client_id: str
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class MqttSource:
    """One MQTT client. With `events`, a persistent session that takes the events of all boxes of a tenant."""

    def __init__(self, settings: BrokerSettings, topics: TenantTopics, *, events: bool = True) -> None:
        self._settings = settings
        self._topics = topics
        self._takes_events = events
        self._waiting = ArrivalQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._client: Client | None = None
        self._generation = 0
        self._since = datetime.now(UTC)
        self._ready = False
        self._problem: str | None = None
        self._v5 = True
        self._spoke_5 = False
        self._silences = 0

    @property
    def generation(self) -> int:
        """Return how often it has connected and subscribed."""
        return self._generation

    @property
    def since(self) -> datetime:
        """Return when the session began, as far as this process knows."""
        return self._since

    @property
    def ready(self) -> bool:
        """Return whether it is connected and subscribed."""
        return self._ready

    @property
    def problem(self) -> str | None:
        """Return why it is not."""
        return self._problem

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def fetch(self, most: int, seconds: float) -> list[ReceivedMessage]:
        """Return messages that wait."""
        return self._waiting.take(most, seconds)

    def settle(self, deliveries: Sequence[ReceivedMessage]) -> None:
        """Send the PUBACK of each, on the connection it came by."""
        for one in deliveries:
            if one.receipt is not None:
                client, mid = one.receipt
                client.ack(mid, 1)

    def publish(self, topic: str, body: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send a message, if there is a connection."""
        client = self._client
        if client is not None:
            client.publish(topic, body, qos=qos, retain=retain)

    def close(self) -> None:
        """Disconnect; the session stays with the broker."""
        self._stop.set()
        client = self._client
        if client is not None:
            client.disconnect()
        if self._thread.ident is not None:
            self._thread.join(CONNACK_SECONDS)

    # -- the network thread

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            was_ready = False
            try:
                was_ready = self._connection()
            except (OSError, ValueError) as error:
                self._problem = f"cannot connect to {self._settings.url}: {error}"
            except Exception:
                log.exception("mqtt connection failed")
                self._problem = f"connection to {self._settings.url} failed: see the log"
            self._ready, self._client = False, None
            self._waiting.forget_events()
            if self._stop.is_set():
                return
            log.warning("mqtt not connected problem=%r pause=%.0fs", self._problem, pause)
            self._stop.wait(pause)
            pause = FIRST_PAUSE if was_ready else min(pause * 2, LONGEST_PAUSE)

    def _connection(self) -> bool:
        """Make one connection and drive it until it is lost; return whether it was ready."""
        client = self._new_client()
        parts = urlsplit(self._settings.url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("expected mqtt://, mqtts://, ws:// or wss:// and a host")
        self._secure(client, parts)
        generation = self._generation
        clean = not self._takes_events if self._v5 else MQTT_CLEAN_START_FIRST_ONLY
        port = parts.port or PORTS[parts.scheme]
        client.connect(
            parts.hostname, port, KEEPALIVE_SECONDS, clean_start=clean, properties=self._session_properties()
        )
        self._problem = f"{self._settings.url} does not answer"
        self._client = client
        deadline = time.monotonic() + CONNACK_SECONDS
        while not self._stop.is_set() and client.loop(TURN_SECONDS) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if self._generation == generation and time.monotonic() > deadline:
                client.disconnect()
                break
        if self._stop.is_set():
            client.loop(TURN_SECONDS)  # the DISCONNECT that `close` asked for
        if self._generation == generation:
            self._not_ready()
        return self._generation > generation

    def _secure(self, client: Client, parts: SplitResult) -> None:
        """Set credentials and transport. Raises OSError."""
        if self._settings.username:
            client.username_pw_set(self._settings.username, read_secret(self._settings.password_file))
        if parts.scheme in {"mqtts", "wss"}:
            client.tls_set_context(tls_context(self._settings))
        if parts.scheme in {"ws", "wss"}:
            client.ws_set_options(path=parts.path or "/mqtt")
        client.connect_timeout = CONNECT_SECONDS

    def _session_properties(self) -> Properties | None:
        if not self._v5:
            return None
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_PACKET
        if self._takes_events:
            properties.SessionExpiryInterval = SESSION_SECONDS
        return properties

    def _not_ready(self) -> None:
        """Choose the version of the next try; a broker that once spoke 5 is never taken for an older one."""
        if self._v5 and not self._spoke_5:
            self._silences += 1
            if self._silences >= SILENCES:
                self._v5 = False
        else:
            self._v5 = True
            self._silences = 0

    def _new_client(self) -> Client:
        parts = urlsplit(self._settings.url)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            clean_session=None if self._v5 else not self._takes_events,
            protocol=MQTTv5 if self._v5 else MQTTv311,
            transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
            reconnect_on_failure=False,
            manual_ack=self._takes_events,
        )
        # paho writes to the socket from whatever thread publishes, unless somebody else is said to do so: here the
        # network thread alone, which it wakes; two threads in one TLS connection would damage it
        client.on_socket_register_write = lambda *_: None
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(
        self,
        client: Client,
        _data: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.value != 0:
            self._problem = f"{self._settings.url} refuses the connection: {reason}"
            if reason.value in OLD_PROTOCOL and self._v5 and not self._spoke_5:
                self._silences = SILENCES
            client.disconnect()
            return
        self._spoke_5 = self._spoke_5 or self._v5
        if not flags.session_present:
            self._since = datetime.now(UTC)
        filters = [(one, 0) for one in self._topics.boxes]
        if self._takes_events:
            filters.insert(0, (self._topics.scans, 1))
        client.subscribe(filters)

    def _on_subscribe(
        self, client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.value >= REFUSED]
        if refused:
            self._problem = f"{self._settings.url} does not let {self._settings.client_id} subscribe: {refused[0]}"
            client.disconnect()
            return
        self._problem = None
        self._ready = True
        self._generation += 1
        log.info("mqtt connected url=%s protocol=%s", self._settings.url, "5" if self._v5 else "3.1.1")

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        found = box_topic(message.topic)
        if found is not None and found[1] not in {"scan", REPLY}:
            self._waiting.put_box_message(ReceivedMessage(topic=message.topic, body=bytes(message.payload)))
            return
        while not self._waiting.wait_for_room(
            TURN_SECONDS
        ):  # under 3.1.1 the broker alone says how much is under way
            if self._stop.is_set():
                return
        receipt = (client, message.mid) if message.qos else None
        self._waiting.put_event(ReceivedMessage(topic=message.topic, body=bytes(message.payload), receipt=receipt))

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._ready:
            return
        self._ready = False
        self._problem = f"{self._settings.url} ended the connection: {reason}"
        if reason.value == TAKEN_OVER:
            self._problem = f"another client has connected to {self._settings.url} as {self._settings.client_id!r}"


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return what verifies the broker, and shows the client's certificate where there is one. Raises OSError."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def read_secret(file: str | None) -> str | None:
    """Return a password from its file, without the end of its line. Raises OSError."""
    return None if file is None else Path(file).read_text(encoding="utf-8").rstrip("\r\n")


def publish_once(settings: BrokerSettings, topic: str, body: bytes) -> None:
    """Publish one retained message, and wait for its PUBACK. Raises BrokerUnreachableError."""
    parts = urlsplit(settings.url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise BrokerUnreachableError(f"{settings.url}: expected mqtt://, mqtts://, ws:// or wss:// and a host")
    auth: Any = None
    secured: Any = tls_context(settings) if parts.scheme in {"mqtts", "wss"} else None
    if settings.username:
        auth = {"username": settings.username, "password": read_secret(settings.password_file) or ""}
    try:
        single(
            topic,
            body,
            qos=1,
            retain=True,
            hostname=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            client_id=f"{settings.client_id}-once",
            auth=auth,
            tls=secured,
            transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
        )
    except (OSError, ValueError, MQTTException) as error:
        raise BrokerUnreachableError(f"cannot publish to {settings.url}: {error}") from error
