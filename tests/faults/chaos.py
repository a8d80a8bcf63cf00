"""The daemon's threads against chance: python -m tests.faults.chaos [MINUTES] [--seed N].

32 scanners scan while configurations are reloaded, lines lent, scanners calibrated, commands given and connections
cut; threads are switched all the time, and each lock that the daemon takes may be slow. In the end the sets are
equal (what was signalled as accepted is on disk, and what is on disk has arrived), each scanner's order is kept,
numbers have no gap, and no thread and no descriptor is left.

How it works. The daemon runs in this process, life after life as `scangate run` keeps it, so that its locks can be
delayed: `threading.Lock` gives a lock that sleeps now and then before it is taken and after it was released. The
order of what is done depends on the seed alone; how threads meet, on the machine.
"""

import argparse
import gc
import logging
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway import app
from gateway.config.loader import parse
from gateway.outbox.reader import OutboxReader
from gateway.scanning.carry_over import CarryOver
from gateway.system.control_socket import DaemonUnreachableError, RequestError, ask, talk
from tests.brokers import Broker, Subscriber, wait_for
from tests.end_to_end.plant import Wire, label
from tests.faults.proxy import Proxy

SCANNERS: Final = 32
SLOW: Final = 0.02
"""Share of locks taken that are slow."""
SLOWEST_SECONDS: Final = 0.003
SWITCH_SECONDS: Final = 1e-5
PATIENCE: Final = 120.0
LOST: Final = (DaemonUnreachableError, RequestError, OSError, ValueError)
"""What a client meets while lives follow one another."""
_lock = threading.Lock


class SlowLock:
    """A lock that is slow now and then: before it is taken, and after it was released."""

    def __init__(self) -> None:
        self._lock = _lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as a lock
        _dawdle()
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()
        _dawdle()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def _dawdle() -> None:
    if random.random() < SLOW:  # noqa: S311 - chance
        time.sleep(random.random() * SLOWEST_SECONDS)  # noqa: S311


