"""The longest frame there is, full of elements: CPU time from its bytes to the commit, the worst of several."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time_ns
from typing import Final

from drivers.model import Frame
from drivers.raw_scan import to_raw_scan
from gateway.outbox.writer import Outbox
from tests.bench import samples
from tests.bench.harness import ROOT
from tests.bench.rows import Benchmark, Row, row
from tests.scanning.stage import STARTED_NS, Stage

FRAME_BYTES: Final = 4096
ROUNDS: Final = 10
AIS: Final = (
    "11",
    "13",
    "15",
    "16",
    "17",
    "20",
    "30",
    "37",
    "10",
    "21",
    "240",
    "241",
    "8008",
    "7003",
    "310",
    "422",
)


def run() -> Iterator[Row]:
    """Scan frames of one AI over and over, and of many different ones with their separators."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        directory = Path(folder)
        stage, outbox = Stage(directory, "operating-room"), samples.new_outbox(directory / "outbox.db")
        took = [_scan(stage, outbox, number) for number in range(2 * ROUNDS)]
        outbox.close(samples.CLOCK)
        stage.close()
    yield row("scan.frame_4096_ms", max(took) / 1_000_000, "ms", aim=30)


def _scan(stage: Stage, outbox: Outbox, number: int) -> int:
    """Return the nanoseconds of CPU time of a frame, none like another."""
    elements = (
        "11260101" * FRAME_BYTES if number % 2 else "\x1d".join(f"{ai}{number:06d}" for ai in AIS * FRAME_BYTES)
    )
    data = f"]d201095200010001021710{number:04d}\x1d{elements}"[:FRAME_BYTES].encode()
    clock = stage.clock(number * 10)
    frame = Frame(data=data, started_ns=STARTED_NS + number * 10_000_000_000)
    began = process_time_ns()
    outcome = stage.pipeline.consider(to_raw_scan("front", frame), clock, f"00000000-0000-4000-8000-{number:012d}")
    outbox.append(outcome.writes, clock, seal=True)
    return process_time_ns() - began


BENCHMARK: Final = Benchmark(names=("scan.frame_4096_ms",), run=run)
