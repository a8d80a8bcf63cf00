"""Scanners that behave as their manuals say, with a table in force and one in flash, and a port to reach them."""

import re
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING

from drivers.dialects.ssi_packet import SsiPacket, decode, encode, parameter_number
from firmware_config.errors import PortGoneError
from firmware_config.vendors.zebra import parse_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

SPEED = 9600


class Device(ABC):
    """Two tables of settings; one is lost with the power."""

    own_speed = SPEED

    def __init__(self, flash: dict[str, str]) -> None:
        self.flash = dict(flash)
        self.ram = dict(flash)
        self.flash_writes = 0
        self.stuck: set[str] = set()
        self.unkept: set[str] = set()
        self.refuses: set[str] = set()
        self.serial = "S-1"
        self.leaves_port = False

    @abstractmethod
    def hear(self, data: bytes) -> bytes:
        """Take one message; return the answer."""

    @property
    def reads(self) -> bool:
        return True

    @property
    def speed(self) -> int:
        return SPEED

    def power_cycle(self) -> None:
        self.ram = dict(self.flash)

    def put(self, values: dict[str, str], *, permanent: bool) -> None:
        self.ram |= {name: value for name, value in values.items() if name not in self.stuck}
        if permanent:
            self.flash |= {name: value for name, value in values.items() if name not in self.stuck | self.unkept}
            self.flash_writes += 1


class HoneywellDevice(Device):
    ADDS = ("SUFBK2", "PREBK2")

    def hear(self, data: bytes) -> bytes:
        match = re.fullmatch(rb"\x16M\r([^.!]*)([.!])", data)
        if match is None:
            return b""
        permanent = match[2] == b"."
        settings = match[1].decode().split(";")
        if settings == ["REVINF"]:
            lines = f"Product Name: Xenon 1900\r\nSoftware Revision: BF000064\r\nSerial Number: {self.serial}\r\n"
            return lines.encode() + b"REVINF\x06" + match[2]
        answers = [self._one(setting, permanent=permanent) for setting in settings]
        if permanent and "?" not in match[1].decode():
            self.flash_writes += 1
        return b";".join(answers) + match[2]

    def _one(self, setting: str, *, permanent: bool) -> bytes:
        name, value = setting[:6], setting[6:]
        cleared = {"SUFCA2": "SUFBK2", "PRECA2": "PREBK2"}.get(name)
        if cleared is not None and cleared in self.ram:
            self._set(cleared, "", permanent=permanent)
            return setting.encode() + b"\x06"
        if name not in self.ram:
            return setting.encode() + b"\x05"
        if value == "?":
            return (name + (self.flash if permanent else self.ram)[name]).encode() + b"\x06"
        if name in self.refuses:
            return setting.encode() + b"\x15"
        before = self.ram[name] if name in self.ADDS else ""
        self._set(name, before + value, permanent=permanent)
        if name == "TERMID" and permanent:
            self.leaves_port = True
        return setting.encode() + b"\x06"

    def _set(self, name: str, value: str, *, permanent: bool) -> None:
        count = self.flash_writes
        self.put({name: value}, permanent=permanent)
        self.flash_writes = count


class ZebraDevice(Device):
    def hear(self, data: bytes) -> bytes:
        answers = b""
        while data:
            length = data[0] + 2
            packet, data = decode(data[:length]), data[length:]
            answers += self._answer(packet)
        return answers

    def _answer(self, packet: SsiPacket | None) -> bytes:
        if packet is None:
            return encode(SsiPacket(op=0xD1, source=0, data=b"\x01"))
        if packet.op == 0xA3:
            return encode(SsiPacket(op=0xA4, source=0, data=b"PAABJC00-005-R00\x00\x01"))
        if packet.op == 0xC7:
            asked = parse_parameters(b"\xff" + b"".join(_each_with_value(packet.data))) or {}
            known = {number: int(self.ram[str(number)]) for number in asked if str(number) in self.ram}
            data = b"".join(parameter_number(number) + bytes((value,)) for number, value in known.items())
            return encode(SsiPacket(op=0xC6, source=0, data=b"\xff" + data))
        if packet.op == 0xC6:
            values = {str(number): str(value) for number, value in (parse_parameters(packet.data) or {}).items()}
            if self.refuses & values.keys():
                return encode(SsiPacket(op=0xD1, source=0, data=b"\x06"))
            self.put(values, permanent=bool(packet.status & 8))
            return encode(SsiPacket(op=0xD0, source=0))
        return b""


def _each_with_value(numbers: bytes) -> list[bytes]:
    """Cut a question's numbers apart and give each a value, so that they parse as parameters."""
    cut = []
    while numbers:
        length = 3 if numbers[0] == 0xF8 else 2 if numbers[0] >= 0xF0 else 1
        cut.append(numbers[:length] + b"\x00")
        numbers = numbers[length:]
    return cut


