"""TLS and credentials with a real mosquitto: verified, or nothing."""

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.mqtt import publisher
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, wait_for
from tests.certificates import make_authority, make_certificate
from tests.mqtt.courier import courier

pytestmark = [
    pytest.mark.usefixtures("hurried"),
    # paho drops the socket of a failed handshake unclosed; dropping it closes it
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]
Start = Callable[..., Broker]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two authorities, a broker's certificate, one for another host, and a client's."""
    directory = tmp_path_factory.mktemp("keys")
    directory.chmod(0o755)
    for authority in ("right", "other"):
        make_authority(directory, authority)
    make_certificate(directory, "right", "broker", "IP:127.0.0.1")
    make_certificate(directory, "right", "elsewhere", "DNS:broker.example")
    make_certificate(directory, "right", "client", "DNS:gw01")
    return directory


def tls(keys: Path, certificate: str = "broker") -> str:
    files = f"cafile {keys}/right.crt\ncertfile {keys}/{certificate}.crt\nkeyfile {keys}/{certificate}.key\n"
    return files + "allow_anonymous true"


def secure(broker: Broker) -> str:
    return broker.url.replace("mqtt:", "mqtts:")


def test_the_right_authority(tmp_path: Path, mosquitto: Start, outbox: Outbox, keys: Path) -> None:
    broker = mosquitto(tmp_path, tls(keys))
    settings = {"urls": (secure(broker),), "ca_file": f"{keys}/right.crt", "no_subscribers": "delivered"}
    with courier(outbox, **settings) as one:
        one.store(20)
        one.until_delivered()


@pytest.mark.parametrize(
    ("certificate", "authority", "why"),
    [
        ("broker", "other", "certificate verify failed"),
        ("elsewhere", "right", "IP address mismatch"),
        ("broker", None, "certificate verify failed"),
        ("broker", "missing", "No such file"),
    ],
)
def test_what_cannot_be_verified_gets_nothing(
    tmp_path: Path,
    mosquitto: Start,
    outbox: Outbox,
    keys: Path,
    certificate: str,
    authority: str | None,
    why: str,
) -> None:
    broker = mosquitto(tmp_path, tls(keys, certificate))
    ca_file = None if authority is None else f"{keys}/{authority}.crt"
    with courier(outbox, urls=(secure(broker),), ca_file=ca_file, no_subscribers="delivered") as one:
        one.store(1)
        assert "unreachable" in one.until_problem(why)
        assert one.delivered == 0
    assert "Received CONNECT" not in broker.log.read_text()
    assert "New client connected" not in broker.log.read_text()


def test_a_plain_port_is_never_fallen_back_to(tmp_path: Path, mosquitto: Start, outbox: Outbox) -> None:
    broker = mosquitto(tmp_path)
    with courier(outbox, urls=(secure(broker),), no_subscribers="delivered") as one:
        one.store(1)
        one.until_problem("unreachable")
        assert one.delivered == 0
    assert "New client connected" not in broker.log.read_text()


def test_a_broker_that_asks_for_a_certificate(tmp_path: Path, mosquitto: Start, outbox: Outbox, keys: Path) -> None:
    broker = mosquitto(tmp_path, tls(keys) + "\nrequire_certificate true")
    settings = {"urls": (secure(broker),), "ca_file": f"{keys}/right.crt", "no_subscribers": "delivered"}
    client = {"cert_file": f"{keys}/client.crt", "key_file": f"{keys}/client.key"}
    with courier(outbox, **settings, **client) as one:
        one.store(1)
        one.until_delivered()


def test_an_authority_without_key_usage(
    tmp_path: Path, mosquitto: Start, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `openssl req -new -x509` makes it. Python 3.13's default context refuses it (VERIFY_X509_STRICT)."""
    tmp_path.chmod(0o755)
    make_authority(tmp_path, "right", key_usage=False)
    make_certificate(tmp_path, "right", "broker", "IP:127.0.0.1")
    create = ssl.create_default_context

    def strict(cafile: str | None = None) -> ssl.SSLContext:
        context = create(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    broker = mosquitto(tmp_path, tls(tmp_path))
    settings = {"urls": (secure(broker),), "ca_file": f"{tmp_path}/right.crt", "no_subscribers": "delivered"}
    with courier(outbox, **settings) as one:
        one.store(1)
        one.until_delivered()


def test_a_certificate_replaced_on_disk_is_taken_at_the_next_connection(
    tmp_path: Path, mosquitto: Start, outbox: Outbox
) -> None:
    """One that has expired, and its successor under the same name: without a restart."""
    tmp_path.chmod(0o755)
    make_authority(tmp_path, "right")
    make_certificate(tmp_path, "right", "broker", "IP:127.0.0.1")
    make_certificate(tmp_path, "right", "client", "DNS:gw01", ("20200101000000Z", "20200201000000Z"))
    broker = mosquitto(tmp_path, tls(tmp_path) + "\nrequire_certificate true")
    settings = {"urls": (secure(broker),), "ca_file": f"{tmp_path}/right.crt", "no_subscribers": "delivered"}
    client = {"cert_file": f"{tmp_path}/client.crt", "key_file": f"{tmp_path}/client.key"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "BACKOFF_CREDENTIALS", 0.2)
        with courier(outbox, **settings, **client) as one:
            one.store(1)
            one.until_problem("this box's certificate has expired")
            make_certificate(tmp_path, "right", "client", "DNS:gw01")
            one.until_delivered()


class TestPassword:
    @pytest.fixture
    def broker(self, tmp_path: Path, mosquitto: Start) -> Broker:
        passwords = tmp_path / "passwords"
        subprocess.run(
            ["mosquitto_passwd", "-c", "-b", str(passwords), "gw01", "s3cret"], check=True, capture_output=True
        )
        passwords.chmod(0o644)
        return mosquitto(tmp_path, f"allow_anonymous false\npassword_file {passwords}")

    def test_the_right_one(self, tmp_path: Path, broker: Broker, outbox: Outbox) -> None:
        file = tmp_path / "password"
        file.write_text("s3cret\n")
        settings = {"username": "gw01", "password_file": str(file), "no_subscribers": "delivered"}
        with courier(outbox, urls=(broker.url,), **settings) as one:
            one.store(1)
            one.until_delivered()

    @pytest.mark.parametrize("protocol", ["auto", "3.1.1"])
    def test_the_wrong_one_waits_long(self, tmp_path: Path, broker: Broker, outbox: Outbox, protocol: str) -> None:
        """Brokers lock out who tries often: one attempt, in one protocol, then the long wait."""
        file = tmp_path / "password"
        file.write_text("wrong\n")
        settings = {"username": "gw01", "password_file": str(file), "protocol": protocol}
        with courier(outbox, urls=(broker.url,), **settings) as one:
            one.store(1)
            problem = one.until_problem("credentials")
            assert "s3cret" not in problem
            assert "wrong" not in problem
            beats = one.publisher.status.heartbeat
            wait_for(lambda: one.publisher.status.heartbeat > beats + 0.5, "it waits")
            assert one.delivered == 0
        assert publisher.BACKOFF_CREDENTIALS >= 300
        assert broker.log.read_text().count("Sending CONNACK") == 1

    def test_a_password_file_that_is_missing_is_said_so(self, broker: Broker, outbox: Outbox) -> None:
        with courier(outbox, urls=(broker.url,), username="gw01", password_file="/nowhere/password") as one:  # noqa: S106 - a path
            one.until_problem("/nowhere/password")