@contextmanager
def slow_threads() -> Iterator[None]:
    """Switch threads all the time, and give slow locks to whoever makes one."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    threading.Lock = SlowLock  # type: ignore[assignment]
    try:
        yield
    finally:
        threading.Lock = _lock
        sys.setswitchinterval(before)


def left_over() -> tuple[set[str], int]:
    """Return the names of threads, and how many descriptors are open."""
    gc.collect()
    threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith("paho")}
    return threads, len(list(Path("/proc/self/fd").iterdir()))


class Station:
    """The daemon, life after life, with its scanners."""

    def __init__(self, directory: Path, url: str) -> None:
        self.socket = directory / "control.sock"
        self.state = directory / "state"
        self.wires: list[Wire] = []
        for number in range(SCANNERS):
            place = directory / f"scanner-{number}"
            place.mkdir()
            self.wires.append(Wire(place))
        self.document: dict[str, Any] = {
            "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
            "station": {"id": "op3", "profile": "operating-room"},
            "state": {"directory": str(self.state)},
            "outbox": {"min_free_bytes": 0},
            "broker": {"urls": [url]},
            "scanner": [
                {"name": f"s{number}", "device": str(wire.path), "idle_ms": 50, "dialect": "honeywell"}
                for number, wire in enumerate(self.wires)
            ],
        }
        self.accepted: set[str] = set()
        self.ends: list[str] = []
        self._lives = [app.Life()]
        """The one that is lived; it has a pipe of its own."""
        self._thread = threading.Thread(target=self._live, name="station")

    def _live(self) -> None:
        carry_over = CarryOver()
        try:
            ending = app.Ending.RELOAD
            while ending is not app.Ending.STOPPED:
                ending = app.run(
                    parse(self.document, "chaos"),
                    self.socket,
                    life=self._lives[0],
                    check_reload=lambda: None,
                    on_event=self._heard,
                    carry_over=carry_over,
                )
                self.ends.append(ending.value)
                self._lives[:] = [app.Life()]
        except BaseException as error:
            self.ends.append(f"{type(error).__name__}: {error}")
            raise

    def _heard(self, event: Mapping[str, Any]) -> None:
        if event.get("id"):
            self.accepted.add(event["id"])

    def start(self) -> None:
        self._thread.start()
        wait_for(self.reads_all, "all scanners are read", PATIENCE)

    def reads_all(self) -> bool:
        assert self._thread.is_alive(), self.ends
        with suppress(*LOST):
            return all(one["link"] == "connected" for one in ask(self.socket, "scanners"))
        return False

    def stop(self) -> None:
        def ended() -> bool:
            self._lives[0].end()  # whichever it is
            return not self._thread.is_alive()

        wait_for(ended, "the daemon stops", PATIENCE)
        self._thread.join()
        assert self.ends[-1] == "stopped", self.ends

    def close(self) -> None:
        if self._thread.is_alive():
            self.stop()
        self._lives.clear()
        for wire in self.wires:
            wire.unplug()


class Chaos:
    """What happens to a station by chance."""

    def __init__(self, station: Station, proxy: Proxy, broker: Broker, seed: int) -> None:
        self.station = station
        self.proxy = proxy
        self.broker = broker
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        self.scanned = 0
        self.done: list[str] = []
        self.acts: dict[str, Callable[[str], None]] = {
            "reload": self.reload,
            "lend": self.lend,
            "calibrate": self.calibrate,
            "command": self.command,
            "cut": self.cut,
            "ask": self.ask,
            "retry": self.retry,
        }

    def round(self) -> None:
        """Each scanner scans something, while three things happen at once."""
        names = [self.chance.choice(list(self.acts)) for _ in range(3)]
        scanners = [f"s{self.chance.randrange(SCANNERS)}" for _ in names]
        threads = [
            threading.Thread(target=self._act, args=(name, scanner), name=f"chaos-{name}")
            for name, scanner in zip(names, scanners, strict=True)
        ]
        for thread in threads:
            thread.start()
        for wire in self.chance.sample(self.station.wires, SCANNERS):
            self.scanned += 1
            wire.write(label(self.scanned))
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} hangs"
        self.done += names

    def _act(self, name: str, scanner: str) -> None:
        with suppress(*LOST):
            self.acts[name](scanner)

    def reload(self, _scanner: str) -> None:
        ask(self.station.socket, "reload")

    def lend(self, scanner: str) -> None:
        with talk(self.station.socket) as line:
            line.ask("lend", scanner=scanner, vendor="honeywell")
            line.ask("read", seconds=0.05)
            line.ask("return")

    def calibrate(self, scanner: str) -> None:
        begun = ask(self.station.socket, "calibrate", scanner=scanner, seconds=0.5)
        ask(self.station.socket, "calibration", id=begun["id"], end=True)

    def command(self, scanner: str) -> None:
        from paho.mqtt import publish

        body = {"id": secrets.token_hex(8), "issuedAt": "2026-11-28T00:00:00Z", "args": {"scanner": scanner}}
        publish.single(
            "udi/v1/vgr/su/gw01/cmd/identify",
            msgspec.json.encode(body),
            hostname="127.0.0.1",
            port=self.broker.port,
        )

    def cut(self, _scanner: str) -> None:
        self.proxy.hang_up()

    def ask(self, _scanner: str) -> None:
        for what in ("status", "scanners", "station", "quality"):
            ask(self.station.socket, what)

    def retry(self, _scanner: str) -> None:
        ask(self.station.socket, "retry")


def check(station: Station, heard: Subscriber) -> int:
    """See that the promise holds; return how many events there are."""
    with closing(OutboxReader(station.state / "outbox.db")) as reader:
        stored = [one.body for one in reader.journal()]
    events = [msgspec.json.decode(body) for body in stored]
    assert station.accepted <= {event["id"] for event in events}, "signalled, and not on disk"
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1)), "a gap"
    assert len({event["epoch"] for event in events}) == 1
    first = list(dict.fromkeys(heard.bodies))
    assert set(first) == set(stored), "what is on disk and what has arrived are not the same"
    assert first == stored, "first arrivals out of order"
    newest: dict[str, int] = {}
    for event in events:
        scanner, serial = event["data"]["station"]["scanner"], int(event["data"]["udi"]["serialNumber"][1:])
        assert newest.get(scanner, 0) < serial, f"the order of {scanner}"
        newest[scanner] = serial
    return len(events)


def run(directory: Path, seed: int, goes_on: Callable[[Chaos], bool]) -> Chaos:
    """Let chance work while `goes_on`; check everything. Raises AssertionError."""
    random.seed(seed)
    with ExitStack() as stack:
        broker = Broker(directory / "broker", "allow_anonymous true\nmax_queued_messages 0")
        broker.start()
        stack.callback(broker.kill)
        heard = Subscriber(broker.port, "udi/v1/vgr/su/gw01/scan")
        stack.callback(heard.close)
        heard.subscribed()
        proxy = Proxy(broker.port)
        stack.callback(proxy.close)
        before = left_over()
        with slow_threads():
            station = Station(directory, proxy.url)
            with closing(station):
                station.start()
                chaos = Chaos(station, proxy, broker, seed)
                while goes_on(chaos):
                    chaos.round()

                def arrived() -> bool:
                    if not station.reads_all():
                        return False
                    with suppress(*LOST):
                        sequence = ask(station.socket, "status")["sequence"]
                        return bool(sequence["waiting"] == 0 and len(set(heard.bodies)) >= sequence["stored"])
                    return False

                wait_for(arrived, "everything arrives", PATIENCE)
                station.stop()
        stored = check(station, heard)
        assert stored > chaos.scanned // 4, "most are scanned while a life is there"

        def clean() -> bool:
            after = left_over()
            return after[0] <= before[0] and after[1] <= before[1]

        proxy.hang_up()
        wait_for(clean, f"nothing is left of {before}: {left_over()}", PATIENCE)
    return chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float, nargs="?", default=3.0)
    parser.add_argument("--rounds", type=int, help="so many rounds instead, on however busy a machine")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    until = time.monotonic() + 60 * options.minutes
    sys.stdout.write(f"seed {options.seed}\n")
    codes = None if options.rounds is None else options.rounds * SCANNERS
    if codes is not None:  # the five seconds of a stop are for a machine that does nothing else
        app.READERS_STOP_SECONDS = app.WORKER_STOP_SECONDS = app.PUBLISHER_STOP_SECONDS = PATIENCE  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        chaos = run(
            Path(directory),
            options.seed,
            lambda at: time.monotonic() < until if codes is None else at.scanned < codes,
        )
    counts = {name: chaos.done.count(name) for name in chaos.acts}
    sys.stdout.write(f"{chaos.scanned} codes, {len(chaos.station.accepted)} accepted, {counts}: all well\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
