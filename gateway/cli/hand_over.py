"""What a command has noted in the outbox: without a broker, what was exported; dead letters to be sent again.

While a daemon runs it is the only writer and is asked to; else the command takes the lock and writes itself.
"""

import contextlib
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from gateway.app import AppError, source_of, state_lock
from gateway.config.loader import Config
from gateway.events.stored_event import StoredEvent
from gateway.outbox.box_identity import read_identity
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Outbox
from gateway.system.clock import Clock
from gateway.system.control_socket import DaemonUnreachableError, RequestError, ask

SETTLE_SECONDS: Final = 10.0
"""How long the daemon may take to settle the times of what is to be exported."""
SETTLE_POLL_SECONDS: Final = 0.1
READ_CHUNK: Final = 500
"""Events read at a time: short reads do not keep the writer from its work."""


def not_exported(backlog: OutboxReader) -> Iterator[StoredEvent]:
    """Yield what may be handed over and was not yet, in order."""
    after = backlog.delivered()
    while rows := backlog.next(after, READ_CHUNK):
        yield from (StoredEvent(sequence=sequence, body=body, state="waiting") for sequence, body in rows)
        after = rows[-1][0]


def settle(config: Config, socket: Path, backlog: OutboxReader) -> None:
    """Have the times of all events settled: an event's bytes are fixed when it is handed over.

    Events that the daemon leaves unsettled cannot be handed over yet. Raises DaemonUnreachableError, OutboxError.
    """
    if not backlog.unsettled():
        return
    clock = Clock()
    clock.observe()
    try:
        with writing(config, backlog) as outbox:
            while outbox.seal(clock.now()):
                pass
    except AppError:
        check_daemon(socket, backlog)
        deadline = time.monotonic() + SETTLE_SECONDS
        with contextlib.suppress(RequestError):
            while backlog.unsettled() and time.monotonic() < deadline:
                ask(socket, "settle")
                time.sleep(SETTLE_POLL_SECONDS)


def mark_exported(config: Config, socket: Path, backlog: OutboxReader, upto: int) -> None:
    """Note that events up to this one count as delivered. Raises DaemonUnreachableError, OutboxError."""
    try:
        with writing(config, backlog) as outbox:
            outbox.mark_delivered(upto)
    except AppError:
        check_daemon(socket, backlog)
        ask(socket, "exported", upTo=upto)


def retry(config: Config, socket: Path, backlog: OutboxReader, wanted: Collection[int] | None) -> list[int]:
    """Have dead letters sent again, those named or all; return which will be.

    Raises DaemonUnreachableError, RequestError, OutboxError.
    """
    try:
        with writing(config, backlog) as outbox:
            return outbox.retry(wanted, Clock().now())
    except AppError:
        check_daemon(socket, backlog)
        named = None if wanted is None else list(wanted)
        answer: list[int] = ask(socket, "retry", sequences=named)["sequences"]
        return answer


@contextlib.contextmanager
def writing(config: Config, backlog: OutboxReader) -> Iterator[Outbox]:
    """Open the outbox for writing. Raises AppError when a daemon has it."""
    with state_lock(config.state_directory):
        outbox = Outbox(backlog.path, config.outbox, read_identity(source_of(config)))
        try:
            yield outbox
        finally:
            outbox.close(Clock().now())


def check_daemon(socket: Path, backlog: OutboxReader) -> None:
    """Make sure that the daemon at the socket keeps this outbox and no other: sequences are each outbox's own."""
    if ask(socket, "status")["sequence"]["epoch"] != backlog.meta().get("epoch"):
        raise DaemonUnreachableError(socket, f"the one there does not keep {backlog.path}; give its --socket")
