"""Instructions of one scan, of its append alone, and of decoding it: counted by callgrind, the same on a busy machine.

One process does a thing `WARM` times and then `COUNT` times more, another one only the former. What the first has
beyond the second is what it costs: start, imports and what is made once are in both. The kernel's instructions are
not counted, so that the flush itself costs none.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Final

from drivers.model import Frame
from drivers.raw_scan import to_raw_scan
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.udi import decode
from tests.bench import samples
from tests.bench.harness import ROOT, BenchError
from tests.bench.rows import Benchmark, Row, row
from tests.scanning.stage import STARTED_NS, Stage

WARM: Final = 40
"""Scans until caches are full and pages allocated."""
COUNT: Final = 80
COLLECTED: Final = re.compile(r"Collected : ([0-9]+)")
SERIAL: Final = "]d201095200010001021745123110L2A0417\x1d21NS{:06d}"
"""A Data Matrix with everything, of an article that the master knows: the label most scans are of."""


def scan(count: int) -> None:
    """Take labels with a serial number each through the pipeline and into an outbox."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        directory = Path(folder)
        stage = Stage(directory, "operating-room")
        identity = BoxIdentity(machine="m", board="b", gateway="urn:scangate:vgr:su:gw01")
        outbox = Outbox(directory / "outbox.db", OutboxSettings(min_free_bytes=0), identity)
        for number in range(count):
            clock = stage.clock(number * 10)
            frame = Frame(data=SERIAL.format(number).encode(), started_ns=STARTED_NS + number * 10_000_000_000)
            raw = to_raw_scan("front", frame)
            outcome = stage.pipeline.consider(raw, clock, f"00000000-0000-4000-8000-{number:012d}")
            outbox.append(outcome.writes, clock, seal=True)
        outbox.close(stage.clock(count * 10))
        stage.close()


def append(count: int) -> None:
    """Store events of labels with a serial number each."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        outbox = samples.new_outbox(Path(folder) / "outbox.db")
        for number in range(count):
            outbox.append([samples.draft(number)], samples.CLOCK, seal=True)
        outbox.close(samples.CLOCK)


def making(count: int) -> None:
    """Make the events that `append` stores: what is no part of storing them."""
    for number in range(count):
        samples.draft(number)


def decoding(count: int) -> None:
    """Decode labels with a serial number each."""
    for number in range(count):
        decode(SERIAL.format(number)[3:], "]d2", today=date(2026, 11, 21))


WAYS: Final[Mapping[str, Callable[[int], None]]] = {
    "scan": scan,
    "append": append,
    "making": making,
    "decoding": decoding,
}


def run() -> Iterator[Row]:
    """Count the instructions. Gives nothing where valgrind is not installed."""
    if shutil.which("valgrind") is None:
        return
    yield row("scan.instructions", _cost("scan"), "Ir", aim=600_000)
    yield row("outbox.append_instructions", _cost("append") - _cost("making"), "Ir", aim=120_000)
    yield row("udi.decode_instructions", _cost("decoding"), "Ir")


def _cost(way: str) -> int:
    return round((_collected(way, WARM + COUNT) - _collected(way, WARM)) / COUNT)


def _collected(way: str, count: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.bench.instructions", way, str(count)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = COLLECTED.search(done.stderr)
    if done.returncode or found is None:
        raise BenchError(f"callgrind of {count} times {way}: exit code {done.returncode}: {done.stderr[-2000:]}")
    return int(found[1])


BENCHMARK: Final = Benchmark(
    names=("scan.instructions", "outbox.append_instructions", "udi.decode_instructions"), run=run
)

if __name__ == "__main__":
    WAYS[sys.argv[1]](int(sys.argv[2]))
