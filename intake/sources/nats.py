"""Events from NATS JetStream: a stream over the plain subjects, one durable pull consumer, any number of intakes.

NATS hands an MQTT publish with QoS 1 on under the topic's subject (`/` becomes `.`), where an ordinary stream keeps
it; its PUBACK stands for another stream that keeps nothing without a subscriber. So whether the stream is there
decides whether anything is: it and the consumer are made at every connection and whenever the server says that
one is missing. A stream made anew is another beginning, upon which boxes send again what was not acknowledged.

Pulling: one request for a number of messages is under way at a time, with its own reply subject, and stands
until so many have come, the server ends it, or it is silent for too long. What comes late on any of them is
taken all the same.
"""

import asyncio
import json
import logging
import ssl
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import nats
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import APIError, NotFoundError

from intake.sources import QUEUE, ArrivalQueue, ReceivedMessage
from intake.sources.mqtt import MqttSource, read_secret
from intake.topics import ROOT

log = logging.getLogger(__name__)

REPLICAS: Final = 3
"""Of the stream, where there is a cluster: two of three nodes may not be lost at once."""
DURABLE: Final = "intake"
ACK_SECONDS: Final = 10
"""A batch is committed within a second; after this the server takes the intake for ended, and gives it to
another."""
MAX_PENDING: Final = 20_000
"""Events under way to all intakes together, not settled yet."""
REQUEST: Final = 1000
"""Messages asked for at a time."""
EXPIRES_SECONDS: Final = 30
HEARTBEAT_SECONDS: Final = 5
"""The server says that a request still stands; three missing ones end it."""
API_SECONDS: Final = 10.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
"""Between two tries to connect, as for MQTT."""
NO_CLUSTER: Final = 10074
"""JetStream's error code: more than one replica where there is one server."""
ENDED: Final = frozenset({"404", "408"})
"""A request has ended in order: no message, or its time is over."""
HEARTBEAT: Final = "100"


class NatsSettings(Struct, frozen=True, kw_only=True):
    """How to reach the servers."""

    urls: tuple[str, ...]
    """`nats://` or `tls://`, host, port; each node of a cluster."""
    tenant: str
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class _Lost(Exception):  # noqa: N818 - not an error of anybody's: the connection is made anew
    """The connection, stream or consumer is gone."""


