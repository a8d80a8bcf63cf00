"""Is this box well? One check for each thing a technician can mend, each with what to do."""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.hardware import SUBSYSTEM_OF, Choice, choose
from gateway.articles.errors import MasterError, MasterUnreadableError
from gateway.articles.store import ArticleMaster
from gateway.config.loader import Config
from gateway.config.warnings import key_warnings
from gateway.events.cloudevent import DAY_NS, gateway_source, probe_event
from gateway.events.topics import Topics
from gateway.mqtt.settings import BrokerSettings
from gateway.system.clock import NS, Clock
from gateway.system.control_socket import DaemonUnreachableError, ask

ROUND_TRIP_SECONDS: Final = 10.0
CERTIFICATE_DAYS: Final = 30
"""Warn so long before a certificate ends: a renewal takes weeks in a hospital."""
DISPLAY_ENABLED: Final = Path("/etc/systemd/system/multi-user.target.wants/scangate-display.service")
"""There when the station has a screen."""
MASTER_DAYS: Final = 35
"""A master older than a monthly refresh allows."""


class Health(StrEnum):
    """How one thing is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What was found of one thing."""

    subject: str
    health: Health
    found: str
    do: str = ""
    """What to do about it; empty when it is good."""


def examine(config: Config, socket_path: Path, client_id: str) -> Iterator[Diagnosis]:
    """Look at everything, one thing after the other; takes seconds."""
    yield _clock()
    yield _state(config)
    status = _ask_status(socket_path)
    yield _daemon(status, socket_path)
    yield from _scanners(config, status)
    yield _master(config)
    yield from _keys(config)
    yield from _feedback(config)
    if config.broker is None:
        yield Diagnosis(subject="broker", health=Health.GOOD, found="none configured: this box stands alone")
        return
    topics = Topics.of(config.gateway.tenant, config.gateway.site, config.gateway.id)
    box = config.gateway
    source = gateway_source(box.tenant, box.site, box.id)
    yield from _broker(config.broker, topics, f"{client_id}-doctor", source)
    yield from _delivery(status)


def _clock() -> Diagnosis:
    clock = Clock()
    if clock.observe():
        return Diagnosis(subject="clock", health=Health.GOOD, found="synchronised")
    return Diagnosis(
        subject="clock",
        health=Health.WARNING,
        found="not synchronised: expiry dates cannot be judged with certainty",
        do="start systemd-timesyncd or chrony and let the box reach a time server (timedatectl)",
    )


def _state(config: Config) -> Diagnosis:
    directory = config.state_directory
    subject = f"state {directory}"
    if not directory.is_dir():
        return Diagnosis(
            subject=subject, health=Health.BAD, found="not there", do="start the daemon once; it makes it"
        )
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return Diagnosis(
            subject=subject, health=Health.BAD, found="this user may not use it", do="run as root or as scangate"
        )
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    found = f"{free // 2**20} MiB free"
    if free <= config.outbox.min_free_bytes:
        return Diagnosis(subject=subject, health=Health.BAD, found=found, do="make room: new scans are refused")
    return Diagnosis(subject=subject, health=Health.GOOD, found=found)


def _ask_status(path: Path) -> dict[str, Any] | None:
    try:
        status: dict[str, Any] = ask(path, "status")
    except DaemonUnreachableError:
        return None
    return status


def _daemon(status: dict[str, Any] | None, path: Path) -> Diagnosis:
    if status is None:
        return Diagnosis(
            subject="daemon",
            health=Health.BAD,
            found=f"does not answer at {path}",
            do="systemctl start scangate; journalctl -u scangate tells why it ended",
        )
    return Diagnosis(subject="daemon", health=Health.GOOD, found=f"up for {status['uptimeSeconds']} s")


def _scanners(config: Config, status: dict[str, Any] | None) -> Iterator[Diagnosis]:
    seen = {} if status is None else {one["name"]: one for one in status["scanners"]}
    for settings in config.scanner:
        subject = f"scanner {settings.name}"
        known = seen.get(settings.name)
        if known is None:
            yield _device(settings, subject)
        elif known["link"] == "connected" and not known["failure"]:
            yield from _trust(settings, known, subject)
        else:
            yield Diagnosis(
                subject=subject,
                health=Health.BAD,
                found=known["failure"] or known["link"],
                do=known["detail"] or "see the daemon's log",
            )


def _trust(settings: ScannerSettings, known: dict[str, Any], subject: str) -> Iterator[Diagnosis]:
    """Say how far a scanner that is there can be believed."""
    if known["replaced"] is not None:
        yield Diagnosis(
            subject=subject,
            health=Health.WARNING,
            found=f"it is another one than {known['replaced']}, or sits elsewhere",
            do="check its settings; scangate scanners test shows whether it sends what labels say",
        )
    if known["settings"] is not None:
        yield Diagnosis(
            subject=subject,
            health=Health.WARNING,
            found=known["settings"],
            do=f"scangate firmware check {settings.name} shows them, scangate firmware apply brings them back",
        )
    if known["calibrated"] is False:
        yield Diagnosis(
            subject=subject,
            health=Health.WARNING,
            found=f"connected, {_what(settings)}; never calibrated: it may type other characters than the label's",
            do=f"scangate scanners calibrate {settings.name}",
        )
    else:
        yield Diagnosis(subject=subject, health=Health.GOOD, found=f"connected, {_what(settings)}")


