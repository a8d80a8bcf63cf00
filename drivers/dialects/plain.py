"""A scanner that only sends: codes and their terminator, no acknowledgement.

Answers to commands are kept apart from codes by their form (`drivers.dialects.answers`): they become replies, never
scans. Where the configured terminator comes before the end of an answer, it is none: what is doubtful is a scan.

How it works. At the beginning of a frame, what may be a marked answer (`$>...`) is held back until it is certain;
all else goes to the framer at once. An echo (`TERMID130<ACK>.`) is known by its end only: it has gone to the framer
by then, which forgets it.
"""

from collections.abc import Iterable

from drivers.base import Dialect, DialectOutput, ScannerReply, ScannerSettings
from drivers.dialects.answers import ECHO, ECHO_END, MAX_ANSWER_BYTES, end_of_marked, is_marked
from drivers.framing import ENDINGS, SKIPPED, framer
from drivers.model import Frame, Signal


class PlainDialect(Dialect):
    """What every serial scanner speaks when nothing else is known of it."""

    def __init__(self, settings: ScannerSettings) -> None:
        self._framer = framer(settings.terminator, settings.idle_ms)
        self._idle_ns = settings.idle_ms * 1_000_000
        self._mark = ENDINGS[settings.terminator][-1:]
        self._answer = b""  # what has come of a marked answer, or of what may become one
        self._since = b""  # what followed the last code or answer, at most one byte more than an answer has
        self._last_ns = 0

    def opened(self, now_ns: int) -> None:
        """Note that the transport was opened just now."""
        self._answer = self._since = b""
        self._framer.opened(now_ns)

    def feed(self, data: bytes, now_ns: int) -> Iterable[DialectOutput]:
        """Return the codes and answers that became complete with `data`."""
        done: list[DialectOutput] = []
        data = self._answer + data
        self._answer = b""
        self._last_ns = now_ns
        while data:
            end = end_of_marked(data) if self._framer.at_rest else None
            answer, found, rest = data.partition(end) if end else (b"", b"", b"")
            if end and found and self._may_be_answer(answer):
                done.append(ScannerReply(data=answer))
                self._since = b""
                data = rest
            elif end and not found and self._may_be_answer(answer[:-1]):  # its last byte may be half of its end
                self._answer = answer
                break
            else:
                piece, data = self._to_next_frame(data)
                done += self._frame(piece, now_ns)
        return done

    def _may_be_answer(self, data: bytes) -> bool:
        return len(data) <= MAX_ANSWER_BYTES and not (self._mark and self._mark in data)

    def _to_next_frame(self, data: bytes) -> tuple[bytes, bytes]:
        """Cut the data where the next frame may begin."""
        at = len(data) - len(data.lstrip(SKIPPED)) if self._framer.at_rest else 0
        if not at:
            at = data.find(self._mark) + 1 if self._mark else 0
        return data[: at or None], data[at:] if at else b""

    def _frame(self, data: bytes, now_ns: int) -> list[DialectOutput]:
        """Return the codes, and the echoes of settings, that became complete with `data`."""
        done: list[DialectOutput] = []
        whole = self._since + data
        fed = len(self._since)
        begin = 0
        for match in ECHO_END.finditer(whole, max(0, fed - 1)):
            end = match.end()
            done += self._framer.feed(whole[fed:end], now_ns)
            fed = end
            begin = self._behind_last_code(whole, begin, end)
            answer = whole[begin:end].lstrip(b"\r\n")
            if len(answer) <= MAX_ANSWER_BYTES and ECHO.fullmatch(answer):
                self._framer.broken()  # it was no code
                done.append(ScannerReply(data=answer))
                begin = end
        done += self._framer.feed(whole[fed:], now_ns)
        begin = self._behind_last_code(whole, begin, len(whole))
        self._since = whole[begin : begin + MAX_ANSWER_BYTES + 1]
        return done

    def _behind_last_code(self, data: bytes, begin: int, end: int) -> int:
        return max(begin, data.rfind(self._mark, begin, end) + 1) if self._mark else begin

    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        """Return what counts as finished because nothing came until `now_ns`."""
        done: list[DialectOutput] = []
        if self._answer and now_ns >= self._last_ns + self._idle_ns:
            rest, self._answer = self._answer, b""
            if is_marked(rest):
                return [ScannerReply(data=rest)]
            done += self._frame(rest, self._last_ns)
        done += self._framer.idle(now_ns)
        if self._framer.deadline_ns() is None:
            self._since = b""
        return done

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""
        return self._last_ns + self._idle_ns if self._answer else self._framer.deadline_ns()

    def broken(self) -> Iterable[DialectOutput]:
        """Forget what is half read; return its FrameDiscarded."""
        rest, self._answer, self._since = self._answer, b"", b""
        if not is_marked(rest):
            self._framer.feed(rest, self._last_ns)
        return self._framer.broken()

    def signal(self, signal: Signal) -> bytes:  # noqa: ARG002  (the interface's argument; there is no way to tell it)
        """Return nothing: the scanner takes no commands."""
        return b""

    def acknowledge(self, frame: Frame) -> bytes:  # noqa: ARG002  (as above)
        """Return nothing: the protocol has no acknowledgement."""
        return b""
