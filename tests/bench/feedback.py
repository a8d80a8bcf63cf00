"""From the trigger to the signal: how long a scanner waits until it is told that its scan is taken.

The scan's bytes go into a pseudo-terminal, and the signal of the scanner's dialect comes back out of it: in between
lie framing, decoding, the look-up, and the one flush that makes the scan durable. That it is one, and comes before
the signal, is read from a trace of the running daemon. With each flush held for HELD_MS, as an SD card may, the signal
must come soon after it; what the trace itself costs is in that figure.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from drivers.dialects.honeywell import BEEPS
from drivers.model import Signal
from tests.bench import samples
from tests.bench.harness import BenchError, Daemon, daemon, traced, workplace
from tests.bench.rows import Benchmark, Row, percentile, row

WARM_UP = 50
SCANS = 1000
TRACED = 100
HELD_MS = 20
HELD_SCANS = 200
AFTER_MS = 10
"""From the end of the flush to the signal, at most."""
PAUSE_SECONDS = 0.01
"""Between a signal and the next label: every thread has gone back to sleep, as between two scans of a person."""
PATIENCE_SECONDS = 10.0
DIALECT = 'dialect = "honeywell"'
ACCEPTED = BEEPS[Signal.ACCEPTED]
FLUSH = re.compile(r"\b(?:fdatasync|fsync)\(")
SIGNALLED = re.compile(r"\bwrite\(\d+</dev/pts/\d+>")


def run() -> Iterator[Row]:
    """Time it without a trace, then look at the flushes with one."""
    with workplace() as folder:
        samples.import_master(folder / "state" / "articles", 1000)
        with daemon(folder, scanner_lines=(DIALECT,)) as box:
            box.wait_connected()
            times = [_scan(box, number) for number in range(WARM_UP + SCANS)][WARM_UP:]
            with traced(box, folder / "trace", "fdatasync,fsync,write"):
                for number in range(TRACED):
                    _scan(box, WARM_UP + SCANS + number)
            delay = f"inject=fdatasync,fsync:delay_exit={1000 * HELD_MS}"
            with traced(box, folder / "held", "fdatasync,fsync", "-e", delay):
                held = [_scan(box, WARM_UP + SCANS + TRACED + number) for number in range(HELD_SCANS)]
        flushes = _flushes(folder / "trace")
    if len(flushes) != TRACED or 0 in flushes:
        raise BenchError(f"{TRACED} scans, {len(flushes)} signals, {flushes.count(0)} of them before the disk")
    yield row("station.trigger_to_signal_p50_ms", percentile(times, 0.5), "ms")
    yield row("station.trigger_to_signal_p99_ms", percentile(times, 0.99), "ms")
    yield row("station.trigger_to_signal_held_p99_ms", percentile(held, 0.99), "ms", aim=HELD_MS + AFTER_MS)
    yield row("station.flushes_before_signal", sum(flushes) / TRACED, "flushes", aim=1)


def _scan(box: Daemon, number: int) -> float:
    """Let a label be scanned; return the milliseconds until the first byte of its signal."""
    began = time.perf_counter()
    box.scan(samples.label(number))
    heard = box.hear(PATIENCE_SECONDS)
    took = 1000 * (time.perf_counter() - began)
    while heard and len(heard) < len(ACCEPTED):
        heard += box.hear(PATIENCE_SECONDS)
    if heard != ACCEPTED:
        raise BenchError(f"expected the signal {ACCEPTED!r}, heard {heard!r}")
    time.sleep(PAUSE_SECONDS)
    return took


def _flushes(trace: Path) -> list[int]:
    """Return how often the disk was made to keep what it has before each signal, since the one before it."""
    counts, count = [], 0
    for line in trace.read_text().splitlines():
        if FLUSH.search(line):
            count += 1
        elif SIGNALLED.search(line):
            counts.append(count)
            count = 0
    return counts


BENCHMARK = Benchmark(
    names=(
        "station.trigger_to_signal_p50_ms",
        "station.trigger_to_signal_p99_ms",
        "station.trigger_to_signal_held_p99_ms",
        "station.flushes_before_signal",
    ),
    run=run,
)
