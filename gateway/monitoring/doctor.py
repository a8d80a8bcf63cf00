"""Is this box well? One check for each thing a technician can mend, each with what to do."""

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from drivers.base import ScannerSettings
from drivers.hardware import SUBSYSTEM_OF, Choice, choose
from gateway.articles.errors import MasterError, MasterUnreadableError
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import SITE_FILE, Config, ConfigError, client_id_of, load
from gateway.config.warnings import SERVICE_STATE, key_warnings, security_warnings
from gateway.devices import bluetooth
from gateway.events.cloudevent import DAY_NS, gateway_source, probe_event
from gateway.events.topics import Topics
from gateway.mqtt.settings import BrokerSettings
from gateway.mqtt.tls import file_ends
from gateway.outbox.capacity import Capacity, CapacityReport
from gateway.outbox.settings import MIB, OutboxSettings
from gateway.system.clock import NS, Clock
from gateway.system.control_socket import DaemonUnreachableError, ask
from gateway.system.credentials import CREDENTIALS
from gateway.system.enrolment import waiting_since
from gateway.system.service_user import SERVICE_USER, as_service, may

ROUND_TRIP_SECONDS: Final = 10.0
CERTIFICATE_DAYS: Final = 30
"""Warn so long before a certificate ends: a renewal takes weeks in a hospital."""
DISPLAY_ENABLED: Final = Path("/etc/systemd/system/multi-user.target.wants/scangate-display.service")
"""There when the station has a screen."""
STATE_FILES: Final = ("lock", "outbox.db", "outbox.db-wal", "outbox.db-shm", "station.json", "articles")
"""What the daemon writes there."""
MASTER_DAYS: Final = 35
"""A master older than a monthly refresh allows."""


class CheckState(StrEnum):
    """How one thing is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What was found of one thing."""

    subject: str
    health: CheckState
    found: str
    do: str = ""
    """What to do about it; empty when it is good."""


def examine(file: Path, socket_path: Path) -> Iterator[Diagnosis]:
    """Look at everything, one thing after the other; takes seconds.

    Every check runs, whatever another one found. Run as root, what the daemon must do is tried as its user.
    """
    config, configuration = _configuration(file)
    yield from configuration
    yield from _fenced("clock", lambda: [_clock()])
    status = _ask_status(socket_path)
    yield from _fenced("daemon", lambda: [_daemon(status, socket_path)])
    if config is None:
        yield from _fenced("state", lambda: _state(SERVICE_STATE, None))
        return
    yield from _fenced("state", lambda: _state(config.state_directory, config.outbox))
    yield from _fenced("scanners", lambda: _scanners(config, status))
    yield from _fenced("Bluetooth", lambda: _bluetooth(config))
    yield from _fenced("article master", lambda: [_master(config)])
    yield from _fenced("keys", lambda: _keys(config))
    yield from _fenced("feedback", lambda: _feedback(config))
    broker = config.broker
    if broker is None:
        yield Diagnosis(subject="broker", health=CheckState.GOOD, found="none configured: this box stands alone")
        return
    box = config.gateway
    topics = Topics.of(box.tenant, box.site, box.id)
    client_id = f"{client_id_of(config, broker)}-doctor"
    source = gateway_source(box.tenant, box.site, box.id)
    yield from _fenced("broker", lambda: _broker(broker, topics, client_id, source))
    yield from _fenced("certificate", lambda: _own_certificate(broker))
    yield from _fenced("delivery", lambda: _delivery(status))


