"""What drivers and dialects speak: frozen values, no I/O."""

from enum import StrEnum

from msgspec import Struct


class Signal(StrEnum):
    """The signal to the operator at the scanner. Each is a distinct pattern of sound or light."""

    MORE = "more"
    """Understood and on disk; the label has another symbol to scan."""
    ACCEPTED = "accepted"
    """On disk, and nothing to remark."""
    WARNING = "warning"
    """On disk, and something to look at."""
    DEVIATING = "deviating"
    """On disk under an action that deviates from the use of the article: thrown away, returned, taken out."""
    QUESTION = "question"
    """Obeyed, and the station asks something back: look at the screen."""
    REFUSED = "refused"
    """Do not use it, or it was no label of an article."""
    TROUBLE = "trouble"
    """The gateway could not store the scan: scan again later."""


class InputQuality(StrEnum):
    """Why a scan deserves less trust than a clean one. Stands in the event as `quality`."""

    UNTERMINATED = "unterminated"
    """Only silence says where a code ends (`terminator = "none"`): characters may be missing."""
    NO_AIM_ID = "no-aim-id"
    """The scanner did not say which symbology it read."""
    NOT_UTF8 = "not-utf8"
    """The bytes were no UTF-8 and were read as Latin-1."""
    GS_NEVER_SEEN = "gs-never-seen"
    """A GS1 code of several elements without GS, from a scanner that never sent one: elements may run together."""
    UNCALIBRATED = "uncalibrated"
    """A keyboard scanner whose layout no calibration scan has proved: characters may be others."""
    DROPPED_BEFORE = "dropped-before"
    """The kernel dropped input of this scanner shortly before this code."""
    TYPED = "typed"
    """No symbol: a person has typed what is printed on the label."""


class Frame(Struct, frozen=True, kw_only=True):
    """One whole transmission of a scanner, without its terminator."""

    data: bytes
    started_ns: int
    """CLOCK_MONOTONIC when the first byte arrived, nanoseconds."""
    quality: frozenset[InputQuality] = frozenset()
    retransmission: bool = False
    """The scanner says that it sent these bytes before and saw no acknowledgement."""


class RawScan(Struct, frozen=True, kw_only=True):
    """One symbol as a scanner delivered it."""

    scanner: str
    """Name of the `[[scanner]]` in the configuration."""
    frame: Frame
    symbology: str | None
    """AIM symbology identifier, three characters such as `]d2`, or None where the scanner sends none."""
    text: str
    """The symbol's text without the AIM identifier. GS (0x1D) separates GS1 elements."""
    quality: frozenset[InputQuality] = frozenset()


class DiscardReason(StrEnum):
    """Why a frame was thrown away whole. Part of a code is never handed on."""

    TOO_LONG = "too-long"
    """Longer than `framing.MAX_FRAME_BYTES`."""
    BROKEN_OFF = "broken-off"
    """The scanner was unplugged in the middle."""
    GARBLED = "garbled"
    """Bytes outside STX..ETX, or a frame that its protocol calls wrong."""
    DROPPED = "dropped"
    """The kernel lost input events in the middle (SYN_DROPPED)."""
    FORBIDDEN_KEYS = "forbidden-keys"
    """Keys or modifiers that no scanner of this profile sends: a keyboard, or a device that poses as one."""
    UNTERMINATED = "unterminated"
    """A terminator is configured, and silence ended the frame without it: part of a code, or a scanner that is set
    up otherwise."""
    TAKEN = "taken"
    """Another program reads the same port, and took bytes of it."""
    UNREADABLE = "unreadable"
    """Keys that stand for no character in the configured layout."""


class Strokes(tuple[tuple[int, int], ...]):
    """Keys that were pressed, each with a bit for Shift, Ctrl, Alt and AltGr (1, 2, 4, 8). Never shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} keys>"


class Discarded(Struct, frozen=True, kw_only=True):
    """A frame that was thrown away. It is never logged or stored what it said."""

    scanner: str
    reason: DiscardReason
    length: int
    """Bytes thrown away."""
    clue: str = ""
    """What can be said of it without its content. FORBIDDEN_KEYS: what the first of them was, such as `F8` or
    `AltGr`; never a key that writes something. UNTERMINATED, GARBLED: `drivers.clues.looks_of`."""
    strokes: Strokes = Strokes()
    """UNREADABLE, FORBIDDEN_KEYS: the keys of the frame, from which a calibration scan finds the layout."""


class ConnectionState(StrEnum):
    """Whether a scanner can be read now. A missing scanner is a state, not an error."""

    MISSING = "missing"
    """Its device is not there."""
    NO_PERMISSION = "no-permission"
    """Its device is there and may not be opened."""
    BUSY = "busy"
    """Another program holds its device."""
    CONNECTED = "connected"


class ConnectionChange(Struct, frozen=True, kw_only=True):
    """The scanner came, went, or cannot be opened."""

    scanner: str
    connection: ConnectionState
    detail: str = ""
    """What to do about it, for a person."""


class ScannerIdentity(Struct, frozen=True, kw_only=True):
    """Which piece of hardware answers under a scanner's name. None: not known."""

    device: str | None = None
    """The path it was opened by."""
    vendor: str | None = None
    """USB vendor id, four hex digits."""
    product: str | None = None
    serial: str | None = None
    port: str | None = None
    """Physical USB port, as udev's ID_PATH names it."""
    interface: str | None = None
    """USB interface number, two hex digits, of a device with several."""


ScannerInput = RawScan | Discarded | ConnectionChange
"""What `Scanner.read` returns."""
