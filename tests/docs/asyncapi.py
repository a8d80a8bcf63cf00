"""docs/asyncapi.json and docs/schemas: what a box sends and takes, generated from the Structs that make it.

`python -m tests.docs.asyncapi` writes them anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from gateway.articles.lookup.status_message import StatusMessage
from gateway.articles.overlay.delta_message import DeltaMessage
from gateway.config.struct_docs import describe
from gateway.events.cloudevent import CaseEvent, ClockEvent, ParkedEvent, ProbeEvent, ScanEvent
from gateway.events.topics import Topics
from gateway.monitoring.health import Health
from gateway.mqtt.application_ack import Acknowledgement, Announcement
from gateway.mqtt.command_envelope import Command
from gateway.mqtt.connection import CONTENT_TYPE
from gateway.mqtt.outgoing import Reply

DOCS: Final = Path(__file__).parents[2] / "docs"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
JSON: Final = "application/json"
TOPICS: Final = Topics.of("{tenant}", "{site}", "{gateway}")
LEVELS: Final = {
    "tenant": "The organisation, such as a region.",
    "site": "The hospital or place.",
    "gateway": "The box; unique within the site.",
    "command": "What it is to do: identify, health, articles-sync, outbox-replay, reload or case.",
}


class Message(NamedTuple):
    """One kind of message; a file of its own among the schemas."""

    name: str
    struct: type[Struct]
    content: str
    summary: str


class Channel(NamedTuple):
    """One topic, seen from the box."""

    name: str
    address: str
    action: str
    """send | receive."""
    retained: bool
    qos: int
    summary: str
    messages: tuple[Message, ...]


SCAN: Final = Message(
    "scan", ScanEvent, CONTENT_TYPE, "One scan of a label: CloudEvents 1.0, structured JSON mode."
)
CASE: Final = Message("case", CaseEvent, CONTENT_TYPE, "A case was closed: what was used, and what is open.")
CLOCK: Final = Message("clock", ClockEvent, CONTENT_TYPE, "The true time of earlier events of one boot.")
PARKED: Final = Message(
    "parked", ParkedEvent, CONTENT_TYPE, "What stands in the place of an event that cannot be delivered as it is."
)
PROBE: Final = Message("probe", ProbeEvent, CONTENT_TYPE, "A box looks whether its events pass; ignore it.")
INTAKE: Final = Message("intake", Announcement, JSON, "An intake acknowledges, or does so no longer.")
HEALTH: Final = Message("health", Health, JSON, "How the box is.")
COMMAND: Final = Message("command", Command, JSON, "What somebody asks of the box.")
REPLY: Final = Message("reply", Reply, JSON, "What became of a command.")
ACK: Final = Message("ack", Acknowledgement, JSON, "The central system has stored every event up to this one.")
ARTICLES: Final = Message("articles", StatusMessage, JSON, "The article master of the box.")
DELTA: Final = Message("delta", DeltaMessage, JSON, "Changes of articles; signed, in base64 beside the signature.")
CHANNELS: Final = (
    Channel("scan", TOPICS.scan, "send", False, 1, "Events, in one sequence.", (SCAN, CASE, CLOCK, PARKED, PROBE)),
    Channel("health", TOPICS.health, "send", True, 0, "The box's health, every minute and on change.", (HEALTH,)),
    Channel("command", TOPICS.commands.replace("+", "{command}"), "receive", False, 1, "Commands.", (COMMAND,)),
    Channel("reply", TOPICS.reply_to("{command}"), "send", False, 0, "Answers to commands.", (REPLY,)),
    Channel(
        "articles", TOPICS.articles, "send", True, 0, "Sources, versions, rows and age, on change.", (ARTICLES,)
    ),
    Channel("delta", TOPICS.deltas, "receive", False, 1, "For all boxes of a tenant.", (DELTA,)),
    Channel("ack", TOPICS.ack, "receive", False, 1, "What counts as delivered, where an intake is there.", (ACK,)),
    Channel("intake", TOPICS.intake, "receive", True, 1, "For all boxes of a tenant.", (INTAKE,)),
)


def schema(message: Message) -> dict[str, Any]:
    """Return the JSON Schema of one message, complete in itself."""
    (root,), definitions = msgspec.json.schema_components([message.struct], ref_template="#/$defs/{name}")
    describe(definitions, [message.struct])
    return {"$schema": DRAFT, "$id": f"urn:scangate:schema:{message.name}:v1", **root, "$defs": definitions}


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "scangate",
            "version": "1",
            "description": "What a gateway at the scanners of a hospital sends over MQTT, and what it takes. "
            "docs/integration.md tells how to take it without loss.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {one.name: _channel(one) for one in (*CHANNELS, STATUS)},
        "operations": {one.name: _operation(one) for one in (*CHANNELS, STATUS)},
        "components": {
            "messages": {
                message.name: {
                    "name": message.name,
                    "summary": message.summary,
                    "contentType": message.content,
                    "payload": {"$ref": f"schemas/{message.name}.json"},
                }
                for message in messages()
            }
            | {
                "status": {
                    "name": "status",
                    "summary": "Whether the box is connected.",
                    "contentType": "text/plain",
                    "payload": {"type": "string", "enum": ["online", "offline"]},
                }
            },
        },
    }


STATUS: Final = Channel("status", TOPICS.status, "send", True, 1, "Also the box's last will.", ())


def messages() -> Iterator[Message]:
    """Yield every message."""
    for channel in CHANNELS:
        yield from channel.messages


def _channel(channel: Channel) -> dict[str, Any]:
    names = [message.name for message in channel.messages] or [channel.name]
    return {
        "address": channel.address,
        "summary": channel.summary,
        "parameters": {
            name: {"description": text} for name, text in LEVELS.items() if f"{{{name}}}" in channel.address
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    return {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }


def files() -> Iterator[tuple[Path, str]]:
    """Yield every file and what stands in it."""
    yield DOCS / "asyncapi.json", pretty(document())
    for message in messages():
        yield DOCS / "schemas" / f"{message.name}.json", pretty(schema(message))


def pretty(value: object) -> str:
    """As it stands in the file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (DOCS / "schemas").mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text)
