"""The central system of a fleet: takes every scan, and judges what it got."""

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.harness import BenchError

TENANT: Final = "fleet"
SITE: Final = "hall"
SUBSCRIBED_SECONDS: Final = 60.0
"""A cluster that has just started makes its streams at the first connection."""


class _Clock(Struct, frozen=True):
    monotonic_ns: int = msgspec.field(name="monotonicNs")


class _Data(Struct, frozen=True):
    clock: _Clock


class _Event(Struct, frozen=True):
    id: str
    source: str
    epoch: str
    sequence: str
    data: _Data


_decoder: Final = msgspec.json.Decoder(_Event)


class Central:
    """A subscriber whose session outlives its connections, so that nothing passes it by while a broker is away."""

    def __init__(self, port: int) -> None:
        self.copies = 0
        """Messages beyond the first of an id: at least once is what is promised."""
        self.differing = 0
        """Copies that are not what came first, byte for byte."""
        self.late = 0
        """First arrivals behind a later one of the same gateway, but for those below."""
        self.redelivered = 0
        """Such arrivals that the broker marks as sent before (DUP): it lost them between two of its nodes."""
        self.delays_ns: list[int] = []
        """From a scan's moment to its first arrival."""
        self.first_ns = 0
        self.last_ns = 0
        self._first: dict[str, int] = {}
        self._places: set[tuple[str, str, str]] = set()
        self._newest: dict[str, str] = {}
        self._subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, client_id="central", clean_session=False, protocol=MQTTv311)
        client.on_connect = lambda one, *_: one.subscribe(f"udi/v1/{TENANT}/+/+/scan", qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", port)
        self._client = client

    def start(self) -> None:
        """Connect, and wait until the broker knows what is wanted."""
        self._client.loop_start()
        if not self._subscribed.wait(SUBSCRIBED_SECONDS):
            raise BenchError(f"the central system could not subscribe within {SUBSCRIBED_SECONDS:.0f} s")

    @property
    def arrived(self) -> int:
        """Different events that have come."""
        return len(self._first)

    @property
    def different(self) -> int:
        """Different places (source, epoch, sequence) among them: as many, unless an event has two ids."""
        return len(self._places)

    def missing(self, stored: Mapping[str, int]) -> int:
        """Return how many of these events (id -> hash of the body) have not come, or came as something else."""
        return sum(self._first.get(identity) != body for identity, body in stored.items())

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401 - paho's own
        now = time.monotonic_ns()
        body = bytes(message.payload)
        event = _decoder.decode(body)
        known = self._first.setdefault(event.id, hash(body))
        place = (event.source, event.epoch, event.sequence)
        if place in self._places:
            self.copies += 1
            self.differing += known != hash(body)
            return
        self._places.add(place)
        newest = self._newest.get(event.source, "")
        late = event.sequence < newest
        self.late += late and not message.dup
        self.redelivered += late and message.dup
        self._newest[event.source] = max(newest, event.sequence)
        self.delays_ns.append(now - event.data.clock.monotonic_ns)
        self.first_ns = self.first_ns or now
        self.last_ns = now