class NatsSource:
    """A pull consumer, and an MQTT client of the same cluster for retained messages and the boxes' own."""

    def __init__(self, settings: NatsSettings, mqtt: MqttSource) -> None:
        self._settings = settings
        self._mqtt = mqtt
        self.stream = f"scangate-{settings.tenant}"
        self._waiting = ArrivalQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="nats", daemon=True)
        self._stop = asyncio.Event()
        self._room = asyncio.Event()
        self._nc: Client | None = None
        self._made = 0
        self._since = datetime.now(UTC)
        self._ready = False
        self._problem: str | None = None
        self._requests = count()

    @property
    def generation(self) -> int:
        """Return how often stream, consumer or either connection has been made."""
        return self._made + self._mqtt.generation

    @property
    def since(self) -> datetime:
        """Return when the stream was made: the same for every intake of a cluster."""
        return self._since

    @property
    def ready(self) -> bool:
        """Return whether the stream is there and both connections are."""
        return self._ready and self._mqtt.ready

    @property
    def problem(self) -> str | None:
        """Return why it is not."""
        return self._problem or self._mqtt.problem

    def start(self) -> None:
        """Begin to connect."""
        self._mqtt.start()
        self._thread.start()

    def fetch(self, most: int, seconds: float) -> list[ReceivedMessage]:
        """Return messages that wait."""
        taken = self._mqtt.fetch(most, 0) + self._waiting.take(most, seconds)
        self._call(self._room.set)
        return taken

    def settle(self, deliveries: Sequence[ReceivedMessage]) -> None:
        """Acknowledge each to the consumer."""
        self._soon(self._acknowledge([one.receipt for one in deliveries if one.receipt is not None]))

    def publish(self, topic: str, body: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Send a message: with QoS 0 to the topic's subject, what has to be kept over MQTT."""
        if qos or retain:
            self._mqtt.publish(topic, body, qos=qos, retain=retain)
        elif self._nc is not None:
            self._soon(self._send(self._nc, topic.replace("/", "."), body))

    def close(self) -> None:
        """End both connections."""
        self._call(self._stop.set)
        if self._thread.ident is not None:
            self._thread.join(API_SECONDS)
        self._mqtt.close()

    # -- from the service's thread into the loop

    def _call(self, function: Any) -> None:  # noqa: ANN401 - whatever the loop calls
        with suppress(RuntimeError):  # the loop is closed: nothing to be said any more
            self._loop.call_soon_threadsafe(function)

    def _soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()

    # -- within the loop

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            made = self._made
            try:
                await self._connection()
            except (NatsError, APIError, OSError, TimeoutError, _Lost) as error:
                self._problem = f"cannot take events from {self._settings.urls[0]}: {error or type(error).__name__}"
            except Exception:
                log.exception("nats connection failed")
                self._problem = f"cannot take events from {self._settings.urls[0]}: see the log"
            self._ready = False
            self._waiting.forget_events()
            if self._stop.is_set():
                return
            log.warning("nats not connected problem=%r pause=%.1fs", self._problem, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = FIRST_PAUSE if self._made > made else min(pause * 2, LONGEST_PAUSE)

    async def _connection(self) -> None:
        """Make one connection, and pull by it until it is lost."""
        gone = asyncio.Event()

        async def closed() -> None:
            gone.set()

        async def failed(error: Exception) -> None:
            log.debug("nats error=%r", error)

        settings = self._settings
        secured = settings.ca_file or settings.cert_file or settings.urls[0].startswith("tls://")
        nc = await nats.connect(
            list(settings.urls),
            name=f"scangate-intake {settings.tenant}",
            allow_reconnect=False,
            connect_timeout=int(API_SECONDS),
            ping_interval=HEARTBEAT_SECONDS,
            max_outstanding_pings=2,
            closed_cb=closed,
            error_cb=failed,
            user=settings.username,
            password=read_secret(settings.password_file),
            tls=_tls(settings) if secured else None,
        )
        try:
            await self._pull(nc, gone)
        finally:
            self._nc = None
            with suppress(NatsError, OSError, TimeoutError):
                await asyncio.wait_for(nc.close(), API_SECONDS)

    async def _pull(self, nc: Client, gone: asyncio.Event) -> None:
        js = nc.jetstream(timeout=API_SECONDS)
        await self._make(js)
        inbox = nc.new_inbox()
        request = _Request()

        async def arrived(message: Msg) -> None:
            status = (message.headers or {}).get("Status") if not message.data else None
            if status is None:
                topic = message.subject.replace(".", "/")
                self._waiting.put_event(
                    ReceivedMessage(topic=topic, body=message.data, receipt=(nc, message.reply))
                )
            request.take(status)

        await nc.subscribe(f"{inbox}.*", cb=arrived, pending_msgs_limit=4 * QUEUE, pending_bytes_limit=-1)
        self._nc, self._problem, self._ready = nc, None, True
        self._made += 1
        log.info(
            "nats connected url=%s stream=%s", nc.connected_url.geturl() if nc.connected_url else "", self.stream
        )
        while not self._stop.is_set():
            while len(self._waiting) >= QUEUE - REQUEST:
                self._room.clear()
                await _first(self._room, self._stop, gone, seconds=HEARTBEAT_SECONDS)
                _check(nc, gone)
                if self._stop.is_set():
                    return
            request.begin(REQUEST)
            asked = {
                "batch": REQUEST,
                "expires": EXPIRES_SECONDS * 10**9,
                "idle_heartbeat": HEARTBEAT_SECONDS * 10**9,
            }
            await nc.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{DURABLE}",
                json.dumps(asked).encode(),
                f"{inbox}.{next(self._requests)}",
            )
            while not request.ended.is_set() and not self._stop.is_set():
                heard = request.heard
                await _first(request.ended, self._stop, gone, seconds=3 * HEARTBEAT_SECONDS)
                _check(nc, gone)
                if request.heard == heard and not request.ended.is_set():
                    break  # silent: the consumer's leader has gone with the request
            if request.failed or not request.ended.is_set():
                await self._make_again(js)

    async def _make_again(self, js: JetStreamContext) -> None:
        """See that stream and consumer are there; made anew, they are a new generation."""
        if await self._make(js):
            self._waiting.forget_events()
            raise _Lost("stream or consumer was gone")

    async def _make(self, js: JetStreamContext) -> bool:
        """Make stream and consumer where they are missing; return whether either was."""
        made = False
        try:
            stream = await js.stream_info(self.stream)
        except NotFoundError:
            stream = await self._make_stream(js)
            made = True
        self._since = stream.created or self._since
        try:
            await js.consumer_info(self.stream, DURABLE)
        except NotFoundError:
            await js.add_consumer(
                self.stream,
                ConsumerConfig(
                    durable_name=DURABLE,
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=ACK_SECONDS,
                    max_ack_pending=MAX_PENDING,
                    max_deliver=-1,
                ),
            )
            made = True
        return made

    async def _make_stream(self, js: JetStreamContext) -> StreamInfo:
        """Keep each event until an intake has it; what a full stream refuses, the boxes keep."""
        subject = f"{ROOT.replace('/', '.')}.{self._settings.tenant}.*.*.scan"
        config = StreamConfig(
            name=self.stream,
            subjects=[subject],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            storage=StorageType.FILE,
            num_replicas=REPLICAS,
        )
        try:
            return await js.add_stream(config)
        except APIError as error:
            if error.err_code != NO_CLUSTER:
                raise
            log.warning("nats stream=%s one server only: no copy of an event until it is committed", self.stream)
            return await js.add_stream(config.evolve(num_replicas=1))

    async def _acknowledge(self, receipts: Sequence[tuple[Client, str]]) -> None:
        """Acknowledge each on the connection it came by: a new stream may give its number to another."""
        for nc, reply in receipts:
            if nc is self._nc:
                await self._send(nc, reply, b"+ACK")

    @staticmethod
    async def _send(nc: Client, subject: str, body: bytes) -> None:
        with suppress(NatsError, OSError):  # lost with the connection: it comes again
            await nc.publish(subject, body)


class _Request:
    """The pull request that stands."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.failed = False
        self.heard = 0
        self._wanted = 0

    def begin(self, wanted: int) -> None:
        """Begin a new one."""
        self.ended.clear()
        self.failed = False
        self._wanted = wanted

    def take(self, status: str | None) -> None:
        """Count what has come for it: a message, or a status of the server."""
        self.heard += 1
        if status is None:
            self._wanted -= 1
            if self._wanted <= 0:
                self.ended.set()
        elif status != HEARTBEAT:
            self.failed = status not in ENDED
            self.ended.set()


def _check(nc: Client, gone: asyncio.Event) -> None:
    if gone.is_set() or not nc.is_connected:
        raise _Lost("the connection is lost")


async def _first(*events: asyncio.Event, seconds: float) -> None:
    """Wait for the first of some events, or so long."""
    tasks = [asyncio.ensure_future(one.wait()) for one in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _tls(settings: NatsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
