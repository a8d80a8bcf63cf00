"""`outbox export`: the journal in the formats others read."""

import argparse
import contextlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, get_args

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket, callers_file, open_box
from gateway.cli.journal import add_since, backlog_of
from gateway.events.stored_event import StoredEvent
from gateway.outbox.reader import OutboxReader
from gateway.outbox.search import State
from gateway.system.clock import local_rfc3339

EXPORT_MODE: Final = 0o640


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    export = actions.add_parser(
        "export",
        help="events as a file",
        description="Writes the journal. ndjson: each event on a line, byte for byte as it is delivered. csv: a "
        "row for each event; an apostrophe guards cells that a spreadsheet would compute. epcis: an EPCIS 2.0 "
        "document; fhir: a FHIR R5 bundle; both leave out what the standard has no place for, and say how much. "
        "On a box without [broker], what has been written completely as ndjson or csv counts as delivered, and the "
        "next export goes on behind it; --all, --since, --state and --from choose freely, and mark nothing.",
        epilog="example: scangate outbox export --format csv -o scans.csv",
    )
    export.add_argument("--format", choices=tuple(FORMATS), default="ndjson", help="default ndjson")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    add_since(export)
    export.add_argument("--state", choices=get_args(State), help="only these; marks nothing")
    export.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="another outbox, such as a backup or one that was set aside; marks nothing",
    )
    export.add_argument("--all", action="store_true", help="everything that is stored, exported before or not")
    export.add_argument("--excel", action="store_true", help="csv with byte order mark and semicolons")
    add_config(export)
    add_socket(export)
    export.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export what was chosen."""
    from gateway.cli.hand_over import mark_exported, not_exported, settle

    config = open_box(arguments)
    if arguments.excel and arguments.format != "csv":
        print("scangate: --excel goes with --format csv", file=sys.stderr)
        return exits.USAGE
    complete = arguments.format in COMPLETE
    chosen = arguments.all or arguments.since or arguments.state or arguments.source
    hand_over = complete and config.broker is None and not chosen
    with backlog_of(config, arguments.source) as backlog:
        if hand_over:
            settle(config, arguments.socket, backlog)
        taken = _Taken(not_exported(backlog) if hand_over else _chosen(backlog, arguments))
        try:
            with _destination(arguments.output) as stream:
                stream.writelines(FORMATS[arguments.format](taken, arguments))
        except BrokenPipeError:
            raise
        except OSError as error:
            name = arguments.output or "standard output"
            print(
                f"scangate: cannot write {name}: {error.strerror}; choose another place, or `> FILE` instead of -o",
                file=sys.stderr,
            )
            return exits.UNREACHABLE
        print(f"{taken.count} events exported", file=sys.stderr)
        if hand_over and backlog.unsettled():
            print("scangate: newer events wait for the daemon to settle their time: export again", file=sys.stderr)
        if hand_over and taken.count:
            try:
                mark_exported(config, arguments.socket, backlog, taken.last)
            except Exception:
                print("scangate: the export is complete, but not noted: the next repeats it", file=sys.stderr)
                raise
    return exits.DONE


def _chosen(backlog: OutboxReader, arguments: argparse.Namespace) -> Iterator[StoredEvent]:
    for stored in backlog.journal(since_ns=arguments.since or 0):
        if arguments.state in {None, stored.state}:
            yield stored


class _Taken:
    """Passes events on, and keeps count."""

    def __init__(self, events: Iterable[StoredEvent]) -> None:
        self._events = events
        self.count = 0
        self.last = 0
        """Sequence of the last one."""

    def __iter__(self) -> Iterator[StoredEvent]:
        for stored in self._events:
            yield stored
            self.count += 1
            self.last = stored.sequence


def _ndjson(events: Iterable[StoredEvent], _arguments: argparse.Namespace) -> Iterator[bytes]:
    return (stored.body + b"\n" for stored in events)


def _csv(events: Iterable[StoredEvent], arguments: argparse.Namespace) -> Iterator[bytes]:
    from gateway.events.exports import csv

    return csv.lines(events, excel=arguments.excel)


def _epcis(events: Iterable[StoredEvent], _arguments: argparse.Namespace) -> Iterator[bytes]:
    from gateway.events.exports import acts, epcis

    chosen = acts.Acts(events)
    yield from epcis.lines(chosen, local_rfc3339(time.time_ns()))
    _tell_left_out(chosen.left_out)


def _fhir(events: Iterable[StoredEvent], _arguments: argparse.Namespace) -> Iterator[bytes]:
    from gateway.events.exports import acts, fhir

    chosen = acts.Acts(events)
    yield from fhir.lines(chosen, local_rfc3339(time.time_ns()))
    _tell_left_out(chosen.left_out)


def _tell_left_out(counts: Counter[str]) -> None:
    for reason, count in sorted(counts.items()):
        print(f"left out: {count} ({reason})", file=sys.stderr)


FORMATS: Final[dict[str, Callable[[Iterable[StoredEvent], argparse.Namespace], Iterator[bytes]]]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "epcis": _epcis,
    "fhir": _fhir,
}
COMPLETE: Final = frozenset({"csv", "ndjson"})
"""Formats that hold every event: only an export in one of them can count as delivery."""


@contextlib.contextmanager
def _destination(path: Path | None) -> Iterator[BinaryIO]:
    """Hand out where to write; when it returns, everything is written, and on the disk where it is a file."""
    if path is not None:
        with callers_file(path, EXPORT_MODE) as stream:
            yield stream
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
    with contextlib.suppress(ValueError):  # standard output may be no file of the system
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            os.fsync(sys.stdout.fileno())
