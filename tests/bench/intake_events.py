"""The intake: events a second into the database, and what of the database's own speed that is.

`intake.events_per_s`: end to end, MQTT clients to a cluster of three NATS nodes that sync every write, one intake,
PostgreSQL (SQLite where that is not installed), until the last is acknowledged; `intake.sqlite_events_per_s`: into
SQLite. `intake.vs_copy`: the intake's own
transaction (lock, look, insert, frontier) beside a bare COPY of the same rows in one transaction each of the
same size; without PostgreSQL, beside a bare executemany into SQLite.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import psycopg
import sqlalchemy as sa
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from gateway.events import cloudevent
from intake.database import open_database
from intake.event import EventRow, read_event
from intake.schema import event, metadata
from intake.store import ReceivedBatch, Store
from tests.bench import samples
from tests.bench.harness import BenchError, wait_until, workplace
from tests.bench.rows import Benchmark, Row, row
from tests.intake.running import RunningIntake
from tests.nats import NatsCluster
from tests.postgresql import PostgreSql, programs

BOXES: Final = 20
BATCH: Final = 1000
BATCHES: Final = 13
"""The first is not measured: statements are compiled and planned once."""
EVENTS: Final = 6000
"""End to end."""
SECONDS: Final = 120.0
NOW: Final = datetime(2026, 11, 28, tzinfo=UTC)


def run() -> Iterator[Row]:
    """Measure; yield the rows."""
    with workplace() as folder, contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'events.db'}"
        if programs():
            server = PostgreSql()
            stack.callback(server.close)
            server.start()
            url = server.url
        rows = [
            [_row(number) for number in range(first, first + BATCH)] for first in range(0, BATCH * BATCHES, BATCH)
        ]
        own = _own(url, rows)
        bare = _copy(url, rows) if programs() else _executemany(folder / "bare.db", rows)
        yield row("intake.vs_copy", own / bare, "of a bare COPY", aim=0.7, better="higher")
        yield row("intake.events_per_s", _end_to_end(folder, "server", url), "events/s", aim=1000, better="higher")
        sqlite = _end_to_end(folder, "file", f"sqlite:///{folder / 'delivered.db'}")
        yield row("intake.sqlite_events_per_s", sqlite, "events/s", aim=1000, better="higher")


def _row(number: int) -> EventRow:
    box, sequence = number % BOXES, number // BOXES + 1
    source = cloudevent.gateway_source(samples.TENANT, samples.SITE, f"gw{box}")
    read = read_event(f"udi/v1/{samples.TENANT}/{samples.SITE}/gw{box}/scan", _body(source, sequence), NOW)
    if not isinstance(read, EventRow):
        raise BenchError(f"the sample is no event: {read}")
    return read


def _body(source: str, sequence: int) -> bytes:
    one = samples.draft(sequence)
    at = cloudevent.Position(epoch="5f0c2a9b1d7e4c83", sequence=sequence, recorded_ns=samples.WALL_NS)
    return cloudevent.scan_event(str(uuid4()), source, one.time_ns, one.data, at)


def _own(url: str, batches: list[list[EventRow]]) -> float:
    """Return events a second of the intake's own transactions."""
    engine = open_database(url)
    store = Store(engine, lambda: NOW)
    rate = _rate(batches, lambda rows: store.commit(ReceivedBatch(events=tuple(rows))))
    engine.dispose()
    return rate


def _rate(batches: list[list[EventRow]], commit: Callable[[list[EventRow]], object]) -> float:
    """Return rows a second."""
    commit(batches[0])
    began = time.perf_counter()
    for rows in batches[1:]:
        commit(rows)
    return (len(batches) - 1) * BATCH / (time.perf_counter() - began)


def _copy(url: str, batches: list[list[EventRow]]) -> float:
    """Return rows a second of a bare COPY into a table of the same columns and indexes."""
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE bare (LIKE event INCLUDING ALL)"))
    engine.dispose()
    names = [column.name for column in metadata.tables["event"].columns]
    statement = f"COPY bare ({', '.join(names)}) FROM STDIN"
    with psycopg.connect(url) as server:

        def commit(rows: list[EventRow]) -> None:
            with server.cursor() as cursor, cursor.copy(statement) as copy:
                for one in rows:
                    values = msgspec.structs.asdict(one) | {"late": False}
                    copy.write_row([values[name] for name in names])
            server.commit()

        return _rate(batches, commit)


def _executemany(path: Path, batches: list[list[EventRow]]) -> float:
    """Return rows a second of a bare executemany into SQLite, as durable as the intake's."""
    open_database(f"sqlite:///{path}").dispose()
    names = [column.name for column in event.columns]
    statement = f"INSERT INTO event ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    connection = sqlite3.connect(path, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("PRAGMA synchronous = FULL")

        def commit(rows: list[EventRow]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            values = (msgspec.structs.asdict(one) | {"late": False} for one in rows)
            connection.executemany(statement, ([_plain(one[name]) for name in names] for one in values))
            connection.execute("COMMIT")

        return _rate(batches, commit)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _end_to_end(folder: Path, name: str, url: str) -> float:
    """Return events a second from boxes' clients into the database, acknowledged."""
    cluster = NatsCluster(folder / name)
    intake = RunningIntake(
        folder / name,
        url,
        *(option for node in cluster.nodes for option in ("--nats", node.url)),
        *("--broker", cluster.nodes[0].mqtt_url),
        tenant="region",
    )
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.kill)
        stack.callback(intake.kill)
        cluster.start()
        intake.start()
        boxes = [_Sender(cluster.nodes[number % 3].mqtt_port, number) for number in range(BOXES)]
        for box in boxes:
            stack.callback(box.close)
        wait_until(lambda: "announced" in intake.log.read_text(), "the intake is there", SECONDS)
        began = time.perf_counter()
        for box in boxes:
            box.begin()
        wait_until(lambda: all(box.done.is_set() for box in boxes), "everything is acknowledged", SECONDS)
        return EVENTS / (time.perf_counter() - began)


class _Sender:
    """One box's client: sends its share, and waits for the acknowledgement of its last number."""

    def __init__(self, port: int, number: int) -> None:
        self.done = threading.Event()
        self._topic = f"udi/v1/region/hall/gw{number}"
        source = f"urn:scangate:region:hall:gw{number}"
        self._last = EVENTS // BOXES
        self._bodies = [_body(source, sequence) for sequence in range(1, self._last + 1)]
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"gw{number}", protocol=MQTTv311)
        self._client.max_inflight_messages_set(100)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._acknowledged(message.payload)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"{self._topic}/ack", qos=0)
        self._client.loop_start()
        if not subscribed.wait(SECONDS):
            raise BenchError("a box could not subscribe")

    def begin(self) -> None:
        for body in self._bodies:
            self._client.publish(f"{self._topic}/scan", body, qos=1)

    def _acknowledged(self, body: bytes | bytearray) -> None:
        if msgspec.json.decode(body)["upTo"] >= self._last:
            self.done.set()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


BENCHMARK: Final = Benchmark(names=("intake.vs_copy", "intake.events_per_s", "intake.sqlite_events_per_s"), run=run)
