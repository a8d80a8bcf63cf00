"""Bytes -> frames: where a code begins and ends. Pure; times (CLOCK_MONOTONIC, nanoseconds) come in as arguments.

Part of a code is never handed on as a code. Where a terminator is configured, what ends without it is part of a
code, and so may be what follows it at once: both are thrown away whole and reported. A lot number that was cut
short looks like a lot number.

Example, with terminator CR and 100 ms of idle time: `]d20108717648200274`, a silence of 300 ms, `10A1` CR. The
first part is discarded as UNTERMINATED after 100 ms. The second part comes within LATE_NS of it and has no AIM
identifier to say that it begins a code: it is discarded as BROKEN_OFF. The operator scans again.
"""

import re
from abc import ABC, abstractmethod

from drivers.base import FrameDiscarded, Terminator
from drivers.clues import looks_of
from drivers.model import DiscardReason, Frame, InputQuality
from drivers.raw_scan import begins_with_aim_id

MAX_FRAME_BYTES = 4096
"""Longest frame handed on. The largest Data Matrix holds 3,116 digits and the largest QR code 2,953 bytes
(ISO/IEC 16022, ISO/IEC 18004); a longer frame is several codes run together, or noise."""

STX = b"\x02"
ETX = b"\x03"
SKIPPED = b"\r\n\t"
"""At the beginning of a frame: the rest of an ending of two characters (CR LF, TAB CR, CR TAB). No label begins
so."""

LATE_NS = 1_000_000_000
"""After a code whose rest did not come: what comes within this time may be that rest. People are slower."""

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

    Silence is only what `idle` is given: bytes that were read late, because this process was held up, are not
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

    @property
    def at_rest(self) -> bool:
        """Nothing of a frame has come."""
        return self._started_ns is None

    def begin(self, now_ns: int) -> None:
        """Begin a frame, if none has begun."""
        if self._started_ns is None:
            self._started_ns = now_ns

    def _take(self, data: bytes, now_ns: int) -> None:
        """Add to the frame in progress; once it is too long only its length is kept."""
        self.begin(now_ns)
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
        clue = looks_of(self._held) if reason in {DiscardReason.UNTERMINATED, DiscardReason.GARBLED} else ""
        self._reset()
        return [FrameDiscarded(reason=reason, length=length, clue=clue)] if length else []

    def _reset(self) -> None:
        self._held.clear()
        self._length = 0
        self._started_ns = None


class TerminatorFramer(Framer):
    """Codes followed by a terminator; `b""` where only silence ends a code.

    CR, LF and TAB at the beginning of a frame are the rest of a longer ending than the one configured: a scanner
    that sends CRLF works under CR and CRLF, one that sends TAB CR under TAB.

    After an opening nobody knows whether the first bytes begin a code: the process before this one may have read
    its beginning, or the cable was plugged in while an adapter was sending. So the first frame counts only if
    silence went before it or if it begins with an AIM identifier, which stands at the beginning of a code and holds
    a character that GS1 data cannot (`]`). Otherwise it is reported as broken off, and the operator scans again.
    The same holds for what comes within LATE_NS after a code that silence has ended.
    """

    def __init__(self, ending: bytes, idle_ns: int) -> None:
        super().__init__(idle_ns)
        self._ending = ending
        self._half_ending = b""
        self._doubtful = False
        self._late_until_ns: int | None = None

    def opened(self, now_ns: int) -> None:
        """Doubt the first frame until a silence or a terminator has passed."""
        self._doubtful = True
        self._late_until_ns = None
        self._last_ns = now_ns

    def deadline_ns(self) -> int | None:
        """When silence will have ended what is unfinished, or the doubt after an opening."""
        return self._last_ns + self._idle_ns if self._doubtful else super().deadline_ns()

    def begin(self, now_ns: int) -> None:
        """Begin a frame, if none has begun; doubt it where it may be the rest of the last one."""
        if self._started_ns is None and self._late_until_ns is not None:
            self._doubtful = self._doubtful or now_ns < self._late_until_ns
            self._late_until_ns = None
        super().begin(now_ns)

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
            if self._started_ns is None:
                position = self._skip(data, position)
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

    def _skip(self, data: bytes, position: int) -> int:
        """Return where a frame begins. A terminator that is skipped ends whatever went before it."""
        begin = position
        while position < len(data) and data[position] in SKIPPED:
            position += 1
        if self._ending and self._ending[-1:] in data[begin:position]:
            self._doubtful = False
            self._late_until_ns = None
        return position

    def _silence(self) -> list[Framed]:
        begun = self._started_ns is not None
        done = self._end(self._last_ns, ended=False)
        if begun and self._ending:
            self._late_until_ns = self._last_ns + LATE_NS
        return done

    def _end(self, now_ns: int, *, ended: bool = True) -> list[Framed]:
        """End the frame, by its terminator or by silence (`ended` is False)."""
        doubtful, self._doubtful = self._doubtful, False
        if self._length <= MAX_FRAME_BYTES:
            if doubtful and not begins_with_aim_id(self._held):
                return self._discard(DiscardReason.BROKEN_OFF)
            if self._ending and not ended:
                return self._discard(DiscardReason.UNTERMINATED)
        return self._finish(now_ns, frozenset() if ended else frozenset({InputQuality.UNTERMINATED}))

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
            text = data[position:stop] if self._started_ns is not None else data[position:stop].lstrip(SKIPPED)
            if text:
                self._take(text, now_ns)
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
        return self._discard(DiscardReason.UNTERMINATED if self._inside else DiscardReason.GARBLED)

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


def without_ending(data: bytes, terminator: Terminator) -> bytes:
    r"""Return a code that came in a report or packet without the ending that its scanner adds all the same.

    What the framer would take for the ending, and for the rest of a longer one, is cut off; nothing else is.

    >>> without_ending(b"10A1\r", "CR"), without_ending(b"10A1\t\r", "TAB"), without_ending(b"10A1\t", "CR")
    (b'10A1', b'10A1', b'10A1\t')
    """
    data = data.lstrip(SKIPPED)
    if terminator == "STX-ETX":
        data = data.removeprefix(STX)
    ending = ENDINGS[terminator]
    body = data.rstrip(SKIPPED + ETX)
    at = data.find(ending, len(body)) if ending else -1
    return data if at < 0 else data[:at]
