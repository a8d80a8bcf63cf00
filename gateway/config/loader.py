"""TOML -> frozen Structs. Each section's Struct stands beside the code it configures; this file only joins them.

An error names the file, the key, the value found and what is allowed.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta, Struct

from drivers.base import ScannerSettings
from drivers.indicator import GpioSettings
from drivers.settings_check import wrong as wrong_scanners
from gateway.articles.settings import ArticlesSettings
from gateway.config.health import HealthSettings
from gateway.display.settings import DisplaySettings
from gateway.mqtt.settings import BrokerSettings, CentralSettings
from gateway.outbox.settings import OutboxSettings
from gateway.station.context import problems as context_problems
from gateway.station.context_settings import ContextSettings
from gateway.station.patterns import bounded
from gateway.station.rules import RULES
from gateway.station.settings import StationSettings
from gateway.udi.findings import FINDINGS

DEFAULT_PATH: Final = Path("/etc/scangate/scangate.toml")
MAX_CONFIG_BYTES: Final = 1024 * 1024
"""Far above any station's file; keeps a wrong path (a log, a disk image) from being read into memory."""
MAX_SCANNERS: Final = 32
"""Each has a thread; more than one USB tree of hubs holds."""

BROKER_SCHEMES: Final = frozenset({"mqtt", "mqtts", "ws", "wss"})
SCANNER_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""It stands in events, in log lines and in the registry."""

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$(?!\n)")]
"""An MQTT topic level and a part of a URN."""


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gateway]`: who this box is. Every topic and event carries it."""

    tenant: Name
    """The organisation, such as a region."""
    site: Name
    """The hospital or place."""
    id: Name
    """This box; unique within the site."""


class StateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[state]`: where the box keeps what must survive."""

    directory: str = "/var/lib/scangate"
    """Made if need be, and readable by its owner only."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one box."""

    gateway: GatewaySettings
    station: StationSettings = StationSettings()
    context: ContextSettings = ContextSettings()
    state: StateSettings = StateSettings()
    scanner: Annotated[tuple[ScannerSettings, ...], Meta(min_length=1, max_length=MAX_SCANNERS)]
    broker: BrokerSettings | None = None
    central: CentralSettings = CentralSettings()
    articles: ArticlesSettings = ArticlesSettings()
    outbox: OutboxSettings = OutboxSettings()
    health: HealthSettings = HealthSettings()
    display: DisplaySettings = DisplaySettings()
    gpio: GpioSettings | None = None

    @property
    def state_directory(self) -> Path:
        """Where the outbox, the article master and the station registry lie."""
        return Path(self.state.directory)

    @property
    def articles_directory(self) -> Path:
        """Where the generations of the article master lie."""
        return self.state_directory / "articles"


class ConfigError(ValueError):
    """The configuration cannot be used. The message names file, key, value and what is allowed."""


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises ConfigError."""
    return parse(read(path), str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a configuration file as TOML, unchecked. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        hint = "make one with `scangate init`" if isinstance(error, FileNotFoundError) else "check its permissions"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {hint}") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes: this is no scangate configuration")
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def parse(document: Mapping[str, Any], file: str) -> Config:
    """Check a TOML document and make it a Config. Raises ConfigError."""
    for key, allowed in _unknown_keys(document, Config, ""):
        near = difflib.get_close_matches(key.rpartition(".")[2], allowed, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{file}: {key}: unknown key{meant} (allowed here: {', '.join(allowed)})")
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_explain(str(error), document)}") from error
    _check(config, file)
    return config


def effective(document: Mapping[str, Any], config: Config) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, origin) for every setting in force; origin is `file` or `default`."""
    yield from _walk(msgspec.to_builtins(config), document, "")


def schema() -> dict[str, Any]:
    """Return the configuration's JSON Schema."""
    return msgspec.json.schema(Config)


def _walk(value: Any, written: Any, key: str) -> Iterator[tuple[str, Any, str]]:  # noqa: ANN401 - a TOML tree
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            below = written.get(name) if isinstance(written, Mapping) else None
            yield from _walk(inner, below, f"{key}.{name}" if key else name)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value):
            below = written[index] if isinstance(written, list) and index < len(written) else None
            yield from _walk(inner, below, f"{key}[{index}]")
    else:
        yield key, value, "default" if written is None else "file"


def _unknown_keys(document: Any, struct: type[Struct], at: str) -> Iterator[tuple[str, list[str]]]:  # noqa: ANN401
    if not isinstance(document, Mapping):
        return
    hints = get_type_hints(struct)
    allowed = list(hints)
    for name, value in document.items():
        key = f"{at}.{name}" if at else name
        if name not in hints:
            yield key, allowed
            continue
        for inner in _structs_in(hints[name]):
            items = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, item in items:
                yield from _unknown_keys(item, inner, key if index is None else f"{key}[{index}]")


def _structs_in(hint: Any) -> Iterator[type[Struct]]:  # noqa: ANN401 - a type expression
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for inner in get_args(hint):
        yield from _structs_in(inner)


def _explain(message: str, document: Mapping[str, Any]) -> str:
    what, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(\w+)`", what)
    if missing:
        key = f"{path}.{missing[1]}" if path else missing[1]
        return f"{key}: missing, and it has no default"
    value: Any = document
    for part in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return f"{path}: {what}"
    if isinstance(value, Mapping):
        return f"{path}: {what}"  # its keys do not fit together; some may hold what no error should show
    allowed = _choices(path)
    return f"{path} = {value!r}: {what}" + (f" (allowed: {', '.join(allowed)})" if allowed else "")


