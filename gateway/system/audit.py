"""The audit trail: what people did to this box, each entry chained to the one before it.

How it works: `audit.log` in the state directory has one JSON object a line. Each holds its number and, as `previous`,
the SHA-256 of the line before it, so that a line that is edited, removed, put in or put elsewhere breaks the chain at
that place. What is cut off at the end breaks no chain: `audit.head` holds the number and hash of the last line, and
the same goes to syslog with every entry, where it is out of this box's reach once it is forwarded. A file that is
full becomes `audit.log.1`, which replaces the one before it; numbers and chain go on.

    {"number":7,"time":"2026-11-28T04:10:00+01:00","who":"anna as root","through":"command line",
     "operation":"firmware apply","outcome":"done","detail":{"scanner":"front"},"previous":"5f0c..."}

A hash is no signature: whoever may write the files (root, the service's user) can make a new chain. `verify` with a
head that was noted elsewhere, or the one that syslog has, shows that too.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import syslog
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.system.atomic_file import whole_file
from gateway.system.clock import local_rfc3339

LOG: Final = "audit.log"
FORMER: Final = "audit.log.1"
HEAD: Final = "audit.head"
LOCK: Final = "audit.lock"
IDENTIFIER: Final = "scangate-audit"
"""By which the entries are found in the journal, and a syslog server tells them apart."""
MAX_FILE_BYTES: Final = 2 * 1024 * 1024
"""Some 6,000 entries; with the former file, years of a box that people look after."""
MAX_TEXT: Final = 200
"""Characters of a value: names and paths are shorter, and nobody fills the trail with one argument."""
MAX_DETAILS: Final = 24
"""Values of an entry; no command has more arguments."""
MAX_LINE_BYTES: Final = 32 * 1024
"""An entry with all of its values at their longest, escaped."""
MODE: Final = 0o640
BEGINNING: Final = "0" * 64
"""`previous` of entry 1."""


class Act(Struct, frozen=True, kw_only=True):
    """What somebody did."""

    who: str
    """A login name of this box, or who sent a command."""
    through: str
    """Where it came in: command line, control socket, MQTT, daemon."""
    operation: str
    outcome: str
    """`done`, or why not."""
    detail: Mapping[str, str] = {}


class Entry(Act, frozen=True, kw_only=True):
    """A line of the trail."""

    number: int
    """From 1; never given twice."""
    time: str
    """RFC 3339 with this box's zone, by its clock."""
    previous: str
    """SHA-256 of the line before, hexadecimal."""


class Head(Struct, frozen=True, kw_only=True):
    """The last entry, as it is known beside the trail."""

    number: int
    hash: str
    """SHA-256 of its line, hexadecimal."""
    first: int
    """Number of the oldest entry that was kept then."""


class Line(NamedTuple):
    """A line as it lies in the file."""

    raw: bytes
    """Without its end."""
    entry: Entry | None
    """None where it is none."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of a verification."""

    entries: int
    first: int
    """Number of the oldest entry that is there; 0 where there is none."""
    head: Head | None
    """The last entry that is there."""
    problems: tuple[str, ...]
    """What was changed, in words; empty when the chain is whole."""


_decoder = msgspec.json.Decoder(Entry, strict=True)
_head_decoder = msgspec.json.Decoder(Head, strict=True)


def to_syslog(text: str) -> None:
    """Send a line to syslog, which the journal reads and forwards; nothing where there is none."""
    syslog.openlog(IDENTIFIER, syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, text)


