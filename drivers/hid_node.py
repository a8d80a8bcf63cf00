"""What the drivers of USB HID scanners share.

Neither a keyboard nor a HID point-of-sale scanner can be told anything: `send` says so.
"""

import errno
from collections.abc import Iterable
from typing import ClassVar, Final

from msgspec.structs import replace

from drivers.base import DialectOutput, DriverError
from drivers.model import InputQuality, Link, RawScan
from drivers.node import FORBIDDEN, NodeScanner, Session
from drivers.raw_scan import inputs_of

_OTHER_DEVICE: Final = {errno.ENOTTY, errno.EISDIR, errno.EINVAL}


class HidScanner(NodeScanner):
    """A scanner behind a node of the kernel's input or hidraw subsystem."""

    _kind: ClassVar[str]
    """What the node should be, for messages."""

    def _quality(self) -> frozenset[InputQuality]:
        """What is to be said of every scan of this scanner."""
        return frozenset()

    def _take(self, outputs: Iterable[DialectOutput]) -> None:
        for item in inputs_of(self, outputs):
            marked = replace(item, quality=item.quality | self._quality()) if isinstance(item, RawScan) else item
            self._pending.append(marked)

    def _explain(self, error: OSError, path: str) -> tuple[Link, str]:
        """Return the link and what to do about it. Raises DriverError where waiting does not help."""
        if error.errno == errno.EBUSY:
            return Link.BUSY, f"{path} is held by another program: stop that program"
        if error.errno in FORBIDDEN:
            return Link.NO_PERMISSION, (
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
        return Link.MISSING, f"{path} does not answer ({error}): unplug the scanner and plug it in again"

    def send(self, data: bytes) -> bool:  # noqa: ARG002  (the interface's argument)
        """Return False: these scanners take nothing from the host."""
        return False


__all__ = ["HidScanner", "Session"]