def _fenced(subject: str, check: Callable[[], Iterable[Diagnosis]]) -> Iterator[Diagnosis]:
    """Run one check; one that fails itself is a finding, and the next runs all the same."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - whatever it was, it is said, and the other checks go on
        yield Diagnosis(
            subject=subject,
            health=CheckState.BAD,
            found=f"cannot be looked at: {error}",
            do="run as root; scangate support packs what somebody who helps needs",
        )


def _configuration(file: Path) -> tuple[Config | None, list[Diagnosis]]:
    """Read the configuration, and see whether the service can."""
    subject = f"configuration {file}"
    try:
        config = load(file)
    except ConfigError as error:
        return None, [
            Diagnosis(subject=subject, health=CheckState.BAD, found=line, do="mend it; scangate config check")
            for line in str(error).splitlines()
        ]
    for path in (file, file.with_name(SITE_FILE)):
        with as_service():
            readable = may(path, os.R_OK) or not path.exists()
        if not readable:
            mend = f"chgrp {SERVICE_USER} {path} && chmod 0640 {path}"
            found = f"the service's user {SERVICE_USER} may not read {path}: the daemon ends with exit code 2"
            return config, [Diagnosis(subject=subject, health=CheckState.BAD, found=found, do=mend)]
    warned = [
        Diagnosis(subject=subject, health=CheckState.WARNING, found=text, do="see scangate config check")
        for text in security_warnings(config)
    ]
    return config, [Diagnosis(subject=subject, health=CheckState.GOOD, found="valid"), *warned]


def _clock() -> Diagnosis:
    clock = Clock()
    if clock.observe():
        return Diagnosis(subject="clock", health=CheckState.GOOD, found="synchronised")
    return Diagnosis(
        subject="clock",
        health=CheckState.WARNING,
        found="not synchronised: expiry dates cannot be judged with certainty",
        do="start systemd-timesyncd or chrony and let the box reach a time server (timedatectl)",
    )


def _state(directory: Path, outbox: OutboxSettings | None) -> Iterator[Diagnosis]:
    """Try what the daemon does there: list, make a file, write what is there already."""
    subject = f"state {directory}"
    with as_service():
        who = "the service's user" if os.geteuid() != os.getuid() else "this user"
        if not directory.is_dir():
            found, do = "not there", "start the daemon once; it makes it"
            yield Diagnosis(subject=subject, health=CheckState.BAD, found=found, do=do)
            return
        problem = _unusable(directory, who)
        if problem is None:
            disk = os.statvfs(directory)
    if problem is not None:
        mend = f"chown -R {SERVICE_USER}: {directory}" if who != "this user" else "run as root or as scangate"
        yield Diagnosis(subject=subject, health=CheckState.BAD, found=problem, do=mend)
        return
    if not directory.is_relative_to(SERVICE_STATE) and not _writable_for_unit(directory):
        yield Diagnosis(
            subject=subject,
            health=CheckState.BAD,
            found=f"scangate.service may write below {SERVICE_STATE} only: its start ends with an error",
            do=f"systemctl edit scangate, and add: [Service] ReadWritePaths={directory}",
        )
    free = disk.f_bavail * disk.f_frsize
    found = f"{free // MIB} MiB free"
    if outbox is not None and free <= outbox.min_free_bytes:
        report = CapacityReport(level=Capacity.FULL, used_bytes=0, free_bytes=free, bound="min_free_bytes")
        found = f"{found}: new scans are refused"
        yield Diagnosis(subject=subject, health=CheckState.BAD, found=found, do=report.remedy(outbox))
        return
    yield Diagnosis(subject=subject, health=CheckState.GOOD, found=found)


def _unusable(directory: Path, who: str) -> str | None:
    """Return what keeps the present user from working in the state directory, or None."""
    if not may(directory, os.R_OK | os.W_OK | os.X_OK):
        return f"{who} may not use it"
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"tried by scangate doctor")
            file.flush()
    except OSError as error:
        return f"{who} cannot make a file there: {error.strerror}"
    for name in STATE_FILES:
        path = directory / name
        if path.exists() and not may(path, os.R_OK | os.W_OK):
            return f"{who} may not write {path}"
    return None


def _writable_for_unit(directory: Path) -> bool:
    """Return whether the installed unit lets the daemon write there; True where no unit is installed."""
    shown = ["systemctl", "show", "-p", "ReadWritePaths,ProtectSystem", "scangate.service"]
    try:
        done = subprocess.run(shown, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return True
    values = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    writable = [Path(one.lstrip("-+")) for one in values.get("ReadWritePaths", "").split()]
    return values.get("ProtectSystem") != "strict" or any(map(directory.is_relative_to, writable))


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
            health=CheckState.BAD,
            found=f"does not answer at {path}",
            do="systemctl start scangate; journalctl -u scangate tells why it ended",
        )
    return Diagnosis(subject="daemon", health=CheckState.GOOD, found=f"up for {status['uptimeSeconds']} s")


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
                health=CheckState.BAD,
                found=known["failure"] or known["link"],
                do=known["detail"] or "see the daemon's log",
            )


def _bluetooth(config: Config) -> Iterator[Diagnosis]:
    names = bluetooth.wanted(config.scanner)
    lacking = bluetooth.missing() if names else None
    if lacking is not None:
        found, do = lacking
        yield Diagnosis(subject=f"Bluetooth for {', '.join(names)}", health=CheckState.BAD, found=found, do=do)


def _trust(settings: ScannerSettings, known: dict[str, Any], subject: str) -> Iterator[Diagnosis]:
    """Say how far a scanner that is there can be believed."""
    if known["replaced"] is not None:
        yield Diagnosis(
            subject=subject,
            health=CheckState.WARNING,
            found=f"it is another one than {known['replaced']}, or sits elsewhere",
            do="check its settings; scangate scanners test shows whether it sends what labels say",
        )
    if known["settings"] is not None:
        yield Diagnosis(
            subject=subject,
            health=CheckState.WARNING,
            found=known["settings"],
            do=f"scangate firmware check {settings.name} shows them, scangate firmware apply brings them back",
        )
    if known["calibrated"] is False:
        yield Diagnosis(
            subject=subject,
            health=CheckState.WARNING,
            found=f"connected, {_what(settings)}; never calibrated: it may type other characters than the label's",
            do=f"scangate scanners calibrate {settings.name}",
        )
    else:
        yield Diagnosis(subject=subject, health=CheckState.GOOD, found=f"connected, {_what(settings)}")


def _device(settings: ScannerSettings, subject: str) -> Diagnosis:
    """Look at the device itself, for when no daemon can be asked."""
    if settings.driver == "replay":
        there = os.path.exists(settings.device or "")  # noqa: PTH110 - False, too, where this user may not look
        choice = Choice(path=settings.device if there else None, detail="there is no such recording")
    else:
        choice = choose(settings, SUBSYSTEM_OF[settings.driver])
    if choice.path is None:
        return Diagnosis(
            subject=subject,
            health=CheckState.BAD,
            found=f"{_what(settings)}: {choice.connection}",
            do=choice.detail,
        )
    with as_service():
        readable = may(choice.path, os.R_OK)
    if not readable:
        return Diagnosis(
            subject=subject,
            health=CheckState.BAD,
            found=f"the daemon may not open {choice.path}",
            do="udevadm trigger, so that systemd/60-scangate.rules sets its group; ls -l shows who owns it",
        )
    return Diagnosis(subject=subject, health=CheckState.GOOD, found=f"{choice.path} is there")


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
            health=CheckState.WARNING,
            found=f"nothing tells the operator what became of a scan of {', '.join(mute)}",
            do="set `dialect`, add [gpio] lamps, or systemctl enable --now scangate-display",
        )


def _keys(config: Config) -> Iterator[Diagnosis]:
    for problem in key_warnings(config):
        yield Diagnosis(subject="keys", health=CheckState.BAD, found=problem, do="put the file right, then restart")


def _master(config: Config) -> Diagnosis:
    subject = "article master"
    try:
        with ArticleMaster(config.articles_directory) as master:
            info = master.info()
    except MasterUnreadableError as error:
        return Diagnosis(
            subject=subject, health=CheckState.WARNING, found=str(error), do="run as root or as scangate"
        )
    except MasterError as error:
        return Diagnosis(subject=subject, health=CheckState.BAD, found=str(error), do="import the articles again")
    if info.built_ns is None:
        return Diagnosis(
            subject=subject,
            health=CheckState.WARNING,
            found="none: every article is unknown",
            do="scangate articles import --source NAME FILE.csv",
        )
    days = max(0, time.time_ns() - info.built_ns) // DAY_NS
    found = f"{sum(source.rows for source in info.sources)} articles, {days} days old"
    if days > MASTER_DAYS:
        return Diagnosis(subject=subject, health=CheckState.WARNING, found=found, do="import a newer one")
    return Diagnosis(subject=subject, health=CheckState.GOOD, found=found)


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
            subject=subject, health=CheckState.BAD, found=str(error), do="see above; scans are kept meanwhile"
        )
        return
    if came:
        found = f"{url}: round trip in {(time.monotonic() - began) * 1000:.0f} ms"
        yield Diagnosis(subject=subject, health=CheckState.GOOD, found=found)
    else:
        yield Diagnosis(
            subject=subject,
            health=CheckState.BAD,
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
            subject=subject, health=CheckState.WARNING, found=f"ends in {days} days", do="have it renewed in time"
        )
    else:
        yield Diagnosis(subject=subject, health=CheckState.GOOD, found=f"good for {days} days")


def _own_certificate(broker: BrokerSettings) -> Iterator[Diagnosis]:
    """Say when this box's own certificate ends, and whether a new one was asked for."""
    ends = file_ends(broker.cert_file)
    if ends is None:
        return
    days = int((ends - time.time_ns() / NS) // 86_400)
    subject = "this box's certificate"
    if days >= CERTIFICATE_DAYS:
        yield Diagnosis(subject=subject, health=CheckState.GOOD, found=f"good for {days} days")
        return
    waiting = waiting_since(CREDENTIALS)
    do = "scangate enrol > FILE.csr, have it signed, scangate enrol --certificate FILE.crt"
    if waiting is not None:
        do = f"a new one was asked for {waiting / 86_400:.0f} days ago: scangate enrol --certificate FILE.crt"
    health = CheckState.WARNING if days >= 0 else CheckState.BAD
    yield Diagnosis(subject=subject, health=health, found=f"ends in {days} days", do=do)


def _delivery(status: dict[str, Any] | None) -> Iterator[Diagnosis]:
    if status is None or status["broker"] is None:
        return
    sequence, broker = status["sequence"], status["broker"]
    waiting = sequence["waiting"]
    found = f"{sequence['delivered']} of {sequence['stored']} events delivered"
    if sequence["deadLetters"]:
        yield Diagnosis(
            subject="delivery",
            health=CheckState.BAD,
            found=f"{found}; {sequence['deadLetters']} dead letters",
            do="scangate outbox dead tells which and why; scangate outbox retry sends them again",
        )
    elif broker["problem"]:
        yield Diagnosis(
            subject="delivery",
            health=CheckState.BAD,
            found=f"{found}: {broker['problem']}",
            do="see the line `broker`",
        )
    elif broker["authorisation"] == "unproven" and not waiting:
        yield Diagnosis(
            subject="delivery",
            health=CheckState.GOOD,
            found=f"{found}; MQTT 3.1.1 does not prove that the broker passed them on",
        )
    else:
        yield Diagnosis(subject="delivery", health=CheckState.GOOD, found=found)
