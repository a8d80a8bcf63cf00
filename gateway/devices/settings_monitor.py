"""Looks after the scanners' own settings: a scanner that was reset or swapped reads on, and reads otherwise.

After each connection and once a day a scanner is asked for its settings, and they are compared with what the
station registry knows and with the configured profile. All of it happens beside the scans: only when nobody scans,
over a lease that ends with the next code, and in a thread that exists no longer than that takes.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from drivers.base import DriverError, ScannerSettings
from drivers.model import ConnectionState
from gateway.devices.lease import LeaseOverError, Lender
from gateway.devices.scanner_reader import ScannerReader
from gateway.devices.station_registry import FirmwareRecord, RegistryError, StationRegistry
from gateway.system.clock import Clock, local_rfc3339
from gateway.system.control_socket import RequestError

if TYPE_CHECKING:  # only a station that looks after settings pays for it
    from firmware_config.model import Report, ScannerProfile

log = logging.getLogger(__name__)

QUIET_SECONDS: Final = 10.0
"""A scanner that brought nothing for so long is asked. A code that comes then ends the asking at once."""
DAY_SECONDS: Final = 86_400.0
AGAIN_SECONDS: Final = 60.0
"""After somebody scanned in between."""
RETRY_SECONDS: Final = 600.0
"""After a scanner did not answer."""
ANSWERLESS: Final = 3
"""So many times without an answer are an alarm: once may be chance."""
STOP_SECONDS: Final = 0.5
"""The lease has ended then; what is left is a look at a file."""


def journal_of(state: Path, scanner: str) -> Path:
    """Return where the engine notes what it is about to do to a scanner."""
    return state / f"firmware-{scanner}.json"


def record_of(found: "Report", applied: "Report | None" = None) -> FirmwareRecord:
    """Return the settings now, from the report of a check, and of an apply that came behind it and did its work."""
    values = dict(found.before.values)
    if applied is not None:
        values |= {one.setting.name: one.wanted for one in applied.differences}
    identity: dict[str, str | None] = msgspec.to_builtins(found.identity)
    return FirmwareRecord(profile=found.profile, identity=identity, values=values)


def changed(record: FirmwareRecord, present: Mapping[str, str], same: Callable[[str, str], bool]) -> Iterator[str]:
    """Yield the settings that are not what they were; those that one side does not know do not count."""
    for name, value in record.values.items():
        if name in present and not same(present[name], value):
            yield name


def finding(record: FirmwareRecord | None, report: "Report", names: tuple[str, ...]) -> str:
    """Say in words what is not as it was, or as it is needed; empty where nothing is."""
    if not names:
        return ""
    serial = report.identity.serial
    known = None if record is None else record.identity.get("serial")
    if serial is not None and known is not None and serial != known:
        return f"another one answers (serial {serial}) than the one that was set up: {', '.join(names)} differ"
    if record is None:
        return f"its settings are not those of profile {report.profile}: {', '.join(names)}"
    return f"its settings have changed since they were checked: {', '.join(names)}"


class SettingsMonitor:
    """`turn` and `close` are for the main thread, `connected` and `note` for any."""

    def __init__(
        self, state: Path, readers: Mapping[str, ScannerReader], registry: StationRegistry, clock: Clock
    ) -> None:
        self.lender = Lender(readers, self.note)
        self.troubles: dict[str, str] = {}
        """Scanner -> what is wrong with its settings."""
        self._state = state
        self._readers = readers
        self._registry = registry
        self._clock = clock
        self._due: dict[str, float] = {}
        self._answerless: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    def connected(self, name: str) -> None:
        """A scanner came: it may be another one. Never waits."""
        self._due[name] = 0.0

    def turn(self) -> None:
        """Begin with a scanner that is due, if none is being asked and nobody scans with it. Never waits."""
        if self._thread is not None and self._thread.is_alive():
            return
        now = time.monotonic()
        for name, due in list(self._due.items()):
            reader = self._readers[name]
            if (
                now < max(due, reader.heard_at + QUIET_SECONDS)
                or reader.scanner.connection is not ConnectionState.CONNECTED
            ):
                continue
            self._due[name] = now + DAY_SECONDS
            profile = self._profile_of(reader.scanner.settings)
            if profile is None:
                continue
            self._thread = threading.Thread(target=self._look, args=(reader, profile), name="drift", daemon=True)
            self._thread.start()
            return

    def note(self, name: str, found: Mapping[str, Any]) -> None:
        """Take what a borrower says a scanner's settings are now. Raises RequestError."""
        try:
            record = msgspec.convert(found, FirmwareRecord)
            self._keep(name, record)
        except (msgspec.ValidationError, RegistryError) as error:
            raise RequestError(f"the settings of {name} cannot be noted: {error}") from error
        self._settle(name, "")
        self._due[name] = time.monotonic() + DAY_SECONDS

    def close(self) -> None:
        """End every lease, and what is under way."""
        self.lender.close()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _profile_of(self, settings: ScannerSettings) -> str | None:
        if settings.driver != "serial":
            return None
        record = self._record(settings.name)
        return settings.firmware_profile or (None if record is None else record.profile)

    def _record(self, name: str) -> FirmwareRecord | None:
        try:
            return self._registry.firmware(name)
        except RegistryError as error:
            log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
            return None

    def _keep(self, name: str, record: FirmwareRecord) -> None:
        when = local_rfc3339(self._clock.now().wall_ns)
        self._registry.note_firmware(name, msgspec.structs.replace(record, when=when))

    def _look(self, reader: ScannerReader, profile: str) -> None:
        """Ask one scanner, in a thread of its own."""
        from firmware_config.errors import FirmwareError, NotConfigurableError, PortGoneError
        from firmware_config.profiles import load

        name = reader.name
        try:
            self._compare(reader, load(profile))
        except (PortGoneError, DriverError, LeaseOverError) as error:
            if isinstance(error, DriverError) and not error.recoverable:
                self._settle(name, f"its settings cannot be looked after: {error.cause}; {error.hint}")
                return
            log.info("scanner=%s its settings are looked at later: %s", name, error)
            self._due[name] = time.monotonic() + AGAIN_SECONDS
        except NotConfigurableError as error:
            log.info("scanner=%s its settings cannot be looked after: %s", name, error)
        except FirmwareError as error:
            self._answerless[name] = self._answerless.get(name, 0) + 1
            self._due[name] = time.monotonic() + RETRY_SECONDS
            log.warning("scanner=%s its settings could not be read: %s", name, error)
            if self._answerless[name] >= ANSWERLESS:
                self._settle(name, f"its settings cannot be read: {error}")
        except RegistryError as error:
            log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
        except Exception:  # a fault here is not to end the daemon, nor to pass for good settings
            log.exception("scanner=%s its settings could not be looked at", name)
            self._settle(name, "its settings could not be looked at: see the daemon's log")

    def _compare(self, reader: ScannerReader, profile: "ScannerProfile") -> None:
        from firmware_config.apply import check
        from firmware_config.vendors import vendor_of
        from gateway.devices.lease_port import LeasePort
        from gateway.devices.lease_terms import check_dialect, terms_of

        name, settings = reader.name, reader.scanner.settings
        record = self._record(name)
        journal = journal_of(self._state, name)
        check_dialect(profile.vendor, settings)
        lease = self.lender.begin(name, terms_of(profile.vendor), gives_way=True)
        try:
            port = LeasePort(lease)
            found = check(port, profile, journal=journal)
            lease.end(returned=True)
        finally:
            lease.end("it was given up")
            if lease.withheld:
                log.info("scanner=%s lines of answers among its codes count=%d", name, lease.withheld)
        self._answerless.pop(name, None)
        now = record_of(found)
        names: dict[str, None] = {}
        if record is not None and record.profile == now.profile:
            names |= dict.fromkeys(changed(record, now.values, vendor_of(profile).same))
        if settings.firmware_profile is not None:
            names |= dict.fromkeys(one.setting.name for one in found.differences)
        self._settle(name, finding(record, found, tuple(names)))
        if not names and (record is None or now != msgspec.structs.replace(record, when="")):
            self._keep(name, now)

    def _settle(self, name: str, words: str) -> None:
        """Say what is wrong with a scanner's settings, or that nothing is."""
        if words and self.troubles.get(name) != words:
            log.warning("scanner=%s %s", name, words)
        if words:
            self.troubles[name] = words
        else:
            self.troubles.pop(name, None)
