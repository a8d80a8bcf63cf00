r"""A scanner that plays a recording: for demonstrations, training and tests. It needs no hardware.

`device` is the path of an NDJSON file (UTF-8, one JSON object a line, empty lines allowed):

    {"loop": true}
    {"after_ms": 200, "text": "]d20108717648200274\u001d10A1", "note": "knee implant"}

- The first line may be a header: `loop` plays the recording again from its beginning, for ever; it needs a pause
  somewhere. Without it the scanner falls silent after the last line.
- `text` is what the symbol says, with the AIM identifier the scanner puts before it; control characters are
  JSON-escaped (GS is `\u001d`). The terminator of the settings is added.
- `after_ms` is the pause before it, milliseconds; 0 if left out.
- `note` is for people.

The bytes go through the scanner's dialect as if they came from a port.
"""

from collections import deque
from pathlib import Path
from threading import Event
from time import monotonic_ns
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from drivers.base import Dialect, ReplayError, Scanner, ScannerSettings
from drivers.framing import transmission
from drivers.model import ConnectionChange, ConnectionState, ScannerIdentity, ScannerInput
from drivers.raw_scan import to_inputs

MAX_RECORDING_BYTES = 4 * 1024 * 1024
"""Largest recording: some 40,000 labels, more than anyone watches; it is held in memory."""

MAX_PAUSE_MS = 86_400_000
"""Longest pause, a day: longer ones are a slip of the unit."""

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


class RecordingHeader(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a recording, if it has one."""

    loop: bool


class RecordedScan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a recording."""

    after_ms: Annotated[int, Meta(ge=0, le=MAX_PAUSE_MS)] = 0
    text: Annotated[str, Meta(min_length=1)]
    note: str = ""


class Recording(Struct, frozen=True, kw_only=True):
    """A recording as a whole; it has at least one scan."""

    loop: bool
    scans: tuple[RecordedScan, ...]


def load_recording(path: Path) -> Recording:
    """Read and check a recording. Raises ReplayError naming the file, the line and what is expected there."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_RECORDING_BYTES + 1)
    except OSError as error:
        raise _error(str(path), error.strerror or str(error), "give the path of a recording as `device`") from error
    if len(content) > MAX_RECORDING_BYTES:
        raise _error(str(path), "it is too large", f"a recording has at most {MAX_RECORDING_BYTES} bytes")
    loop = False
    scans: list[RecordedScan] = []
    first = True
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        if first and (header := _header(line)) is not None:
            loop = header.loop
        else:
            scans.append(_scan(line, place))
        first = False
    if not scans:
        raise _error(str(path), "it holds no scan", 'expected lines such as {"after_ms": 200, "text": "]d201..."}')
    if loop and not any(scan.after_ms for scan in scans):
        raise _error(str(path), "it loops without a pause", "give at least one line an `after_ms` above 0")
    return Recording(loop=loop, scans=tuple(scans))


def _header(line: bytes) -> RecordingHeader | None:
    try:
        return msgspec.json.decode(line, type=RecordingHeader)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _scan(line: bytes, place: str) -> RecordedScan:
    try:
        return msgspec.json.decode(line, type=RecordedScan)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = (
            'expected a JSON object such as {"after_ms": 200, "text": "]d201...", "note": "..."}; '
            '{"loop": true} may stand in the first line'
        )
        raise _error(place, str(error), hint) from error


def _error(place: str, cause: str, hint: str) -> ReplayError:
    return ReplayError("play the recording", place, cause, hint, recoverable=False)


class ReplayScanner(Scanner):
    """Plays a recording as a scanner that is always there and takes whatever is sent to it."""

    def __init__(self, settings: ScannerSettings, dialect: Dialect) -> None:
        self.settings = settings
        self.dialect = dialect
        self._recording: Recording | None = None
        self._position = 0
        self._played_ns = 0
        self._pending: deque[ScannerInput] = deque()  # what one recorded scan becomes
        self._wake = Event()
        self._closed = False

    @property
    def connection(self) -> ConnectionState:
        """CONNECTED while the recording is open."""
        return ConnectionState.MISSING if self._recording is None or self._closed else ConnectionState.CONNECTED

    def identity(self) -> ScannerIdentity:
        """Return the recording's path: there is no hardware."""
        return ScannerIdentity(device=self.settings.device)

    def read(self, timeout: float) -> ScannerInput | None:
        """Return what the recording says next, or None after `timeout` seconds.

        Raises ReplayError if the recording cannot be read.
        """
        end_ns = monotonic_ns() + int(timeout * _NS_PER_S)
        while not self._closed:
            if self._pending:
                return self._pending.popleft()
            now = monotonic_ns()
            if self._recording is None:
                self._recording = load_recording(Path(self.settings.device or ""))
                self._played_ns = now
                return ConnectionChange(scanner=self.settings.name, connection=ConnectionState.CONNECTED)
            due = self._play(self._recording, now)
            if self._pending:
                continue
            if now >= end_ns:
                return None
            until = end_ns if due is None else min(due, end_ns)
            if self._wake.wait(max(0, until - now) / _NS_PER_S):
                self._wake.clear()
                return None
        return None

    def _play(self, recording: Recording, now: int) -> int | None:
        """Feed the dialect what is due and return when to look again, or None if nothing follows."""
        deadline = self.dialect.deadline_ns()
        if deadline is not None and now >= deadline:
            self._pending.extend(to_inputs(self.settings.name, self.dialect.idle(now)))
            deadline = self.dialect.deadline_ns()
        if self._position == len(recording.scans):
            if not recording.loop:
                return deadline
            self._position = 0
        scan = recording.scans[self._position]
        due = self._played_ns + scan.after_ms * _NS_PER_MS
        if now >= due and not self._pending:
            self._position += 1
            self._played_ns = now
            data = transmission(scan.text.encode(), self.settings.terminator)
            self._pending.extend(to_inputs(self.settings.name, self.dialect.feed(data, now)))
            return now
        return due if deadline is None else min(due, deadline)

    def send(self, data: bytes) -> bool:  # noqa: ARG002  (the interface's argument; a recording does not listen)
        """Take the bytes and forget them; False before the first `read` and after `close`."""
        return self.connection is ConnectionState.CONNECTED

    def look_again(self) -> None:
        """Do nothing: a recording is there, or `read` says why not."""

    def wake(self) -> None:
        """Make a `read` that waits return at once; if none waits, the next one does."""
        self._wake.set()

    def close(self) -> None:
        """Stop playing. May be called more than once."""
        self._closed = True
        self.wake()
