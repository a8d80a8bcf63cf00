"""A box at work for minutes or days while what is around it fails at random: python -m tests.faults.soak MINUTES.

Prints what happened, and the seed that repeats the same order of faults. Exit code 1 when a scan was lost, changed
or out of order.
"""

import argparse
import os
import random
import secrets
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.end_to_end.plant import wait_for
from tests.faults import disk
from tests.faults.box import STORED, BrokenPromiseError
from tests.faults.network import REFUSALS, STRICT, Scene, scene
from tests.faults.scripted import Told, honest

PACE_SECONDS: Final = 0.1
"""Between two scans: faster than any person, and an hour's events still fit into memory."""
CALM_SECONDS: Final = 2.0
"""Between two faults."""
SETTLE_EVERY: Final = 10
"""Faults between two times when everything has to arrive: back-offs grow while all keeps failing."""

Hurt = Callable[["Soak"], Iterator[None]]


class Soak:
    """One run: a box, two brokers, a network, and chance."""

    def __init__(self, there: Scene, seed: int, *, strict: bool) -> None:
        self.there = there
        self.box = there.box
        self.chance = random.Random(seed)  # noqa: S311 - a run that can be repeated
        self.strict = strict
        self.faults: Counter[str] = Counter()
        self.scans = 0
        self.most_kib = 0
        """VmHWM of the daemon, the highest of all its lives."""

    def work(self, until: float) -> None:
        """Hurt, scan on, lift, and again."""
        while time.monotonic() < until:
            name, hurt = self.chance.choice(list(HURTS.items()))
            if name == REFUSES and not self.strict:
                continue  # it may change the order
            self.faults[name] += 1
            with contextmanager(hurt)(self):
                self.scan_for(self.chance.uniform(0.2, 4.0))
            self.scan_for(CALM_SECONDS)
            if self.faults.total() % SETTLE_EVERY == 0:
                self.box.until_delivered()

    def scan_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.box.dead:
                self.box.come_back()
            if self.box.wire.path.exists():
                self.scans += 1
                self.box.scan(self.scans)  # what is not stored now was not accepted, and need not arrive
                self._note_memory()
            select.select([], [], [], PACE_SECONDS)

    def _note_memory(self) -> None:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self.box.pid}/status").read_text().splitlines()
            self.most_kib = max(
                self.most_kib, int(next(one for one in lines if one.startswith("VmHWM")).split()[1])
            )


def _killed(soak: Soak) -> Iterator[None]:
    soak.box.kill()
    yield


def _killed_in_delivery(soak: Soak) -> Iterator[None]:
    def script(told: Told) -> bool:
        soak.there.broker.script = honest
        if soak.chance.random() < 0.5:
            told.ack()
        os.kill(soak.box.pid, 9)
        return True

    soak.there.broker.script = script
    yield
    soak.there.broker.script = honest


def _stopped(soak: Soak) -> Iterator[None]:
    if not soak.box.dead:
        soak.box.stop()
    yield


def _disk(soak: Soak) -> Iterator[None]:
    if disk.refused_because() or soak.box.dead:
        yield
        return
    call = soak.chance.choice(["pwrite64", "fdatasync", "write", "fsync", "rename"])
    effect = soak.chance.choice(list(disk.EFFECTS.values()))
    when = soak.chance.randint(1, 30)
    lasts = "" if "signal" in effect else soak.chance.choice(["", "+"])
    with disk.attached(soak.box, soak.box.directory / "trace", f"{call}:{effect}:when={when}{lasts}"):
        yield


def _broker_down(soak: Soak) -> Iterator[None]:
    soak.there.broker.down()
    yield
    soak.there.broker.up()


def _brokers_swap(soak: Soak) -> Iterator[None]:
    soak.there.other.up()
    soak.there.broker.down()
    yield
    soak.there.broker.up()
    soak.there.other.down()


