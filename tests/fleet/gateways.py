"""Several gateways in one process: the real outbox, event and publisher code, without scanners.

As a program: `python -m tests.fleet.gateways SETTINGS` (JSON of `Settings`). It says `connected` when every gateway
has its broker, waits for a line, stores the scans (with `until_end`, on and on until its standard input ends),
waits until all are delivered, and says a `Report` as JSON.
"""

import random
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.events.topics import Topics
from gateway.mqtt.publisher import Publisher
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.box_identity import read_identity
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.system.clock import ClockReading
from tests.bench import samples
from tests.bench.harness import wait_until
from tests.fleet.central import SITE, TENANT

MOST: Final = 100
"""Gateways in a process: each has eight open files, and select(2) takes none beyond the 1,024th."""
PATIENCE_SECONDS: Final = 300.0
"""For all to connect, and for all to be delivered: a node is away in between, and back-offs grow to a minute."""
STOP_SECONDS: Final = 10.0


class Settings(Struct, frozen=True, kw_only=True):
    """What one process does."""

    directory: str
    """Where their outboxes are."""
    first: int
    """Number of its first gateway."""
    urls: tuple[tuple[str, ...], ...]
    """The brokers of each of its gateways."""
    scans: int
    """Of each gateway."""
    seconds: float
    """Over which each gateway's scans are spread."""
    window: int
    until_end: bool = False
    """Go on at this pace until standard input ends."""
    confirm: Literal["auto", "puback", "ack"] = "puback"
    """What delivers an event."""


class Report(Struct, frozen=True, kw_only=True):
    """What one process says at its end."""

    rss_mib: float
    """Peak."""
    rss_without_mib: float
    """Before the first gateway was made."""
    acknowledged: int
    refused: int
    protocols: tuple[str, ...]


class Gateway:
    """One gateway: its outbox and its publisher; the one thread of the process is its worker."""

    def __init__(self, number: int, directory: Path, broker: BrokerSettings) -> None:
        self.name = f"gw{number:04d}"
        self.outbox = Outbox(
            directory / f"{self.name}.db",
            OutboxSettings(min_free_bytes=0),
            read_identity(cloudevent.gateway_source(TENANT, SITE, self.name)),
        )
        self.publisher = Publisher(
            broker,
            Topics.of(TENANT, SITE, self.name),
            f"{TENANT}-{self.name}",
            self.outbox.path,
            on_unsettled=lambda: None,
        )
        self.publisher.start()

    def scan(self, number: int) -> None:
        """Store one scan, and say so."""
        clock = now()
        draft = samples.draft(number)
        stamp = replace(draft.data.clock, monotonic_ns=clock.monotonic_ns)
        data = replace(draft.data, clock=stamp)
        self.settle()
        self.outbox.append([replace(draft, time_ns=clock.wall_ns, data=data)], clock, seal=True)
        self.publisher.wake()

    def settle(self) -> bool:
        """Take over what was delivered; tell whether that is everything."""
        marks = self.publisher.take_marks()
        self.outbox.note(marks)
        return marks.delivered >= self.outbox.last

    def stop(self) -> None:
        """End in order."""
        self.publisher.stop(STOP_SECONDS)
        self.outbox.close(now())


def now() -> ClockReading:
    """Read the clock of this machine, taken for a right one."""
    wall = time.time_ns()
    return replace(samples.CLOCK, wall_ns=wall, monotonic_ns=time.monotonic_ns(), lower_bound_ns=wall)


def _peak_mib() -> float:
    """Return the highest VmRSS so far; getrusage(2) would count what the parent had before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def _scan(gateways: Sequence[Gateway], settings: Settings) -> None:
    """Let every gateway scan, each in its own time."""
    while _scan_once(gateways, settings) and settings.until_end:
        pass


def _scan_once(gateways: Sequence[Gateway], settings: Settings) -> bool:
    """Let each scan its number; False when told to end before."""
    began = time.monotonic()
    moments = sorted(
        (random.uniform(0, settings.seconds), gateway)  # noqa: S311 - people at work
        for gateway in range(len(gateways))
        for _ in range(settings.scans)
    )
    for number, (moment, gateway) in enumerate(moments):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        if settings.until_end and select.select([sys.stdin], [], [], 0)[0]:
            return False
        gateways[gateway].scan(settings.first * settings.scans + number)
    return True


def main() -> None:
    """Run the gateways."""
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    without = _peak_mib()
    gateways = [
        Gateway(
            number,
            Path(settings.directory),
            BrokerSettings(urls=urls, window=settings.window, confirm=settings.confirm),
        )
        for number, urls in enumerate(settings.urls, settings.first)
    ]
    wait_until(lambda: all(one.publisher.connected for one in gateways), "all are connected", PATIENCE_SECONDS)
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return
    _scan(gateways, settings)
    wait_until(lambda: all(one.settle() for one in gateways), "all is delivered", PATIENCE_SECONDS)
    progress = [one.publisher.status for one in gateways]
    protocols = sorted({one.protocol or "" for one in progress})
    for one in gateways:
        one.stop()
    report = Report(
        rss_mib=_peak_mib(),
        rss_without_mib=without,
        acknowledged=sum(one.acknowledged for one in progress),
        refused=sum(one.refused for one in progress),
        protocols=tuple(protocols),
    )
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")


if __name__ == "__main__":
    main()
