"""What the drivers of USB HID scanners share: nodes with a decoder each, and what is said of their scans.

Neither a keyboard nor a HID point-of-sale scanner takes commands: `send` returns False.
"""

import errno
import select
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import ClassVar, Final, Generic, Protocol, TypeVar

from msgspec.structs import replace

from drivers.base import DialectOutput, DriverError
from drivers.framing import Framed
from drivers.hardware import LINK_DOWN, bluetooth_connected, is_bluetooth
from drivers.model import ConnectionState, InputQuality, RawScan
from drivers.node import FORBIDDEN, NodeScanner, OpenDevice
from drivers.raw_scan import inputs_of

_OTHER_DEVICE: Final = {errno.ENOTTY, errno.EISDIR, errno.EINVAL}


class Node(Protocol):
    """An opened device node; reading its descriptor does not block."""

    @property
    def fd(self) -> int:
        """Descriptor of the node."""

    def close(self) -> None:
        """Close the node."""


class Decoder(Protocol):
    """What makes codes of one node's input; the methods are those of `Dialect`."""

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what counts as finished because nothing came until `now_ns`."""

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""

    def broken(self) -> list[Framed]:
        """Forget what is half read; return its FrameDiscarded."""


N = TypeVar("N", bound=Node)
D = TypeVar("D", bound=Decoder)


class HidSession(Generic[N, D]):
    """The opened nodes of one scanner (`drivers.node.Session`), each with a decoder of its own.

    A scanner with two keyboard collections on its interface has two nodes, and types on either.
    """

    def __init__(self, nodes: Sequence[tuple[N, D]]) -> None:
        self._nodes = tuple(nodes)
        self._ready = select.epoll()
        for node, _ in self._nodes:
            self._ready.register(node.fd, select.EPOLLIN)
        self.fd = self._ready.fileno()

    @abstractmethod
    def _read(self, node: N, decoder: D, now_ns: int) -> list[Framed]:
        """Read one node. Raises BlockingIOError if it holds nothing, another OSError if the device is gone."""

    def receive(self, now_ns: int) -> list[DialectOutput]:
        """Read every node. Raises BlockingIOError if none holds anything, another OSError if the device is gone."""
        done: list[DialectOutput] = []
        error: OSError = BlockingIOError(errno.EAGAIN, "nothing to read")
        took = False
        for node, decoder in self._nodes:
            try:
                done += self._read(node, decoder, now_ns)
                took = True
            except BlockingIOError:
                continue
            except OSError as gone:
                error = gone
        if not took:
            raise error
        return done  # a node that is gone says so again at the next read

    def idle(self, now_ns: int) -> list[Framed]:
        """Return what counts as finished because nothing came until `now_ns`."""
        return [one for _, decoder in self._nodes for one in decoder.idle(now_ns)]

    def deadline_ns(self) -> int | None:
        """When `idle` must be called next, or None."""
        deadlines = (decoder.deadline_ns() for _, decoder in self._nodes)
        return min((one for one in deadlines if one is not None), default=None)

    def broken(self) -> list[Framed]:
        """Forget what is half read; return its FrameDiscarded."""
        return [one for _, decoder in self._nodes for one in decoder.broken()]

    def close(self) -> None:
        """Close every node."""
        self._ready.close()
        for node, _ in self._nodes:
            with suppress(OSError):
                node.close()


class HidScanner(NodeScanner):
    """A scanner behind a node of the kernel's input or hidraw subsystem."""

    _kind: ClassVar[str]
    """What the node should be, for messages."""
    _radio = False
    """The node is a Bluetooth device's."""

    def _quality(self) -> frozenset[InputQuality]:
        """What is to be said of every scan of this scanner."""
        return frozenset()

    def _opened(self, path: str) -> None:
        self._radio = is_bluetooth(path, self._subsystem)

    def _rest(self, session: OpenDevice, now: int) -> None:
        """Note that nothing waits; a Bluetooth device whose link went down may have left its node behind."""
        if self._radio and not bluetooth_connected():
            self._lose(now, OSError(errno.ENOLINK, LINK_DOWN))
            return
        super()._rest(session, now)

    def _take(self, outputs: Iterable[DialectOutput]) -> None:
        for item in inputs_of(self, outputs):
            marked = replace(item, quality=item.quality | self._quality()) if isinstance(item, RawScan) else item
            self._pending.append(marked)

    def _explain(self, error: OSError, path: str) -> tuple[ConnectionState, str]:
        """Return the connection and what to do about it. Raises DriverError where waiting does not help."""
        if error.errno == errno.ENOLINK:
            return ConnectionState.MISSING, LINK_DOWN
        if error.errno == errno.EBUSY:
            return ConnectionState.BUSY, f"{path} is held by another program: stop that program"
        if error.errno in FORBIDDEN:
            return ConnectionState.NO_PERMISSION, (
                f"{path} may not be opened by this user: install the udev rules of scangate, "
                "or add the user to the group that owns it"
            )
        if error.errno in _OTHER_DEVICE:
            raise DriverError(
                "open",
                path,
                f"it is no {self._kind}",
                f"correct `device` or `match` of {self.settings.name}; `scangate scanners list` shows what is",
                recoverable=False,
            ) from error
        return ConnectionState.MISSING, f"{path} does not answer ({error}): unplug the scanner and plug it in again"

    def send(self, data: bytes) -> bool:  # noqa: ARG002  (the interface's argument)
        """Return False: these scanners take nothing from the host."""
        return False
