"""A scanner that only sends: codes and their terminator, no commands, no acknowledgement."""

from collections.abc import Iterable

from drivers.base import Dialect, DialectOutput, ScannerSettings
from drivers.framing import framer
from drivers.model import Frame, Signal


class PlainDialect(Dialect):
    """What every serial scanner speaks when nothing else is known of it."""

    def __init__(self, settings: ScannerSettings) -> None:
        self._framer = framer(settings.terminator, settings.idle_ms)

    def opened(self, now_ns: int) -> None:
        """Note that the transport was opened just now."""
        self._framer.opened(now_ns)

    def feed(self, data: bytes, now_ns: int) -> Iterable[DialectOutput]:
        """Return the frames that became complete with `data`."""
        return self._framer.feed(data, now_ns)

    def idle(self, now_ns: int) -> Iterable[DialectOutput]:
        """Return what counts as finished because nothing came until `now_ns`."""
        return self._framer.idle(now_ns)

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""
        return self._framer.deadline_ns()

    def broken(self) -> Iterable[DialectOutput]:
        """Forget what is half read; return its FrameDiscarded."""
        return self._framer.broken()

    def signal(self, signal: Signal) -> bytes:  # noqa: ARG002  (the interface's argument; there is no way to tell it)
        """Return nothing: the scanner cannot be told."""
        return b""

    def acknowledge(self, frame: Frame) -> bytes:  # noqa: ARG002  (as above)
        """Return nothing: the protocol has no acknowledgement."""
        return b""
