"""What the commands of the journal share: opening it, and `--since`."""

import argparse
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.outbox.reader import OutboxReader
from gateway.outbox.schema import connect, refuse_newer
from gateway.outbox.search import read_since
from gateway.system.service_user import as_caller

if TYPE_CHECKING:
    from gateway.config.loader import Config


def add_since(parser: argparse.ArgumentParser) -> None:
    """Add `--since` to a command."""
    parser.add_argument(
        "--since", type=_since, metavar="TIME", help="recorded since then: 2026-11-21, 2026-11-21T08:00, 2h, 3d"
    )


def add_until(parser: argparse.ArgumentParser) -> None:
    """Add `--until` to a command."""
    parser.add_argument("--until", type=_since, metavar="TIME", help="recorded before then; a time as of --since")


@contextlib.contextmanager
def backlog_of(config: "Config", other: Path | None = None) -> Iterator[OutboxReader]:
    """Open the outbox of a box, or another one, for reading, inside a `with`. Raises OutboxError."""
    if other is None:
        path = config.state_directory / "outbox.db"
        backlog = OutboxReader(path)
        with contextlib.closing(connect(path, read_only=True)) as db:
            refuse_newer(db, path)
    else:
        with as_caller():
            backlog = OutboxReader(other)
    try:
        yield backlog
    finally:
        backlog.close()


def _since(text: str) -> int:
    try:
        return read_since(text, time.time_ns())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
