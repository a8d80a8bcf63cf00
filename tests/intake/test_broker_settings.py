"""The settings of deploy/ in real brokers, with certificates: who may do what, and what survives."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import MOSQUITTO, wait_for
from tests.certificates import make_authority, make_certificate, openssl
from tests.intake.boxes import ROOT, TENANT, body, topic
from tests.intake.running import RunningIntake, status
from tests.nats import nats_server
from tests.ports import free_port

Closing = Callable[[Callable[[], None]], None]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy/brokers.py"), *arguments], capture_output=True, text=True, check=False
    )


class Place:
    """A folder with an authority, the broker's certificate and those of its clients."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        directory.chmod(0o755)
        self.directory = directory
        make_authority(directory, "ca")
        make_certificate(directory, "ca", "server", "IP:127.0.0.1,DNS:localhost")

    def client(self, user: str) -> None:
        """Make a certificate: the user is its common name and its DNS name."""
        name = user.replace("/", "_")
        openssl(
            self.directory,
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={user.replace('/', chr(92) + '/')}"),
        )
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{user.rpartition('/')[2]}\n")
        openssl(
            self.directory,
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-days", "2", "-out", f"{name}.crt", "-extfile", extensions.name),
        )

    def connect(self, url: str, user: str, *, v5: bool) -> Client:
        """Connect a box's client with its certificate."""
        name = user.replace("/", "_")
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5 if v5 else MQTTv311)
        authority, certificate, key = (
            str(self.directory / file) for file in ("ca.crt", f"{name}.crt", f"{name}.key")
        )
        client.tls_set(authority, certificate, key)
        parts = urlsplit(url)
        ready: list[int] = []
        client.on_connect = lambda *arguments: ready.append(arguments[3].value)
        client.connect(parts.hostname or "", parts.port or 0)
        client.loop_start()
        wait_for(lambda: ready, "connected")
        assert ready[0] == 0
        return client

    def options(self, user: str) -> tuple[str, ...]:
        """What the intake needs to connect as a user."""
        files = (("--ca-file", "ca.crt"), ("--cert-file", f"{user}.crt"), ("--key-file", f"{user}.key"))
        return tuple(part for option, name in files for part in (option, str(self.directory / name)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tmp_path.chmod(0o755)
    return Place(tmp_path / "broker")


def started(closing: Closing, log: Path, *command: str) -> None:
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)

    def end() -> None:
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    closing(end)


def granted(client: Client, wanted: str) -> bool:
    """Return whether a subscription is granted."""
    answers: list[int] = []
    client.on_subscribe = lambda *arguments: answers.append(arguments[3][0].value)
    client.subscribe(wanted, qos=1)
    wait_for(lambda: answers, "an answer")
    return answers[0] < 128


def try_everything(
    place: Place, url: str, users: tuple[str, str], database: str, intake: RunningIntake, *, v5: bool
) -> None:
    """What each box may do, and may not."""
    first, second = (place.connect(url, user, v5=v5) for user in users)
    heard: list[str] = []
    first.on_message = lambda _client, _data, message: heard.append(message.topic)
    for wanted in (topic("gw1", "ack"), topic("gw1", "cmd/+"), f"udi/v1/{TENANT}/intake", topic("gw1", "scan")):
        assert granted(first, wanted), wanted
    if not v5:  # mosquitto grants any filter, and hands on only what may be read
        for wanted in (topic("gw2", "cmd/+"), f"udi/v1/{TENANT}/#", "#"):
            assert not granted(first, wanted), wanted
    wait_for(lambda: f"udi/v1/{TENANT}/intake" in heard, f"the announcement ({intake.log.read_text()})")
    second.publish(topic("gw1"), body(1, id="11111111-1111-4111-8111-111111111111"), qos=1)
    second.publish(topic("gw1", "cmd/reload"), b"{}", qos=1)
    second.publish(f"udi/v1/{TENANT}/articles/delta", b"{}", qos=1)
    second.publish(topic("gw2"), body(1, "gw2"), qos=1)
    first.publish(topic("gw1"), body(1), qos=1)
    wait_for(lambda: status(database)[1]["stored"] == 2, "both events", 40)
    wait_for(lambda: topic("gw1", "ack") in heard, "the acknowledgement")
    assert topic("gw1", "cmd/reload") not in heard
    assert status(database)[1]["poison"] == 0, "what may not be published has not arrived"
    for client in (first, second):
        client.disconnect()
        client.loop_stop()


def test_a_nats_cluster_from_the_template(place: Place, tmp_path: Path, closing: Closing) -> None:
    ports = [tuple(free_port() for _ in range(4)) for _ in range(3)]
    nodes = [part for _, _, _, route in ports for part in ("--node", f"127.0.0.1:{route}")]
    for user in ("intake", "gw1", "gw2"):
        place.client(user)
    for number, (mqtt, client, monitor, _) in enumerate(ports, 1):
        done = make(
            *(
                "nats",
                "--tenant",
                TENANT,
                "--directory",
                str(place.directory),
                "--box",
                "su/gw1",
                "--box",
                "su/gw2",
            ),
            *("--port", str(mqtt), "--client-port", str(client), "--monitor-port", str(monitor), *nodes),
        )
        assert done.returncode == 0, done.stderr
        settings = tmp_path / f"node{number}.conf"
        settings.write_text((place.directory / f"node{number}.conf").read_text())
        started(closing, tmp_path / f"node{number}.log", nats_server(), "-c", str(settings))
    logs = [tmp_path / f"node{number}.log" for number in (1, 2, 3)]
    wait_for(lambda: all("Server is ready" in log.read_text() for log in logs), "ready", 40)
    database = f"sqlite:///{tmp_path / 'events.db'}"
    servers = [part for _, client, _, _ in ports for part in ("--nats", f"tls://127.0.0.1:{client}")]
    url = f"mqtts://127.0.0.1:{ports[0][0]}"
    intake = RunningIntake(tmp_path, database, *servers, "--broker", url, *place.options("intake")).start()
    closing(intake.kill)
    with suppress(AssertionError):
        wait_for(lambda: "announced" in intake.log.read_text(), "the intake is there", 40)
    try_everything(place, url, ("gw1", "gw2"), database, intake, v5=False)


def test_a_mosquitto_from_the_template(place: Place, tmp_path: Path, closing: Closing) -> None:
    port = free_port()
    for user in ("intake", "su/gw1", "su/gw2"):
        place.client(user)
    done = make("mosquitto", "--tenant", TENANT, "--directory", str(place.directory), "--port", str(port))
    assert done.returncode == 0, done.stderr
    (place.directory / "store").mkdir()
    settings = place.directory / "scangate.conf"
    settings.write_text("user root\n" + settings.read_text())
    started(closing, tmp_path / "mosquitto.log", MOSQUITTO, "-c", str(settings))
    database = f"sqlite:///{tmp_path / 'events.db'}"
    url = f"mqtts://127.0.0.1:{port}"
    intake = RunningIntake(tmp_path, database, "--broker", url, *place.options("intake")).start()
    closing(intake.kill)
    wait_for(
        lambda: "announced" in intake.log.read_text(),
        f"the intake is there: {(tmp_path / 'mosquitto.log').read_text()}",
    )
    try_everything(place, url, ("su/gw1", "su/gw2"), database, intake, v5=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nats", "--tenant", "vgr", "--node", "a", "--node", "b"), "2 nodes"),
        (("nats", "--tenant", "v/gr", "--node", "a"), "a name in a topic"),
        (("nats", "--tenant", "vgr", "--node", "a", "--box", "su/gw 1"), "a name in a topic"),
        (("nats", "--tenant", "vgr", "--node", 'a"; x'), "expected HOST"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = make(*arguments, "--directory", str(tmp_path / "made"))
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / "made").exists()
