"""Exit codes, and which error leads to which."""

import os
import sys
from typing import Final

DONE: Final = 0
NOT_WELL: Final = 1
"""The thing asked about is not well (`check`, `doctor`, too many refused rows)."""
USAGE: Final = 2
"""Wrong usage or configuration."""
UNREACHABLE: Final = 3
"""A device, daemon or broker could not be reached."""

FILE_ERRORS: Final = (PermissionError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
"""Of files that a person named, or may not use. Where a command knows better what to say, it does."""

_CODES: Final = {
    ("gateway.config.loader", "ConfigError"): USAGE,
    ("gateway.system.control_socket", "DaemonUnreachableError"): UNREACHABLE,
    ("gateway.system.control_socket", "RequestError"): NOT_WELL,
    ("gateway.system.enrolment", "EnrolmentError"): NOT_WELL,
    ("gateway.archive.box_file", "BoxFileError"): NOT_WELL,
    ("gateway.archive.sealed", "SealError"): USAGE,
    ("gateway.system.upgrade", "UpgradeError"): NOT_WELL,
    ("gateway.app", "AppError"): UNREACHABLE,
    ("gateway.display.server", "DisplayError"): UNREACHABLE,
    ("gateway.outbox.schema", "OutboxError"): UNREACHABLE,
    ("gateway.mqtt.subscriber", "BrokerUnreachableError"): UNREACHABLE,
    ("gateway.articles.errors", "ArticlesError"): NOT_WELL,
    ("gateway.station.keys", "KeyFileError"): USAGE,
    ("drivers.base", "UnknownDriverError"): USAGE,
    ("drivers.base", "ReplayError"): USAGE,
    ("drivers.base", "DriverError"): UNREACHABLE,
    ("gateway.devices.station_registry", "RegistryError"): NOT_WELL,
    ("firmware_config.errors", "ProfileError"): USAGE,
    ("firmware_config.errors", "PortGoneError"): UNREACHABLE,
    ("firmware_config.errors", "NoAnswerError"): UNREACHABLE,
    ("firmware_config.errors", "FirmwareError"): NOT_WELL,
}
"""(module, class) -> code, the first that fits; only a module that was imported can have raised."""


def code_for(error: Exception) -> int | None:
    """Return the exit code of an error whose message is meant for people, or None for a fault of this program."""
    for (module, name), code in _CODES.items():
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return code
    if isinstance(error, FILE_ERRORS) and error.filename is not None:
        return UNREACHABLE
    return None


def words_for(error: Exception) -> str:
    """Return an error's message for people."""
    if not isinstance(error, FILE_ERRORS):
        return str(error)
    hint = "; run it as root" if isinstance(error, PermissionError) and os.geteuid() != 0 else ""
    return f"{error.filename}: {error.strerror}{hint}"
