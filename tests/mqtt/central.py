"""The central system at a broker, for one test."""

import json
import threading

import msgspec
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from tests.brokers import Broker, Subscriber


class Central:
    """The central system's client: hears everything, and says things."""

    def __init__(self, broker: Broker) -> None:
        self.heard = Subscriber(broker.port, "udi/#")
        self.heard.subscribed()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="central", protocol=MQTTv5)
        connected = threading.Event()
        self._client.on_connect = lambda *_: connected.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert connected.wait(10)

    def say(self, topic: str, body: object, properties: Properties | None = None, *, retain: bool = False) -> None:
        data = json.dumps(body)
        self._client.publish(topic, data, qos=1, retain=retain, properties=properties).wait_for_publish(10)

    def scans(self) -> list[int]:
        """Sequence numbers in order of arrival."""
        return [int(msgspec.json.decode(body)["sequence"]) for body in self.heard.on("/scan")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self.heard.close()
