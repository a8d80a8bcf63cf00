"""Zebra's Simple Serial Interface (SSI): codes in packets, each of which the host acknowledges.

The scanner sends a packet again, marked as a retransmission, when no acknowledgement comes within its response
timeout (parameter 9B, 2 s by default), and gives up after two more tries with four low beeps. So a gateway that
cannot store is heard even when it says nothing: `acknowledge` is asked for only when the scan is on disk.

A scanner that is not set to packets (parameter EE; unpacked is the default) sends its codes as text with a
terminator, while its answers to commands still are packets. Both are read; once a code has come in a packet, text
is taken for garbled.

Not verified on a scanner: whether each packet of a continued code repeats the type of the symbol in its first byte.
The first byte is taken for the type where it is the same as in the first packet and no label can hold it as text.
The type itself is cut off: it does not tell a GS1 symbol from another; AIM identifiers (parameter 45) do.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from drivers.base import Dialect, DialectOutput, FrameDiscarded, ScannerReply, ScannerSettings, Send
from drivers.clues import BINARY, SSI
from drivers.dialects.ssi_packet import (
    SHORTEST_CODE_BYTES,
    Garbled,
    NakCause,
    Op,
    Outside,
    Piece,
    Splitter,
    SsiPacket,
    Status,
    acknowledgement,
    beep,
    encode,
    refusal,
)
from drivers.framing import ENDINGS, MAX_FRAME_BYTES, framer, without_ending
from drivers.model import DiscardReason, Frame, Signal
from drivers.raw_scan import begins_with_aim_id

RETRIES: Final = 2
"""How often a scanner repeats a packet that nobody acknowledges."""
RESEND_NS: Final = 7_000_000_000
"""How long a scanner may take to repeat what arrived garbled, or to go on with a code: three response timeouts of
2 s, and 1 s for the line."""

ACK: Final = acknowledgement()
NAK_RESEND: Final = refusal(NakCause.RESEND)

SIGNALS: Final[Mapping[Signal, bytes]] = {
    Signal.ACCEPTED: beep(0x00),  # one short high
    Signal.MORE: beep(0x17),  # low-high: go on
    Signal.WARNING: beep(0x02),  # three short high
    Signal.REFUSED: beep(0x10),  # two long low
    Signal.DEVIATING: beep(0x16),  # high-low
    Signal.QUESTION: beep(0x14),  # warble
    Signal.TROUBLE: beep(0x12),  # four long low: what the scanner itself does when nobody acknowledges
}

_GS: Final = b"\x1d"  # a symbol's type below it is no character of a label's text


class _Code(Struct, frozen=True):
    """What became of the last code."""

    last_packet: SsiPacket
    """Its last packet, without the mark of a retransmission."""
    data: bytes | None
    """None: it was thrown away."""


class _Parts:
    """A code of several packets, as far as it has come."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.length = 0
        self.kind = b""
        self.started_ns = 0
        self.due_ns = 0
        self.latest: SsiPacket | None = None
        self.repeats = 0

    @property
    def under_way(self) -> bool:
        """There is a beginning."""
        return self.latest is not None

    def take(self, text: bytes) -> None:
        """Add text; of a code that is too long only its length is kept."""
        self.length += len(text)
        if self.length <= MAX_FRAME_BYTES:
            self.data += text
        else:
            self.data.clear()


