"""HID point-of-sale scanners (usage page 0x8C), read from hidraw.

Their reports hold the AIM identifier, the code's own bytes, GS among them, and whether the next report goes on with
the code. Nothing is typed anywhere, and there is no keyboard layout to get wrong.
"""

import errno
import fcntl
import os
import sys
import time
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from drivers import hardware
from drivers.base import Dialect, DriverError, FrameDiscarded, ScannerSettings
from drivers.framing import LATE_NS, MAX_FRAME_BYTES, Framed, without_ending
from drivers.hid_node import HidScanner, HidSession
from drivers.hid_report import MAX_DESCRIPTOR_BYTES, DescriptorError, ReportLayout, report_layout
from drivers.model import DiscardReason, Frame, InputQuality
from drivers.node import OpenDevice
from drivers.raw_scan import begins_with_aim_id

READ_BYTES: Final = 16_384
"""HID_MAX_BUFFER_SIZE of Linux (include/linux/hid.h): no report is longer."""
QUEUE_REPORTS: Final = 63
"""Reports that the kernel keeps for one reader (a ring of 64, drivers/hid/hidraw.c); it drops others silently."""

_HIDIOCGRDESCSIZE: Final = 0x80044801
_HIDIOCGRDESC: Final = 0x90044802
_ABSENT: Final = {b"\0\0\0", b"   "}
"""How a report leaves out the AIM identifier."""


class _Code(Struct):
    """A code of which reports have come."""

    started_ns: int
    aim_id: bytes = b""
    data: bytearray = msgspec.field(default_factory=bytearray)
    length: int = 0
    """Bytes that came; beyond MAX_FRAME_BYTES they are counted only."""
    spoilt: DiscardReason | None = None
    quality: frozenset[InputQuality] = frozenset()

    def spoil(self, reason: DiscardReason) -> None:
        """Throw it away when it ends. The first reason counts, but loss outranks others."""
        if self.spoilt is None or reason is DiscardReason.DROPPED:
            self.spoilt = reason


class ReportDecoder:
    """Reports of one scanner -> codes. Pure; times are CLOCK_MONOTONIC in nanoseconds."""

    def __init__(self, layout: ReportLayout, settings: ScannerSettings) -> None:
        self._layout = layout
        self._terminator = settings.terminator
        self._idle_ns = settings.idle_ms * 1_000_000
        self._code: _Code | None = None
        self._last_ns = 0
        self._doubt: DiscardReason | None = None
        self._late_ns: int | None = None
        self._dropped = False

    def opened(self, now_ns: int) -> None:
        """Doubt the first code until a silence has passed: its beginning may have been sent before."""
        self._doubt = DiscardReason.BROKEN_OFF
        self._last_ns = now_ns

    def feed(self, report: bytes, now_ns: int) -> list[Framed]:
        """Take one report; return what became complete with it."""
        layout = self._layout
        number = report[0] if report and layout.report_id is not None else None
        if number is not None and number in layout.others:
            return []
        first = self._code is None
        code = self._code = self._code or self._begun(now_ns)
        self._last_ns = now_ns
        if number != layout.report_id or len(report) != layout.size:
            code.length += len(report)
            code.spoil(DiscardReason.GARBLED)
            return []
        self._identify(code, report, first=first)
        continued = layout.continued is not None and bool(report[layout.continued[0]] >> layout.continued[1] & 1)
        self._add(code, report, continued=continued)
        return [] if continued else self._finish(code)

    def lost(self) -> None:
        """Note that the kernel may have dropped reports after the last one."""
        self._dropped = True
        if self._code is None:
            self._doubt = DiscardReason.DROPPED  # what comes next may be the end of a code
        else:
            self._code.spoil(DiscardReason.DROPPED)

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what is given up because nothing came until `now_ns`; nothing before `deadline_ns`."""
        deadline = self.deadline_ns()
        if deadline is None or now_ns < deadline:
            return []
        self._doubt = None
        if self._code is None:
            return []
        self._late_ns = now_ns + LATE_NS
        self._code.spoil(DiscardReason.GARBLED)
        return self._finish(self._code)

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next if nothing arrives, or None if nothing is pending."""
        return self._last_ns + self._idle_ns if self._doubt or self._code else None

    def broken(self) -> list[Framed]:
        """Forget what is half read, because the scanner is gone; return its FrameDiscarded."""
        if self._code is None:
            return []
        self._code.spoil(DiscardReason.BROKEN_OFF)
        return self._finish(self._code)

    def _begun(self, now_ns: int) -> _Code:
        code = _Code(started_ns=now_ns)
        if self._doubt is not None:
            code.spoil(self._doubt)
        elif self._late_ns is not None and now_ns < self._late_ns:
            code.spoil(DiscardReason.GARBLED)
        self._late_ns = None
        return code

    def _identify(self, code: _Code, report: bytes, *, first: bool) -> None:
        """Take the AIM identifier; further parts of the code have the same one, or none."""
        aim_id = bytes(report[at] for at in self._layout.aim_id or ())
        if not aim_id or aim_id in _ABSENT:
            return
        if not begins_with_aim_id(aim_id) or not (first or aim_id == code.aim_id):
            code.spoil(DiscardReason.GARBLED)
        code.aim_id = aim_id

    def _add(self, code: _Code, report: bytes, *, continued: bool) -> None:
        layout = self._layout
        data = report[layout.data : layout.data + layout.capacity]
        if layout.length is not None:
            if report[layout.length] > layout.capacity:
                code.spoil(DiscardReason.GARBLED)
            data = data[: report[layout.length]]
        elif not continued:
            data = data.rstrip(b"\0")
        code.length += len(data)
        if code.length <= MAX_FRAME_BYTES:
            code.data += data
        if layout.continued is None and len(data) == layout.capacity:
            code.quality |= {InputQuality.UNTERMINATED}  # a full report, and no word on whether another one follows

    def _finish(self, code: _Code) -> list[Framed]:
        self._code = None
        self._doubt = None
        if code.spoilt is None and len(code.aim_id) + code.length > MAX_FRAME_BYTES:
            code.spoil(DiscardReason.TOO_LONG)
        if code.spoilt is not None:
            return [FrameDiscarded(reason=code.spoilt, length=code.length)]
        data = without_ending(bytes(code.data), self._terminator)
        if not data:
            return []
        if self._dropped:
            self._dropped = False
            code.quality |= {InputQuality.DROPPED_BEFORE}
        return [Frame(data=code.aim_id + data, started_ns=code.started_ns, quality=code.quality)]


