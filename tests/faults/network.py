"""Faults of the broker and of the network, each in a life of its own of the daemon.

A fault is a function: it hurts, sees to it that scans come meanwhile, and lifts what it did. What then must hold is
the same for all (`Box.judge`).
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.brokers import Broker, Subscriber
from tests.end_to_end.plant import TOPIC, wait_for
from tests.faults.box import Box, Outcome, box
from tests.faults.proxy import Proxy
from tests.faults.scripted import Script, ScriptedBroker, Told, honest

STRICT: Final = "window = 1"
"""With one event under way even a refusal keeps the order; without, those under way behind it may overtake it."""
LIES: Final = 3
"""How often a broker lies before it is honest again."""
SEED: Final = 20261122
BREAKS_AFTER: Final = 900
"""Bytes of a connection to the broker: CONNECT is through, and the first event is not."""


class Scene(Struct, kw_only=True):
    """What a fault may hurt."""

    box: Box
    broker: ScriptedBroker
    other: ScriptedBroker
    """The second broker of the list, down at first. Both belong to one central system."""
    proxy: Proxy
    """The way to the first broker."""

    def scans(self, first: int, last: int) -> None:
        for serial in range(first, last + 1):
            self.box.scan_until_stored(serial)

    def arrived(self, count: int) -> None:
        wait_for(lambda: len(self.broker.arrivals) >= count, f"{count} events arrive")

    def cuts(self, count: int) -> None:
        wait_for(lambda: self.proxy.cuts >= count, f"{count} connections are cut")

    def problem(self, words: str) -> None:
        """Wait until the daemon has named its problem. Its status names the last one only."""

        def named() -> bool:
            return words in self.box.log.read_text()

        wait_for(named, f"the daemon says {words!r}")


class Fault(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    hurt: Callable[[Scene], Any]
    broker: str = ""
    """Further settings of `[broker]`."""
    alone: bool = False
    """The gateway knows one broker only."""
    slow: bool = False
    """It takes the limit on unacknowledged events, 20 s, or as long for back-offs."""


def _lying(lie: Callable[[Told], bool], times: int = LIES) -> Script:
    """Lie so many times, then be honest."""
    left = [times]

    def script(told: Told) -> bool:
        if left[0]:
            left[0] -= 1
            return lie(told)
        return honest(told)

    return script


def _scripted(lie: Callable[[Told], bool], times: int = LIES) -> Callable[[Scene], None]:
    def hurt(scene: Scene) -> None:
        scene.broker.script = _lying(lie, times)
        scene.scans(1, 8)

    return hurt


def _refused(reason: int) -> Callable[[Scene], None]:
    def lie(told: Told) -> bool:
        told.ack(reason)
        return False

    return _scripted(lie, times=2)


def _ack_twice(told: Told) -> bool:
    told.ack()
    told.ack()
    return True


def _ack_unknown(told: Told) -> bool:
    told.ack(mid=(told.mid + 1000) % 0xFFFF + 1)
    return honest(told)


def _ack_ahead(told: Told) -> bool:
    """Acknowledge this one, and the next before it has come."""
    told.ack()
    told.ack(mid=told.mid + 1)
    return True


def _no_ack(_told: Told) -> bool:
    return True


def _hang_up(_told: Told) -> bool:
    raise ConnectionError


def _backwards(scene: Scene) -> None:
    """Acknowledge the last of five first."""
    held: list[Told] = []

    def script(told: Told) -> bool:
        held.append(told)
        if len(held) == 5:
            for one in reversed(held):
                one.ack()
            scene.broker.script = honest
        return True

    scene.broker.script = script
    scene.scans(1, 8)


def _sends(what: bytes) -> Callable[[Told], bool]:
    def lie(told: Told) -> bool:
        told.link.sendall(what)
        return honest(told)

    return lie


def _endless(told: Told) -> bool:
    """Announce the largest packet that MQTT knows (2.1.4) and send a megabyte of it."""
    told.link.sendall(b"\x30\xff\xff\xff\x7f\x00\x05cmd/x" + bytes(1 << 20))
    return True


def _greets(greeting: bytes, words: str) -> Callable[[Scene], None]:
    """Answer CONNECT wrongly, until the daemon has named it."""

    def hurt(scene: Scene) -> None:
        scene.broker.greeting = greeting
        scene.broker.hang_up()
        scene.scans(1, 3)
        scene.problem(words)
        scene.broker.greeting = None

    return hurt


def _refusing(scene: Scene) -> None:
    scene.broker.down()
    scene.scans(1, 5)
    scene.problem("unreachable")
    scene.broker.up()


def _comes_and_goes(scene: Scene) -> None:
    for turn in range(3):
        scene.broker.down()
        scene.scans(3 * turn + 1, 3 * turn + 3)
        scene.broker.up()
        scene.scans(20 + turn, 20 + turn)


def _swap(scene: Scene) -> None:
    """Only ever one of two brokers is there, and which one changes while scans come."""
    here, there = scene.broker, scene.other
    for turn in range(4):
        scene.scans(10 * turn + 1, 10 * turn + 5)
        there.up()
        here.down()
        scene.scans(10 * turn + 6, 10 * turn + 9)
        scene.arrived(9 * turn + 1)
        here, there = there, here


def _keeps_breaking(scene: Scene) -> None:
    """Break each of four connections while the same event is under way: no event is to blame."""
    scene.broker.hang_up()
    scene.proxy.through.clear()
    scene.scans(1, 5)
    for number in range(1, 5):
        scene.proxy.cut_up = BREAKS_AFTER
        scene.proxy.through.set()
        scene.cuts(number)


def _half_open(scene: Scene) -> None:
    scene.proxy.swallow = True
    scene.scans(1, 5)
    scene.problem("no acknowledgement for 20 s")
    scene.proxy.hang_up()
    scene.proxy.swallow = False


def _slow(scene: Scene) -> None:
    scene.proxy.delay = 0.3
    scene.scans(1, 6)
    scene.box.until_delivered()
    scene.proxy.delay = 0.0


def _trickle(scene: Scene) -> None:
    scene.proxy.trickle = True
    scene.scans(1, 6)
    scene.box.until_delivered()
    scene.proxy.trickle = False


def _killed_at(moment: str) -> Callable[[Scene], None]:
    """Kill the daemon where an event is between the two sides."""

    def script(scene: Scene) -> Script:
        def kill(told: Told) -> bool:
            if moment == "after":
                told.ack()
            os.kill(scene.box.pid, 9)
            scene.broker.script = honest
            return True

        return kill

    def hurt(scene: Scene) -> None:
        for turn in range(3):
            scene.broker.script = script(scene)
            scene.box.scan(2 * turn + 1)
            wait_for(lambda: scene.box.dead, "the daemon is killed")
            scene.box.come_back()
            scene.scans(2 * turn + 2, 2 * turn + 2)

    return hurt


def _garbage() -> bytes:
    return random.Random(SEED).randbytes(4096)  # noqa: S311 - noise that can be repeated


REFUSALS: Final = {
    0x10: "no matching subscribers",
    0x80: "unspecified error",
    0x83: "implementation specific error",
    0x87: "not authorized",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x97: "quota exceeded",
}
"""MQTT 5, 3.4.2.1: what a PUBACK may say beside success, and what a later try can mend."""
UNFIT: Final = {0x99: "payload format invalid"}
"""What no later try can mend: a dead letter."""

FAULTS: Final = (
    *(
        Fault(name=f"PUBACK 0x{reason:02X} ({words}), twice", hurt=_refused(reason), broker=STRICT)
        for reason, words in {**REFUSALS, **UNFIT}.items()
    ),
    Fault(name="PUBACK twice for one event", hurt=_scripted(_ack_twice)),
    Fault(name="PUBACKs in the wrong order", hurt=_backwards),
    Fault(name="PUBACK for what was never sent", hurt=_scripted(_ack_unknown)),
    Fault(name="PUBACK before its PUBLISH", hurt=_scripted(_ack_ahead)),
    Fault(name="PUBACK left out", hurt=_scripted(_no_ack, times=1), slow=True),
    Fault(name="broker hangs up on an event", hurt=_scripted(_hang_up, times=2)),
    Fault(name="broker sends garbage", hurt=_scripted(_sends(_garbage()), times=2)),
    Fault(name="broker sends a reserved packet type", hurt=_scripted(_sends(b"\xf0\x00"), times=2)),
    Fault(
        name="broker sends a remaining length of five bytes", hurt=_scripted(_sends(b"\x30" + b"\xff" * 5), times=2)
    ),
    Fault(name="broker sends a packet without end", hurt=_scripted(_endless, times=1)),
    Fault(name="broker says DISCONNECT (0x8B)", hurt=_scripted(_sends(b"\xe0\x01\x8b"), times=2)),
    Fault(name="CONNACK 0x88 (server unavailable)", hurt=_greets(b"\x20\x03\x00\x88\x00", "refused")),
    Fault(name="CONNACK is garbage", hurt=_greets(_garbage(), "127.0.0.1")),
    Fault(name="no CONNACK", hurt=_greets(b"", "silent"), slow=True),
    Fault(name="broker refuses connections", hurt=_refusing),
    Fault(name="broker comes and goes", hurt=_comes_and_goes),
    Fault(name="two brokers, one at a time", hurt=_swap),
    Fault(name="network half-open", hurt=_half_open, slow=True),
    Fault(
        name="network cut four times in a row, before the broker answers",
        hurt=_keeps_breaking,
        alone=True,
        slow=True,
    ),
    Fault(name="network slow: 0.3 s each way", hurt=_slow),
    Fault(name="network trickles: 16 bytes at a time", hurt=_trickle),
    Fault(name="daemon killed before the PUBACK", hurt=_killed_at("before")),
    Fault(name="daemon killed behind the PUBACK", hurt=_killed_at("after")),
)

CUTS: Final = {
    "up": "network cut within a packet to the broker",
    "down": "network cut within a packet from the broker",
}
UP_STRIDE: Final = 101
"""Bytes between two cuts of what goes to the broker; from it comes so little that each byte has its cut."""
MOSQUITTO: Final = {"mosquitto killed": Broker.kill, "mosquitto frozen": Broker.freeze}


@contextmanager
def scene(broker: str = "", *, alone: bool = False) -> Iterator[Scene]:
    """Yield a box that is connected to a broker through a network that can be hurt."""
    arrivals: list[bytes] = []
    first, second = ScriptedBroker(arrivals), ScriptedBroker(arrivals)
    second.down()
    proxy = Proxy(first.port)
    try:
        with box([proxy.url] if alone else [proxy.url, second.url], broker) as one:
            yield Scene(box=one, broker=first, other=second, proxy=proxy)
    finally:
        proxy.close()
        first.close()
        second.close()


def strike(fault: Fault) -> Outcome:
    """Let one fault strike a box at work."""
    with scene(fault.broker, alone=fault.alone) as one:
        assert one.box.start()
        one.scans(100, 101)
        one.arrived(2)
        fault.hurt(one)
        one.scans(200, 201)
        return one.box.finish(lambda: list(one.broker.arrivals))


def cut(way: str, after: int | None) -> tuple[Outcome, int, int]:
    """Break the first connection after so many bytes; return the outcome and the bytes of the last connection."""
    with scene() as one:
        one.proxy.through.clear()
        assert one.box.start()
        one.scans(1, 3)
        one.proxy.cut_up, one.proxy.cut_down = (after, None) if way == "up" else (None, after)
        one.proxy.through.set()
        outcome = one.box.finish(lambda: list(one.broker.arrivals))
        assert one.proxy.cuts == (after is not None), "the cut was not made"
        return outcome, one.proxy.up, one.proxy.down


def cuts(way: str) -> range:
    """Return the offsets of one exchange where it is cut: what a clean one before the ordered stop takes."""
    with scene() as one:
        one.proxy.through.clear()
        assert one.box.start()
        one.scans(1, 3)
        one.proxy.through.set()
        one.box.until_delivered()
        up, down = one.proxy.up, one.proxy.down
    return range(0, up, UP_STRIDE) if way == "up" else range(down)


def mosquitto(fault: str) -> Outcome:
    """Kill or freeze a real broker. The reader has QoS 0: mosquitto then passes on before it acknowledges."""
    with tempfile.TemporaryDirectory(prefix="faults-mosquitto-") as folder:
        server = Broker(Path(folder))
        server.start()
        reader = Subscriber(server.port, TOPIC, qos=0)
        try:
            reader.subscribed()
            with box([server.url]) as one:
                assert one.start()
                for serial in range(5):
                    one.scan_until_stored(serial)
                MOSQUITTO[fault](server)
                for serial in range(5, 10):
                    one.scan_until_stored(serial)
                if fault == "mosquitto frozen":
                    wait_for(lambda: "no ack" in (one.problem() or ""), "the freeze is noticed")
                    server.thaw()
                else:
                    server.stop()
                    server.start()
                    reader.subscribed()
                one.until_delivered()
                expected = len(one.journal())
                wait_for(lambda: len(set(reader.bodies)) >= expected, "the reader has everything")
                return one.finish(lambda: reader.bodies)
        finally:
            reader.close()
            server.kill()
