"""What must fit together in a configuration whose values each fit alone."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from drivers.settings_check import wrong as wrong_scanners
from gateway.config.positions import Key
from gateway.config.values import Wrong, nearest
from gateway.mqtt.settings import BrokerSettings
from gateway.station.context import problems as context_problems
from gateway.station.patterns import bounded
from gateway.station.rules import RULES
from gateway.udi.findings import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.base import ScannerSettings
    from gateway.station.context_settings import ContextSettings
    from gateway.station.settings import StationSettings

BROKER_SCHEMES: Final = frozenset({"mqtt", "mqtts", "ws", "wss"})
SCANNER_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""It stands in events, in log lines and in the registry."""
BAUDS: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
"""Speeds that scanners' manuals name; another is a mistyped one."""
_SCANNER_PROBLEM: Final = re.compile(r"scanner\[([0-9]+)\]\.(\w+)(?: = (.*?))?: (.*)", re.DOTALL)


def wrong_scanner_list(scanners: "Sequence[ScannerSettings]") -> Iterator[Wrong]:
    """Yield what is wrong about `[[scanner]]`."""
    names = [scanner.name for scanner in scanners]
    for index, scanner in enumerate(scanners):
        key: Key = ("scanner", index)
        if not SCANNER_NAME.fullmatch(scanner.name):
            yield Wrong((*key, "name"), "must be 1 to 64 letters, digits, _, - and .", scanner.name)
        elif scanner.name in names[:index]:
            yield Wrong((*key, "name"), "two scanners of one name; give each its own", scanner.name)
        if scanner.baud not in BAUDS:
            yield Wrong((*key, "baud"), f"must be one of {', '.join(map(str, BAUDS))}", scanner.baud)
        if scanner.device is not None and not scanner.device.startswith("/"):
            yield Wrong((*key, "device"), _FULL_PATH, scanner.device)
        profile = scanner.firmware_profile
        if profile is not None:
            from firmware_config.profiles import names as profiles

            if profile not in profiles():
                yield Wrong(
                    (*key, "firmware_profile"),
                    f"there are {', '.join(profiles())}{nearest(profile, list(profiles()))}",
                    profile,
                )
    for problem in wrong_scanners(scanners):
        found = _SCANNER_PROBLEM.fullmatch(problem)
        if found is None:
            yield Wrong(("scanner",), problem)
        else:
            value = f"{found[3]}: " if found[3] else ""
            yield Wrong(("scanner", int(found[1]), found[2]), f"{value}{found[4]}")


def wrong_station(station: "StationSettings", context: "ContextSettings") -> Iterator[Wrong]:
    """Yield what is wrong about `[station]` and `[context]`: expressions that may not be used, unknown findings."""
    for index, pattern in enumerate(station.item_patterns):
        try:
            bounded(pattern)
        except ValueError as error:
            yield Wrong(("station", "item_patterns", index), str(error))
    for key, problem in context_problems(context):
        names = re.findall(r"[^.\[\]]+", key)
        yield Wrong(tuple(int(name) if name.isdigit() else name for name in names), problem)
    known = [*RULES, *FINDINGS]
    for code in station.severity:
        if code not in known:
            meant = nearest(code, known) or "; docs/findings.md lists them"
            yield Wrong(("station", "severity", code), f"there is no such finding{meant}")


def wrong_broker(broker: BrokerSettings) -> Iterator[Wrong]:
    """Yield what is wrong about `[broker]`."""
    for index, url in enumerate(broker.urls):
        problem = _wrong_url(url)
        if problem:
            yield Wrong(("broker", "urls", index), problem)
    if (broker.cert_file is None) != (broker.key_file is None):
        there, missing = ("cert_file", "key_file") if broker.cert_file else ("key_file", "cert_file")
        yield Wrong(("broker", there), f"broker.cert_file and broker.key_file go together: {missing} is missing")
    if broker.password_file and not broker.username:
        yield Wrong(("broker", "password_file"), "broker.password_file needs broker.username")
    if broker.username and not broker.password_file and not broker.cert_file:
        yield Wrong(
            ("broker", "username"),
            "broker.username needs broker.password_file: put the password into /etc/scangate/credentials/NAME and "
            'give `password_file = "NAME"`',
        )


def wrong_paths(paths: Iterable[tuple[Key, str | None]], *, bare: bool) -> Iterator[Wrong]:
    """Yield paths that do not begin at the root: a service has no folder of its own to begin in.

    `bare`: a name without any / is allowed, and means a credential.
    """
    for key, path in paths:
        if path is None or path.startswith("/") or (bare and "/" not in path and path):
            continue
        yield Wrong(key, f"{_FULL_PATH}{_OR_BARE if bare else ''}", path)


_FULL_PATH: Final = "must be a full path that begins with /: a service has no folder of its own to begin in"
_OR_BARE: Final = ", or a bare name, which means /etc/scangate/credentials/NAME"


def _wrong_url(url: str) -> str | None:
    try:
        parts: SplitResult = urlsplit(url)
        usable = parts.scheme in BROKER_SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        return _URL_FORMS.format(url)
    if parts.username or parts.password:
        return "no credentials in a URL; use username and password_file"
    if not usable:
        return _URL_FORMS.format(url)
    if (parts.path.strip("/") and not parts.scheme.startswith("ws")) or parts.query:
        return f"{url!r}: nothing may follow the port"
    return None


_URL_FORMS: Final = (
    "{!r}: must be mqtts://host[:port], mqtt://host[:port], wss://host[:port][/path] or ws://host[:port][/path]"
)
