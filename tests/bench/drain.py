"""Sending a backlog: the real publisher from a real outbox, beside bare paho with the same events in memory."""

import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.events.topics import Topics
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.reader import OutboxReader
from tests.bench import samples
from tests.bench.harness import BenchError, broker, sink, wait_until, workplace
from tests.bench.rows import Benchmark, Row, row

EVENTS = 20_000
ROUNDS = 5
SECONDS = 60.0
WINDOW = 100
TOPICS = Topics.of(samples.TENANT, samples.SITE, samples.BOX)


def run() -> Iterator[Row]:
    """Take turns; the figure is the median ratio to that way of paho which does best."""
    with workplace() as folder:
        outbox = folder / "outbox.db"
        samples.fill_outbox(outbox, EVENTS)
        ways: dict[str, Callable[[int], float]] = {"publisher": lambda port: by_publisher(port, outbox)}
        bodies = _bodies(outbox)
        for protocol in (MQTTv5, MQTTv311):
            ways[f"paho loop_start {protocol.name}"] = _way(_by_thread, bodies, protocol)
            ways[f"paho select {protocol.name}"] = _way(_by_select, bodies, protocol)
        times: dict[str, list[float]] = {name: [] for name in ways}
        with broker(folder) as server, sink(server.port):
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    times[name].append(way(server.port))
    ours = times.pop("publisher")
    ratios = {
        name: median(paho / own for paho, own in zip(theirs, ours, strict=True)) for name, theirs in times.items()
    }
    yield row("delivery.drain_vs_paho", min(ratios.values()), "x", aim=0.9, better="higher")


def _way(
    send: Callable[[int, list[bytes], MQTTProtocolVersion], float],
    bodies: list[bytes],
    protocol: MQTTProtocolVersion,
) -> Callable[[int], float]:
    return lambda port: send(port, bodies, protocol)


def _bodies(outbox: Path) -> list[bytes]:
    backlog = OutboxReader(outbox)
    try:
        return [body for _, body in backlog.next(0, EVENTS)]
    finally:
        backlog.close()


def by_publisher(port: int, outbox: Path) -> float:
    """Deliver the backlog with the publisher; return the seconds from its start to the last acknowledgement."""
    settings = BrokerSettings(urls=(f"mqtt://127.0.0.1:{port}",), window=WINDOW)
    publisher = Publisher(settings, TOPICS, "bench-publisher", outbox, on_unsettled=lambda: None)
    began = perf_counter()
    publisher.start()
    wait_until(lambda: publisher.delivered == EVENTS, "the backlog is delivered", SECONDS)
    seconds = perf_counter() - began
    publisher.stop(SECONDS)
    return seconds


def _client(protocol: MQTTProtocolVersion, on_publish: Callable[[], None]) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-paho", protocol=protocol)

    def published(_client: Client, _data: Any, _mid: int, _reason: Any, _properties: Any) -> None:  # noqa: ANN401
        on_publish()

    client.on_publish = published
    return client


def _by_thread(port: int, bodies: list[bytes], protocol: MQTTProtocolVersion) -> float:
    """Let paho's own thread and queue do it."""
    done = threading.Event()
    left = iter(range(len(bodies) - 1, -1, -1))

    def published() -> None:
        if next(left) == 0:
            done.set()

    client = _client(protocol, published)
    client.max_inflight_messages_set(WINDOW)
    began = perf_counter()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for body in bodies:
        client.publish(TOPICS.scan, body, qos=1)
    _wait(done)
    seconds = perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return seconds


def _by_select(port: int, bodies: list[bytes], protocol: MQTTProtocolVersion) -> float:
    """A loop of one's own around paho's socket."""
    acknowledged = 0
    sent = 0
    connected = False

    def published() -> None:
        nonlocal acknowledged
        acknowledged += 1

    def accepted(*_: object) -> None:
        nonlocal connected
        connected = True

    client = _client(protocol, published)
    client.on_connect = accepted
    client.max_inflight_messages_set(0)
    began = perf_counter()
    client.connect("127.0.0.1", port)
    link: Any = client.socket()
    while acknowledged < len(bodies):
        while connected and sent < len(bodies) and sent - acknowledged < WINDOW:
            client.publish(TOPICS.scan, bodies[sent], qos=1)
            sent += 1
        readable, writable, _ = select.select([link], [link] if client.want_write() else [], [], 1.0)
        if readable:
            client.loop_read()
        if writable:
            client.loop_write()
        client.loop_misc()
    seconds = perf_counter() - began
    client.disconnect()
    return seconds


def _wait(done: threading.Event) -> None:
    if not done.wait(SECONDS):
        raise BenchError(f"{EVENTS} events were not delivered within {SECONDS:.0f} s")


BENCHMARK = Benchmark(names=("delivery.drain_vs_paho",), run=run)
