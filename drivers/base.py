"""The two interfaces of a scanner: `Scanner` does the I/O, `Dialect` knows the vendor's protocol and does none."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, Protocol

from msgspec import Meta, Struct

from drivers.model import (
    ConnectionState,
    DiscardReason,
    Frame,
    RawScan,
    ScannerIdentity,
    ScannerInput,
    Signal,
    Strokes,
)

Terminator = Literal["CR", "LF", "CRLF", "TAB", "ETX", "STX-ETX", "none"]


class DeviceMatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`match` of a `[[scanner]]`: which device it is, wherever the system puts it. All that is given must fit."""

    vendor: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{4}$(?!\n)")] | None = None
    """USB vendor id, four hex digits."""
    product: Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{4}$(?!\n)")] | None = None
    """USB product id, four hex digits."""
    serial: str | None = None
    """USB serial number; of a Bluetooth device its address."""
    port: str | None = None
    """Physical USB port, as `scangate scanners list` shows it (udev's ID_PATH)."""


class ScannerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[scanner]]` of the configuration."""

    name: str
    """What this station calls the scanner: letters, digits, `_`, `-` and `.`. It is part of every event."""
    driver: Literal["serial", "hid-keyboard", "hid-pos", "replay"] = "serial"
    """How it is attached; `replay` plays a recording."""
    device: str | None = None
    """serial: the device node, best a name below /dev/serial/by-id or by-path. replay: the recording's path.
    Either `device` or `match` is given."""
    match: DeviceMatch | None = None
    """Which device it is, wherever the system puts it."""
    baud: Annotated[int, Meta(ge=1)] = 9600
    """Bits per second; without meaning for USB-CDC."""
    terminator: Terminator = "CR"
    """What the scanner sends behind each code."""
    idle_ms: Annotated[int, Meta(ge=10, le=10_000)] = 100
    """A frame that stays unfinished this long is ended, flagged `unterminated`. Milliseconds.

    Below 10 ms a slow line or a busy USB bus would cut codes in two; above 10 s nobody would wait for the signal.
    """
    dialect: Literal["plain", "honeywell", "zebra-ssi", "datalogic"] = "plain"
    """The vendor's protocol; `plain` only reads."""
    feedback: Literal["beep", "host-ack", "cordless", "none"] = "beep"
    """How the scanner tells the operator. `beep`: what every model of the dialect understands. `host-ack`
    (honeywell): the scanner is set to Host ACK and waits for the gateway's answer. `cordless` (datalogic): tones
    and light of a cordless scanner. `none`: not at all."""
    layout: Literal["us", "gb", "se", "no", "dk", "fi", "de", "fr"] = "us"
    """hid-keyboard: the keyboard layout the scanner is set to."""
    gs: tuple[Literal["ctrl-]", "f8", "down", "alt-029"], ...] = ("ctrl-]",)
    """hid-keyboard: the keys the scanner sends for GS."""
    firmware_profile: str | None = None
    """What its own settings must be (`scangate firmware profiles`): the daemon looks after them, and gives an alarm
    when they have changed. None: only settings that were checked or applied once are looked after."""


class ScannerReply(Struct, frozen=True, kw_only=True):
    """A scanner's answer to a command. Never a scan."""

    data: bytes


class FrameDiscarded(Struct, frozen=True, kw_only=True):
    """The dialect threw a frame away whole."""

    reason: DiscardReason
    length: int
    clue: str = ""
    strokes: Strokes = Strokes()
    """Both as in `Discarded`."""


class Send(Struct, frozen=True, kw_only=True):
    """What the protocol wants answered at once, whether or not a scan comes of it.

    Never the acknowledgement of a code, or of its last part: that is `Dialect.acknowledge`, after the code is on
    disk. So only a part of a code that is not yet whole is answered here, or bytes that arrived garbled.
    """

    data: bytes


DialectOutput = Frame | ScannerReply | FrameDiscarded | Send


class Dialect(ABC):
    """A vendor's protocol. Pure: bytes and a time in, values and bytes out."""

    @abstractmethod
    def opened(self, now_ns: int) -> None:
        """Note that the transport was opened just now: the first bytes may be the end of a code begun before."""

    @abstractmethod
    def feed(self, data: bytes, now_ns: int) -> Iterable[DialectOutput]:
        """Take what the transport read; return what became complete with it."""

    @abstractmethod
    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        """Nothing came until `now_ns`: return what counts as finished by silence."""

    @abstractmethod
    def deadline_ns(self) -> int | None:
        """When `idle` must be called next if nothing arrives (CLOCK_MONOTONIC), or None if nothing is pending."""

    @abstractmethod
    def broken(self) -> Iterable[DialectOutput]:
        """Forget what is half read, because the transport is gone; return a FrameDiscarded if there was any."""

    @abstractmethod
    def signal(self, signal: Signal) -> bytes:
        """Return what makes the scanner tell the operator; empty where the scanner takes no commands."""

    @abstractmethod
    def acknowledge(self, frame: Frame) -> bytes:
        """Return the host acknowledgement of a stored frame; empty where the protocol has none."""


class Loan(Protocol):
    """A scanner's line, lent for reading and writing the scanner's own settings.

    The scanner is read as before: what it sends goes to the borrower and through the dialect, too.
    """

    @property
    def open(self) -> bool:
        """The line is there; after `reopen`, a new one."""

    def write(self, data: bytes) -> bool:
        """Write bytes to the scanner; False when it is gone or does not take them."""

    def reopen(self, baud: int | None) -> None:
        """Close the line and open it again at this speed (None: that of the settings). Returns at once."""

    def end(self, last_words: bytes = b"") -> None:
        """Give the line back, after sending `last_words`. May be called more than once, and when it is gone."""


class Scanner(ABC):
    """One scanner, read by one thread. Construction does no I/O; the device is opened by the first `read`."""

    settings: ScannerSettings
    dialect: Dialect
    calibrated: bool = False
    """A calibration scan has proved that this hardware types what the label says. Set from outside."""
    gs_seen: bool = False
    """This hardware has sent a GS at some time. Set by the driver; from outside for what an earlier life saw."""
    gs_missed: bool = False
    """It has sent a GS1 code of several elements without any GS, and never one with. Set by the driver."""
    connection_detail: str = ""
    """What to do about `connection`, for a person; empty while the scanner is connected."""
    watched: bool = False
    """Somebody calls `look_again` whenever devices come, go or change; else the driver looks by itself, slowly."""

    @abstractmethod
    def read(self, timeout: float) -> ScannerInput | None:
        """Return the next scan, discarded frame or change of connection, or None after `timeout` seconds.

        A device that is unplugged, missing or not yet permitted is a ConnectionChange, and the driver goes on
        looking for it. Raises DriverError only for what no waiting mends.
        """

    @abstractmethod
    def send(self, data: bytes) -> bool:
        """Write bytes to the scanner; False when they could not be written (it is gone or does not take them).

        Called by another thread than `read`; never blocks longer than a fraction of a second.
        """

    @abstractmethod
    def identity(self) -> ScannerIdentity:
        """Return which hardware answers now."""

    @property
    @abstractmethod
    def connection(self) -> ConnectionState:
        """Return whether the scanner can be read now."""

    @abstractmethod
    def look_again(self) -> None:
        """Look for a missing device at once, because devices came, went or changed. Safe from any thread."""

    def lend(self, hear: Callable[[bytes], None], *, hold: bool) -> Loan:  # noqa: ARG002 - for those that can
        """Lend the line until `Loan.end`. `hear` gets what comes, in the reading thread, and must not wait.

        `hold`: what `send` is given meanwhile goes out at the end, because the scanner might take it for a command.
        Raises DriverError where there is no line to lend, or somebody has it.
        """
        name = self.settings.name
        raise DriverError(
            "lend the line of",
            f"scanner {name}",
            f'driver "{self.settings.driver}" has none over which a scanner could be asked',
            "its settings are made with the page of `scangate firmware page`",
            recoverable=False,
        )

    @abstractmethod
    def wake(self) -> None:
        """Make a `read` that waits in another thread return at once. Safe from any thread and after close."""

    @abstractmethod
    def close(self) -> None:
        """Close the device. May be called more than once."""


class DriverError(Exception):
    """A driver cannot work: operation, object, cause and the next step, and whether trying again helps."""

    def __init__(self, operation: str, device: str, cause: str, hint: str, *, recoverable: bool) -> None:
        super().__init__(f"cannot {operation} {device}: {cause}; {hint}")
        self.operation = operation
        self.device = device
        self.cause = cause
        self.hint = hint
        self.recoverable = recoverable


class UnknownDriverError(DriverError, LookupError):
    """The configuration names a driver or dialect that does not exist."""


class ReplayError(DriverError, ValueError):
    """A recording cannot be read."""


__all__ = [
    "DeviceMatch",
    "Dialect",
    "DialectOutput",
    "DriverError",
    "FrameDiscarded",
    "Loan",
    "RawScan",
    "ReplayError",
    "Scanner",
    "ScannerReply",
    "ScannerSettings",
    "Send",
    "Terminator",
    "UnknownDriverError",
]