class ZebraSsiDialect(Dialect):
    """Packets in, packets out. Commands are answered with packets, too: these come out as replies."""

    def __init__(self, settings: ScannerSettings) -> None:
        self._terminator = settings.terminator
        self._text = framer(settings.terminator, settings.idle_ms)
        self._signals = SIGNALS if settings.feedback != "none" else {}
        self._idle_ns = settings.idle_ms * 1_000_000
        self._splitter = Splitter(ENDINGS[settings.terminator][-1:])
        self._last_ns = 0
        self._forget()

    def _forget(self) -> None:
        """Begin as with a scanner of which nothing is known."""
        self._splitter.clear()
        self._packeted = False
        self._doubtful = False
        self._past_unknown = False
        self._begun_ns: int | None = None
        self._asked = False
        self._damage = 0
        self._damage_due_ns = 0
        self._parts = _Parts()
        self._last: _Code | None = None
        self._waiting: Frame | None = None

    def opened(self, now_ns: int) -> None:
        """Doubt the first code until a silence has passed: its beginning may have gone to somebody else."""
        self._forget()
        self._doubtful = self._past_unknown = True
        self._last_ns = now_ns
        self._text.opened(now_ns)

    def feed(self, data: bytes, now_ns: int) -> Iterable[DialectOutput]:
        """Return what became complete with `data`."""
        if not data:
            return []
        self._last_ns = now_ns
        if not self._splitter.pending:
            self._begun_ns = now_ns
        return self._take(self._splitter.feed(data), now_ns)

    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        """Return what counts as finished because nothing came until `now_ns`."""
        done: list[DialectOutput] = []
        if now_ns >= self._last_ns + self._idle_ns:
            if self._splitter.pending:
                done += self._take(self._splitter.flush(), self._last_ns)
            self._doubtful = self._asked = False
        if not self._packeted and not self._splitter.pending:
            done += self._checked(self._text.idle(now_ns), now_ns)
        if self._damage and now_ns >= self._damage_due_ns:
            done += self._report_damage()
        if self._parts.under_way and now_ns >= self._parts.due_ns:
            done += self._drop_parts()
        return done

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""
        deadlines: list[int | None] = []
        if self._splitter.pending or self._doubtful:
            deadlines.append(self._last_ns + self._idle_ns)
        elif not self._packeted:
            deadlines.append(self._text.deadline_ns())
        if self._damage:
            deadlines.append(self._damage_due_ns)
        if self._parts.under_way:
            deadlines.append(self._parts.due_ns)
        return min((one for one in deadlines if one is not None), default=None)

    def broken(self) -> Iterable[DialectOutput]:
        """Forget what is half read; return its FrameDiscarded."""
        text = sum(one.length for one in self._text.broken() if isinstance(one, FrameDiscarded))
        length = text + self._splitter.pending + self._parts.length + self._damage
        self._forget()
        return [FrameDiscarded(reason=DiscardReason.BROKEN_OFF, length=length)] if length else []

    def signal(self, signal: Signal) -> bytes:
        """Return the beeps that tell the operator."""
        return self._signals.get(signal, b"")

    def acknowledge(self, frame: Frame) -> bytes:
        """Return the ACK of a stored code, once: a second one would be taken for that of the next code.

        Nothing where the scanner waits for none: it does not pack its codes, it was opened anew, or it has sent
        another code since.
        """
        waiting = self._waiting
        if waiting is None or not (frame == waiting or (waiting.retransmission and frame.data == waiting.data)):
            return b""
        self._waiting = None
        return ACK

    def _take(self, pieces: list[Piece], now_ns: int) -> list[DialectOutput]:
        done: list[DialectOutput] = []
        for piece in pieces:
            started_ns = now_ns if self._begun_ns is None else self._begun_ns
            self._begun_ns = None
            if isinstance(piece, Outside):
                if self._packeted:
                    self._damaged(len(piece.data), now_ns)
                else:
                    done += self._checked(self._text.feed(piece.data, now_ns), now_ns)
            elif isinstance(piece, Garbled):
                self._damaged(piece.length, now_ns)
                if not self._asked:
                    self._asked = True
                    done.append(Send(data=NAK_RESEND))
            elif piece.op == Op.DECODE_DATA and piece.data:
                self._asked = False
                done += self._decoded(piece, started_ns, now_ns)
            else:
                self._asked = False
                done.append(ScannerReply(data=encode(piece)))
        if self._splitter.pending and self._begun_ns is None:
            self._begun_ns = now_ns
        return done

    def _checked(self, framed: Iterable[Frame | FrameDiscarded], now_ns: int) -> list[DialectOutput]:
        """Let unpacked codes pass, but not what is left of a packet: each has a NUL in its header."""
        done: list[DialectOutput] = []
        for one in framed:
            if isinstance(one, Frame) and b"\x00" in one.data:
                self._damaged(len(one.data), now_ns)
            elif isinstance(one, FrameDiscarded) and one.clue in {BINARY, SSI}:
                self._damaged(one.length, now_ns)
            else:
                done.append(one)
        return done

    def _damaged(self, length: int, now_ns: int) -> None:
        """Expect the scanner to send again what arrived garbled."""
        self._damage += length
        self._damage_due_ns = now_ns + RESEND_NS

    def _report_damage(self) -> list[DialectOutput]:
        """Report what was not sent again, unless it is too short for a code: noise, or a garbled answer."""
        length, self._damage = self._damage, 0
        if length < SHORTEST_CODE_BYTES:
            return []
        return [FrameDiscarded(reason=DiscardReason.GARBLED, length=length)]

    def _drop_parts(self) -> list[DialectOutput]:
        length = self._parts.length
        self._parts = _Parts()
        return [FrameDiscarded(reason=DiscardReason.GARBLED, length=length)]

    def _decoded(self, packet: SsiPacket, started_ns: int, now_ns: int) -> list[DialectOutput]:
        """Take a packet of a code."""
        if not self._packeted:
            self._packeted = True
            self._damage += sum(one.length for one in self._text.broken() if isinstance(one, FrameDiscarded))
        again = bool(packet.status & Status.RETRANSMIT)
        was_garbled = again and self._damage > 0
        done: list[DialectOutput] = [] if again else self._report_damage()
        self._damage = 0
        bare = SsiPacket(op=packet.op, data=packet.data, status=packet.status & Status.CONTINUED)
        if again and bare == self._parts.latest:
            done += self._part_again()
        elif again and not self._parts.under_way and self._last is not None and bare == self._last.last_packet:
            done += self._code_again(self._last, started_ns, delivered=not was_garbled or self._waiting is not None)
        elif (text := self._text_of(bare, certain=not again or was_garbled)) is None:
            self._last = _Code(bare, None)
            self._doubtful = self._past_unknown = bare.status != 0  # what follows a last packet begins a code
            done += self._drop_parts() if self._parts.under_way else _discarded(DiscardReason.BROKEN_OFF, bare)
        else:
            if not self._parts.under_way:
                self._parts.kind, self._parts.started_ns = bare.data[:1], started_ns
            self._doubtful = self._past_unknown = False
            self._parts.take(text)
            if bare.status:
                self._parts.latest, self._parts.repeats = bare, 0
                self._parts.due_ns = now_ns + RESEND_NS
                done.append(Send(data=ACK))
            else:
                done += self._whole(bare, retransmission=again and not was_garbled)
        return done

    def _text_of(self, packet: SsiPacket, *, certain: bool) -> bytes | None:
        """Return the packet's text without the type of the symbol; None where it may be a piece of unknown text.

        `certain`: not a repetition of something that this gateway may have had before the opening.
        """
        text = packet.data[1:]
        if not self._parts.under_way:
            unknown = self._doubtful or (self._past_unknown and not certain)
            return None if unknown and not begins_with_aim_id(text) else text
        if packet.data[:1] != self._parts.kind:
            return packet.data
        # Else it is the type again, or else a character of the text: nobody can tell.
        return text if packet.data[:1] < _GS else None

    def _whole(self, packet: SsiPacket, *, retransmission: bool) -> list[DialectOutput]:
        """End a code with its last packet."""
        parts, self._parts = self._parts, _Parts()
        data = without_ending(bytes(parts.data), self._terminator)
        if not data:
            reason = DiscardReason.TOO_LONG if parts.length > MAX_FRAME_BYTES else DiscardReason.GARBLED
            self._last = _Code(packet, None)
            return [FrameDiscarded(reason=reason, length=max(parts.length, 1))]
        self._last = _Code(packet, data)
        self._waiting = Frame(data=data, started_ns=parts.started_ns, retransmission=retransmission)
        return [self._waiting]

    def _part_again(self) -> list[DialectOutput]:
        """Acknowledge a part once more. With the last try the scanner gives the code up; so does the gateway."""
        self._parts.repeats += 1
        if self._parts.repeats < RETRIES:
            return [Send(data=ACK)]
        self._doubtful = True
        return self._drop_parts()

    def _code_again(self, code: _Code, started_ns: int, *, delivered: bool) -> list[DialectOutput]:
        """Hand on the whole code, of which the scanner repeats only the last packet. One thrown away stays so."""
        if code.data is None:
            return []
        self._waiting = Frame(data=code.data, started_ns=started_ns, retransmission=delivered)
        return [self._waiting]


def _discarded(reason: DiscardReason, packet: SsiPacket) -> list[DialectOutput]:
    return [FrameDiscarded(reason=reason, length=len(packet.data))]


__all__ = ["ACK", "NAK_RESEND", "RESEND_NS", "SIGNALS", "ZebraSsiDialect"]
