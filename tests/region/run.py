"""`make region`: a region in miniature, with everything on its central side killed while people scan.

Three NATS nodes that sync every write, two intakes, PostgreSQL (SQLite where it is not installed), and gateways
with the real outbox and publisher. While scans go on, a node, each intake and the database are killed in turn;
then all nodes at once, and their storage is wiped; people scan on until all are back. At the end every scan that a
gateway has accepted must be in the database, as it was stored, once, and every box's frontier at its last number.

The last line is `N of N accepted scans are in the database`; the exit code is 0 only when both are the same.
"""

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from rich.console import Console

from gateway.outbox.reader import OutboxReader
from intake.database import make_engine
from intake.schema import event, stream
from tests.bench.harness import LOG_CHARACTERS, BenchError, wait_until, workplace
from tests.fleet.central import TENANT
from tests.fleet.fleet import allow_many_files, enough, gateways_of, go, line
from tests.fleet.gateways import MOST, PATIENCE_SECONDS, Report, Settings
from tests.intake.running import RunningIntake, status
from tests.nats import NatsCluster, NatsNode
from tests.postgresql import PostgreSql, programs

PER_PROCESS: Final = 50
WINDOW: Final = 50
"""Events of a box under way at a time."""
CONTAINED_SECONDS: Final = 60.0
"""After the return of a wiped cluster everything is to be in the database by itself within this time."""


class Plan(Struct, frozen=True, kw_only=True):
    """How large a region, and how busy."""

    boxes: int
    scans: int
    """Of each box within `seconds`."""
    seconds: float
    """In which everything is killed in turn; where something takes longer to come back, they scan for longer."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of it."""

    accepted: int
    present: int
    """Of these, in the database as they were stored."""
    extra: int
    """Rows of the database that no box has stored."""
    frontiers: int
    """Boxes whose frontier stands at their last number."""
    boxes: int
    recovery_seconds: float
    """From the return of the wiped cluster until every box had everything acknowledged."""

    @property
    def good(self) -> bool:
        """Nothing is missing, doubled or unacknowledged."""
        return self.accepted == self.present and self.extra == 0 and self.frontiers == self.boxes


class Region:
    """The central side of it."""

    def __init__(self, folder: Path) -> None:
        self.nats = NatsCluster(folder / "nats")
        self.postgresql = PostgreSql() if programs() else None
        self.database = self.postgresql.url if self.postgresql else f"sqlite:///{folder / 'events.db'}"
        self.intakes = [
            RunningIntake(
                folder / name,
                self.database,
                *(option for node in self._first(number) for option in ("--nats", node.url)),
                *("--broker", self.nats.nodes[number].mqtt_url),
                tenant=TENANT,
            )
            for number, name in enumerate(("intake-a", "intake-b"))
        ]

    def _first(self, number: int) -> list[NatsNode]:
        return [*self.nats.nodes[number:], *self.nats.nodes[:number]]

    def start(self) -> None:
        if self.postgresql:
            self.postgresql.start()
        self.nats.start()
        for intake in self.intakes:
            intake.start()

    def urls(self, number: int) -> tuple[str, ...]:
        """Every node for each box, a third of them beginning with each."""
        return tuple(node.mqtt_url for node in self._first(number % 3))

    def strikes(self) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
        """Yield what is killed in turn: its name, how, and how it comes back."""
        node = self.nats.nodes[1]
        yield "a NATS node", node.kill, node.start
        yield "the first intake", self.intakes[0].kill, self.intakes[0].start
        yield "the second intake", self.intakes[1].kill, self.intakes[1].start
        if self.postgresql:
            yield "the database", self.postgresql.kill, self.postgresql.start
        yield "all NATS nodes, their storage wiped", self._wipe, self.nats.start

    def _wipe(self) -> None:
        self.nats.kill()
        for node in self.nats.nodes:
            node.wipe()

    def close(self) -> None:
        for intake in self.intakes:
            intake.kill()
        self.nats.kill()
        if self.postgresql:
            self.postgresql.close()


