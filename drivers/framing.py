"""Bytes -> frames: where a code begins and ends. Pure; times (CLOCK_MONOTONIC, nanoseconds) come in as arguments.

Part of a code is never handed on as a code. What ends without its terminator is flagged, what cannot be trusted is
thrown away whole and reported.
"""

import re
from abc import ABC, abstractmethod

from drivers.base import FrameDiscarded, Terminator
from drivers.model import DiscardReason, Frame, InputQuality
from drivers.raw_scan import begins_with_aim_id

MAX_FRAME_BYTES = 4096
"""Longest frame handed on. The largest Data Matrix holds 3,116 digits and the largest QR code 2,953 bytes
(ISO/IEC 16022, ISO/IEC 18004); a longer frame is several codes run together, or noise."""

STX = b"\x02"
ETX = b"\x03"
LF = 0x0A

ENDINGS: dict[Terminator, bytes] = {
    "CR": b"\r",
    "LF": b"\n",
    "CRLF": b"\r\n",
    "TAB": b"\t",
    "ETX": ETX,
    "STX-ETX": ETX,
    "none": b"",
}
"""What a scanner sends behind a code under each setting of `terminator`."""

Framed = Frame | FrameDiscarded


class Framer(ABC):
    """Splits what one scanner sends into frames.

    Silence is only what `idle` is told: bytes that were read late, because this process was held up, are not
    mistaken for bytes that came late.
    """

    def __init__(self, idle_ns: int) -> None:
        self._idle_ns = idle_ns
        self._held = bytearray()
        self._length = 0
        self._started_ns: int | None = None
        self._last_ns = 0

    @abstractmethod
    def opened(self, now_ns: int) -> None:
        """Expect that the first bytes may be the end of a code whose beginning nobody read."""

    @abstractmethod
    def feed(self, data: bytes, now_ns: int) -> list[Framed]:
        """Return the frames that became complete with `data`, read at `now_ns`."""

    @abstractmethod
    def _silence(self) -> list[Framed]:
        """Return what ends because nothing follows it."""

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what counts as finished because nothing came until `now_ns`; nothing before `deadline_ns`."""
        deadline = self.deadline_ns()
        return [] if deadline is None or now_ns < deadline else self._silence()

    def deadline_ns(self) -> int | None:
        """When silence will have ended what is unfinished, or None if nothing is."""
        return None if self._started_ns is None else self._last_ns + self._idle_ns

    def broken(self) -> list[Framed]:
        """Forget what is unfinished, because the scanner is gone; report it if there was any."""
        return self._discard(DiscardReason.BROKEN_OFF)

    def _take(self, data: bytes, now_ns: int) -> None:
        """Add to the frame in progress; once it is too long only its length is kept."""
        if self._started_ns is None:
            self._started_ns = now_ns
        self._length += len(data)
        if self._length <= MAX_FRAME_BYTES:
            self._held += data
        else:
            self._held.clear()

    def _finish(self, now_ns: int, quality: frozenset[InputQuality] = frozenset()) -> list[Framed]:
        """End the frame in progress. An empty one is no frame."""
        if self._length == 0 or self._length > MAX_FRAME_BYTES:
            return self._discard(DiscardReason.TOO_LONG)
        started_ns = now_ns if self._started_ns is None else self._started_ns
        frame = Frame(data=bytes(self._held), started_ns=started_ns, quality=quality)
        self._reset()
        return [frame]

    def _discard(self, reason: DiscardReason) -> list[Framed]:
        length = self._length
        self._reset()
        return [FrameDiscarded(reason=reason, length=length)] if length else []

    def _reset(self) -> None:
        self._held.clear()
        self._length = 0
        self._started_ns = None


class TerminatorFramer(Framer):
    """Codes followed by a terminator; `b""` where only silence ends a code.

    A line feed at the beginning of a frame is the rest of a CRLF when the terminator is CR or CRLF: a scanner that
    sends CRLF works under either setting.

    After an opening nobody knows whether the first bytes begin a code: the process before this one may have read
    its beginning, or the cable was plugged in while an adapter was sending. So the first frame counts only if
    silence went before it or if it begins with an AIM identifier, which stands at the beginning of a code and holds
    a character that GS1 data cannot (`]`). Otherwise it is reported as broken off, and the operator scans again.
    """

    def __init__(self, ending: bytes, idle_ns: int) -> None:
        super().__init__(idle_ns)
        self._ending = ending
        self._skips_lf = ending.startswith(b"\r")
        self._half_ending = b""
        self._doubtful = False

    def opened(self, now_ns: int) -> None:
        """Doubt the first frame until a silence or a terminator has passed."""
        self._doubtful = True
        self._last_ns = now_ns

    def deadline_ns(self) -> int | None:
        """When silence will have ended what is unfinished, or the doubt after an opening."""
        return self._last_ns + self._idle_ns if self._doubtful else super().deadline_ns()

    def feed(self, data: bytes, now_ns: int) -> list[Framed]:
        """Return the frames that became complete with `data`, read at `now_ns`."""
        if not data:
            return []
        self._last_ns = now_ns
        # A CR that ended the last read is looked at together with what follows it.
        data = self._half_ending + data
        self._half_ending = b""
        done: list[Framed] = []
        position = 0
        while True:
            if self._skips_lf and self._started_ns is None:
                while position < len(data) and data[position] == LF:
                    position += 1
            if position == len(data):
                return done
            end = data.find(self._ending, position) if self._ending else -1
            if end < 0:
                break
            self._take(data[position:end], now_ns)
            done += self._end(now_ns)
            position = end + len(self._ending)
        rest = data[position:]
        if len(self._ending) > 1 and rest.endswith(self._ending[:1]):
            self._half_ending = rest[-1:]
            rest = rest[:-1]
        self._take(rest, now_ns)
        return done

    def _silence(self) -> list[Framed]:
        flagged = frozenset({InputQuality.UNTERMINATED}) if self._ending else frozenset[InputQuality]()
        return self._end(self._last_ns, flagged)

    def _end(self, now_ns: int, quality: frozenset[InputQuality] = frozenset()) -> list[Framed]:
        doubtful, self._doubtful = self._doubtful, False
        if doubtful and self._length <= MAX_FRAME_BYTES and not begins_with_aim_id(self._held):
            return self._discard(DiscardReason.BROKEN_OFF)
        return self._finish(now_ns, quality)

    def _reset(self) -> None:
        super()._reset()
        self._half_ending = b""


class StxEtxFramer(Framer):
    """Codes between STX and ETX. What stands outside is garbled, and so is a frame that a second STX cuts off."""

    _MARK = re.compile(rb"[\x02\x03]")

    def __init__(self, idle_ns: int) -> None:
        super().__init__(idle_ns)
        self._inside = False

    def opened(self, now_ns: int) -> None:
        """Do nothing: the end of a code has no STX before it and is garbled in any case."""

    def feed(self, data: bytes, now_ns: int) -> list[Framed]:
        """Return the frames that became complete with `data`, read at `now_ns`."""
        done: list[Framed] = []
        position = 0
        while position < len(data):
            self._last_ns = now_ns
            mark = self._MARK.search(data, position)
            stop = mark.start() if mark else len(data)
            if stop > position:
                self._take(data[position:stop], now_ns)
            if mark is None:
                break
            position = mark.end()
            if mark[0] == STX:
                done += self._discard(DiscardReason.GARBLED)
                self._inside = True
                self._started_ns = now_ns
            elif self._inside:
                done += self._finish(now_ns)
            else:
                self._take(mark[0], now_ns)
                done += self._discard(DiscardReason.GARBLED)
        return done

    def _silence(self) -> list[Framed]:
        if self._inside:
            return self._finish(self._last_ns, frozenset({InputQuality.UNTERMINATED}))
        return self._discard(DiscardReason.GARBLED)

    def _reset(self) -> None:
        super()._reset()
        self._inside = False


def framer(terminator: Terminator, idle_ms: int) -> Framer:
    """Return the framer for a scanner's settings."""
    idle_ns = idle_ms * 1_000_000
    return StxEtxFramer(idle_ns) if terminator == "STX-ETX" else TerminatorFramer(ENDINGS[terminator], idle_ns)


def transmission(data: bytes, terminator: Terminator) -> bytes:
    """Return the bytes a scanner with this setting sends for a code."""
    return (STX if terminator == "STX-ETX" else b"") + data + ENDINGS[terminator]
