"""Commands over MQTT: the envelope, what is refused, and the reply. What a command does is its handler's affair.

`udi/v1/{tenant}/{site}/{gateway}/cmd/{name}` carries `{"id", "issuedAt", "args"}`; the answer goes to `.../reply`
below it, or to the response topic of MQTT 5: `{"id", "ok", "result" | "error"}`. Whoever may publish there commands
the box, so the broker's access list decides; what is retained, old or repeated is refused all the same, because a
broker can keep and repeat what somebody once sent.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from gateway.events.topics import ROOT, Topics
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_memory import DeliveryMemory, ObeyedCommand
from gateway.mqtt.outgoing import Outgoing, Reply
from gateway.mqtt.pacing import TokenBucket
from gateway.system.clock import ClockReading
from gateway.system.signed_envelope import SignatureRefusedError, Unseal

log = logging.getLogger(__name__)

MAX_COMMAND_BYTES: Final = 16 * 1024
"""The arguments of a command are a few numbers and names."""
STALE_SECONDS: Final = 300
"""A command is for now: who waits longer for its reply has given up."""
AHEAD_SECONDS: Final = 60
"""Two clocks that are both set differ by less."""
MAX_REMEMBERED: Final = 512
"""Identifiers of past commands, to know a repeated one; within STALE_SECONDS nobody sends more."""
COMMANDS_PER_SECOND: Final = 5.0
"""Commands looked at; people and scripts send a few a minute, and each costs a flush of the disk."""
COMMANDS_AT_ONCE: Final = 20.0
IGNORED_LOG_SECONDS: Final = 60.0
MAX_TOPIC: Final = 256
"""A response topic of a client is short."""
NS: Final = 1_000_000_000


class Call(Struct, frozen=True, kw_only=True):
    """One command as its handler gets it."""

    id: str
    args: dict[str, Any]
    reply_topic: str
    correlation: bytes | None


Handler = Callable[[Call], Any]
"""Takes a command, returns the result. Called by the publisher's thread: it reads, or hands on."""


class CommandError(Exception):
    """A handler refuses; the message goes into the reply, for the person who asked."""


class Command(Struct, frozen=True, kw_only=True, rename="camel"):
    """One command, as it comes in."""

    id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,64}\Z")]
    """Chosen by the sender; a repeated one is refused."""
    issued_at: datetime
    """RFC 3339, with a zone."""
    args: dict[str, Any] = {}


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
        memory: DeliveryMemory,
        unseal: Unseal,
        note: Callable[[str, str | None, str | None], None],
    ) -> None:
        """`memory` knows the commands of earlier lives; `unseal` opens, and checks, what is signed.

        `note` takes a command's name, its id and why it was refused, if it was.
        """
        self._note = note
        self._topics = topics
        self._handlers = handlers
        self._now = now
        self._send = send
        self._memory = memory
        self._unseal = unseal
        self._bucket = TokenBucket(COMMANDS_PER_SECOND, time.monotonic(), COMMANDS_AT_ONCE)
        self._ignored = 0
        self._ignored_at = 0.0

    def take(self, message: Message) -> None:
        """Do what a message asks, or refuse it; reply in either case. More than the rate are not looked at."""
        now = time.monotonic()
        if not self._bucket.take(now):
            self._ignored += 1
            return
        if self._ignored and now - self._ignored_at > IGNORED_LOG_SECONDS:
            log.error("too many commands: not looked at count=%d", self._ignored)
            self._ignored, self._ignored_at = 0, now
        name = self._topics.command_of(message.topic)
        shown = name if _name.fullmatch(name) else "?"
        if shown == "?" and not _may_answer_to(message.response_topic):
            log.warning("a command without a name that can be answered")
            return
        given = message.response_topic
        topic = given if given is not None and _may_answer_to(given) else self._topics.reply_to(name)
        reply = self._answer(name, message, topic)
        if reply.ok:
            log.info("command=%s id=%s done", shown, reply.id)
        else:
            log.warning("command=%s id=%s refused error=%r", shown, reply.id, reply.error)
        self._note(shown, reply.id, None if reply.ok else reply.error)
        self._send(Outgoing(topic=topic, body=msgspec.json.encode(reply), correlation=message.correlation))

    def _answer(self, name: str, message: Message, topic: str) -> Reply:
        if len(message.body) > MAX_COMMAND_BYTES:
            return Reply(id=None, ok=False, error=f"longer than {MAX_COMMAND_BYTES} bytes")
        try:
            command = _decoder.decode(self._unseal(message.body))
        except SignatureRefusedError as error:
            return Reply(id=None, ok=False, error=str(error))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return Reply(id=None, ok=False, error=f'expected {{"id", "issuedAt", "args"}}: {error}')
        why = self._refused(message, command)
        if why is None:
            self._remember(command)
            handler = self._handlers.get(name)
            if handler is None:
                why = f"unknown command; known: {', '.join(sorted(self._handlers))}"
            else:
                call = Call(id=command.id, args=command.args, reply_topic=topic, correlation=message.correlation)
                try:
                    return Reply(id=command.id, ok=True, result=handler(call))
                except CommandError as error:
                    why = str(error)
                except Exception as error:
                    log.exception("command=%s failed", name)
                    why = f"{type(error).__name__}: see the box's log"
        return Reply(id=command.id, ok=False, error=why)

    def _remember(self, command: Command) -> None:
        """Bring the command's id to the disk before it is obeyed: a reload must not let it be obeyed again."""
        obeyed = ObeyedCommand(id=command.id, issued=command.issued_at.timestamp())
        self._memory.change(commands=(*self._memory.value.commands, obeyed)[-MAX_REMEMBERED:])

    def _refused(self, message: Message, command: Command) -> str | None:
        """Say why a command that can be read is not for now."""
        if message.retained:
            return "retained: a command is sent once, without the retain flag"
        obeyed = self._memory.value.commands
        if any(one.id == command.id for one in obeyed):
            return "repeated: this id has been used"
        if command.issued_at.tzinfo is None:
            return "issuedAt has no time zone"
        clock, issued = self._now(), command.issued_at.timestamp()
        if not clock.synchronised:
            # it cannot be older than what is known to have passed, nor much older than another sender's last word
            newest = max((one.issued for one in obeyed), default=0.0)
            age = max(clock.lower_bound_ns / NS, newest) - issued
        else:
            age = clock.wall_ns / NS - issued
            if age < -AHEAD_SECONDS:
                return f"issued {-age:.0f} s in the future: a clock is wrong"
        if age > STALE_SECONDS:
            return f"stale: issued {age:.0f} s ago, allowed are {STALE_SECONDS}"
        return None


def _may_answer_to(topic: str | None) -> bool:
    """Return whether a response topic can be used: no filter, and no box's, where a reply could pass for more."""
    return (
        topic is not None
        and 0 < len(topic) <= MAX_TOPIC
        and not set(topic) & {"+", "#", "\0"}
        and not topic.startswith((f"{ROOT}/", "$"))
    )