class Hidraw(Protocol):
    """An opened hidraw node."""

    @property
    def fd(self) -> int:
        """Where its reports are read, one a read; does not block."""

    @property
    def descriptor(self) -> bytes:
        """Its report descriptor."""

    def close(self) -> None:
        """Close the node."""


class HidrawOpener(Protocol):
    """Chooses and opens hidraw nodes; another one stands in where there is no kernel to ask."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which node is the scanner's."""

    def open(self, path: str) -> Hidraw:
        """Open a node. Raises OSError."""


class KernelHidraw:
    """A hidraw node of the kernel's. Raises OSError: ENOTTY when it is none."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.descriptor = _descriptor(self.fd)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the node."""
        os.close(self.fd)


class KernelOpener:
    """Opens the kernel's hidraw nodes."""

    def choose(self, settings: ScannerSettings) -> hardware.Choice:
        """Return which node is the scanner's."""
        return hardware.choose(settings, "hidraw")

    def open(self, path: str) -> Hidraw:
        """Open a node. Raises OSError."""
        return KernelHidraw(path)


class ReportSession(HidSession[Hidraw, ReportDecoder]):
    """A hidraw node and its decoder. Raises DescriptorError for a device whose reports hold no code."""

    def __init__(self, node: Hidraw, settings: ScannerSettings) -> None:
        decoder = ReportDecoder(report_layout(node.descriptor), settings)
        decoder.opened(time.monotonic_ns())
        self._unbroken = 0
        super().__init__([(node, decoder)])

    def _read(self, node: Hidraw, decoder: ReportDecoder, now_ns: int) -> list[Framed]:
        """Read all that is there, up to what the kernel keeps."""
        done: list[Framed] = []
        for place in range(QUEUE_REPORTS):
            try:
                report = os.read(node.fd, READ_BYTES)
                if not report:
                    raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))  # noqa: TRY301  (as the kernel does)
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    self._unbroken = 0
                if place == 0:
                    raise
                break  # what is wrong will be wrong at the next read too; first what was read
            done += decoder.feed(report, now_ns)
            self._unbroken += 1
            if self._unbroken % QUEUE_REPORTS == 0:  # the queue may have been full
                decoder.lost()
        return done


class HidPosScanner(HidScanner):
    """A scanner that sends reports."""

    _subsystem = "hidraw"
    _kind = "HID point-of-sale scanner"

    def __init__(self, settings: ScannerSettings, dialect: Dialect, opener: HidrawOpener | None = None) -> None:
        super().__init__(settings, dialect)
        self._opener = opener or KernelOpener()

    def _choose(self) -> hardware.Choice:
        return self._opener.choose(self.settings)

    def _begin(self, choice: hardware.Choice) -> OpenDevice:
        (path,) = choice.paths
        node = self._opener.open(path)
        try:
            return ReportSession(node, self.settings)
        except DescriptorError as error:
            node.close()
            raise DriverError(
                "read",
                path,
                str(error),
                "set the scanner to USB HID POS, or correct `driver`, `device` or `match` of " + self.settings.name,
                recoverable=False,
            ) from error


def _descriptor(fd: int) -> bytes:
    """Return the report descriptor of a hidraw node (Linux, Documentation/hid/hidraw.rst)."""
    size = bytearray(4)
    fcntl.ioctl(fd, _HIDIOCGRDESCSIZE, size)
    content = bytearray(size) + bytearray(MAX_DESCRIPTOR_BYTES)
    fcntl.ioctl(fd, _HIDIOCGRDESC, content)
    return bytes(content[4 : 4 + int.from_bytes(size, sys.byteorder)])