class AuditTrail:
    """Writes entries. Any number of processes and threads may; one at a time gets the lock."""

    def __init__(
        self,
        directory: Path,
        forward: Callable[[str], None] = to_syslog,
        now_ns: Callable[[], int] = time.time_ns,
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._directory = directory
        self._forward = forward
        self._now_ns = now_ns
        self._max_file_bytes = max_file_bytes

    def append(self, act: Act) -> Entry:
        """Add an entry, on the disk when this returns, and forward it. Raises OSError."""
        path = self._directory / LOG
        with _locked(self._directory):
            _drop_torn_end(path)
            last, known = _last_line(self._directory), read_head(self._directory)
            known = self._rotate(path, known)
            number, previous = _follows(last, known)
            entry = Entry(
                number=number,
                time=local_rfc3339(self._now_ns()),
                who=_bounded(act.who),
                through=act.through,
                operation=_bounded(act.operation),
                outcome=_bounded(act.outcome),
                detail={_bounded(key): _bounded(text) for key, text in list(act.detail.items())[:MAX_DETAILS]},
                previous=previous,
            )
            line = msgspec.json.encode(entry)
            with path.open("ab") as file:
                os.fchmod(file.fileno(), MODE)
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
            first = known.first if known is not None else _first_number(self._directory)
            self._write_head(Head(number=number, hash=hash_of(line), first=first))
        values = "".join(f" {key}={text!r}" for key, text in entry.detail.items())
        self._forward(
            f"number={number} hash={hash_of(line)} who={entry.who!r} through={entry.through!r} "
            f"operation={entry.operation!r} outcome={entry.outcome!r}{values}"
        )
        return entry

    def _rotate(self, path: Path, known: Head | None) -> Head | None:
        """Put a full file in the former one's place; return the head with what is the oldest entry then.

        The head goes first: after a power cut it may know of fewer entries than there are, never of more.
        """
        try:
            full = path.stat().st_size >= self._max_file_bytes
        except FileNotFoundError:
            return known
        if full:
            with path.open("rb") as file:
                oldest = _entry(file.readline(MAX_LINE_BYTES))
            if known is not None and oldest is not None:
                known = replace(known, first=oldest.number)
                self._write_head(known)
            path.replace(self._directory / FORMER)
        return known

    def _write_head(self, head: Head) -> None:
        with whole_file(self._directory / HEAD, MODE) as file:
            file.write(msgspec.json.encode(head))


def _follows(last: bytes | None, known: Head | None) -> tuple[int, str]:
    """Return the number of the next entry, and the hash it names.

    The head's hash, where the last line is not ahead of it: a line that was changed, or is gone, is not taken for
    what was written. Without a head only entry 1 can be followed, by a power cut before its head was written.
    """
    number = _number_of(last)
    if known is not None and known.number >= number:
        return known.number + 1, known.hash
    if last is None or (known is None and number != 1):
        return number + 1, BEGINNING
    return number + 1, hash_of(last)


def hash_of(line: bytes) -> str:
    """Return the hash by which the next line, or the head, names a line."""
    return hashlib.sha256(line).hexdigest()


def caller() -> str:
    """Name whoever runs this process: their login name, whom they went on as, and from where over SSH."""
    user = _name(os.getuid())
    before, address = os.environ.get("SUDO_USER", ""), os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    name = f"{before} as {user}" if before and before != user and os.getuid() == 0 else user
    return f"{name} from {address}" if address else name


def person(uid: int) -> str:
    """Name a user of this box by number."""
    return _name(uid)


def read(directory: Path) -> Iterator[Line]:
    """Yield the lines of the trail, the oldest first. Raises OSError."""
    for name in (FORMER, LOG):
        with contextlib.suppress(FileNotFoundError), (directory / name).open("rb") as file:
            while raw := file.readline(MAX_LINE_BYTES):
                yield Line(raw.removesuffix(b"\n"), _entry(raw))


def read_head(directory: Path) -> Head | None:
    """Return the head that is noted beside the trail; None where there is none that can be read. Raises OSError."""
    try:
        return _head_decoder.decode((directory / HEAD).read_bytes()[:MAX_LINE_BYTES])
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None


def verify(directory: Path, known: Mapping[int, str] | None = None) -> Verdict:
    """Follow the chain from the oldest entry to the newest, and compare it with what is known from elsewhere.

    `known`: number -> hash of entries as syslog or a person has them. Raises OSError.
    """
    known = known or {}
    problems: list[str] = []
    previous: Line | None = None
    first = last = entries = 0
    hashes: dict[int, str] = {}
    for place, line in enumerate(read(directory), 1):
        entries += 1
        if line.entry is None:
            problems.append(f"line {place} is no entry: it was changed or put in")
        else:
            number = line.entry.number
            problems += _broken(line.entry, previous, last)
            first = first or number
            hashes[number] = hash_of(line.raw)
            last = max(last, number)
        previous = line
    noted = read_head(directory)
    if noted is None and entries:
        problems.append(f"{HEAD} is missing or was changed: what was cut off at the end would not be seen")
    heads = []
    if noted is not None:
        heads = [(noted.number, noted.hash)]
        if first > noted.first:
            problems.append(f"entries {noted.first} to {first - 1} are missing at the beginning")
    for number, expected in sorted([*heads, *known.items()]):
        if number > last:
            missing = f"entry {number} is" if number == last + 1 else f"entries {last + 1} to {number} are"
            problems.append(f"{missing} missing at the end")
        elif hashes.get(number, expected) != expected:
            problems.append(f"entry {number} is not the one that was written")
    head = None if not last else Head(number=last, hash=hashes[last], first=first)
    return Verdict(entries=entries, first=first, head=head, problems=tuple(dict.fromkeys(problems)))


def _broken(entry: Entry, previous: Line | None, last: int) -> Iterator[str]:
    """Say how an entry does not follow the line before it. `last`: the highest number so far."""
    if previous is None:
        if (entry.number == 1) != (entry.previous == BEGINNING):
            yield f"entry {entry.number} is the oldest, and was changed"
        return
    if entry.number <= last:
        yield f"entry {entry.number} stands behind entry {last}: it was put there"
    elif entry.number == last + 2:
        yield f"entry {last + 1} is missing"
    elif entry.number > last + 2:
        yield f"entries {last + 1} to {entry.number - 1} are missing"
    elif entry.previous == BEGINNING:
        yield f"{HEAD} was missing when entry {entry.number} was written: what was cut off before it is not seen"
    elif entry.previous != hash_of(previous.raw):
        yield f"entry {last} was changed after entry {entry.number} was written"


def _entry(raw: bytes) -> Entry | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _number_of(raw: bytes | None) -> int:
    entry = None if raw is None else _entry(raw + b"\n")
    return 0 if entry is None else entry.number


def _first_number(directory: Path) -> int:
    """Return the number of the oldest entry that is there; 0 where there is none. Raises OSError."""
    oldest = next(read(directory), None)
    return 0 if oldest is None or oldest.entry is None else oldest.entry.number


def _last_line(directory: Path) -> bytes | None:
    """Return the newest whole line, without its end; None where there is none. Raises OSError."""
    for name in (LOG, FORMER):
        with contextlib.suppress(FileNotFoundError), (directory / name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2 * MAX_LINE_BYTES))
            lines = file.read().splitlines()
            if lines:
                return lines[-1]
    return None


def _drop_torn_end(path: Path) -> None:
    """Cut off what a power cut left of a line: it was never confirmed. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - 2 * MAX_LINE_BYTES)
        file.seek(start)
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(start + tail.rfind(b"\n") + 1)
            os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
