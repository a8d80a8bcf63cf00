"""Boxes as the intake sees them: events of the documented form over a real MQTT client, acknowledgements back."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import PATIENCE_S, wait_for

ROOT: Final = Path(__file__).parents[2]
TENANT: Final = "vgr"
EPOCH: Final = "5f0c2a9b1d7e4c83"
EXAMPLE: Final[dict[str, Any]] = json.loads((ROOT / "docs/events/accepted.json").read_text())


def source(box: str = "gw1", site: str = "su") -> str:
    return f"urn:scangate:{TENANT}:{site}:{box}"


def topic(box: str = "gw1", last: str = "scan", site: str = "su") -> str:
    return f"udi/v1/{TENANT}/{site}/{box}/{last}"


def identity(box: str, sequence: int, epoch: str = EPOCH) -> str:
    return str(uuid5(UUID(int=0), f"{box} {epoch} {sequence}"))


def event(sequence: int, box: str = "gw1", /, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A scan event of a box; `changes` to its top level, those of `data` under the key `data`."""
    made: dict[str, Any] = json.loads(json.dumps(EXAMPLE))
    made |= {
        "id": identity(box, sequence, changes.get("epoch", EPOCH)),
        "source": source(box),
        "sequence": str(sequence).zfill(16),
        "epoch": EPOCH,
    }
    made["data"] |= changes.pop("data", {})
    return made | changes


def body(sequence: int, box: str = "gw1", /, **changes: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(event(sequence, box, **changes)).encode()


def health(box: str = "gw1", epoch: str = EPOCH, begins: int = 1, **changes: object) -> bytes:
    return json.dumps(
        {
            "gateway": box,
            "version": "1.0",
            "alarms": [],
            "sequence": {"epoch": epoch, "epochBegins": begins, "waiting": 0},
        }
        | changes
    ).encode()


class Box:
    """A client of a broker that sends a box's events, and writes down what comes for it."""

    def __init__(self, url: str, name: str = "gw1", *, v5: bool = False, also: tuple[str, ...] = ()) -> None:
        self.name = name
        self.received: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        parts = urlsplit(url)
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"box-{name}", protocol=MQTTv5 if v5 else MQTTv311
        )
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(
            [(one, 1) for one in (topic(name, "#"), f"udi/v1/{TENANT}/intake", *also)]
        )
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._arrived
        self.client.connect_async(parts.hostname or "", parts.port or 1883)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE_S), "subscribed"

    def _arrived(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.received.append((message.topic, bytes(message.payload)))

    def send(self, *bodies: bytes) -> None:
        """Publish events, and wait for the PUBACK of each."""
        sent = [self.client.publish(topic(self.name), one, qos=1) for one in bodies]
        for one in sent:
            one.wait_for_publish(PATIENCE_S)

    def say(self, last: str, text: bytes, *, retain: bool = True) -> None:
        self.client.publish(topic(self.name, last), text, qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def on(self, last: str) -> list[Any]:
        """Return what came on a topic of this box, decoded."""
        return [json.loads(text) for name, text in list(self.received) if name == topic(self.name, last)]

    @property
    def announcements(self) -> list[Any]:
        return [
            json.loads(text) for name, text in list(self.received) if name == f"udi/v1/{TENANT}/intake" and text
        ]

    def acknowledged(self, epoch: str = EPOCH) -> int:
        """Return the highest number acknowledged of an epoch."""
        return max((one["upTo"] for one in self.on("ack") if one["epoch"] == epoch), default=0)

    def wait_for_ack(self, sequence: int, epoch: str = EPOCH, seconds: float = PATIENCE_S) -> None:
        wait_for(lambda: self.acknowledged(epoch) >= sequence, f"an ack of {sequence}", seconds)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def sequences(rows: Iterable[Any]) -> list[int]:
    return sorted(row.sequence for row in rows)
