"""A box to be hurt: the daemon as a process, a pty as its scanner, and what the scanner was told as the witness.

The scanner speaks Host ACK: the answer to a code is the operator's signal, so a scan counts as accepted when, and
only when, the scanner's end of the line has been told so. A code that was not answered, or with `trouble`, is
scanned again, as an operator does.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from drivers.dialects.honeywell import HOST_ACK
from drivers.model import Signal
from gateway.events.cloudevent import PARKED_TYPE, SCAN_TYPE
from gateway.outbox.reader import OutboxReader
from gateway.outbox.schema import connect
from gateway.system.control_socket import DaemonUnreachableError, ask
from tests.end_to_end.plant import ROOT, Wire, label, wait_for

ANSWERS: Final = {pattern: answer for answer, pattern in HOST_ACK.items()}
STORED: Final = frozenset({Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED})
"""Each of them says that the scan was recorded."""
ANSWER_SECONDS: Final = 15.0
"""Longer than SQLite waits for a lock; a daemon that lives has answered by then."""
UNTOLD: Final = b"could not be told"
"""What the daemon logs when the line to the scanner fails."""
READY_SECONDS: Final = 40.0
DELIVERY_SECONDS: Final = 90.0
"""The publisher may sit out a back-off, the limit on unacknowledged events, or both."""


class BrokenPromiseError(AssertionError):
    """A scan was lost, changed, or came out of order."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one fault, once it was lifted. Counts."""

    accepted: int
    """Scans that the scanner was told are recorded."""
    delivered: int
    """Events that arrived, each counted once."""
    copies: int
    """Further arrivals of the same events."""
    unanswered: int
    """Scans that got no answer, because the daemon was dead or the line to the scanner failed."""
    trouble: int
    """Scans answered with the signal `trouble`."""
    dead: int
    """Dead letters: named, listed, kept."""


