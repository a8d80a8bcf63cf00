"""Calibration while the daemon runs: the next scan of a scanner is compared with the known symbol.

A client asks `calibrate`, shows the symbol, and then asks `calibration` again and again until the scan has come.
"""

import itertools
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from drivers.model import ConnectionState, RawScan
from gateway.devices.interception import InterceptedError, Interception, Interceptions
from gateway.devices.scanner_reader import ScannerReader
from gateway.devices.station_registry import RegistryError, StationRegistry
from gateway.system.clock import Clock, local_rfc3339
from gateway.system.control_socket import RequestError

DEFAULT_SECONDS: Final = 60.0
"""Time to take the scanner and find the symbol."""
AFTER_SECONDS: Final = 0.1
"""What follows a code is taken too, for two silences (a frame without its ending is known by the first) and
this."""
WAIT_SECONDS: Final = 4.0
"""One answer takes so long at most: less than a client waits for it."""


class Calibrator:
    """Answers the requests `calibrate` and `calibration`, in the threads of the control socket."""

    def __init__(self, readers: Mapping[str, ScannerReader], registry: StationRegistry, clock: Clock) -> None:
        self.diversions = Interceptions()
        """Asked by the worker before a scan goes its way."""
        self._readers = readers
        self._registry = registry
        self._clock = clock
        self._numbers = itertools.count(1)
        self._under_way: dict[int, Interception] = {}
        self._lock = threading.Lock()

    def begin(self, args: Mapping[str, Any]) -> dict[str, object]:
        """Divert the next scan of `scanner` (needed where there are several) for `seconds`. Raises RequestError."""
        reader = self._reader(args.get("scanner"))
        seconds = args.get("seconds", DEFAULT_SECONDS)
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise RequestError('expected args {"scanner": NAME, "seconds": NUMBER above 0}')
        scanner = reader.scanner
        if scanner.connection is not ConnectionState.CONNECTED:
            raise RequestError(
                f"scanner {reader.name} is {scanner.connection}: {scanner.connection_detail or reader.trouble}"
            )
        try:
            after = 2 * scanner.settings.idle_ms / 1000 + AFTER_SECONDS
            diversion = self.diversions.begin(reader.name, seconds, after)
        except InterceptedError as error:
            raise RequestError(str(error)) from error
        with self._lock:
            self._under_way = {key: one for key, one in self._under_way.items() if not one.over}
            number = next(self._numbers)
            self._under_way[number] = diversion
        return {"id": number, "scanner": reader.name, "driver": scanner.settings.driver}

    def look(self, args: Mapping[str, Any]) -> dict[str, object]:
        """Return what came of `id`: `state` is waiting, over or read. With `end` it is given up.

        With `store` a scan that proves the scanner calibrates it. Raises RequestError.
        """
        number = args.get("id")
        diversion = self._under_way.get(number) if isinstance(number, int) else None
        if not isinstance(number, int) or diversion is None:
            return {"state": "over"}
        if args.get("end") is True:
            self._forget(number, diversion)
            return {"state": "over"}
        items = diversion.wait(WAIT_SECONDS)
        if not items:
            if diversion.over:
                self._forget(number, diversion)
            return {"state": "over" if diversion.over else "waiting"}
        from gateway.devices.calibration import diagnose, proves  # only who calibrates pays for it

        self._forget(number, diversion)
        scanner = self._readers[diversion.scanner].scanner
        findings = diagnose(items, scanner.settings)
        proved = proves(findings)
        if args.get("store") is True and proved:
            try:
                self._registry.note_calibration(scanner, local_rfc3339(self._clock.now().wall_ns))
            except RegistryError as error:
                raise RequestError(f"the calibration could not be kept: {error}") from error
        return {
            "state": "read",
            "scanner": diversion.scanner,
            "symbology": items[0].symbology if isinstance(items[0], RawScan) else None,
            "proves": proved,
            "calibrated": scanner.calibrated,
            "findings": [msgspec.to_builtins(finding) for finding in findings],
        }

    def _forget(self, number: int, diversion: Interception) -> None:
        self.diversions.end(diversion)
        with self._lock:
            self._under_way.pop(number, None)

    def _reader(self, name: object) -> ScannerReader:
        if name is None and len(self._readers) == 1:
            return next(iter(self._readers.values()))
        if not isinstance(name, str) or name not in self._readers:
            known = ", ".join(sorted(self._readers))
            said = "say which scanner" if name is None else f"there is no scanner {name!r}"
            raise RequestError(f"{said}: this station has {known}")
        return self._readers[name]
