"""A reference consumer: stores the events of all boxes of a tenant once, finds gaps, applies undo, acknowledges.

python docs/reference_consumer.py 127.0.0.1 1883 vgr events.db [INSTANCE]
"""

import json
import sqlite3
import sys

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TABLES = """
CREATE TABLE IF NOT EXISTS event (
    id TEXT PRIMARY KEY, source TEXT, epoch TEXT, sequence INTEGER, undoes TEXT, refused INTEGER, body TEXT);
CREATE INDEX IF NOT EXISTS place ON event (source, epoch, sequence);
CREATE VIEW IF NOT EXISTS done AS SELECT *, body ->> '$.data.repeats' AS first, body ->> '$.data.action' AS action,
    body ->> '$.data.corrects' AS corrects, body ->> '$.data.quantity' AS quantity FROM event
    WHERE undoes IS NULL AND NOT refused AND NOT EXISTS (
        SELECT 1 FROM event AS undo WHERE undo.undoes = event.id AND undo.source = event.source);
CREATE VIEW IF NOT EXISTS once AS SELECT * FROM done WHERE NOT EXISTS (SELECT 1
    FROM done AS other WHERE other.sequence < done.sequence AND done.first IN (other.id, other.first));
CREATE VIEW IF NOT EXISTS in_force AS SELECT *, max(0, quantity - (SELECT total(quantity) FROM once AS away
    WHERE away.corrects = once.id AND action <> 'explant')) AS booked FROM once;
CREATE TABLE IF NOT EXISTS poison (topic TEXT, body BLOB, error TEXT, UNIQUE (topic, body));
CREATE TABLE IF NOT EXISTS settled (source TEXT, epoch TEXT, upto INTEGER, PRIMARY KEY (source, epoch));
CREATE VIEW IF NOT EXISTS gap AS SELECT source, epoch, sequence + 1 AS first, following - 1 AS last FROM (
    SELECT source, epoch, sequence, lead(sequence) OVER (PARTITION BY source, epoch ORDER BY sequence) AS following
    FROM event) WHERE following > sequence + 1;
"""
UNBROKEN = """
SELECT coalesce(max(sequence), ?3) FROM (SELECT sequence, row_number() OVER (ORDER BY sequence) AS place FROM
    (SELECT DISTINCT sequence FROM event WHERE source = ?1 AND epoch = ?2 AND sequence > ?3))
WHERE sequence = place + ?3
"""
SETTLE = "INSERT INTO settled VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET upto = max(upto, excluded.upto)"


class Consumer:
    """An event is acknowledged when it is in the database, and only as far as the row of numbers is unbroken."""

    def __init__(self, host: str, port: int, tenant: str, database: str, instance: str = "1") -> None:
        self.db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self.db.executescript(TABLES)
        name = f"consumer-{tenant}-{instance}"
        self.client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTv5, manual_ack=True)
        topics = [(f"udi/v1/{tenant}/+/+/{name}", 1) for name in ("scan", "health")]
        self.client.on_connect = lambda client, *_: client.subscribe(topics)
        self.client.on_message = self.take
        session = Properties(PacketTypes.CONNECT)  # the broker keeps what comes while this consumer is away
        session.SessionExpiryInterval = 7 * 86_400
        self.client.connect(host, port, clean_start=False, properties=session)

    def take(self, client: Client, _data: object, message: MQTTMessage) -> None:
        """Store one message; what cannot be read is kept as poison, and stops nothing."""
        *_, tenant, site, gateway, kind = message.topic.split("/")
        source = f"urn:scangate:{tenant}:{site}:{gateway}"
        try:
            text = message.payload.decode()
            epoch = self.health(source, text) if kind == "health" else self.event(source, text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            row = (message.topic, message.payload, f"{type(error).__name__}: {error}")
            self.db.execute("INSERT OR IGNORE INTO poison VALUES (?, ?, ?)", row)
            epoch = None
        client.ack(message.mid, message.qos)
        found = self.db.execute(
            "SELECT upto FROM settled WHERE source = ? AND epoch = ?", (source, epoch)
        ).fetchone()
        if found is not None:  # else where the row begins is not known yet: the box's health says it
            (upto,) = self.db.execute(UNBROKEN, (source, epoch, *found)).fetchone()
            body = json.dumps({"epoch": epoch, "upTo": upto})  # counts for boxes with confirm = "ack"
            client.publish(message.topic.removesuffix(kind) + "ack", body, qos=1)

    def event(self, source: str, text: str) -> str | None:
        """Store an event; a copy of one that is there changes nothing. Return its epoch."""
        event = json.loads(text)
        if event["type"] == "scangate.probe.v1":
            return None  # a box looks whether events pass
        if event["source"] != source:
            raise ValueError(f"it says that it is of {event['source']}")
        data, place = event["data"], (source, str(event["epoch"]), int(event["sequence"]))
        refused = data.get("verdict", {}).get("disposition") == "refused"
        row = (event["id"], *place, data.get("undoes"), refused, text)
        self.db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return place[1]

    def health(self, source: str, text: str) -> str:
        """Note where the row of numbers begins: behind what the box has delivered before. Return its epoch."""
        said = json.loads(text)["sequence"]
        row = (source, said["epoch"], max(said["epochBegins"] - 1, said["delivered"]))
        self.db.execute(SETTLE, row)
        return str(said["epoch"])


if __name__ == "__main__":
    host, port, *rest = sys.argv[1:]
    Consumer(host, int(port), *rest).client.loop_forever(retry_first_connection=True)