def run(folder: Path, plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Let the region work. Raises BenchError when something does not come to pass."""
    allow_many_files()
    outboxes = folder / "outboxes"
    outboxes.mkdir()
    region = Region(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(region.close)
        stack.enter_context(_explained(region, outboxes))
        region.start()
        wait_until(
            lambda: all("announced" in one.log.read_text() for one in region.intakes),
            "intakes are there",
            PATIENCE_SECONDS,
        )
        say(f"three NATS nodes, two intakes, {region.database.split(':')[0]}")
        gateways = [stack.enter_context(gateways_of(one)) for one in _shares(outboxes, region, plan)]
        for each in gateways:
            line(each)
        say(
            f"{plan.boxes} boxes are connected, and scan {plan.boxes * plan.scans / plan.seconds:.0f} times a second"
        )
        for each in gateways:
            go(each)
        returned = _strike(region, plan, say)
        for each in gateways:
            enough(each)
        for each in gateways:
            msgspec.json.decode(line(each), type=Report)
        recovery = time.monotonic() - returned
        say(f"everything is acknowledged {recovery:.0f} s after the cluster's return (aim {CONTAINED_SECONDS:.0f})")
        return _compare(outboxes, region.database, plan.boxes, recovery)


@contextlib.contextmanager
def _explained(region: Region, outboxes: Path) -> Iterator[None]:
    """Add what intakes and gateways said to an error: the folder goes with the run."""
    try:
        yield
    except BenchError as error:
        for log in (*(intake.log for intake in region.intakes), *sorted(outboxes.glob("*.log"))):
            error.add_note(f"{log.name}: {log.read_text(errors='replace')[-LOG_CHARACTERS:]}")
        _, found = status(region.database)
        behind = [
            (one["source"], one["frontier"], one["newest"], one["stored"])
            for one in found["streams"]
            if one["missing"]
        ]
        error.add_note(f"stored {found['stored']}, streams with holes {len(behind)}: {behind[:20]}")
        raise


def _strike(region: Region, plan: Plan, say: Callable[[str], None]) -> float:
    """Kill one after the other while people scan; return when the last came back (CLOCK_MONOTONIC)."""
    strikes = list(region.strikes())
    pause = plan.seconds / (2 * len(strikes) + 1)
    returned = time.monotonic()
    for name, kill, back in strikes:
        time.sleep(pause)
        kill()
        say(f"killed: {name}")
        time.sleep(pause)
        back()
        returned = time.monotonic()
        say(f"back: {name}")
    time.sleep(pause)
    return returned


def _shares(outboxes: Path, region: Region, plan: Plan) -> Iterator[Settings]:
    size = min(PER_PROCESS, MOST)
    for first in range(0, plan.boxes, size):
        numbers = range(first, min(first + size, plan.boxes))
        yield Settings(
            directory=str(outboxes),
            first=first,
            urls=tuple(region.urls(number) for number in numbers),
            scans=plan.scans,
            seconds=plan.seconds,
            window=WINDOW,
            until_end=True,
            confirm="auto",
        )


class _Head(Struct, frozen=True):
    id: str
    source: str
    epoch: str


def _compare(outboxes: Path, database: str, boxes: int, recovery: float) -> Outcome:
    """Compare the boxes' outboxes with the database."""
    engine = make_engine(database)
    heads = msgspec.json.Decoder(_Head)
    accepted = present = frontiers = 0
    with engine.connect() as connection:
        for path in sorted(outboxes.glob("*.db")):
            reader = OutboxReader(path)
            try:
                journal = list(reader.journal())
            finally:
                reader.close()
            head = heads.decode(journal[-1].body)
            query = sa.select(event.c.id, event.c.body).where(event.c.source == head.source)
            stored = {str(row.id): row.body.encode() for row in connection.execute(query)}
            accepted += len(journal)
            present += sum(stored.get(heads.decode(one.body).id) == one.body for one in journal)
            frontier = connection.scalar(
                sa.select(stream.c.frontier).where(stream.c.source == head.source, stream.c.epoch == head.epoch)
            )
            frontiers += frontier == journal[-1].sequence
        rows = connection.scalar(sa.select(sa.func.count()).select_from(event)) or 0
    engine.dispose()
    return Outcome(
        accepted=accepted,
        present=present,
        extra=rows - present,
        frontiers=frontiers,
        boxes=boxes,
        recovery_seconds=recovery,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=200)
    parser.add_argument("--scans", type=int, default=20, help="of each box")
    parser.add_argument("--seconds", type=float, default=50.0, help="over which each box's scans are spread")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything else ends, too
    console = Console(highlight=False)
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {text}")

    plan = Plan(boxes=chosen.boxes, scans=chosen.scans, seconds=chosen.seconds)
    with workplace() as folder:
        outcome = run(folder, plan, say)
    say(f"{outcome.frontiers} of {outcome.boxes} boxes acknowledged to the last number")
    say(f"{outcome.extra} rows that no box has stored")
    console.print(f"{outcome.present} of {outcome.accepted} accepted scans are in the database")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
