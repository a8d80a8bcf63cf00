"""A whole installation on this machine: a pty as the scanner, mosquitto as the broker, the daemon as a process."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway import samples
from gateway.outbox.reader import OutboxReader
from gateway.system.control_socket import DaemonUnreachableError, ask, watch
from tests.ports import free_port

PATIENCE = 90.0
"""Seconds to wait for what must happen: the publisher may sit out a back-off of up to a minute."""
MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
ROOT = Path(__file__).parents[2]
TOPIC = "udi/v1/vgr/su/gw01/scan"


def wait_for(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:  # noqa: ANN401 - what it waited for
    """Wait until something holds; return it. It is looked at often, and nothing is assumed about when."""
    until = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        select.select([], [], [], 0.01)
    return result


class Broker:
    """A mosquitto of its own on 127.0.0.1."""

    def __init__(self, directory: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.port = free_port()
        self.config = directory / "mosquitto.conf"
        user = "user root" if os.geteuid() == 0 else ""
        self.config.write_text("\n".join([f"listener {self.port} 127.0.0.1", user, *lines, ""]))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.answers, "mosquitto answers")

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Consumer:
    """A separate MQTT client that writes down every message of the scan topic, in order of arrival."""

    def __init__(self, port: int, topic: str = TOPIC, qos: int = 1) -> None:
        self.bodies: list[bytes] = []
        self.topics: set[str] = set()
        self.subscribed = threading.Event()
        self._topic = topic
        self._qos = qos
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="consumer", protocol=MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_disconnect = lambda *_: self.subscribed.clear()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def _on_connect(
        self, client: Client, _data: object, _flags: object, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        client.subscribe(self._topic, qos=self._qos)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.topics.add(message.topic)
        self.bodies.append(bytes(message.payload))

    def events(self) -> list[dict[str, Any]]:
        """What has arrived, first arrivals only; checks what must always hold."""
        first: dict[str, bytes] = {}
        for body in list(self.bodies):
            identity = msgspec.json.decode(body)["id"]
            assert first.setdefault(identity, body) == body, "a copy differs from its original"
        return [msgspec.json.decode(body) for body in first.values()]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Wire:
    """A pty with a fixed name, as a USB port has: the scanner's end here, the daemon's end there."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "scanner"
        self._scanner = self._daemon = -1
        self.plug()

    def plug(self) -> None:
        self._scanner, self._daemon = os.openpty()
        tty.setraw(self._daemon)
        aside = self.path.with_suffix(".new")
        aside.symlink_to(os.ttyname(self._daemon))
        aside.replace(self.path)

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._scanner)
        os.close(self._daemon)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._scanner, view) :]


def label(serial: int, *, gtin: str = "09520001000102") -> bytes:
    """A GS1 DataMatrix of an article that the sample master knows, with its own serial number."""
    return b"]d201%b1745123110L1\x1d21S%06d\r" % (gtin.encode(), serial)


