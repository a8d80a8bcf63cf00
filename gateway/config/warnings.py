"""What a valid configuration may still lack on this machine."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from drivers.hardware import SUBSYSTEM_OF, choose
from drivers.settings_check import without_effect
from gateway.config.loader import Config
from gateway.mqtt.settings import BrokerSettings
from gateway.outbox.settings import MIB
from gateway.station.keys import read_keys
from gateway.station.patterns import bounded, matches
from gateway.station.persons import EXAMPLES
from gateway.system.credentials import locate
from gateway.system.service_user import may

SERVICE_STATE: Final = Path("/var/lib/scangate")
"""What systemd/scangate.service makes writable (StateDirectory=)."""


def warnings(config: Config) -> Iterator[str]:
    """Yield what will keep the box from working as configured, each with what to do."""
    yield from _state(config)
    if not config.scanner:
        yield "no [[scanner]]: nothing is read until one is configured (`scangate scanners list`)"
    for scanner in config.scanner:
        for words in without_effect(scanner):
            yield f"scanner {scanner.name}: {words}"
        if scanner.driver == "replay":
            if not _there(Path(scanner.device or "/")):
                yield f"scanner {scanner.name}: the recording {scanner.device} is not there"
        elif (choice := choose(scanner, SUBSYSTEM_OF[scanner.driver])).path is None:
            yield f"scanner {scanner.name}: {choice.detail}"
    yield from key_warnings(config)
    yield from _item_patterns(config.station.item_patterns)
    if config.broker is None:
        yield "no [broker]: this box stands alone; hand its scans on with `scangate outbox export`"
    else:
        yield from _broker_files(config.broker)
    yield from security_warnings(config)


def security_warnings(config: Config) -> Iterator[str]:
    """Yield what lets others read or write what they should not, each with what to do."""
    if config.broker is not None:
        yield from _broker_security(config.broker)
        if config.articles.delta_key_file is None:
            yield (
                "articles.delta_key_file: no key of the central system: articles, blocks and recalls over MQTT are "
                "not proved to come from it; have its public key from there"
            )
    if not config.display.address.loopback:
        yield (
            f"display.listen = {config.display.listen!r}: whoever reaches that network sees the station's scans; "
            "127.0.0.1 shows them on this box's own screen only"
        )


def _state(config: Config) -> Iterator[str]:
    directory = config.state_directory
    if not directory.is_relative_to(SERVICE_STATE):
        yield (
            f"state.directory: the service may write below {SERVICE_STATE} only; for {directory} type "
            f"`systemctl edit scangate` and add: [Service] ReadWritePaths={directory}"
        )
    if not _there(directory):
        yield f"state.directory: {directory} is not there yet; the daemon makes it when it may"
    there = next(folder for folder in (directory, *directory.parents) if _there(folder))
    try:
        disk = os.statvfs(there)
    except OSError:
        return  # this user may not look
    free = disk.f_bavail * disk.f_frsize
    if config.outbox.min_free_bytes >= free:
        yield (
            f"outbox.min_free_bytes: the disk of {directory} has {free // MIB} MiB left, and "
            f"{config.outbox.min_free_bytes // MIB} MiB are to stay free: every scan is refused"
        )


def key_warnings(config: Config) -> Iterator[str]:
    """Yield what is wrong with the key files, as far as this user may know."""
    yield from _delta_key(config)
    context = config.context
    if "hmac" in (context.case_mode, context.person_mode) and context.hmac_key_file is None:
        yield (
            "context: hmac needs a key: make one with `scangate station key hmac --id ID -o FILE`, and name it in "
            "hmac_key_file"
        )
    files = (config.station.code_key_file, context.seal_key_file, context.hmac_key_file)
    if all(_can_know(locate(name)) for name in files if name is not None):
        yield from read_keys(config.station.code_key_file, context).trouble


def _item_patterns(patterns: Sequence[str]) -> Iterator[str]:
    for place, pattern in enumerate(patterns):
        form = (bounded(pattern),)
        example = next((number for number in EXAMPLES if matches(form, number)), None)
        if example is not None:
            yield (
                f"station.item_patterns[{place}]: {pattern!r} also matches numbers of persons such as {example}; "
                "those are withheld all the same: write down what your numbers begin with"
            )


def _delta_key(config: Config) -> Iterator[str]:
    name = config.articles.delta_key_file
    if name is not None and _can_know(locate(name)):
        from gateway.articles.overlay.signing import KeyFileError, read_public_key

        try:
            read_public_key(name)
        except KeyFileError as error:
            yield f"articles.delta_key_file: {error}; until then every change over MQTT is refused"


def _broker_security(broker: BrokerSettings) -> Iterator[str]:
    clear = [url for url in broker.urls if url.startswith(("mqtt://", "ws://")) and not _own_machine(url)]
    if clear:
        secret = "the password and every scan" if broker.username is not None else "every scan"
        yield f"broker.urls: {clear[0]} sends the password in clear: {secret} can be read on the way; use mqtts://"
    if broker.username is None and broker.cert_file is None and not all(map(_own_machine, broker.urls)):
        yield (
            "broker: neither username and password_file nor cert_file and key_file: a broker that takes this box "
            "without a login takes everybody"
        )


def _broker_files(broker: BrokerSettings) -> Iterator[str]:
    for key in ("password_file", "ca_file", "cert_file", "key_file"):
        name = getattr(broker, key)
        if name is None:
            continue
        path = locate(name)
        if not _can_know(path):
            continue
        if not path.is_file():
            yield f"broker.{key}: {path} is not there: put the file there"


def _own_machine(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _can_know(path: Path) -> bool:
    """Return whether this user sees what lies in the file's folder: credentials are root's.

    Commands of a unit's ExecReload= get no credentials (systemd 252, Debian 12), and may not even look for them.
    """
    return may(path.parent, os.X_OK) or not _there(path.parent)


def _there(path: Path) -> bool:
    """Return whether something is there, or may be there out of this user's sight."""
    try:
        return path.exists()
    except OSError:
        return True
