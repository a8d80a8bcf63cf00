"""Faults of the disk and of the process: SIGKILL, ENOSPC and EIO at each system call that touches the state.

strace injects them. A clean run of each phase counts the calls; then each of them is hurt once, in a life of its
own. A counter of strace is a thread's own, so each phase is traced apart: no two threads make the same call in it.
"""

import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from drivers.model import Signal
from tests.end_to_end.plant import wait_for
from tests.faults.box import STORED, Box, Outcome, box
from tests.faults.scripted import ScriptedBroker

CALLS: Final = (
    *("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "fallocate", "?mkdir", "?mkdirat"),
    *("?rename", "?renameat", "?renameat2", "?link", "?linkat", "?unlink", "?unlinkat"),
)
PHASES: Final = {
    "starting": "a first start: lock, database, schema, epoch",
    "scanning": "three scans: append, signal to the scanner, marks of delivery riding along, station.json",
    "idle": "marks of delivery in a transaction of their own",
    "stopping": "the ordered stop: last marks, checkpoint, removal of the WAL",
    "salvaging": "a start that finds the outbox damaged: quarantine, carrying over, putting in place",
}
EFFECTS: Final = {"SIGKILL": "signal=SIGKILL", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO"}
SCANS: Final = range(3)
LATER: Final = range(3, 5)
"""Scanned after the fault."""
FILES: Final = (
    *("outbox.db", "outbox.db-journal", "outbox.db-wal", "outbox.db-shm", "station.json", "station.new"),
    *("outbox.db.salvaging", "outbox.db.salvaging-journal", "outbox.db.salvaging-wal", "outbox.db.salvaging-shm"),
    *("outbox.db.salvaged", "."),
)
_CALL: Final = re.compile(r"^(\d+)\s+(\w+)\(", re.MULTILINE)
INJECTED: Final = "(INJECTED)"


class Point(Struct, frozen=True, kw_only=True):
    """One place where a fault strikes."""

    phase: str
    effect: str
    call: str
    number: int
    """The how-manieth such call of the phase, from 1."""

    @property
    def fault(self) -> str:
        """The row of the table that it belongs to."""
        return fault_name(self.phase, self.effect)

    @property
    def inject(self) -> str:
        return f"{self.call}:{EFFECTS[self.effect]}:when={self.number}"

    def __str__(self) -> str:
        return f"{self.phase} {self.effect} {self.call} {self.number}"


def fault_name(phase: str, effect: str) -> str:
    return f"{effect} at each call while {phase}"


FAULTS: Final = {fault_name(phase, effect): PHASES[phase] for phase in PHASES for effect in EFFECTS}
LASTING: Final = {
    "ENOSPC at every write, for a while": "ENOSPC",
    "EIO at every flush, for a while": "EIO",
}
"""The disk stays full, or fails, and mends without a restart."""


@cache
def refused_because() -> str | None:
    """Say why no process can be traced here; None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync", "true"],
        capture_output=True,
        check=False,
    )
    if tried.returncode != 0:
        return f"strace may not trace: {tried.stderr.decode(errors='replace').strip()}"
    with subprocess.Popen(["sleep", "60"]) as other:  # no child of strace: some kernels allow only those
        command = ["strace", "-o", "/dev/null", "-p", str(other.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline().strip()
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
        other.kill()
    return None if "attached" in said else f"strace may not trace a running process: {said}"


def _tracer(one: Box, trace: Path, inject: str | None) -> list[str]:
    paths = [one.state, *(one.state / name for name in FILES[:-1]), Path(one.tty)]
    return [
        *("strace", "-f", "-q", "-s", "0", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"),
        *(argument for path in paths for argument in ("-P", str(path))),
        *(("-e", f"inject={inject}") if inject else ()),
    ]


@contextmanager
def attached(one: Box, trace: Path, inject: str | None) -> Iterator[None]:
    """Trace the threads of the running daemon, and let it go at the end if it lives.

    Each thread by itself: strace -f that comes upon a process between vfork and exec may wait for it for ever.
    """
    threads = sorted(path.name for path in Path(f"/proc/{one.pid}/task").iterdir())
    command = [argument for argument in _tracer(one, trace, inject) if argument not in {"-f", "-q"}]
    targets = [argument for thread in threads for argument in ("-p", thread)]
    with subprocess.Popen([*command, *targets], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        said = [tracer.stderr.readline() for _ in threads]  # that it is attached, or that the thread is gone
        assert any(b"attached" in line for line in said), said
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.stderr.read()


def count(broker: ScriptedBroker, phase: str, seed: Path | None) -> Counter[str]:
    """Return how many calls of each kind the thread that makes most of them makes in a phase."""
    with box([broker.url]) as one:
        trace = one.directory / "trace"
        _live(one, broker, phase, trace, None, seed)
        calls = Counter(_CALL.findall(trace.read_text()))
    most: Counter[str] = Counter()
    for (_thread, name), number in calls.items():
        most[name] = max(most[name], number)
    return most


def points(broker: ScriptedBroker, phases: Sequence[str], seed: Path) -> Iterator[Point]:
    """Yield every point of the phases."""
    for phase in phases:
        counts = count(broker, phase, seed)
        for effect in EFFECTS:
            for call, most in sorted(counts.items()):
                for number in range(1, most + 1):
                    yield Point(phase=phase, effect=effect, call=call, number=number)


def strike(broker: ScriptedBroker, point: Point, seed: Path) -> tuple[Outcome, bool]:
    """Let one fault strike; return what came of it, and whether it struck."""
    broker.arrivals.clear()
    with box([broker.url]) as one:
        trace = one.directory / "trace"
        _live(one, broker, point.phase, trace, point.inject, seed)
        for serial in LATER:
            one.scan_until_stored(serial)
        outcome = one.finish(lambda: list(broker.arrivals))
        traced = trace.read_text()
        return outcome, INJECTED in traced or "killed by SIGKILL" in traced


def _live(one: Box, broker: ScriptedBroker, phase: str, trace: Path, inject: str | None, seed: Path | None) -> None:
    """Go through a phase with the tracer at it. The daemon runs, untraced or unhurt, when it is over."""
    if phase == "salvaging":
        assert seed is not None
        shutil.copytree(seed, one.state)
        one.told.update(dict.fromkeys(SCANS, Signal.ACCEPTED))
    if phase in {"starting", "salvaging"}:
        # With a seccomp filter strace is fast, and drops the signals that it is to inject
        fast = () if inject and "signal" in inject else ("--seccomp-bpf",)
        if not one.start([*_tracer(one, trace, inject), "-D", *fast, "--"]):
            said = one.log.read_text()
            assert "Traceback" not in said, said
            one.come_back()
        return
    assert one.start()
    if phase == "scanning":
        with attached(one, trace, inject):
            for serial in SCANS:
                one.scan_until_stored(serial)
        return
    for serial in SCANS:
        one.scan_until_stored(serial)
    wait_for(lambda: len(broker.arrivals) >= len(SCANS), "the scans arrive")
    with attached(one, trace, inject):
        if phase == "idle":
            wait_for(lambda: one.dead or _marked(one), "the marks are written")
        else:
            assert one.process is not None
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(20)
    if one.dead:
        one.come_back()


def _marked(one: Box) -> bool:
    """Look from outside whether the marks are on disk."""
    with closing(sqlite3.connect(f"file:{one.state / 'outbox.db'}?mode=ro", uri=True)) as db:
        return bool(db.execute("SELECT delivered >= ? FROM cursor", (len(SCANS),)).fetchone()[0])


@contextmanager
def damaged() -> Iterator[Path]:
    """Yield a state directory with scans that were accepted, not delivered, and an outbox with a damaged page."""
    with tempfile.TemporaryDirectory(prefix="faults-seed-") as folder:
        with box(["mqtt://127.0.0.1:1"]) as one:
            assert one.start()
            for serial in SCANS:
                one.scan_until_stored(serial)
            one.stop()
            shutil.copytree(one.state, Path(folder) / "state")
        outbox = Path(folder) / "state" / "outbox.db"
        with closing(sqlite3.connect(outbox)) as db:
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'meta'").fetchone()
            (size,) = db.execute("PRAGMA page_size").fetchone()
        with outbox.open("r+b") as stream:
            stream.seek((page - 1) * size)
            stream.write(b"\xff" * size)
        yield Path(folder) / "state"


def lasting(broker: ScriptedBroker, fault: str) -> Outcome:
    """Let the disk fail for a while: each scan meanwhile is `trouble`; afterwards all goes on without a restart."""
    broker.arrivals.clear()
    call = "fdatasync" if "flush" in fault else "pwrite64"
    with box([broker.url]) as one:
        assert one.start()
        one.scan_until_stored(0)
        with attached(one, one.directory / "trace", f"{call}:error={LASTING[fault]}:when=1+"):
            for serial in (1, 2):
                assert one.scan(serial) is Signal.TROUBLE
        process = one.process
        for serial in (1, 2, 3):
            one.scan_until_stored(serial)
        assert one.process is process, "the daemon was restarted"
        assert one.told[1] in STORED
        return one.finish(lambda: list(broker.arrivals))