def _device(settings: ScannerSettings, subject: str) -> Diagnosis:
    """Look at the device itself, for when no daemon can be asked."""
    if settings.driver == "replay":
        there = Path(settings.device or "").exists()
        choice = Choice(path=settings.device if there else None, detail="there is no such recording")
    else:
        choice = choose(settings, SUBSYSTEM_OF[settings.driver])
    if choice.path is None:
        return Diagnosis(
            subject=subject, health=Health.BAD, found=f"{_what(settings)}: {choice.link}", do=choice.detail
        )
    if not os.access(choice.path, os.R_OK):
        return Diagnosis(
            subject=subject,
            health=Health.BAD,
            found=f"this user may not open {choice.path}",
            do="run as root, or add the user to the group that owns it (ls -l tells which)",
        )
    return Diagnosis(subject=subject, health=Health.GOOD, found=f"{choice.path} is there")


def _what(settings: ScannerSettings) -> str:
    """Say in a word which device is meant."""
    match = msgspec.to_builtins(settings.match)
    return settings.device or " ".join(f"{key} {value}" for key, value in match.items() if value is not None)


def _feedback(config: Config) -> Iterator[Diagnosis]:
    """A scanner's own beep says that it has read something, not that it is stored."""
    if config.gpio is not None or DISPLAY_ENABLED.exists():
        return
    mute = [one.name for one in config.scanner if one.dialect == "plain" or one.driver != "serial"]
    if mute:
        yield Diagnosis(
            subject="feedback",
            health=Health.WARNING,
            found=f"nothing tells the operator what became of a scan of {', '.join(mute)}",
            do="set `dialect`, add [gpio] lamps, or systemctl enable --now scangate-display",
        )


def _keys(config: Config) -> Iterator[Diagnosis]:
    for problem in key_warnings(config):
        yield Diagnosis(subject="keys", health=Health.BAD, found=problem, do="put the file right, then restart")


def _master(config: Config) -> Diagnosis:
    subject = "article master"
    try:
        with ArticleMaster(config.articles_directory) as master:
            info = master.info()
    except MasterUnreadableError as error:
        return Diagnosis(subject=subject, health=Health.WARNING, found=str(error), do="run as root or as scangate")
    except MasterError as error:
        return Diagnosis(subject=subject, health=Health.BAD, found=str(error), do="import the articles again")
    if info.built_ns is None:
        return Diagnosis(
            subject=subject,
            health=Health.WARNING,
            found="none: every article is unknown",
            do="scangate articles import --source NAME FILE.csv",
        )
    days = max(0, time.time_ns() - info.built_ns) // DAY_NS
    found = f"{sum(source.rows for source in info.sources)} articles, {days} days old"
    if days > MASTER_DAYS:
        return Diagnosis(subject=subject, health=Health.WARNING, found=found, do="import a newer one")
    return Diagnosis(subject=subject, health=Health.GOOD, found=found)


def _broker(broker: BrokerSettings, topics: Topics, client_id: str, source: str) -> Iterator[Diagnosis]:
    """Go the way of an event: connect, publish on this box's own topic of events, and see it come back."""
    from gateway.mqtt.subscriber import BrokerUnreachableError, Subscriber

    subject = "broker"
    token = probe_event(str(uuid.uuid4()), source, time.time_ns())
    try:
        with Subscriber(broker, client_id) as listener:
            url = listener.connection.url
            yield from _certificate(listener.connection.peer_certificate_expires())
            listener.subscribe(topics.scan)
            began = time.monotonic()
            listener.connection.publish(topics.scan, token)
            came = any(message.body == token for message in _until(listener.messages, token))
    except BrokerUnreachableError as error:
        yield Diagnosis(
            subject=subject, health=Health.BAD, found=str(error), do="see above; scans are kept meanwhile"
        )
        return
    if came:
        found = f"{url}: round trip in {(time.monotonic() - began) * 1000:.0f} ms"
        yield Diagnosis(subject=subject, health=Health.GOOD, found=found)
    else:
        yield Diagnosis(
            subject=subject,
            health=Health.BAD,
            found=f"{url}: a message to {topics.scan} did not come back",
            do=f"let this box publish and subscribe to {topics.everything} in the broker's access list",
        )


def _until(messages: Callable[[float], Iterator[Any]], token: bytes) -> Iterator[Any]:
    for message in messages(ROUND_TRIP_SECONDS):
        yield message
        if message.body == token:
            return


def _certificate(expires: float | None) -> Iterator[Diagnosis]:
    if expires is None:
        return
    days = int((expires - time.time_ns() / NS) // 86_400)
    subject = "broker's certificate"
    if days < CERTIFICATE_DAYS:
        yield Diagnosis(
            subject=subject, health=Health.WARNING, found=f"ends in {days} days", do="have it renewed in time"
        )
    else:
        yield Diagnosis(subject=subject, health=Health.GOOD, found=f"good for {days} days")


def _delivery(status: dict[str, Any] | None) -> Iterator[Diagnosis]:
    if status is None or status["broker"] is None:
        return
    sequence, broker = status["sequence"], status["broker"]
    waiting = sequence["waiting"]
    found = f"{sequence['delivered']} of {sequence['stored']} events delivered"
    if sequence["deadLetters"]:
        yield Diagnosis(
            subject="delivery",
            health=Health.BAD,
            found=f"{found}; {sequence['deadLetters']} dead letters",
            do="scangate outbox dead tells which and why; scangate outbox retry sends them again",
        )
    elif broker["problem"]:
        yield Diagnosis(
            subject="delivery", health=Health.BAD, found=f"{found}: {broker['problem']}", do="see the line `broker`"
        )
    elif broker["authorisation"] == "unproven" and not waiting:
        yield Diagnosis(
            subject="delivery",
            health=Health.GOOD,
            found=f"{found}; MQTT 3.1.1 does not prove that the broker passed them on",
        )
    else:
        yield Diagnosis(subject="delivery", health=Health.GOOD, found=found)