def _cut(soak: Soak) -> Iterator[None]:
    after = soak.there.proxy.up + soak.chance.randint(1, 8000)
    soak.there.proxy.cut_up = after
    yield
    soak.there.proxy.cut_up = None


def _half_open(soak: Soak) -> Iterator[None]:
    soak.there.proxy.swallow = True
    yield
    soak.there.proxy.hang_up()
    soak.there.proxy.swallow = False


def _slow(soak: Soak) -> Iterator[None]:
    soak.there.proxy.delay = soak.chance.uniform(0.05, 1.0)
    yield
    soak.there.proxy.delay = 0.0


def _trickles(soak: Soak) -> Iterator[None]:
    soak.there.proxy.trickle = True
    yield
    soak.there.proxy.trickle = False


def _refuses(soak: Soak) -> Iterator[None]:
    reason = soak.chance.choice(list(REFUSALS))

    def script(told: Told) -> bool:
        told.ack(reason)
        return False

    soak.there.broker.script = script
    yield
    soak.there.broker.script = honest


def _lies(soak: Soak) -> Iterator[None]:
    """Acknowledge twice, what was never sent, or send noise."""
    noise = soak.chance.randbytes(64)

    def twice(told: Told) -> bool:
        told.ack()
        return honest(told)

    def unknown(told: Told) -> bool:
        told.ack(mid=(told.mid + 1000) % 0xFFFF + 1)
        return honest(told)

    def noisy(told: Told) -> bool:
        soak.there.broker.script = honest
        told.link.sendall(noise)
        return honest(told)

    soak.there.broker.script = soak.chance.choice([twice, unknown, noisy])
    yield
    soak.there.broker.script = honest


def _unplugged(soak: Soak) -> Iterator[None]:
    soak.box.wire.unplug()
    yield
    soak.box.wire.plug()
    if not soak.box.dead:
        wait_for(lambda: soak.box.dead or soak.box.connected(), "the daemon reads the scanner again")


REFUSES: Final = "broker refuses events"
HURTS: Final[dict[str, Hurt]] = {
    "daemon killed": _killed,
    "daemon killed at an acknowledgement": _killed_in_delivery,
    "daemon stopped": _stopped,
    "disk: SIGKILL, ENOSPC or EIO at a call": _disk,
    "broker down": _broker_down,
    "brokers swap": _brokers_swap,
    REFUSES: _refuses,
    "broker lies": _lies,
    "network cut": _cut,
    "network half-open": _half_open,
    "network slow": _slow,
    "network trickles": _trickles,
    "scanner unplugged": _unplugged,
}


def soak(minutes: float, seed: int) -> bool:
    """Run it and print what came of it; tell whether the promise was kept."""
    strict = seed % 2 == 0
    sys.stdout.write(f"seed={seed} minutes={minutes} window={1 if strict else 'default'}\n")
    with scene(STRICT if strict else "") as there:
        run = Soak(there, seed, strict=strict)
        broken: BaseException | None = None
        try:
            run.box.start()
            run.work(time.monotonic() + 60 * minutes)
            outcome = run.box.finish(lambda: list(there.broker.arrivals))
        except (AssertionError, OSError) as error:
            broken = error
        for name in HURTS:
            sys.stdout.write(f"{run.faults[name]:8} {name}\n")
        stored = sum(said in STORED for said in run.box.told.values())
        sys.stdout.write(f"scans={run.scans} accepted={stored} most_rss_mib={run.most_kib / 1024:.1f}\n")
        if broken is not None:
            kind = "promise broken" if isinstance(broken, BrokenPromiseError) else "did not come to an end"
            sys.stdout.write(f"{kind}: {broken}\nlog: {run.box.log.read_text()[-4000:]}\n")
            return False
        sys.stdout.write(
            f"delivered={outcome.delivered} copies={outcome.copies} unanswered={outcome.unanswered}"
            f" trouble={outcome.trouble} dead_letters={outcome.dead} lost=0\n"
        )
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    return 0 if soak(options.minutes, seed) else 1


if __name__ == "__main__":
    sys.exit(main())
