"""A lent line as the port that `firmware_config` works over."""

import base64
import time
from typing import Any, Final

from firmware_config.errors import PortGoneError
from gateway.devices.lease import READ_SECONDS, Lease, LeaseOverError
from gateway.system.control_socket import DaemonUnreachableError, RequestError, Talk

_HINT: Final = "plug the scanner in and run it again: what was begun is finished then"


class LeasePort:
    """A line lent within this process (`firmware_config.port.Port`)."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises PortGoneError."""
        try:
            self._lease.write(data)
        except LeaseOverError as error:
            raise _gone(self._lease.scanner, error) from error

    def read(self, timeout: float) -> bytes:
        """Return what came, or nothing when nothing came for `timeout` seconds. Raises PortGoneError."""
        try:
            return self._lease.read(timeout)
        except LeaseOverError as error:
            raise _gone(self._lease.scanner, error) from error

    def reopen(self, timeout: float, baud: int | None) -> None:
        """Close the line and open it again. Raises PortGoneError when it does not come back in time."""
        try:
            self._lease.reopen(baud)
            back = self._lease.wait_open(timeout)
        except LeaseOverError as error:
            raise _gone(self._lease.scanner, error) from error
        if not back:
            raise _gone(self._lease.scanner, f"it did not come back within {timeout:g} s")


class LentPort:
    """A line that the daemon lends over its control socket (`firmware_config.port.Port`)."""

    def __init__(self, talk: Talk, scanner: str, vendor: str) -> None:
        """Borrow it. Raises DaemonUnreachableError, and PortGoneError where it is not to be had."""
        self._talk = talk
        self._scanner = scanner
        try:
            talk.ask("lend", scanner=scanner, vendor=vendor)
        except RequestError as error:
            raise PortGoneError(
                "borrow the port of", f"scanner {scanner}", str(error), "run it again then", recoverable=True
            ) from error

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises PortGoneError."""
        self._ask("write", data=base64.b64encode(data).decode())

    def read(self, timeout: float) -> bytes:
        """Return what came, or nothing when nothing came for `timeout` seconds. Raises PortGoneError."""
        end = time.monotonic() + timeout
        while True:
            left = max(0.0, end - time.monotonic())
            data = base64.b64decode(self._ask("read", seconds=min(left, READ_SECONDS)))
            if data or left <= READ_SECONDS:
                return data

    def reopen(self, timeout: float, baud: int | None) -> None:
        """Close the line and open it again. Raises PortGoneError when it does not come back in time."""
        end = time.monotonic() + timeout
        self._ask("reopen", baud=baud)
        while not self._ask("opened", seconds=min(READ_SECONDS, max(0.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                raise _gone(self._scanner, f"it did not come back within {timeout:g} s")

    def note(self, found: dict[str, Any]) -> None:
        """Have the daemon note what the scanner's settings are now. Raises PortGoneError."""
        self._ask("note", **found)

    def give_back(self) -> int:
        """End the lease; return how many lines were taken for answers and not for codes. Raises PortGoneError."""
        withheld: int = self._ask("return")["withheld"]
        return withheld

    def _ask(self, do: str, **arguments: object) -> Any:  # noqa: ANN401 - each request has its own answer
        try:
            return self._talk.ask(do, **arguments)
        except (DaemonUnreachableError, RequestError) as error:
            raise _gone(self._scanner, error) from error


def _gone(scanner: str, cause: object) -> PortGoneError:
    return PortGoneError("speak to", f"scanner {scanner}", str(cause), _HINT, recoverable=True)
