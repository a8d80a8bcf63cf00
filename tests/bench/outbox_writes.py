"""What one scan costs the disk, seen from outside: system calls of the running daemon, traced by strace.

Bytes are what the daemon hands to pwrite64 for the outbox and its WAL, checkpoints included. /proc/PID/io would
count whole pages of the page cache, so its figure depends on the file system and on when pages are written back.
"""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.bench import samples
from tests.bench.harness import Daemon, broker, daemon, traced, wait_until, workplace
from tests.bench.rows import Benchmark, Row, row
from tests.bench.subscriber import Subscriber

WARM_UP = 100
SCANS = 400
FLUSH = re.compile(r"\b(?:fdatasync|fsync)\(")
WRITE = re.compile(r"\bpwrite64\(\d+<[^>]*/outbox\.db[^>]*>, .*, (\d+), \d+(?:\)| <unfinished)")
MARKS_SECONDS = 30.0


def run() -> Iterator[Row]:
    """Scan one by one until each has arrived, and go on tracing until the last delivery is marked."""
    with workplace() as folder, broker(folder) as server, Subscriber(server.port) as subscriber:
        with daemon(folder, url=server.url) as box:
            box.wait_connected()
            for number in range(WARM_UP):
                _scan(box, subscriber, number)
            with traced(box, folder / "trace", "fdatasync,fsync,pwrite64"):
                size = sum(_scan(box, subscriber, WARM_UP + number) for number in range(SCANS)) / SCANS
                _wait_marked(folder / "state" / "outbox.db")
        trace = (folder / "trace").read_text()
    flushes = len(FLUSH.findall(trace))
    written = sum(int(size) for size in WRITE.findall(trace))
    yield row("outbox.fdatasync_per_scan", flushes / SCANS, "flushes", aim=1.02)
    yield row("outbox.bytes_per_scan_vs_append", written / SCANS / size, "x")


def _scan(box: Daemon, subscriber: Subscriber, number: int) -> int:
    box.scan(samples.label(number))
    return len(subscriber.receive())


def _wait_marked(outbox: Path) -> None:
    """Wait until the outbox says on disk that everything is delivered."""
    reader = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)

    def marked() -> bool:
        (left,) = reader.execute("SELECT (SELECT max(sequence) FROM event) - delivered FROM cursor").fetchone()
        return bool(left == 0)

    try:
        wait_until(marked, "the last delivery is marked", MARKS_SECONDS)
    finally:
        reader.close()


BENCHMARK = Benchmark(names=("outbox.fdatasync_per_scan", "outbox.bytes_per_scan_vs_append"), run=run)
