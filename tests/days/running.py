"""A working day at a station as a table, lived through with the daemon as a process: ptys, mosquitto, a moved clock.

Each line: time, scanner, what is scanned, what is signalled. At the end only what arrived at the central side speaks.
"""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.events.exports.netting import InForce, in_force
from gateway.events.stored_event import StoredEvent
from gateway.station.control_codes import ControlCodes
from gateway.system.control_socket import ask
from tests.days.day import POWER_CUT, Line, Used, key, seconds
from tests.end_to_end.plant import Broker, Consumer, Gateway, Wire, wait_for
from tests.shifted_clock import VARIABLE, ShiftedClock

KILLED = "killed"
"""The daemon is, and starts again; the machine goes on."""
CODES = ControlCodes("su", bytes(range(16)))
HMAC_KEY = b"0123456789abcdef"
MIDNIGHT = datetime.fromisoformat("2026-12-01T00:00:00+01:00")
SCANNERS = ("front", "back")


class RunningDay:
    """A station through a day."""

    def __init__(self, directory: Path, profile: str) -> None:
        (directory / "codes").write_text(bytes(range(16)).hex())
        (directory / "hmac").write_text(f"k1 {HMAC_KEY.hex()}")
        second = directory / "second"
        second.mkdir()
        self._back = Wire(second)
        self.broker = Broker(directory)
        self.broker.start()
        extra = (
            f'[context]\ncase_mode = "clear"\nperson_mode = "hmac"\nhmac_key_file = "{directory}/hmac"\n'
            f'[[scanner]]\nname = "back"\ndevice = "{self._back.path}"\nidle_ms = 50\n'
        )
        self.gateway = Gateway(directory, self.broker.port, extra)
        settings = f'profile = "{profile}"\ncode_key_file = "{directory}/codes"'
        text = self.gateway.config.read_text().replace('profile = "operating-room"', settings, 1)
        self.gateway.config.write_text(text)
        self.gateway.import_samples()
        self.consumer = Consumer(self.broker.port)
        assert self.consumer.subscribed.wait(60)
        self.clock = ShiftedClock(directory / "clock", int(MIDNIGHT.timestamp()) * 10**9)
        self.gateway.program = "tests.shifted_clock"
        self.gateway.environment = {VARIABLE: str(self.clock.path)}
        self._boot = 0
        self._start()
        self.amber = self.right = 0

    def _start(self) -> None:
        self.gateway.environment["SCANGATE_BOOT_ID"] = f"{self._boot:032x}"
        self.gateway.told.clear()
        self.gateway.start()
        # told of each change from now on, and both scanners are read
        wait_for(lambda: self._linked() == {*SCANNERS}, "both scanners are read")
        self._watch()

    def _linked(self) -> set[str]:
        return {one["name"] for one in ask(self.gateway.socket, "scanners") if one["link"] == "connected"}

    def _watch(self) -> None:
        """Ask who the station is until the answer is seen: the watcher is there, and what comes later is seen.

        What is asked last, on the other scanner, is answered behind all the others.
        """
        asked = 0
        while not self._answers("front"):
            self._write("front", "WHOAMI")
            asked += 1
            wait_for(lambda: self._answers("front") or self._asked() >= asked, "it is answered, seen or not")  # noqa: B023
        wait_for(lambda: self._asked() == asked, "each is answered")
        self._write("back", "WHOAMI")
        wait_for(lambda: self._answers("back"), "the last answer is seen")

    def _asked(self) -> int:
        count: int = self.gateway.status()["counters"].get("control.who-am-i", 0)
        return count

    def _answers(self, scanner: str) -> bool:
        told = list(self.gateway.told)
        return any(one.get("control") == "who-am-i" and one["scanner"] == scanner for one in told)

    def live(self, lines: list[Line]) -> None:
        """Let everything happen; what is signalled must be what the table says."""
        for line in lines:
            self.clock.set(seconds(line.at))
            if line.signal is None:
                self.gateway.kill()
                if line.code == POWER_CUT:
                    self._boot += 1
                    self.clock.boot()
                    self.clock.set(seconds(line.at))
                self._start()
                continue
            found = self._scan(line.scanner, line.code)
            assert found["signal"] == line.signal, (line, _codes(found))
            if not line.odd:
                self.right += 1
                self.amber += found["signal"] in {"warning", "refused"}

    def _scan(self, scanner: str, code: str) -> dict[str, Any]:
        before = len(self.gateway.told)
        self._write(scanner, code)
        found: dict[str, Any] = wait_for(
            lambda: next((one for one in self.gateway.told[before:] if _is_of(one, scanner, code)), None),
            f"{code} is signalled",
        )
        return found

    def _write(self, scanner: str, code: str) -> None:
        text = "]d2" + CODES.write(code) if _is_control(code) else code
        wire = self._back if scanner == "back" else self.gateway.wire
        wire.write(text.encode() + b"\r")

    def end(self) -> list[StoredEvent]:
        """Stop in order, and return what has arrived at the central side: everything that is in the journal."""
        wait_for(lambda: self.gateway.status()["sequence"]["waiting"] == 0, "everything is delivered")
        self.gateway.stop()
        stored = self.gateway.journal()
        wait_for(lambda: len(self.consumer.events()) == len(stored), "everything has arrived")
        bodies = {json.loads(body)["id"]: body for body in self.consumer.bodies}
        events = sorted(bodies.values(), key=lambda body: json.loads(body)["sequence"])
        assert events == stored
        return [StoredEvent(sequence=number, body=body, state="delivered") for number, body in enumerate(events)]

    def close(self) -> None:
        self.gateway.close()
        self._back.unplug()
        self.consumer.close()
        self.broker.kill()


