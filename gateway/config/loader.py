"""TOML -> frozen Structs. Each section's Struct stands beside the code it configures; this file only joins them.

A box has its own file and, beside it, may have `site.toml`, which holds what all boxes of a site share: tables
are joined key by key, the box's own value wins, and a list ([[scanner]], [[articles.source]]) is taken whole from
one of the two. Everything that is wrong is said at once, each with file, line, key, value and what is allowed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from drivers.base import ScannerSettings
from drivers.indicator import GpioSettings
from gateway.articles.settings import ArticlesSettings
from gateway.config.checks import wrong_broker, wrong_paths, wrong_scanner_list, wrong_station
from gateway.config.document import ConfigError, Document, read_file
from gateway.config.health import HealthSettings
from gateway.config.positions import Key
from gateway.config.values import Wrong, name_of, wrong_values
from gateway.display.settings import DisplaySettings
from gateway.mqtt.settings import BrokerSettings, CentralSettings
from gateway.outbox.settings import OutboxSettings
from gateway.station.context_settings import ContextSettings
from gateway.station.settings import StationSettings

__all__ = [
    "DEFAULT_PATH",
    "MAX_SCANNERS",
    "SITE_FILE",
    "Config",
    "ConfigError",
    "GatewaySettings",
    "StateSettings",
    "check",
    "client_id_of",
    "effective",
    "load",
    "parse",
    "read",
    "schema",
]

DEFAULT_PATH: Final = Path("/etc/scangate/scangate.toml")
SITE_FILE: Final = "site.toml"
"""Beside the box's own file."""
MAX_SCANNERS: Final = 32
"""Each has a thread; more than one USB tree of hubs holds."""
UNPRIVILEGED_PORT: Final = 1024
"""Below it a process needs CAP_NET_BIND_SERVICE (capabilities(7)), which scangate-display.service does without."""

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
    scanner: Annotated[tuple[ScannerSettings, ...], Meta(max_length=MAX_SCANNERS)] = ()
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


def load(path: Path) -> Config:
    """Read and check a configuration file and the site's beside it. Raises ConfigError."""
    return check(read(path))


def read(path: Path) -> Document:
    """Read a configuration file and the site's beside it as TOML, unchecked. Raises ConfigError."""
    own = read_file(path)
    site = path.with_name(SITE_FILE)
    return own.over(read_file(site)) if site != path and site.exists() else own


def parse(values: Mapping[str, Any], file: str) -> Config:
    """Check TOML values that come from no file and make them a Config. Raises ConfigError, naming `file`."""
    return check(Document(values=dict(values), places={}, file=file))


def check(document: Document) -> Config:
    """Check a document and make it a Config. Raises ConfigError."""
    found = list(wrong_values(document.values, Config))
    if not found:
        config = msgspec.convert(document.values, Config)
        found = list(_wrong_together(config))
        if not found:
            return config
    raise ConfigError.of(document, found)


def effective(document: Document, config: Config) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, origin) for every setting in force; origin is `FILE:LINE` or `default`."""
    yield from _walk(msgspec.to_builtins(config), document.values, (), document)


def client_id_of(config: Config, broker: BrokerSettings) -> str:
    """Return the MQTT client identifier: the box's own, so that no two boxes fight over one."""
    box = config.gateway
    return broker.client_id or f"scangate-{box.tenant}-{box.site}-{box.id}"


def schema() -> dict[str, Any]:
    """Return the configuration's JSON Schema."""
    return msgspec.json.schema(Config)


def _walk(value: Any, written: Any, key: Key, document: Document) -> Iterator[tuple[str, Any, str]]:  # noqa: ANN401
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            below = written.get(name) if isinstance(written, Mapping) else None
            yield from _walk(inner, below, (*key, name), document)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
        for index, inner in enumerate(value):
            below = written[index] if isinstance(written, list) and index < len(written) else None
            yield from _walk(inner, below, (*key, index), document)
    else:
        yield name_of(key), value, "default" if written is None else document.place(key)


def _wrong_together(config: Config) -> Iterator[Wrong]:
    """Yield what does not fit together, section by section."""
    yield from wrong_scanner_list(config.scanner)
    yield from wrong_station(config.station, config.context)
    broker = config.broker
    if broker is not None:
        yield from wrong_broker(broker)
        names = ("password_file", "ca_file", "cert_file", "key_file")
        yield from wrong_paths(((("broker", name), getattr(broker, name)) for name in names), bare=True)
    yield from wrong_paths(
        [
            (("state", "directory"), config.state.directory),
            (("health", "prometheus_file"), config.health.prometheus_file),
        ],
        bare=False,
    )
    port = config.display.address.port
    if 0 < port < UNPRIVILEGED_PORT:
        words = f"must be {UNPRIVILEGED_PORT} or above: the page's service has no right to port {port}"
        yield Wrong(("display", "listen"), words, config.display.listen)
    for section, keys in {"station": ("code_key_file",), "context": ("seal_key_file", "hmac_key_file")}.items():
        named = ((section, key) for key in keys)
        yield from wrong_paths(((key, getattr(getattr(config, key[0]), key[1])) for key in named), bare=True)
