"""Commands over MQTT: the envelope, what is refused, and the reply. What a command does is its handler's affair.

`udi/v1/{tenant}/{site}/{gateway}/cmd/{name}` carries `{"id", "issuedAt", "args"}`; the answer goes to `.../reply`
below it, or to the response topic of MQTT 5: `{"id", "ok", "result" | "error"}`. Whoever may publish there commands
the box, so the broker's access list decides; what is retained, old or repeated is refused all the same, because a
broker can keep and repeat what somebody once sent.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from gateway.events.topics import ROOT, Topics
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_state import Outgoing
from gateway.system.clock import ClockReading

log = logging.getLogger(__name__)

MAX_COMMAND_BYTES: Final = 16 * 1024
"""The arguments of a command are a few numbers and names."""
STALE_SECONDS: Final = 300
"""A command is for now: who waits longer for its reply has given up."""
AHEAD_SECONDS: Final = 60
"""Two clocks that are both set differ by less."""
MAX_REMEMBERED: Final = 512
"""Identifiers of past commands, to know a repeated one; within STALE_SECONDS nobody sends more."""
MAX_TOPIC: Final = 256
"""A response topic of a client is short."""
NS: Final = 1_000_000_000

Handler = Callable[[dict[str, Any]], Any]
"""Takes the arguments, returns the result. Called by the publisher's thread: it reads, or hands on."""


class CommandError(Exception):
    """A handler refuses; the message goes into the reply, for the person who asked."""


class Command(Struct, frozen=True, kw_only=True, rename="camel"):
    """One command, as it comes in."""

    id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,64}\Z")]
    """Chosen by who asks; a repeated one is refused."""
    issued_at: datetime
    """RFC 3339, with a zone."""
    args: dict[str, Any] = {}


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one command."""

    id: str | None
    """None where the command could not be read."""
    ok: bool
    result: Any = None
    error: str | None = None


_decoder = msgspec.json.Decoder(Command)
_name = re.compile(r"[a-z-]{1,32}")


class Commands:
    """Takes the messages on the command topics. Used by one thread."""

    def __init__(
        self,
        topics: Topics,
        handlers: Mapping[str, Handler],
        now: Callable[[], ClockReading],
        send: Callable[[Outgoing], None],
    ) -> None:
        self._topics = topics
        self._handlers = handlers
        self._now = now
        self._send = send
        self._done: OrderedDict[str, None] = OrderedDict()

    def take(self, message: Message) -> None:
        """Do what a message asks, or refuse it; reply in either case."""
        name = self._topics.command_of(message.topic)
        reply = self._answer(name, message)
        shown = name if _name.fullmatch(name) else "?"
        if reply.ok:
            log.info("command=%s id=%s done", shown, reply.id)
        else:
            log.warning("command=%s id=%s refused error=%r", shown, reply.id, reply.error)
        if shown == "?" and not _may_answer_to(message.response_topic):
            return  # no topic to answer on
        topic = message.response_topic if _may_answer_to(message.response_topic) else None
        self._send(
            Outgoing(
                topic=topic or self._topics.reply_to(name),
                body=msgspec.json.encode(reply),
                correlation=message.correlation,
            )
        )

    def _answer(self, name: str, message: Message) -> Reply:
        if len(message.body) > MAX_COMMAND_BYTES:
            return Reply(id=None, ok=False, error=f"longer than {MAX_COMMAND_BYTES} bytes")
        try:
            command = _decoder.decode(message.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Reply(id=None, ok=False, error=f'expected {{"id", "issuedAt", "args"}}: {error}')
        why = self._refused(message, command)
        if why is None:
            self._done[command.id] = None
            while len(self._done) > MAX_REMEMBERED:
                self._done.popitem(last=False)
            handler = self._handlers.get(name)
            if handler is None:
                why = f"unknown command; known: {', '.join(sorted(self._handlers))}"
            else:
                try:
                    return Reply(id=command.id, ok=True, result=handler(command.args))
                except CommandError as error:
                    why = str(error)
                except Exception as error:
                    log.exception("command=%s failed", name)
                    why = f"{type(error).__name__}: see the box's log"
        return Reply(id=command.id, ok=False, error=why)

    def _refused(self, message: Message, command: Command) -> str | None:
        """Say why a command that can be read is not for now."""
        if message.retained:
            return "retained: a command is sent once, without the retain flag"
        if command.id in self._done:
            return "repeated: this id has been used"
        if command.issued_at.tzinfo is None:
            return "issuedAt has no time zone"
        clock = self._now()
        if clock.synchronised:  # else this box cannot tell how old it is
            age = clock.wall_ns / NS - command.issued_at.timestamp()
            if age > STALE_SECONDS:
                return f"stale: issued {age:.0f} s ago, allowed are {STALE_SECONDS}"
            if age < -AHEAD_SECONDS:
                return f"issued {-age:.0f} s in the future: a clock is wrong"
        return None


def _may_answer_to(topic: str | None) -> bool:
    """Tell whether a response topic can be used: no filter, and no box's own, where a reply could pass for more."""
    return (
        topic is not None
        and 0 < len(topic) <= MAX_TOPIC
        and not set(topic) & {"+", "#", "\0"}
        and not topic.startswith((f"{ROOT}/", "$"))
    )
