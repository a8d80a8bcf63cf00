"""How much the daemon grows while it works off a long backlog.

DRAIN_EVENTS sets how many events (200,000; a million needs some 3 GB of disk and a few minutes). The growth is told
for a million: it is measured behind the first tenth, by when everything that is needed once is there.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from gateway.outbox.checksums import of_event
from tests.bench import samples
from tests.bench.harness import BenchError, Daemon, broker, daemon, sink, wait_until, workplace
from tests.bench.rows import Benchmark, Row, row

MILLION = 1_000_000
EVENTS = int(os.environ.get("DRAIN_EVENTS", "200000"))
WARM = 0.1
"""Share of the backlog after which the growth counts."""
MADE = 1000
"""Events that are made; the others of the backlog are copies under numbers of their own."""
LOOK_SECONDS = 0.2
SECONDS = 1800.0
OUTBOX_BYTES = 16 * 1024**3
"""Room enough that nothing has to be removed."""


def run() -> Iterator[Row]:
    """Deliver the backlog, and look at VmRSS all the while."""
    with workplace() as folder:
        outbox = folder / "state" / "outbox.db"
        outbox.parent.mkdir()
        _fill(outbox)
        with (
            broker(folder) as server,
            sink(server.port),
            daemon(folder, url=server.url, outbox_lines=(f"max_bytes = {OUTBOX_BYTES}",)) as box,
        ):
            looks = _looks(box)
    warm = [rss for delivered, rss in looks if delivered >= WARM * EVENTS]
    growth = max(warm) - warm[0]
    drained = EVENTS * (1 - WARM)
    yield row("delivery.rss_growth_mib_1m", growth * max(1.0, MILLION / drained), "MiB", aim=5)


def _fill(outbox: Path) -> None:
    samples.fill_outbox(outbox, MADE)
    database = sqlite3.connect(outbox)
    with contextlib.closing(database):
        database.execute("PRAGMA synchronous = OFF")
        database.create_function("checksum_of", 5, of_event)
        (made,) = database.execute("SELECT max(sequence) FROM event").fetchone()
        for first in range(made, EVENTS, made):
            with database:  # small transactions keep the WAL small
                database.execute(
                    "INSERT INTO event SELECT sequence + ?1, recorded_ns, trusted, sealed, body,"
                    " checksum_of(sequence + ?1, recorded_ns, trusted, sealed, body) FROM event WHERE sequence <= ?2",
                    (first, min(made, EVENTS - first)),
                )
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _looks(box: Daemon) -> list[tuple[int, float]]:
    """Return how many were delivered and VmRSS, MiB, again and again until all are delivered."""
    looks: list[tuple[int, float]] = []
    due = 0.0

    def look() -> bool:
        nonlocal due
        if monotonic() < due:
            return False
        due = monotonic() + LOOK_SECONDS
        waiting: int = box.status()["sequence"]["waiting"]
        rss = box.memory("VmRSS")
        if rss is None:
            raise BenchError("/proc does not tell the daemon's memory")
        looks.append((EVENTS - waiting, rss))
        return waiting == 0

    wait_until(look, "the backlog is delivered", SECONDS)
    return looks


BENCHMARK = Benchmark(names=("delivery.rss_growth_mib_1m",), run=run)
