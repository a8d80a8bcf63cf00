"""The promise under power cuts: what was signalled as accepted is on disk, and arrives in order.

The disk is lossy: writes that were not flushed die with the machine, as in a drive's own cache. The witnesses stand
outside: what the daemon told before the cut came over a virtio port, what arrived came over MQTT.
"""

import json
import os
import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.brokers import Broker, Subscriber, wait_for
from tests.vm.agent import CommandError
from tests.vm.box import PATIENCE, STATE, STORE, Box
from tests.vm.install import say
from tests.vm.labels import label
from tests.vm.line import Line
from tests.vm.machine import Machine

CUTS = int(os.environ.get("SCANGATE_VM_CUTS", "30"))
SEED = int(os.environ.get("SCANGATE_VM_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
MOST_SCANS = 60
"""The cut comes after at most so many accepted scans: two or three seconds of load."""
AHEAD = 8
"""Labels that are on their way at once."""
AHEAD_SECONDS = 0.5
SAVED = "cuts"
"""Name of the machine's state that every life begins with."""
LIFE_FILE = "/run/scangate-life"
FORGETFUL = """
import sqlite3
class Forgetful(sqlite3.Connection):
    def execute(self, sql, *arguments):
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *arguments)
connect = sqlite3.connect
sqlite3.connect = lambda *a, **k: connect(*a, factory=Forgetful, **k)
"""
"""A module, loaded at start by a .pth file, that takes the flush away from every transaction, in the guest only."""


class Bench:
    """One box through many lives: each resumes the machine and finds its state on the lossy disk."""

    def __init__(self, installed: tuple[Machine, str], disk: Path, broker: Broker) -> None:
        self.machine, state = installed
        self.disk = disk
        self.signalled: list[str] = []
        self.labels = 0
        self.machine.start(state)
        box = Box(self.machine)
        box.configure('name = "front"\ndevice = "/dev/ttyUSB0"\n', broker=broker.port)
        # A resumed machine has the boot id of the saved one: each life is told its own.
        box.agent.run("mkdir -p /run/systemd/system/scangate.service.d")
        box.agent.write(
            "/run/systemd/system/scangate.service.d/life.conf", f"[Service]\nEnvironmentFile={LIFE_FILE}\n"
        )
        box.agent.run("systemctl daemon-reload")
        self.save()

    def save(self) -> None:
        """Let every further life begin with the machine as it is now."""
        self.machine.save(SAVED)
        self.machine.power_cut()

    def close(self) -> None:
        """Leave the machine as it was found."""
        self.machine.power_cut()
        if SAVED in self.machine.saved():
            self.machine.forget(SAVED)

    def boot(self) -> Box:
        """Begin a life, with the state of the earlier ones; the daemon does not run yet."""
        self.machine.start(SAVED)
        self.machine.plug_disk(self.disk, lossy=True)
        box = Box(self.machine)
        box.agent.write(LIFE_FILE, f"SCANGATE_BOOT_ID={uuid.uuid4().hex}\n")
        box.agent.run(f"python3 {STORE}/reseed.py {os.urandom(32).hex()}")
        box.agent.run(f"udevadm wait /dev/vdb && mount /dev/vdb {STATE}")
        box.agent.run(f"chown scangate:scangate {STATE} && chmod 0700 {STATE}")
        return box

    def stored(self, box: Box) -> list[str]:
        """Ids in the outbox, in order, before the daemon has touched it: read from a copy."""
        box.agent.run(f"rm -rf /run/found && cp -a {STATE} /run/found")
        if box.agent.try_run("test -e /run/found/outbox.db").code:
            return []
        return [json.loads(body)["id"] for body in box.journal("/run/found")]

    def live(self, box: Box, scans: int) -> None:
        """Scan as fast as the box takes it, and cut the power after so many were signalled."""
        line = self.machine.plug_serial("adapter")
        box.start()
        load = threading.Thread(target=self._scan, args=(line, box), daemon=True)
        load.start()
        try:
            box.wait_scans(scans)
        finally:
            box.cut_power()
            load.join()
        self.signalled += box.signalled()

    def _scan(self, line: Line, box: Box) -> None:
        """Scan without a pause, some labels ahead of the signals; the kernel drops what it cannot hold."""
        before = self.labels

        def keeps_up() -> bool:
            return self.labels - before - len(box.signalled()) < AHEAD

        with suppress(OSError):
            while True:
                self.labels += 1
                line.send(label(self.labels))
                with suppress(AssertionError):  # a label that began before the port was opened gets no signal
                    wait_for(keeps_up, "the box keeps up", AHEAD_SECONDS)


@pytest.fixture
def bench(installed: tuple[Machine, str], tmp_path: Path, broker: Broker) -> Iterator[Bench]:
    try:
        one = Bench(installed, tmp_path / "data.img", broker)
        yield one
    finally:
        installed[0].power_cut()
    one.close()


def test_nothing_that_was_signalled_is_lost(bench: Bench, consumer: Subscriber) -> None:
    moments = random.Random(SEED)  # noqa: S311 - which moment, is no secret
    say(f"{CUTS} power cuts, SCANGATE_VM_SEED={SEED}")
    for number in range(1, CUTS + 1):
        box = bench.boot()
        lost = set(bench.signalled) - set(bench.stored(box))
        assert lost == set(), f"before cut {number}, seed {SEED}"
        bench.live(box, moments.randint(1, MOST_SCANS))
        say(f"cut {number}: {len(bench.signalled)} scans signalled so far")
    box = bench.boot()
    stored = bench.stored(box)
    assert set(bench.signalled) <= set(stored)
    box.start()
    wait_for(lambda: _first_arrivals(consumer)[-1:] == stored[-1:], "the last scan arrives", PATIENCE)
    assert _first_arrivals(consumer) == stored
    bodies = {json.loads(body)["id"]: body for body in box.journal()}
    assert all(bodies[json.loads(body)["id"]] == body.decode() for body in consumer.bodies), "a copy is a copy"
    sequences = [int(json.loads(body)["sequence"]) for body in bodies.values()]
    assert sequences == list(range(1, len(stored) + 1))
    box.cut_power()
    say(f"{len(bench.signalled)} signalled, {len(stored)} stored, {len(consumer.bodies)} messages arrived")


def test_the_bench_sees_a_missing_flush(bench: Bench) -> None:
    """The same check on a daemon that does not flush: it must find something lost, or it proves nothing."""
    bench.machine.start(SAVED)
    agent = bench.machine.agent
    agent.write("/root/forgetful.py", FORGETFUL)
    site = "/opt/scangate/lib/python3*/site-packages"
    agent.run(f"cd {site} && cp /root/forgetful.py . && echo import forgetful >forgetful.pth && sync")
    bench.save()
    bench.live(bench.boot(), MOST_SCANS)
    box = bench.boot()
    try:
        stored = bench.stored(box)
    except CommandError:  # it is no database any more
        stored = []
    box.cut_power()
    assert set(bench.signalled) - set(stored)


def _first_arrivals(consumer: Subscriber) -> list[str]:
    """Ids in the order in which each came first."""
    return list(dict.fromkeys(json.loads(body)["id"] for body in consumer.bodies))
