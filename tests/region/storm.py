"""`make region STORM=500`: a thousand boxes that have been alone for long come back at once.

Every box has scans waiting when the central side comes up; all of them connect and send. Some more boxes have
nothing waiting, and scan meanwhile: how long such a fresh scan takes until an intake has it is printed (p50, p99),
with the pace at which what waited was taken. The last line is as of `tests.region.run`.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from msgspec import Struct
from rich.console import Console

from gateway.events import cloudevent
from intake.database import make_engine
from intake.schema import event
from tests.bench.harness import wait_until, workplace
from tests.fleet.central import SITE, TENANT
from tests.fleet.fleet import allow_many_files, enough, gateways_of, go, line
from tests.fleet.gateways import PATIENCE_SECONDS, Settings, gateway_name
from tests.region.run import PER_PROCESS, WINDOW, Outcome, Region, compare, explained

FRESH: Final = 20
"""Boxes with nothing waiting."""
FRESH_SECONDS: Final = 2.0
"""Between two scans of such a box, on average."""
PACE: Final = 100.0
"""Events a second below which the storm is given up."""


class Fresh(Struct, frozen=True, kw_only=True):
    """Of the scans made meanwhile: seconds until an intake has them, in ascending order."""

    delays: tuple[float, ...]

    def share(self, share: float) -> float:
        """Return the delay that this share of them does not exceed."""
        return self.delays[min(len(self.delays) - 1, int(share * len(self.delays)))]


def run(folder: Path, boxes: int, waiting: int, say: Callable[[str], None]) -> tuple[Outcome, Fresh]:
    """Let it come down. Raises BenchError when something does not come to pass."""
    allow_many_files()
    outboxes = folder / "outboxes"
    outboxes.mkdir()
    region = Region(folder)
    patience = PATIENCE_SECONDS + boxes * waiting / PACE

    def share(first: int, count: int, waiting: int) -> Settings:
        return Settings(
            directory=str(outboxes),
            first=first,
            urls=tuple(region.urls(number) for number in range(first, first + count)),
            scans=0 if waiting else 1,
            seconds=FRESH_SECONDS,
            window=WINDOW,
            until_end=not waiting,
            confirm="ack",
            waiting=waiting,
            patience=patience,
        )

    with contextlib.ExitStack() as stack:
        stack.callback(region.close)
        stack.enter_context(explained(region, outboxes))
        many = [
            stack.enter_context(gateways_of(share(first, min(PER_PROCESS, boxes - first), waiting)))
            for first in range(0, boxes, PER_PROCESS)
        ]
        for each in many:
            line(each)
        say(f"{waiting} scans wait in each of {boxes} boxes")
        region.start()
        wait_until(lambda: all("announced" in one.log.read_text() for one in region.intakes), "intakes", patience)
        began = time.monotonic()
        fresh = stack.enter_context(gateways_of(share(boxes, FRESH, 0)))
        for each in (fresh, *many):
            line(each)
            go(each)
        say(f"all are connected to three NATS nodes and two intakes, {region.database.split(':')[0]}")
        for each in many:
            line(each)
        seconds = time.monotonic() - began
        say(f"all of it is acknowledged after {seconds:.0f} s: {boxes * waiting / seconds:.0f} events/s")
        enough(fresh)
        line(fresh)
        outcome = compare(outboxes, region.database, boxes + FRESH, seconds)
        return outcome, _fresh(region.database, range(boxes, boxes + FRESH))


def _fresh(database: str, numbers: range) -> Fresh:
    sources = [cloudevent.gateway_source(TENANT, SITE, gateway_name(number)) for number in numbers]
    engine = make_engine(database)
    with engine.connect() as connection:
        found = connection.execute(sa.select(event.c.time, event.c.received).where(event.c.source.in_(sources)))
        delays = sorted((one.received - one.time).total_seconds() for one in found)
    engine.dispose()
    return Fresh(delays=tuple(delays))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--waiting", type=int, default=500, help="scans that wait in each box")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything else ends, too
    console = Console(highlight=False)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}")

    with workplace() as folder:
        outcome, fresh = run(folder, chosen.boxes, chosen.waiting, say)
    say(f"{len(fresh.delays)} fresh scans meanwhile: p50 {fresh.share(0.5):.1f} s, p99 {fresh.share(0.99):.1f} s")
    say(f"{outcome.frontiers} of {outcome.boxes} boxes acknowledged to the last number")
    console.print(outcome.last_line)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
