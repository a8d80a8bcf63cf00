"""A fleet at work while its broker loses a node and gets it back."""

import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.outbox.reader import OutboxReader
from tests.bench.harness import LOG_CHARACTERS, ROOT, BenchError, ended, wait_until
from tests.fleet.central import Central
from tests.fleet.cluster import Brokers
from tests.fleet.gateways import MOST, PATIENCE_SECONDS, Report, Settings

STRIKE: Final = 0.25
"""Share of the scans that have arrived when the broker loses its node."""
AWAY: Final = 0.4
"""Share of the time the fleet scans for which the node is away: scans come before, without it and after."""
OPEN_FILES: Final = 8192
"""A broker has one for each gateway, and some for what it stores; the usual limit is 1,024."""


class Plan(Struct, frozen=True, kw_only=True):
    """How large a fleet, and how busy."""

    gateways: int
    scans: int
    """Of each gateway."""
    per_process: int
    seconds: float
    """Over which each gateway's scans are spread."""
    window: int = 100
    """Events of a gateway under way at a time."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of it."""

    brokers: str
    gateways: int
    window: int
    stored: int
    """Different events in the outboxes."""
    arrived: int
    missing: int
    """StoredEvent and not arrived as they were stored."""
    copies: int
    """Arrived again."""
    faults: int
    """Copies that differ from what came first, events with two ids."""
    late: int
    """First arrivals behind a later one of the same gateway. NATS stores what is under way side by side: when its
    leader dies, an event can fail while the one behind it is kept. With one event under way at a time none is."""
    redelivered: int
    """Such arrivals that the broker had sent before, and lost between two of its nodes."""
    seconds: float
    """From the first scan to the last arrival."""
    delays_ns: tuple[int, ...]
    """From each scan to its arrival, in ascending order."""
    reports: tuple[Report, ...]

    @property
    def good(self) -> bool:
        """Everything that was stored has arrived, and nothing is odd."""
        ordered = not self.late or self.window > 1
        return self.stored == self.arrived and not self.missing and not self.faults and ordered

    def delay_seconds(self, share: float) -> float:
        """Return the delay that `share` of the scans do not exceed."""
        return self.delays_ns[min(len(self.delays_ns) - 1, int(share * len(self.delays_ns)))] / 1e9


def run(directory: Path, brokers: Brokers, plan: Plan) -> Outcome:
    """Let the fleet work. Raises BenchError when something does not come to pass."""
    allow_many_files()
    outboxes = directory / "outboxes"
    outboxes.mkdir()
    try:
        return _run(outboxes, brokers, plan)
    except BenchError as error:
        said = "".join(log.read_text(errors="replace") for log in sorted(outboxes.glob("*.log")))
        error.add_note(f"the gateways said:\n{said[-LOG_CHARACTERS:]}")
        raise


def _run(outboxes: Path, brokers: Brokers, plan: Plan) -> Outcome:
    total = plan.gateways * plan.scans
    with contextlib.ExitStack() as stack:
        stack.callback(brokers.close)
        brokers.start()
        central = Central(brokers.central_port)
        stack.callback(central.close)
        central.start()
        processes = [stack.enter_context(gateways_of(one)) for one in _shares(outboxes, brokers, plan)]
        for process in processes:
            line(process)
        began = time.monotonic_ns()
        for process in processes:
            go(process)
        wait_until(lambda: central.arrived >= total * STRIKE, "scans arrive", PATIENCE_SECONDS)
        brokers.strike()
        back = time.monotonic() + AWAY * plan.seconds
        wait_until(lambda: time.monotonic() > back, "the node has been away", AWAY * plan.seconds + 1)
        brokers.mend()
        reports = tuple(msgspec.json.decode(line(process), type=Report) for process in processes)
        wait_until(lambda: central.arrived >= total, f"all have arrived ({central.arrived})", PATIENCE_SECONDS)
        stored = dict(_stored(outboxes))
        return Outcome(
            brokers=brokers.name,
            gateways=plan.gateways,
            window=plan.window,
            stored=len(stored),
            arrived=central.arrived,
            missing=central.missing(stored),
            copies=central.copies,
            faults=central.differing + abs(central.arrived - central.different),
            late=central.late,
            redelivered=central.redelivered,
            seconds=(central.last_ns - began) / 1e9,
            delays_ns=tuple(sorted(central.delays_ns)),
            reports=reports,
        )


def _shares(outboxes: Path, brokers: Brokers, plan: Plan) -> Iterator[Settings]:
    """Divide the gateways among processes."""
    size = min(plan.per_process, MOST)
    for first in range(0, plan.gateways, size):
        numbers = range(first, min(first + size, plan.gateways))
        yield Settings(
            directory=str(outboxes),
            first=first,
            urls=tuple(brokers.urls(number) for number in numbers),
            scans=plan.scans,
            seconds=plan.seconds,
            window=plan.window,
        )


@contextlib.contextmanager
def gateways_of(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a share of the gateways in a process of its own."""
    command = (sys.executable, "-m", "tests.fleet.gateways", msgspec.json.encode(settings).decode())
    with Path(settings.directory, f"gateways-{settings.first}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    with process, ended(process):
        yield process


def line(process: "subprocess.Popen[bytes]") -> bytes:
    """Wait for what it says next."""
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise BenchError(f"a process of gateways ended with {process.wait()}; its log tells why")
    return line


def go(process: "subprocess.Popen[bytes]") -> None:
    """Let it begin."""
    if process.stdin is not None:
        process.stdin.write(b"go\n")
        process.stdin.flush()


def enough(process: "subprocess.Popen[bytes]") -> None:
    """Let it scan no more: its standard input ends."""
    if process.stdin is not None:
        process.stdin.close()


def _stored(outboxes: Path) -> Iterator[tuple[str, int]]:
    """Yield id and hash of the body of every event that a gateway has stored."""
    for path in sorted(outboxes.glob("*.db")):
        backlog = OutboxReader(path)
        try:
            for one in backlog.journal():
                yield msgspec.json.decode(one.body)["id"], hash(one.body)
        finally:
            backlog.close()


def allow_many_files() -> None:
    """Raise the limit of open files, which the brokers inherit, as far as this user may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
