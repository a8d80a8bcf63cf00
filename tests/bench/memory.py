"""What the daemon keeps in memory while it works off a backlog with a large article master, plain and over TLS.

And what it keeps with the keyboard driver loaded, and with it python-evdev.

The figure is VmHWM: the highest VmRSS of its whole life, so that no peak falls between two looks.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gateway.outbox.schema import Cursor, write_cursor
from tests.bench import samples
from tests.bench.harness import (
    BenchError,
    Certificates,
    Daemon,
    broker,
    daemon,
    make_certificates,
    sink,
    wait_until,
    workplace,
)
from tests.bench.rows import Benchmark, Row, row

ARTICLES = 200_000
BACKLOG = 100_000
SCANS = 200
SECONDS = 120.0


def run() -> Iterator[Row]:
    """Drain the same backlog twice."""
    with workplace() as folder:
        samples.import_master(folder / "state" / "articles", ARTICLES)
        samples.fill_outbox(folder / "state" / "outbox.db", BACKLOG)
        yield row("daemon.rss_mib", _peak(folder, None), "MiB", aim=36)
        _forget_deliveries(folder / "state" / "outbox.db")
        yield row("daemon.rss_tls_mib", _peak(folder, make_certificates(folder)), "MiB", aim=36)
        yield row("daemon.rss_keyboard_mib", _keyboard(folder), "MiB", aim=40)


def _peak(folder: Path, tls: Certificates | None) -> float:
    """Return the peak over the drain, and some scans during and after it."""
    authority = None if tls is None else tls.authority
    with broker(folder, tls) as server, sink(server.port), daemon(folder, url=server.url, ca_file=authority) as box:
        box.wait_connected()
        _scan(box, 0)
        wait_until(lambda: _waiting(box) == 0, "the backlog is delivered", SECONDS)
        _scan(box, SCANS)
        wait_until(lambda: _waiting(box) == 0, "the last scans are delivered", SECONDS)
        return _known(box.memory("VmHWM"))


KEYBOARD = ("-c", "import sys, drivers.evdev_keyboard; from gateway.cli import main; sys.exit(main())")
"""The daemon with the keyboard driver loaded, which it else does when one is plugged in: none is needed to measure."""


def _keyboard(folder: Path) -> float:
    """Return the peak with the keyboard driver loaded, over some scans of another scanner and their delivery."""
    with broker(folder) as server, sink(server.port), daemon(folder, url=server.url, program=KEYBOARD) as box:
        box.wait_connected()
        _scan(box, 2 * SCANS)
        wait_until(lambda: _waiting(box) == 0, "the scans are delivered", SECONDS)
        if "evdev" not in Path(f"/proc/{box.pid}/maps").read_text():
            raise BenchError("the daemon has not loaded python-evdev: is it installed?")
        return _known(box.memory("VmHWM"))


def _known(peak: float | None) -> float:
    if peak is None:
        raise BenchError("/proc does not tell the daemon's memory")
    return peak


def _scan(box: Daemon, first: int) -> None:
    """Let scans of articles from all over the master come in, and wait until they are stored."""
    stored = box.status()["sequence"]["stored"]
    for number in range(first, first + SCANS):
        box.scan(samples.label(number, article=number * 997 % ARTICLES))
    wait_until(lambda: box.status()["sequence"]["stored"] == stored + SCANS, "the scans are stored")


def _waiting(box: Daemon) -> int:
    waiting: int = box.status()["sequence"]["waiting"]
    return waiting


def _forget_deliveries(outbox: Path) -> None:
    database = sqlite3.connect(outbox)
    with contextlib.closing(database), database:
        write_cursor(database, Cursor(0, 0, 0))


BENCHMARK = Benchmark(names=("daemon.rss_mib", "daemon.rss_tls_mib", "daemon.rss_keyboard_mib"), run=run)
