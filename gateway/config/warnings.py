"""What a valid configuration may still lack on this machine."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from drivers.hardware import SUBSYSTEM_OF, choose
from gateway.config.loader import Config
from gateway.mqtt.settings import BrokerSettings
from gateway.station.keys import read_keys
from gateway.station.patterns import bounded, matches
from gateway.station.persons import EXAMPLES
from gateway.system.credentials import locate


def warnings(config: Config) -> Iterator[str]:
    """Yield what will keep the box from working as configured, each with what to do."""
    directory = config.state_directory
    if not directory.is_dir():
        yield f"state.directory: {directory} is not there yet; the daemon makes it when it may"
    for scanner in config.scanner:
        if scanner.driver == "replay":
            if not Path(scanner.device or "").exists():
                yield f"scanner {scanner.name}: the recording {scanner.device} is not there"
        elif (choice := choose(scanner, SUBSYSTEM_OF[scanner.driver])).path is None:
            yield f"scanner {scanner.name}: {choice.detail}"
    yield from key_warnings(config)
    yield from _item_patterns(config.station.item_patterns)
    if config.broker is None:
        yield "no [broker]: this box stands alone; hand its scans on with `scangate outbox export`"
    else:
        yield from _broker(config.broker)


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


def _broker(broker: BrokerSettings) -> Iterator[str]:
    if broker.username is not None and any(url.startswith(("mqtt://", "ws://")) for url in broker.urls):
        yield "broker.urls: mqtt:// sends the password in clear: use mqtts://"
    for key in ("password_file", "ca_file", "cert_file", "key_file"):
        name = getattr(broker, key)
        if name is None:
            continue
        path = locate(name)
        if not _can_know(path):
            continue
        if not path.is_file():
            yield f"broker.{key}: {path} is not there: put the file there"


def _can_know(path: Path) -> bool:
    """Tell whether this user sees what lies in the file's folder: credentials are root's."""
    folder = path.parent
    return not folder.exists() or os.access(folder, os.X_OK)
