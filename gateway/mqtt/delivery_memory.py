"""What the publisher remembers over restarts beside the outbox: a small file of JSON, whole or not at all.

Which brokers have spoken MQTT 5 (they are never spoken to with less), whether an intake acknowledges (then a PUBACK
delivers nothing), which ranges are to be sent again, and which commands have been obeyed. The second line is the
first one's CRC-32: a file that was changed by a failing disk is set aside, and the careful answer is taken instead,
that an intake acknowledges.
"""

import logging
import zlib
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.events.cloudevent import UNREADABLE
from gateway.system.atomic_file import whole_file

log = logging.getLogger(__name__)

MODE: Final = 0o600
MAX_BYTES: Final = 256 * 1024
"""512 command ids and 16 replays are some 50 KB."""
MAX_BROKERS: Final = 16
"""Brokers remembered; a configuration lists 8 at most."""


class ReplayRange(Struct, frozen=True, kw_only=True, rename="camel"):
    """Events that are to be sent again."""

    first: int
    last: int
    following: int
    """Every event of the range in front of this one has its PUBACK."""
    epoch: str | None = None
    """Only events of this epoch; None takes all."""
    sent: int = 0
    """Events of it with a PUBACK so far."""
    command: str | None = None
    """Id of the command that asked; None where nobody waits for a reply."""
    reply_topic: str = ""
    correlation: bytes | None = None


class ObeyedCommand(Struct, frozen=True, kw_only=True, rename="camel"):
    """A command that must not be obeyed again."""

    id: str
    issued: float
    """Seconds since 1970, as its sender's clock said."""


class Remembered(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that stands in the file."""

    mqtt5: tuple[str, ...] = ()
    """URLs of brokers that have spoken MQTT 5."""
    acks: bool | None = None
    """An intake acknowledges (True), or has said that it does no longer (False); None: none was ever met."""
    since: str | None = None
    """What its newest announcement said of its beginning."""
    broker_certificate_ends: float | None = None
    """Of the broker connected to last, seconds since 1970: known also while no connection can be made."""
    replays: tuple[ReplayRange, ...] = ()
    commands: tuple[ObeyedCommand, ...] = ()


class DeliveryMemory:
    """Used by one thread at a time. What cannot be written is remembered until the restart, and a problem."""

    def __init__(self, path: Path | None) -> None:
        """Read the file; `path` None remembers nothing beyond this process."""
        self._path = path
        self.problem: str | None = None
        """Why the file cannot be read or written; for a person."""
        self.value = Remembered()
        if path is not None:
            self._read(path)

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Remembered
        """Replace some fields, and bring them to the disk."""
        value = replace(self.value, **changes)
        if value == self.value:
            return
        self.value = value
        if self._path is None:
            return
        line = msgspec.json.encode(value)
        try:
            with whole_file(self._path, MODE) as file:
                file.write(b"%s\n%08x\n" % (line, zlib.crc32(line)))
        except OSError as error:
            self._say(f"cannot write {self._path}: {error.strerror}; check the disk and its owner")
        else:
            self.problem = None

    def note_mqtt5(self, url: str) -> None:
        """Remember that a broker speaks MQTT 5."""
        if url not in self.value.mqtt5:
            self.change(mqtt5=(*self.value.mqtt5, url)[-MAX_BROKERS:])

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return
        except OSError as error:
            self._distrust(f"cannot read {path}: {error.strerror}; check its owner")
            return
        line, _, checksum = content.partition(b"\n")
        try:
            if len(content) > MAX_BYTES or int(checksum, 16) != zlib.crc32(line):
                raise ValueError("its checksum is wrong")
            self.value = msgspec.json.decode(line, type=Remembered)
        except UNREADABLE:
            aside = path.with_name(f"{path.name}.corrupt")
            try:
                path.replace(aside)
            except OSError:
                aside = path
            self._distrust(f"what delivery remembered was damaged: see {aside}, check the disk")

    def _distrust(self, problem: str) -> None:
        self.value = Remembered(acks=True)
        self._say(f"{problem}; until an intake or [broker] confirm says otherwise, a PUBACK delivers nothing")

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.error("%s", problem)
        self.problem = problem
