"""One command to one box, and its answer: a connection of its own, for as long as that takes.

A command is for now (a box refuses one older than five minutes), so it is not kept for a box that is away.
"""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from intake.errors import BrokerUnreachableError, RefusedError
from intake.signing import Signer
from intake.sources.mqtt import PORTS, REFUSED, BrokerSettings, read_secret, tls_context

ANSWER_SECONDS: Final = 10.0
"""A box answers within two seconds, or when it is connected again."""


class BoxReply(Struct, frozen=True, kw_only=True):
    """What a box answers to a command."""

    id: str | None
    ok: bool
    result: Any = None
    error: str | None = None


_replies: Final = msgspec.json.Decoder(BoxReply)


def command(settings: BrokerSettings, topic: str, name: str, args: object, issued_at: str, signer: Signer) -> Any:  # noqa: ANN401 - whatever JSON the box answers
    """Send a box a command and return its result. `topic`: the box's; `issued_at`: now, RFC 3339.

    Raises BrokerUnreachableError where the broker or the box does not answer, RefusedError where the box refuses.
    """
    identity = secrets.token_hex(8)
    body = msgspec.json.encode({"id": identity, "issuedAt": issued_at, "args": args})
    answered = threading.Event()
    answers: list[BoxReply] = []

    def take(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        with contextlib.suppress(msgspec.MsgspecError):
            reply = _replies.decode(message.payload)
            if reply.id == identity or reply.id is None:
                answers.append(reply)
                answered.set()

    with _subscribed(settings, f"{topic}/cmd/{name}/reply", take) as client:
        client.publish(f"{topic}/cmd/{name}", signer.signed(body), qos=1)
        if not answered.wait(ANSWER_SECONDS):
            raise BrokerUnreachableError(
                f"{topic}: the box does not answer; send the command again when it is there"
            )
    if not answers[0].ok:
        raise RefusedError(f"{topic}: {answers[0].error}")
    return answers[0].result


@contextlib.contextmanager
def _subscribed(
    settings: BrokerSettings, topic: str, take: Callable[[Client, object, MQTTMessage], None]
) -> Iterator[Client]:
    """Connect and subscribe inside a `with`; `take` gets each message. Version 3.1.1: every broker speaks it.

    Raises BrokerUnreachableError.
    """
    parts = urlsplit(settings.url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise BrokerUnreachableError(f"{settings.url}: expected mqtt://, mqtts://, ws:// or wss:// and a host")
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{settings.client_id}-{secrets.token_hex(4)}",
        protocol=MQTTv311,
        transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
        reconnect_on_failure=False,
    )
    done = threading.Event()
    problems: list[str] = []

    def subscribe(_client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
        if reason.is_failure:
            problems.append(str(reason))
            done.set()
        else:
            client.subscribe(topic, qos=1)

    def subscribed(
        _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        problems.extend(str(reason) for reason in reasons if reason.value >= REFUSED)
        done.set()

    client.on_connect, client.on_subscribe, client.on_message = subscribe, subscribed, take
    try:
        if settings.username:
            client.username_pw_set(settings.username, read_secret(settings.password_file))
        if parts.scheme in {"mqtts", "wss"}:
            client.tls_set_context(tls_context(settings))
        client.connect(parts.hostname, parts.port or PORTS[parts.scheme])
    except (OSError, ValueError) as error:
        raise BrokerUnreachableError(f"cannot connect to {settings.url}: {error}") from error
    client.loop_start()
    try:
        if not done.wait(ANSWER_SECONDS) or problems:
            why = problems[0] if problems else "no answer"
            raise BrokerUnreachableError(f"cannot subscribe to {topic} at {settings.url}: {why}")
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