class Gateway:
    """The daemon as a process, with its files in a directory."""

    def __init__(
        self, directory: Path, port: int, extra: str = "", broker: str = "", machine: str | None = None
    ) -> None:
        """`machine`: another machine id than this machine's own."""
        self.directory = directory
        self._machine = {} if machine is None else {"SCANGATE_MACHINE_ID": machine}
        self.wire = Wire(directory)
        self.config = directory / "scangate.toml"
        self.socket = directory / "control.sock"
        self.reading = directory / "read.sock"
        self.state = directory / "state"
        self.log = directory / "log"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self.process: subprocess.Popen[bytes] | None = None
        self.accepted: list[str] = []
        """Ids of the scans that were signalled as accepted (or refused): they must arrive."""
        self.told: list[dict[str, Any]] = []
        self.program = "gateway"
        self.environment: dict[str, str] = {}
        self.config.write_text(f"""
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[station]
id = "op3"
profile = "operating-room"
[state]
directory = "{self.state}"
[[scanner]]
name = "front"
device = "{self.wire.path}"
idle_ms = 50
[broker]
urls = ["mqtt://127.0.0.1:{port}"]
{broker}
[outbox]
min_free_bytes = 0
{extra}
""")

    def import_samples(self) -> None:
        from datetime import UTC, datetime

        from gateway.articles.build.import_job import import_file
        from gateway.articles.settings import SourceSettings

        source = SourceSettings(name="sample")
        import_file(self.state / "articles", source, samples.articles_csv(), now=datetime.now(UTC))

    def start(self, *, connected: bool = True) -> None:
        """Start the daemon and wait until it is ready, and until it reads the scanner."""
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(self.directory / "notify"),
            "PYTHONPATH": str(ROOT),
            **self._machine,
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", self.program, "run", "-c", str(self.config)),
                    *("--socket", str(self.socket), "--reading-socket", str(self.reading)),
                ],
                stderr=log,
                env=environment,
            )
        self._wait_ready()
        threading.Thread(target=self._watch, daemon=True).start()
        if connected:
            wait_for(lambda: self.scanner()["link"] == "connected", "the daemon reads the scanner")

    def _wait_ready(self) -> None:
        self._notify.settimeout(30)
        while b"READY=1" not in self._notify.recv(4096):
            pass

    def _watch(self) -> None:
        with suppress(DaemonUnreachableError, OSError, ValueError):
            for event in watch(self.socket):
                self.told.append(event)
                if event.get("id"):
                    self.accepted.append(event["id"])

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.socket, "status")
        return status

    def problem(self) -> str | None:
        """What keeps the daemon from delivering; nothing before its publisher has begun."""
        problem: str | None = (self.status()["broker"] or {}).get("problem")
        return problem

    def scanner(self) -> dict[str, Any]:
        one: dict[str, Any] = ask(self.socket, "scanners")[0]
        return one

    def stored(self) -> int:
        count: int = self.status()["sequence"]["stored"]
        return count

    def journal(self) -> list[bytes]:
        """Every event in the outbox file, whether the daemon runs or not."""
        backlog = OutboxReader(self.state / "outbox.db")
        try:
            return [one.body for one in backlog.journal()]
        finally:
            backlog.close()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Stop as systemd does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()
        self.process = None

    def close(self) -> None:
        self.kill()
        self._notify.close()
        self.wire.unplug()


@contextmanager
def plant(directory: Path, extra: str = "", lines: Sequence[str] = ("allow_anonymous true",)) -> Iterator["Plant"]:
    one = Plant(directory, extra, lines)
    try:
        yield one
    finally:
        one.gateway.close()
        one.broker.signal(signal.SIGCONT) if one.broker.process else None
        one.broker.kill()
        if one.consumer is not None:
            one.consumer.close()


class Plant:
    """Broker, gateway and consumer; the broker and the consumer are started by the test."""

    def __init__(self, directory: Path, extra: str, lines: Sequence[str]) -> None:
        self.broker = Broker(directory, lines)
        self.gateway = Gateway(directory, self.broker.port, extra)
        self.consumer: Consumer | None = None

    def listen(self, qos: int = 1) -> Consumer:
        """Start a consumer and wait until the broker knows it.

        With QoS 1 mosquitto keeps what is beyond its window for the consumer in memory, acknowledges it to the
        gateway all the same, and loses it when it is killed. With QoS 0 it passes an event on before it
        acknowledges it.
        """
        self.consumer = Consumer(self.broker.port, qos=qos)
        assert self.consumer.subscribed.wait(PATIENCE)
        return self.consumer


def everything_arrived(gateway: Gateway, consumer: Consumer) -> list[dict[str, Any]]:
    """Wait until what is stored has arrived; check the promise on it; return the events."""
    stored = {msgspec.json.decode(body)["id"]: body for body in gateway.journal()}
    wait_for(lambda: len(consumer.events()) >= len(stored), "everything stored arrives")
    events = consumer.events()
    assert {event["id"] for event in events} == set(stored)
    assert set(gateway.accepted) <= set(stored), "signalled, and not on disk"
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(sequences), "first arrivals out of order"
    assert set(consumer.bodies) == set(stored.values()), "what arrived is not what was stored, byte for byte"
    return events


__all__ = ["Broker", "Consumer", "Gateway", "MQTTv311", "Plant", "everything_arrived", "label", "plant", "wait_for"]