def used(events: list[StoredEvent]) -> Used:
    """What was used for whom, of the events alone."""
    found: Used = Counter()
    for one in in_force(events):
        if one.event.data.action == "consume" and one.quantity:
            found[key(one)] += one.quantity
    return found


Stock = Counter[tuple[str | None, str, str | None]]
"""Pieces on the shelf by place, article (device identifier, or number) and lot or serial number."""


def stock(events: list[StoredEvent]) -> Stock:
    """What is on the shelves, by the rules of docs/integration.md, "Stock", from the events alone."""
    shelf: Stock = Counter()
    counted: dict[tuple[str | None, str, str | None], str] = {}
    for one in in_force(events):
        data = one.event.data
        place, (_, _, article, number) = data.context.location, key(one)
        at = (place, article, number)
        match data.action:
            case "receive":
                shelf[at] += one.quantity
            case "consume":
                shelf[at] -= one.quantity
            case "discard":
                shelf[at] -= data.quantity
            case "return" if data.corrects is None:  # what was used and is not, is back on the shelf
                shelf[at] -= data.quantity
            case "transfer":
                shelf[at] -= one.quantity
                shelf[data.destination, article, number] += one.quantity
            case "inventory" if data.count is not None:
                if data.count.mode == "replace" and counted.get(at) != data.count.session:
                    shelf[at] = 0
                counted[at] = data.count.session
                shelf[at] += one.quantity
    return Counter({at: count for at, count in shelf.items() if count})


def _is_control(code: str) -> bool:
    return code.isupper() and code.isalnum() and code[0].isalpha()


def _is_of(message: dict[str, Any], scanner: str, code: str) -> bool:
    """Return whether a message is what came of a scan, and not of a label that it closed."""
    if message.get("scanner") != scanner or "signal" not in message:
        return False
    if _is_control(code):
        return "control" in message
    data = message.get("data")
    if data is None or "input" in message:
        return "control" not in message
    text = code[3:] if code.startswith("]") else code
    return any(symbol["text"] == text for symbol in data["symbols"])


def _codes(message: dict[str, Any]) -> list[str]:
    data = message.get("data")
    return [] if data is None else [finding["code"] for finding in data["verdict"]["findings"]]


__all__ = ["InForce", "RunningDay", "stock", "used"]
