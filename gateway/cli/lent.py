"""A scanner's port for the time of one command: lent by the daemon, or opened here when no daemon runs."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from drivers.base import DriverError, ScannerSettings
from drivers.model import ConnectionChange, ConnectionState
from firmware_config.port import Port
from gateway.app import state_lock
from gateway.config.loader import Config
from gateway.devices.lease import Lender
from gateway.devices.lease_port import LeasePort, LentPort
from gateway.devices.lease_terms import terms_of
from gateway.devices.station_registry import FirmwareRecord, StationRegistry
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader
from gateway.system.clock import Clock, local_rfc3339
from gateway.system.control_socket import DaemonUnreachableError, talk

CONNECT_SECONDS: Final = 10.0
"""How long a scanner may take to be there; one that has just been plugged in needs a few."""
STOP_SECONDS: Final = 5.0


class Borrowed(Struct, frozen=True):
    """A port, and what to do with what was found."""

    port: Port
    note: Callable[[FirmwareRecord], None]
    """Keep it in the station registry."""
    give_back: Callable[[], int]
    """End it in order; returns how many lines were taken for answers and not for codes."""
    by_daemon: bool


@contextlib.contextmanager
def borrowed(config: Config, socket: Path, settings: ScannerSettings, vendor: str) -> Iterator[Borrowed]:
    """Have a scanner's port. Raises PortGoneError, DriverError, AppError when another scangate has the box."""
    with contextlib.ExitStack() as stack:
        try:
            lent = LentPort(stack.enter_context(talk(socket)), settings.name, vendor)
        except DaemonUnreachableError:
            yield stack.enter_context(_opened(config, settings, vendor))
        else:
            yield Borrowed(lent, lambda record: lent.note(msgspec.to_builtins(record)), lent.give_back, True)


@contextlib.contextmanager
def _opened(config: Config, settings: ScannerSettings, vendor: str) -> Iterator[Borrowed]:
    """Open the port here: the same reader, and the same lease, as in the daemon. Codes go nowhere meanwhile."""
    with state_lock(config.state_directory):
        inbox = Inbox()
        reader = Reader(settings, inbox)
        lender = Lender({settings.name: reader}, lambda _name, _found: None)
        reader.start()
        try:
            _wait_connected(reader, inbox)
            lease = lender.begin(settings.name, terms_of(vendor))

            def give_back() -> int:
                lease.end(returned=True)
                return lease.withheld

            def note(record: FirmwareRecord) -> None:
                registry = StationRegistry(config.state_directory / "station.json")
                when = local_rfc3339(Clock().now().wall_ns)
                registry.note_firmware(settings.name, msgspec.structs.replace(record, when=when))

            yield Borrowed(LeasePort(lease), note, give_back, False)
        finally:
            lender.close()
            reader.stop()
            reader.join(STOP_SECONDS)


def _wait_connected(reader: Reader, inbox: Inbox) -> None:
    """Wait until the scanner can be read. Raises DriverError."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while time.monotonic() < deadline:
        items, _ = inbox.take(deadline - time.monotonic())
        if any(
            isinstance(item, ConnectionChange) and item.connection is ConnectionState.CONNECTED for item in items
        ):
            return
    raise DriverError(
        "reach",
        f"scanner {reader.name}",
        f"it is {reader.scanner.connection}",
        reader.trouble or reader.scanner.connection_detail or "plug it in",
        recoverable=True,
    )