def _choices(path: str) -> list[str]:
    hint: Any = Config
    for part in re.findall(r"[^.\[\]]+", path):
        if part.isdigit():
            continue
        struct = next(_structs_in(hint), None)
        if struct is None:
            return []
        hint = get_type_hints(struct).get(part)
    return [str(choice) for choice in get_args(hint) if isinstance(choice, str)]


def _check(config: Config, file: str) -> None:
    names = [scanner.name for scanner in config.scanner]
    for name in names:
        if not SCANNER_NAME.fullmatch(name):
            raise ConfigError(f"{file}: scanner.name = {name!r}: allowed: 1 to 64 letters, digits, _, - and .")
        if names.count(name) > 1:
            raise ConfigError(f"{file}: scanner.name = {name!r}: two scanners of one name; give each its own")
    for problem in wrong_scanners(config.scanner):
        raise ConfigError(f"{file}: {problem}")
    _check_firmware(config.scanner, file)
    _check_station(config, file)
    if config.broker is not None:
        _check_broker(config.broker, file)


def _check_firmware(scanners: tuple[ScannerSettings, ...], file: str) -> None:
    for scanner in scanners:
        profile = scanner.firmware_profile
        if profile is not None:
            from firmware_config.profiles import names

            if profile not in names():
                known = ", ".join(names())
                raise ConfigError(
                    f"{file}: scanner.firmware_profile = {profile!r} of {scanner.name}: there are {known}"
                )


def _check_station(config: Config, file: str) -> None:
    for pattern in config.station.item_patterns:
        try:
            bounded(pattern)
        except ValueError as error:
            raise ConfigError(f"{file}: station.item_patterns: {error}") from error
    for key, problem in context_problems(config.context):
        raise ConfigError(f"{file}: {key}: {problem}")
    known = [*RULES, *FINDINGS]
    for code in config.station.severity:
        if code not in known:
            near = difflib.get_close_matches(code, known, n=1)
            meant = f"did you mean {near[0]!r}?" if near else "docs/findings.md lists them"
            raise ConfigError(f"{file}: station.severity.{code}: there is no such finding; {meant}")


def _check_broker(broker: BrokerSettings, file: str) -> None:
    for url in broker.urls:
        try:
            parts: SplitResult = urlsplit(url)
            usable = parts.scheme in BROKER_SCHEMES and parts.hostname and parts.port != 0
        except ValueError:
            usable = None
            parts = SplitResult("", "", "", "", "")
        if not usable:
            raise ConfigError(
                f"{file}: broker.urls: {url!r}: allowed: mqtts://host[:port], mqtt://host[:port], "
                "wss://host[:port][/path] or ws://host[:port][/path]"
            )
        if parts.username or parts.password:
            raise ConfigError(f"{file}: broker.urls: no credentials in a URL; use username and password_file")
        if (parts.path.strip("/") and not parts.scheme.startswith("ws")) or parts.query:
            raise ConfigError(f"{file}: broker.urls: {url!r}: nothing may follow the port")
    if (broker.cert_file is None) != (broker.key_file is None):
        raise ConfigError(f"{file}: broker.cert_file and broker.key_file go together")
    if broker.password_file and not broker.username:
        raise ConfigError(f"{file}: broker.password_file needs broker.username")
