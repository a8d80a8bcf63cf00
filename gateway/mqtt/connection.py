"""One MQTT connection: made, used once and thrown away.

A paho Client re-sends by itself what was not acknowledged when it connects again, and its own thread dies silently
of an exception in a callback. So each connection gets a new Client, and the publisher drives it from its own loop.
"""

import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt.client import (
    MQTT_CLEAN_START_FIRST_ONLY,
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt.buffered_client import BufferedClient, BufferedSocket
from gateway.mqtt.packet_filter import PacketFilter
from gateway.mqtt.settings import BrokerSettings
from gateway.mqtt.tls import context_for, tls_words
from gateway.system.credentials import read_secret

CONNECT_SECONDS: Final = 5.0
"""TCP, TLS and DNS: a broker in the same region answers in tenths of a second."""
CONNACK_SECONDS: Final = 5.0
"""Some brokers ask a directory before they answer; longer is silence. Some that know only 3.1.1 are silent to 5."""
PORTS: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
PROBE_SECONDS: Final = 1.0
"""A broker that is back answers at once; events wait no longer than this for the look."""
WEBSOCKETS: Final = frozenset({"ws", "wss"})
WEBSOCKET_PATH: Final = "/mqtt"
"""Where brokers listen by custom, when the URL names no path."""
MAX_INBOUND_BYTES: Final = 1536 * 1024
"""The largest article delta, 1 MiB, signed and in base64. Announced to an MQTT 5 broker; what comes larger all the same
is dropped unread."""
MAX_INBOUND_MESSAGES: Final = 16
"""Messages that wait to be looked at, which they are at once; the oldest go first, and a gap among deltas is
noticed by its number."""
RECEIVE_MAXIMUM_DEFAULT: Final = 65535
"""MQTT 5, 3.2.2.3.3: the value of a CONNACK that does not say."""
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
QOS_REFUSED: Final = 0x9B
TOO_LARGE: Final = 0x95
"""Packet too large."""
SESSION_TAKEN_OVER: Final = 0x8E
"""MQTT 5, 3.14.2.1: another client has connected with this client identifier."""
MAX_ECHOES: Final = 1000
"""Events of one's own that came back and are to be looked at: a window's worth."""


class ConnectResult(Enum):
    """How an attempt to connect ended."""

    CONNECTED = auto()
    UNREACHABLE = auto()
    """No TCP or TLS connection."""
    REFUSED = auto()
    """The broker is there and says no for now (busy, quota, moved)."""
    CREDENTIALS = auto()
    UNFIT = auto()
    """The broker takes QoS 0 only: nothing could be acknowledged."""
    NO_RETAIN = auto()
    """The broker refuses a retained will, because it keeps no retained messages."""
    OLD_PROTOCOL = auto()
    """The broker says that it does not speak MQTT 5."""
    SILENT = auto()
    """The broker hung up, said nothing or did not understand: it may not speak MQTT 5."""


ANSWERS: Final = {
    0: ConnectResult.CONNECTED,
    0x81: ConnectResult.SILENT,
    0x82: ConnectResult.SILENT,
    0x84: ConnectResult.OLD_PROTOCOL,
    0x86: ConnectResult.CREDENTIALS,
    0x87: ConnectResult.CREDENTIALS,
    0x8C: ConnectResult.CREDENTIALS,
    0x9A: ConnectResult.NO_RETAIN,
}
"""Reason code of a CONNACK (MQTT 5, 3.2.2.2) -> what it means here; other refusals may pass.

Malformed packet and protocol error are as good as no answer. 0x84, unsupported version, is what paho makes of MQTT
3.1.1's return code 1, too. With bad credentials no other version helps. 0x9A: no retained messages.
"""


class Acknowledged(Struct, frozen=True, kw_only=True):
    """The broker's answer to one publish."""

    mid: int
    reason: int
    """MQTT 5 reason code; 0 under 3.1.1, where a PUBACK says nothing more."""
    name: str


class Will(Struct, frozen=True, kw_only=True):
    """What the broker publishes, retained, when the connection breaks."""

    topic: str
    body: bytes
    retain: bool = True

    def without_retain(self) -> "Will":
        """Return the same for a broker that keeps no retained messages."""
        return replace(self, retain=False)


class Message(Struct, frozen=True, kw_only=True):
    """A message that came in."""

    topic: str
    body: bytes
    retained: bool
    response_topic: str | None = None
    """MQTT 5: where who asked wants the answer."""
    correlation: bytes | None = None
    """MQTT 5: what is to go back with the answer."""


class _PackedProperties(Properties):
    """Properties that are the same for every event: packed once instead of for each."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
        object.__setattr__(self, "_packed", properties.pack())

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - the signature of the base class
        object.__setattr__(self, name, value)

    def pack(self) -> bytes:
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


class Connection:
    """One connection to one broker. Used by one thread. `open` first; after `lost` is set it is of no more use."""

    def __init__(self, url: str, settings: BrokerSettings, client_id: str, *, v5: bool) -> None:
        self.url = url
        self.maximum_qos = 2
        self.retain_available = True
        self.taken_over = False
        """Another client has connected with this client identifier, and the broker ended this connection."""
        self.echo_topic: str | None = None
        """Messages on this topic go to `echoes`."""
        self.echoes: deque[bytes] = deque(maxlen=MAX_ECHOES)
        self.refused_topics: dict[str, str] = {}
        """Topic filter -> why the broker refuses the subscription."""
        self.v5 = v5
        self.lost: str | None = None
        self.receive_maximum = RECEIVE_MAXIMUM_DEFAULT
        self.maximum_packet: int | None = None
        self.learnt_limit: int | None = None
        """How large a packet may be, as far as it was seen that the broker does not take more."""
        self.acknowledgements: deque[Acknowledged] = deque()
        self.messages: deque[Message] = deque(maxlen=MAX_INBOUND_MESSAGES)
        self.oversized: int | None = None
        """Bytes of a message that was too large to be read on, and ended the connection."""
        self.subscribed = False
        """The broker has answered every subscription."""
        self._packets = PacketFilter(MAX_INBOUND_BYTES)
        self.largest_left_out = 0
        """Bytes of the largest message that was too large to be read, and was passed over."""
        self._error: OSError | None = None
        self._asked: dict[int, tuple[str, ...]] = {}
        self._settings = settings
        self._answer: int | None = None
        self._answer_name = ""
        self._parts = urlsplit(url)
        self._client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if v5 else True,
            protocol=MQTTv5 if v5 else MQTTv311,
            transport="websockets" if self._parts.scheme in WEBSOCKETS else "tcp",
            reconnect_on_failure=False,
            packets=None if v5 else self._packets,  # MQTT 5 tells the broker the limit
        )
        self._properties = _scan_properties() if v5 else None

    def open(self, will: Will | None) -> tuple[ConnectResult, str]:
        """Connect and wait for the broker's answer; return the outcome and why."""
        client = self._client
        client.connect_timeout = CONNECT_SECONDS
        client.max_inflight_messages_set(0)
        client.max_queued_messages_set(0)
        if will is not None:
            client.will_set(will.topic, will.body, qos=1 if will.retain else 0, retain=will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        try:
            self._dial()
        except ssl.SSLError as error:
            return ConnectResult.UNREACHABLE, tls_words(error)
        except socket.gaierror as error:
            return (
                ConnectResult.UNREACHABLE,
                f"its name is not known: {error.strerror}; check DNS and [broker] urls",
            )
        except (OSError, ValueError) as error:
            return ConnectResult.UNREACHABLE, str(error) or type(error).__name__
        link = self._raw_link()
        if link is not None:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        deadline = time.monotonic() + CONNACK_SECONDS
        while self._answer is None and self.lost is None and time.monotonic() < deadline:
            self.poll(None, 0.5)
        if self._answer is None:
            return self._unanswered()
        if self._answer == QOS_REFUSED or (self._answer == 0 and self.maximum_qos == 0):
            return ConnectResult.UNFIT, "the broker takes QoS 0 only, and acknowledges nothing: allow QoS 1 there"
        result = ANSWERS.get(self._answer, ConnectResult.REFUSED)
        return result, self._answer_name if self._answer else ""

    def _unanswered(self) -> tuple[ConnectResult, str]:
        """Say what became of a CONNECT without CONNACK."""
        if isinstance(self._error, ssl.SSLError):  # TLS 1.3 refuses a client's certificate after the handshake
            return ConnectResult.CREDENTIALS, tls_words(self._error)
        silent = "no answer to CONNECT, though the connection stands: is the broker frozen or overloaded?"
        return ConnectResult.SILENT, self.lost or silent

    def _dial(self) -> None:
        """Open the TCP or TLS connection and send CONNECT. Raises OSError, ValueError."""
        parts = self._parts
        if self._settings.username:
            self._client.username_pw_set(self._settings.username, read_secret(self._settings.password_file))
        if parts.scheme in {"mqtts", "wss"}:
            self._client.tls_set_context(context_for(self._settings))
        if parts.scheme in WEBSOCKETS:
            self._client.ws_set_options(path=parts.path or WEBSOCKET_PATH)
        # 3.1.1 has its clean session from the constructor and takes no clean start
        clean = True if self.v5 else MQTT_CLEAN_START_FIRST_ONLY
        port = parts.port or PORTS[parts.scheme]
        properties = None
        if self.v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MAX_INBOUND_BYTES
        self._client.connect(
            parts.hostname or "", port, self._settings.keepalive, clean_start=clean, properties=properties
        )

    def poll(self, wake: int | None, timeout: float) -> bool:
        """Let bytes flow for up to `timeout` seconds; True when the wake descriptor became readable."""
        link = self._client.socket()
        if link is None:
            self.lost = self.lost or "connection closed"
            return False
        unsent = self._flush()
        # what was read already, or decrypted, select does not see; a plain socket has nothing of the kind
        pending = hasattr(link, "pending") and link.pending() > 0
        readers: list[Any] = [link] if wake is None else [link, wake]
        writers = [link] if unsent else []
        readable, writable, _ = select.select(readers, writers, [], 0 if pending else timeout)
        if pending or link in readable:
            self._client.loop_read()
            if isinstance(link, BufferedSocket):
                self._error = link.error
                self._acknowledge_left_out(link)
            if self._client.arriving > MAX_INBOUND_BYTES:  # MQTT 3.1.1 over a WebSocket
                self.oversized = self._client.arriving
                self.lost = f"a message of {self.oversized} bytes came in; at most {MAX_INBOUND_BYTES} are read"
                self._drop()
                return False
        if writable and self._client.socket() is not None:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.socket() is None:
            self.lost = self.lost or "connection closed"
        return wake is not None and wake in readable

    def _acknowledge_left_out(self, link: BufferedSocket) -> None:
        """Acknowledge what was too large to be read, or the broker would send it again."""
        while self._packets.left_out:
            packet = self._packets.left_out.pop()
            self.largest_left_out = max(self.largest_left_out, packet.size)
            if packet.mid is not None:
                link.acknowledge(packet.mid)

    def publish(self, topic: str, body: bytes) -> int | None:
        """Hand one event over with QoS 1; return its packet identifier, or None when the connection is gone.

        It leaves with the next `poll`, together with what else was handed over until then.
        """
        info = self._client.publish(topic, body, qos=1, properties=self._properties)
        return info.mid if info.rc == 0 else None

    def _flush(self) -> bool:
        """Send what is gathered; return whether something is left that the network does not take yet."""
        link = self._client.socket()
        if isinstance(link, BufferedSocket):
            link.flush()
            return link.unsent() > 0 or self._client.want_write()
        return self._client.want_write()

    def _raw_link(self) -> socket.socket | None:
        """Return the socket under whatever is wrapped around it; None when there is none."""
        link = self._client.socket()
        raw = link.raw if isinstance(link, BufferedSocket) else getattr(link, "_socket", link)  # paho's WebSocket
        return raw if isinstance(raw, socket.socket) else None

    def retain(self, topic: str, body: bytes, *, qos: int = 0) -> int:
        """Send a retained diagnostic; return its packet identifier.

        QoS 0 will do: a later one replaces it, and a lost connection tells more.
        """
        return self._client.publish(topic, body, qos=qos, retain=self.retain_available).mid

    def reply(self, topic: str, body: bytes, correlation: bytes | None) -> None:
        """Answer somebody, with QoS 0: who gets no answer asks again, and the window is left to the events."""
        properties = None
        if self.v5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/json"
            if correlation is not None:
                properties.CorrelationData = correlation
        self._client.publish(topic, body, qos=0, properties=properties)

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """Ask for topics; `subscribed` and `refused_topics` say what the broker answered."""
        _, mid = self._client.subscribe([(topic, qos) for topic in topics])
        if mid is not None:
            self._asked[mid] = topics
            self.subscribed = False

    def unsubscribe(self, topic: str) -> None:
        """Ask for a topic no longer."""
        self._client.unsubscribe(topic)

    def peer_certificate_expires(self) -> float | None:
        """When the broker's certificate ends, seconds since 1970; None without TLS."""
        link = self._raw_link()
        if not isinstance(link, ssl.SSLSocket):
            return None
        not_after = (link.getpeercert() or {}).get("notAfter")
        return ssl.cert_time_to_seconds(not_after) if isinstance(not_after, str) else None

    def packet_size(self, topic: str, body: bytes) -> int:
        """Return how long the PUBLISH packet of an event is, at most; bytes."""
        properties = len(self._properties.pack()) if self._properties else 0
        return 5 + 2 + len(topic) + 2 + properties + len(body)

    def fits(self, topic: str, body: bytes) -> bool:
        """Return whether the broker takes a packet of this size (MQTT 5, 3.2.2.3.6), as far as it has said."""
        limit = self.packet_limit
        return limit is None or self.packet_size(topic, body) <= limit

    @property
    def packet_limit(self) -> int | None:
        """How large a packet may be, as the broker has said or was seen not to take; None: nothing is known."""
        known = [limit for limit in (self.maximum_packet, self.learnt_limit) if limit is not None]
        return min(known) if known else None

    def close(self) -> None:
        """Say goodbye if anybody listens."""
        for goodbye in (False, True):
            if goodbye:
                self._client.disconnect()
            for _ in range(3):
                if self._client.socket() is None or not self._flush():
                    break
                self.poll(None, 0.1)
        self._drop()

    def abandon(self) -> None:
        """Let go without a goodbye, so that the broker publishes the will."""
        self._drop()

    def unreceived(self) -> int:
        """Return how many bytes the other end's kernel has not acknowledged (SIOCOUTQ, tcp(7)).

        A frozen broker's kernel goes on taking what comes; a network that loses packets leaves them here.
        """
        link = self._raw_link()
        if link is None or link.fileno() < 0:
            return 0
        count: int = struct.unpack("i", fcntl.ioctl(link, termios.TIOCOUTQ, bytes(4)))[0]
        return count

    def _drop(self) -> None:
        link = self._client.socket()
        if link is not None:
            link.close()

    def why_lost(self) -> str:
        """Return why the connection ended, for a person."""
        if isinstance(self._error, ssl.SSLError):
            return tls_words(self._error)
        return self.lost or "connection closed"

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._answer = reason.value
        self._answer_name = str(reason)
        self.receive_maximum = getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM_DEFAULT)
        self.maximum_packet = getattr(properties, "MaximumPacketSize", None)
        self.maximum_qos = getattr(properties, "MaximumQoS", 2)
        self.retain_available = bool(getattr(properties, "RetainAvailable", 1))

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _properties: object
    ) -> None:
        who = "the broker hung up" if flags.is_disconnect_packet_from_server else "the connection broke"
        self.lost = f"{who}: {reason}"
        self.taken_over = flags.is_disconnect_packet_from_server and reason.value == SESSION_TAKEN_OVER

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        # Most are a success, and paho looks a name up in a table of tables
        name = str(reason) if reason.value else ""
        self.acknowledgements.append(Acknowledged(mid=mid, reason=reason.value, name=name))

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if len(message.payload) > MAX_INBOUND_BYTES:
            return
        properties = message.properties
        try:
            topic = message.topic
        except UnicodeDecodeError:  # nothing that was subscribed
            return
        if topic == self.echo_topic:
            self.echoes.append(bytes(message.payload))
            return
        self.messages.append(
            Message(
                topic=topic,
                body=bytes(message.payload),
                retained=bool(message.retain),
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
            )
        )

    def _on_subscribe(
        self, _client: Client, _data: object, mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        for topic, reason in zip(self._asked.pop(mid, ()), reasons, strict=False):
            self.refused_topics.pop(topic, None)
            if reason.is_failure:
                self.refused_topics[topic] = str(reason)
        self.subscribed = not self._asked


def _scan_properties() -> Properties:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = CONTENT_TYPE
    properties.PayloadFormatIndicator = 1
    return _PackedProperties(properties)


def answers(url: str) -> bool:
    """Return whether anything listens where a broker should be: TCP only, so that a look costs nobody a session."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or PORTS[parts.scheme]), PROBE_SECONDS).close()
    except OSError:
        return False
    return True