class Box:
    """One gateway with its state in a folder of its own."""

    def __init__(self, directory: Path, urls: Sequence[str], broker: str = "") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.wire = Wire(directory)
        self.state = directory / "state"
        self.log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.told: dict[int, Signal] = {}
        """Serial number -> the best that the scanner was told of it."""
        self.counts: Counter[str] = Counter()
        self._config = directory / "scangate.toml"
        self._socket = directory / "control.sock"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self._config.write_text(f"""
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[station]
id = "op3"
profile = "operating-room"
[state]
directory = "{self.state}"
[[scanner]]
name = "front"
device = "{self.wire.path}"
idle_ms = 50
dialect = "honeywell"
feedback = "host-ack"
[broker]
urls = {msgspec.json.encode(list(urls)).decode()}
{broker}
[outbox]
min_free_bytes = 0
""")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def tty(self) -> str:
        """The daemon's end of the scanner's line."""
        return str(self.wire.path.resolve())

    def start(self, prefix: Sequence[str] = ()) -> bool:
        """Start the daemon, below a tracer if one is given; tell whether it became ready."""
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(self.directory / "notify"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "gateway", "run", "-c", str(self._config), "--socket", str(self._socket)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*prefix, *command], stderr=log, env=environment)
        return self._ready() and self._reads()

    def _ready(self) -> bool:
        until = time.monotonic() + READY_SECONDS
        self._notify.settimeout(0.05)
        while time.monotonic() < until:
            if self.dead:
                self._forget_notifications()
                return False
            with suppress(TimeoutError):
                if b"READY=1" in self._notify.recv(4096):
                    return True
        raise AssertionError(f"the daemon is neither ready nor gone: {self.log.read_text()}")

    def _forget_notifications(self) -> None:
        self._notify.setblocking(False)
        with suppress(BlockingIOError):
            while self._notify.recv(4096):
                pass

    def _reads(self) -> bool:
        wait_for(lambda: self.dead or self.connected(), "the daemon reads the scanner", READY_SECONDS)
        return not self.dead

    def connected(self) -> bool:
        """Return whether the daemon has its scanner."""
        with suppress(DaemonUnreachableError, OSError):
            return bool(ask(self._socket, "scanners")[0]["link"] == "connected")
        return False

    @property
    def dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self._socket, "status")
        return status

    def problem(self) -> str | None:
        """What keeps the daemon from delivering; nothing before its publisher has begun."""
        problem: str | None = (self.status()["broker"] or {}).get("problem")
        return problem

    def scan(self, serial: int) -> Signal | None:
        """Scan a label and return the scanner's answer; None when the daemon, or the line, died over it."""
        self._read()
        logged = self.log.stat().st_size
        self.wire.write(label(serial))
        answer, until = b"", time.monotonic() + ANSWER_SECONDS
        while answer not in ANSWERS:
            answer += self._read(0.02)
            lost = self.dead or UNTOLD in self.log.read_bytes()[logged:]
            if lost and not (answer := answer + self._read()):
                self.counts["unanswered"] += 1
                return None
            assert time.monotonic() < until, f"no answer to a scan, got {answer!r}: {self.log.read_text()}"
        said = ANSWERS[answer]
        if self.told.get(serial) not in STORED:
            self.told[serial] = said
        self.counts["trouble"] += said is Signal.TROUBLE
        return said

    def _read(self, seconds: float = 0.0) -> bytes:
        line = self.wire._scanner
        ready, _, _ = select.select([line], [], [], seconds)
        return os.read(line, 4096) if ready else b""

    def scan_until_stored(self, serial: int) -> None:
        """Scan as an operator does: again, until the scanner says that it is recorded. A dead daemon comes back."""
        until = time.monotonic() + DELIVERY_SECONDS
        while self.scan(serial) not in STORED:
            assert time.monotonic() < until, f"a scan is never taken: {self.log.read_text()}"
            if self.dead:
                self.come_back()

    def come_back(self) -> None:
        """Start again, as systemd does."""
        if self.process is not None:
            self.ended()
        assert self.start(), f"the daemon does not start again: {self.log.read_text()}"

    def ended(self, seconds: float = 20.0) -> int:
        """Wait for the end of the process; return its exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process = None
        return code

    def until_delivered(self) -> None:
        """Wait until nothing waits. A daemon that dies meanwhile comes back."""

        def done() -> bool:
            if self.dead:
                self.come_back()
            with suppress(DaemonUnreachableError, OSError):
                return bool(self.status()["sequence"]["waiting"] == 0)
            return False

        wait_for(done, "everything is delivered", DELIVERY_SECONDS)

    def stop(self) -> None:
        """Stop in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.ended() == 0, self.log.read_text()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.ended()

    def close(self) -> None:
        self.kill()
        self._notify.close()
        if self.wire.path.is_symlink():
            self.wire.unplug()

    def journal(self) -> list[bytes]:
        """Every event in the outbox file."""
        with closing(OutboxReader(self.state / "outbox.db")) as backlog:
            return [one.body for one in backlog.journal()]

    def finish(self, arrivals: Callable[[], list[bytes]]) -> Outcome:
        """Let everything arrive, stop, and hold the promise against what is on disk and what arrived."""
        self.until_delivered()
        self.stop()
        return self.judge(arrivals())

    def judge(self, arrivals: list[bytes]) -> Outcome:
        """Hold the promise against what is on disk and what arrived. Raises BrokenPromiseError."""
        first: dict[str, bytes] = {}
        stand_ins: dict[str, str] = {}
        for body in arrivals:
            event = msgspec.json.decode(body)
            if event["type"] == PARKED_TYPE:
                stand_ins[event["id"]] = event["data"]["event"]
                continue
            _promise(first.setdefault(event["id"], body) == body, "a copy differs from its original")
        stored = {msgspec.json.decode(body)["id"]: body for body in self.journal()}
        with closing(OutboxReader(self.state / "outbox.db")) as backlog:
            dead = {sequence for sequence, _ in backlog.dead()}
        parked = {key for key, body in stored.items() if _sequence(body) in dead}
        _promise(first.keys() | parked == stored.keys(), "stored and delivered are not the same set")
        _promise(set(stand_ins.values()) <= parked, "an event stands in for one that is no dead letter")
        _promise(all(stored[key] == body for key, body in first.items()), "what arrived is not what was stored")
        accepted = {serial for serial, said in self.told.items() if said in STORED}
        there = set(map(_serial, stored.values()))
        _promise(accepted <= there, f"accepted and not delivered: {sorted(accepted - there)}")
        _promise(_in_order(list(first.values())), "first arrivals out of order")
        numbers = [_sequence(body) for body in stored.values()]
        _promise(numbers == list(range(1, len(numbers) + 1)), "a gap in the sequence")
        with closing(connect(self.state / "outbox.db", read_only=True)) as db:
            _promise(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the outbox is damaged")
        return Outcome(
            accepted=len(accepted),
            delivered=len(first),
            copies=len(arrivals) - len(first) - len(stand_ins),
            unanswered=self.counts["unanswered"],
            trouble=self.counts["trouble"],
            dead=len(dead),
        )


def _promise(kept: bool, what: str) -> None:  # noqa: FBT001 - the one thing it is asked
    if not kept:
        raise BrokenPromiseError(what)


def _serial(body: bytes) -> int | None:
    """Return the serial number on the label of a scan; None for an event that is no scan."""
    event = msgspec.json.decode(body)
    return int(event["data"]["udi"]["serialNumber"].removeprefix("S")) if event["type"] == SCAN_TYPE else None


def _sequence(body: bytes) -> int:
    return int(msgspec.json.decode(body)["sequence"])


def _in_order(bodies: list[bytes]) -> bool:
    """Return whether the sequence grows within each epoch, and no epoch comes back."""
    places = [(event["epoch"], int(event["sequence"])) for event in map(msgspec.json.decode, bodies)]
    epochs = list(dict.fromkeys(epoch for epoch, _ in places))
    return places == sorted(places, key=lambda place: (epochs.index(place[0]), place[1]))


@contextmanager
def box(urls: Sequence[str], broker: str = "", directory: Path | None = None) -> Iterator[Box]:
    """Yield a box in a folder of its own, or in one that has a past."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        one = Box(directory or Path(folder).resolve(), urls, broker)
        try:
            yield one
        finally:
            one.close()


__all__ = ["STORED", "Box", "BrokenPromiseError", "Outcome", "box"]
