"""What the intake is to do: the keys of `intake.toml`, which the options of the command line override."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

DEFAULT_FILE: Final = Path("/etc/scangate-intake/intake.toml")
_Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class SettingsError(ValueError):
    """The configuration cannot be used: file, key, what is allowed."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration."""

    database: str | None = None
    """`sqlite:///FILE` (relative) or `sqlite:////FILE`, `postgresql://USER@HOST/NAME`; a password belongs into
    ~/.pgpass or PGPASSFILE."""
    tenant: _Id | None = None
    """Whose boxes: the first level of the topics behind `udi/v1`."""
    broker: str | None = None
    """MQTT: `mqtt://`, `mqtts://`, `ws://` or `wss://`."""
    nats: tuple[str, ...] = ()
    """NATS servers; with them, `broker` is the MQTT address of the same cluster."""
    client_id: str | None = None
    """MQTT client identifier; it names the session in which the broker keeps what comes while the intake is
    away."""
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    sign_key: str | None = None
    """File of the central system's Ed25519 private key: signs deltas, commands and acknowledgements."""
    listen: str | None = None
    """`HOST:PORT` of the page at `/` and the metrics at `/metrics`; without it there is neither."""

    def checked_tenant(self) -> str:
        """Return the tenant. Raises SettingsError when there is none."""
        if self.tenant is None:
            raise SettingsError("no tenant: give --tenant NAME, the level behind udi/v1 in the topics of the boxes")
        return self.tenant

    def checked_database(self) -> str:
        """Return the database's URL. Raises SettingsError when there is none."""
        if self.database is None:
            raise SettingsError(
                "no database: give --database sqlite:///FILE or --database postgresql://USER@HOST/NAME"
            )
        return self.database

    def checked_broker(self) -> str:
        """Return the broker's URL. Raises SettingsError when there is none."""
        if self.broker is None:
            why = "; a NATS cluster needs it, too: its MQTT address, for what is retained" if self.nats else ""
            raise SettingsError(f"no broker: give --broker mqtts://HOST:8883{why}")
        return self.broker


def load(file: Path | None, options: dict[str, Any]) -> Settings:
    """Read the file, if there is one, and lay the options over it. Raises SettingsError."""
    given = _read(file or DEFAULT_FILE, required=file is not None)
    given |= {name: value for name, value in options.items() if value not in (None, ())}
    try:
        return msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file or 'configuration'}: {error}") from error


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except FileNotFoundError as error:
        if not required:
            return {}
        raise SettingsError(f"cannot read {file}: it is not there") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {file}: {error}") from error