class DatalogicDevice(Device):
    stops = False

    def __init__(self, flash: dict[str, str]) -> None:
        super().__init__(flash)
        self.edit: dict[str, str] | None = None

    @property
    def reads(self) -> bool:
        return self.edit is None

    @property
    def speed(self) -> int:
        return SPEED if self.edit is None else self.own_speed

    def power_cycle(self) -> None:
        super().power_cycle()
        self.edit = None

    def hear(self, data: bytes) -> bytes:
        match = re.fullmatch(rb"\$([^\r]*)\r", data)
        if match is None:
            return b""
        answers = []
        for command in match[1].decode().split(","):
            answer = self._one(command)
            if answer is not None:
                answers.append(answer)
            if answer == "@" and self.stops:
                break
        return b"$" + ",".join(answers).encode() + b"\r" if answers else b""

    def _one(self, command: str) -> str | None:
        if command == "S":
            self.edit = dict(self.ram) if self.edit is None else self.edit
            return ">"
        if self.edit is None:
            return None
        if command == "+$!":
            return f">GD4430 {self.serial}"
        if command[0] in "cC":
            return self._item(self.edit, command[0], command[1:5], command[5:])
        changed = {name: value for name, value in self.edit.items() if self.ram[name] != value}
        self.edit = None
        if command == "r01":
            self.put(changed, permanent=False)
        elif command == "Ar":
            self.put(self.ram | changed, permanent=True)
            self.power_cycle()
            self.leaves_port = True
        return ">"

    def _item(self, edit: dict[str, str], letter: str, name: str, value: str) -> str:
        if name not in edit or (letter == "C" and name in self.refuses):
            return "@"
        if letter == "c":
            return ">" + edit[name]
        edit[name] = value
        return ">"


class SlowDatalogicDevice(DatalogicDevice):
    """Answers in service mode at a speed of its own."""

    own_speed = 115_200


class StoppingDatalogicDevice(DatalogicDevice):
    """Carries out nothing of a line behind what it fails, and so stays in service mode."""

    stops = True


class NewlandDevice(Device):
    def hear(self, data: bytes) -> bytes:
        match = re.fullmatch(rb"~\x010000([@#])([A-Z0-9]{6})([^;]*);\x03", data)
        if match is None:
            return b""
        name, value = match[2].decode(), match[3].decode()
        mark = b"\x06"
        if name not in self.ram:
            mark = b"\x05"
        elif value == "*":
            value = self.ram[name]
        elif name in self.refuses:
            mark = b"\x15"
        else:
            self.put({name: value}, permanent=match[1] == b"@")
        return b"\x02\x010000" + match[1] + (name + value).encode() + mark + b";\x03"


class Fault(StrEnum):
    DEAF = "the message never arrives"
    LOST = "the answer never arrives"
    HALF = "half of the answer arrives"
    GARBAGE = "noise arrives for the answer"
    HANG_UP = "the port is gone before the answer"
    GONE_FIRST = "the port is gone before the message"


class KilledError(Exception):
    """The gateway dies here."""


class ScriptedPort:
    """A port to a device. `fault` strikes the n-th message; `dies_at` kills the gateway before its n-th deed."""

    def __init__(self, device: Device, *, piece: int = 4096, fault: tuple[int, Fault] | None = None) -> None:
        self.device = device
        self.piece = piece
        self.fault = fault
        self.dies_at: int | None = None
        self.deeds = 0
        self.sent: list[bytes] = []
        self.baud = SPEED
        self.before_answer = b""
        self.deaf_for = 0
        self.when_reopened: Callable[[], None] = lambda: None
        self._waiting = b""
        self._gone = False

    def deed(self) -> None:
        """Count one deed of the gateway, and die before it when its time has come."""
        if self.deeds == self.dies_at:
            raise KilledError
        self.deeds += 1

    def write(self, data: bytes) -> None:
        self.deed()
        self._check()
        fault = self.fault[1] if self.fault is not None and self.fault[0] == len(self.sent) else None
        self.sent.append(data)
        if fault is Fault.GONE_FIRST:
            self._gone = True
            self._check()
        if self.deaf_for:
            self.deaf_for -= 1
            return
        if fault is Fault.DEAF or self.baud != self.device.speed:
            return
        answer = self.device.hear(data)
        if answer and self.baud != self.device.own_speed:
            answer = bytes(byte | 0x80 for byte in answer)
        if fault is Fault.HALF:
            answer = answer[: len(answer) // 2]
        elif fault is Fault.GARBAGE:
            answer = b"\xff\x00\xfe~ 7"
        elif fault is Fault.HANG_UP:
            self._gone = True
        if fault is not Fault.LOST and answer:
            self._waiting += self.before_answer + answer

    def read(self, timeout: float) -> bytes:
        assert timeout >= 0
        if self._gone:
            self._check()
        more, self._waiting = self._waiting[: self.piece], self._waiting[self.piece :]
        if not more and self.device.leaves_port:
            self._check()
        return more

    def reopen(self, timeout: float, baud: int | None) -> None:
        self.deed()
        assert timeout > 0
        self.baud = SPEED if baud is None else baud
        self._waiting = b""
        self._gone = self.device.leaves_port = False
        self.when_reopened()

    def _check(self) -> None:
        if self._gone or (self.device.leaves_port and not self._waiting):
            raise PortGoneError("reach", "the scanner", "it is gone", "plug it in", recoverable=True)
