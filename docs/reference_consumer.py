"""A reference consumer: takes the events of all boxes of a tenant once, finds gaps, applies undo, acknowledges.

python docs/reference_consumer.py 127.0.0.1 1883 vgr events.db
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
    WHERE undoes IS NULL AND NOT refused AND id NOT IN (SELECT undoes FROM event WHERE undoes IS NOT NULL);
CREATE VIEW IF NOT EXISTS in_force AS SELECT *, max(0, quantity - (SELECT total(quantity) FROM done AS away
    WHERE away.corrects = done.id AND action <> 'explant')) AS booked FROM done WHERE NOT EXISTS (SELECT 1
    FROM done AS other WHERE other.sequence < done.sequence AND done.first IN (other.id, other.first));
CREATE VIEW IF NOT EXISTS gap AS SELECT source, epoch, sequence + 1 AS first, following - 1 AS last FROM (
    SELECT source, epoch, sequence, lead(sequence) OVER (PARTITION BY source, epoch ORDER BY sequence) AS following
    FROM event) WHERE following > sequence + 1;
"""


class Consumer:
    """Stores what comes; an event is acknowledged to the broker when it is in the database, not before."""

    def __init__(self, host: str, port: int, tenant: str, database: str) -> None:
        self.db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self.db.executescript(TABLES)
        self.client = Client(CallbackAPIVersion.VERSION2, f"consumer-{tenant}", protocol=MQTTv5, manual_ack=True)
        self.client.on_connect = lambda client, *_: client.subscribe(f"udi/v1/{tenant}/+/+/scan", qos=1)
        self.client.on_message = self.take
        session = Properties(PacketTypes.CONNECT)  # the broker keeps what comes while this consumer is away
        session.SessionExpiryInterval = 7 * 86_400
        self.client.connect(host, port, clean_start=False, properties=session)

    def take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        """Store one event; a copy of one that is there changes nothing."""
        event = json.loads(message.payload)
        data, place = event["data"], (event["source"], event["epoch"], int(event["sequence"]))
        refused = data.get("verdict", {}).get("disposition") == "refused"
        row = (event["id"], *place, data.get("undoes"), refused, message.payload.decode())
        self.db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.client.ack(message.mid, message.qos)
        ask = "SELECT coalesce((SELECT min(first) - 1 FROM gap WHERE source = ?1 AND epoch = ?2), max(sequence))"
        (upto,) = self.db.execute(f"{ask} FROM event WHERE source = ?1 AND epoch = ?2", place[:2]).fetchone()
        body = json.dumps({"epoch": place[1], "upTo": upto})  # read by boxes with confirm = "ack" only
        self.client.publish(message.topic.removesuffix("scan") + "ack", body, qos=1)


if __name__ == "__main__":
    host, port, tenant, database = sys.argv[1:]
    Consumer(host, int(port), tenant, database).client.loop_forever(retry_first_connection=True)
