"""MQTT over WebSockets, for hospitals whose proxies let nothing else out: a real broker (amqtt), also with TLS."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from amqtt.broker import Broker as WebBroker

from gateway.mqtt.tls import certificate_ends
from gateway.outbox.writer import Outbox
from tests.certificates import make_authority, make_certificate
from tests.mqtt.courier import courier
from tests.ports import free_port

pytestmark = [
    pytest.mark.usefixtures("hurried"),
    # paho drops the socket of a failed handshake unclosed; dropping it closes it
    pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def web_broker(**listener: Any) -> Iterator[int]:  # noqa: ANN401 - keys of amqtt's listener
    for name in ("transitions.core", "amqtt", "websockets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    port = free_port()
    loop = asyncio.new_event_loop()
    config = {
        "listeners": {"default": {"type": "ws", "bind": f"127.0.0.1:{port}", **listener}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def start() -> WebBroker:
        broker = WebBroker(config)
        await broker.start()
        return broker

    broker = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(broker.shutdown(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    make_authority(directory, "right")
    make_certificate(directory, "right", "broker", "IP:127.0.0.1")
    return directory


def test_ws(outbox: Outbox) -> None:
    with web_broker() as port, courier(outbox, urls=(f"ws://127.0.0.1:{port}",), protocol="3.1.1") as one:
        one.store(150)
        one.until_delivered()
        assert one.publisher.status.acknowledged == 150


def test_wss_is_verified(outbox: Outbox, keys: Path) -> None:
    tls = {"ssl": True, "certfile": f"{keys}/broker.crt", "keyfile": f"{keys}/broker.key"}
    with web_broker(**tls) as port:
        way = {"urls": (f"wss://127.0.0.1:{port}/mqtt",), "protocol": "3.1.1"}
        with courier(outbox, **way) as one:
            one.store(1)
            assert "certificate verify failed" in one.until_problem("unreachable")
        with courier(outbox, **way, ca_file=f"{keys}/right.crt") as one:
            one.until_delivered()
            assert one.publisher.status.broker_certificate_ends == certificate_ends(keys / "broker.crt")


@pytest.mark.parametrize("days", [1, 30, 9000, 20000])
def test_when_a_certificate_ends(tmp_path: Path, make: Callable[[Path, int], Path], days: int) -> None:
    """RFC 5280, 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050 on."""
    ends = certificate_ends(make(tmp_path, days))
    assert ends == pytest.approx(time.time() + days * 86_400, abs=60)


@pytest.fixture
def make() -> Callable[[Path, int], Path]:
    def certificate(directory: Path, days: int) -> Path:
        return make_authority(directory, "long", days=days)

    return certificate


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "x" * 300_000])
def test_what_is_no_certificate(tmp_path: Path, content: str) -> None:
    path = tmp_path / "no.crt"
    path.write_text(content)
    with pytest.raises((ValueError, IndexError, StopIteration)):
        certificate_ends(path)
