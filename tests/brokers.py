"""A mosquitto for one test: real, on 127.0.0.1, configured by the test, ended by its process id."""

import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.ports import free_port

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
PATIENCE_S = 20.0


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail when it does not within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        select.select([], [], [], 0.01)


class Broker:
    """One mosquitto process; `start` again after `stop` or `kill` keeps the port and the configuration."""

    def __init__(self, directory: Path, extra_config: str = "allow_anonymous true") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        user = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(f"listener {self.port} 127.0.0.1\n{user}{extra_config}\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([MOSQUITTO, "-v", "-c", str(self._config)], stdout=log, stderr=log)
        wait_for(self._answers, f"mosquitto answers ({self.log.read_text()})")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Stop its clock: TCP goes on, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def reload(self) -> None:
        """Make it read its access list and passwords again."""
        os.kill(self.pid, signal.SIGHUP)


class Subscriber:
    """A separate MQTT client that writes down every message, in order of arrival; comes back by itself."""

    def __init__(self, port: int, topic: str, qos: int = 1, **credentials: str) -> None:
        self.messages: list[MQTTMessage] = []
        self._subscribed = threading.Event()
        self._topic = topic
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"subscriber-{port}", protocol=MQTTv5)
        if credentials:
            self._client.username_pw_set(credentials["username"], credentials.get("password"))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=qos)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def subscribed(self) -> None:
        """Wait until the broker knows it."""
        assert self._subscribed.wait(PATIENCE_S), "subscribed"

    @property
    def bodies(self) -> list[bytes]:
        return [bytes(message.payload) for message in list(self.messages)]

    def on(self, ending: str) -> list[bytes]:
        """Return the bodies that came on topics of this ending."""
        return [bytes(one.payload) for one in list(self.messages) if one.topic.endswith(ending)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
