"""`outbox export`: the journal in the formats others read."""

import argparse
import contextlib
import itertools
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
from gateway.cli.journal import add_since, add_until, backlog_of
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
        "document; fhir: a FHIR R5 bundle; hl7v2: DFT^P03 messages; all three leave out what the standard has no "
        "place for, and say how much. "
        "xlsx: a workbook for spreadsheets, every text as it was read; for a table that people open, take this one "
        "and not csv. --report consumption lists what was used, by patient and case; implants lists the implants; "
        "both leave out what was read twice, taken back, thrown away or returned. On a box without [broker], what "
        "has been written completely as ndjson counts as delivered, and the next export goes on behind it; --all, "
        "--since, --until, --state and --from choose freely, and mark nothing, like every other format.",
        epilog="example: scangate outbox export --format xlsx --report implants -o implants.xlsx",
    )
    export.add_argument("--format", choices=tuple(FORMATS), default="ndjson", help="default ndjson")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    export.add_argument("--report", choices=("consumption", "implants"), help="of xlsx and csv; marks nothing")
    export.add_argument("--language", choices=("sv", "en"), help="of a report's headings (default: the station's)")
    export.add_argument(
        "--unseal-key",
        type=Path,
        metavar="FILE",
        help="of a report: the private key that opens identities; on your own machine, never on a box",
    )
    add_since(export)
    add_until(export)
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
    export.set_defaults(run=run, audited="outbox export")


def run(arguments: argparse.Namespace) -> int:
    """Export what was chosen."""
    from gateway.cli.hand_over import mark_exported, not_exported, settle

    config = open_box(arguments)
    wrong = _wrong_together(arguments)
    if wrong is not None:
        print(f"scangate: {wrong}", file=sys.stderr)
        return exits.USAGE
    complete = arguments.format in COMPLETE
    chosen = arguments.all or arguments.since or arguments.until or arguments.state or arguments.source
    hand_over = complete and config.broker is None and not chosen
    with backlog_of(config, arguments.source) as backlog:
        if hand_over:
            settle(config, arguments.socket, backlog)
        arguments.language = arguments.language or config.station.language
        taken = _Taken(not_exported(backlog) if hand_over else _chosen(backlog, arguments))
        try:
            with _destination(arguments.output) as stream:
                if arguments.report is not None or arguments.format == "xlsx":
                    _table(taken, arguments, stream)
                else:
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
    for stored in backlog.journal(since_ns=arguments.since or 0, until_ns=arguments.until):
        if arguments.state in {None, stored.state}:
            yield stored


def _wrong_together(arguments: argparse.Namespace) -> str | None:
    """Return which options do not go together, or None."""
    if arguments.excel and arguments.format != "csv":
        return "--excel goes with --format csv"
    if arguments.report is not None and arguments.format not in {"xlsx", "csv"}:
        return "--report goes with --format xlsx or csv"
    if arguments.unseal_key is not None and arguments.report is None:
        return "--unseal-key goes with --report"
    return None


def _table(events: Iterable[StoredEvent], arguments: argparse.Namespace, stream: BinaryIO) -> None:
    """Write a report, or the whole journal as a workbook. Raises KeyFileError, OSError."""
    from gateway.events.exports import csv, reports, xlsx
    from gateway.events.exports.flat import FlatEvent, flat
    from gateway.events.exports.netting import in_force
    from gateway.station.unseal import Unsealer

    opened = Unsealer(arguments.unseal_key).open if arguments.unseal_key else lambda _reference: None
    rows: Iterable[Iterable[str | float | None]]
    match arguments.report:
        case "consumption":
            rows = reports.consumption(in_force(events), opened, arguments.language)
        case "implants":
            rows = reports.implants(in_force(events), opened, arguments.language)
        case _:
            names = FlatEvent.__struct_fields__
            cells = (([getattr(event, name) for name in names]) for event in map(flat, events))
            rows = itertools.chain([csv.COLUMNS], cells)
    if arguments.format == "xlsx":
        xlsx.write(rows, stream, title=arguments.report or "journal")
    else:
        stream.writelines(csv.table(rows, excel=arguments.excel))


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


def _hl7v2(events: Iterable[StoredEvent], _arguments: argparse.Namespace) -> Iterator[bytes]:
    from gateway.events.exports import acts, hl7v2

    chosen = acts.Acts(events)
    yield from hl7v2.lines(chosen)
    _tell_left_out(chosen.left_out)


def _tell_left_out(counts: Counter[str]) -> None:
    for reason, count in sorted(counts.items()):
        print(f"left out: {count} ({reason})", file=sys.stderr)


FORMATS: Final[dict[str, Callable[[Iterable[StoredEvent], argparse.Namespace], Iterator[bytes]]]] = {
    "csv": _csv,
    "ndjson": _ndjson,
    "epcis": _epcis,
    "fhir": _fhir,
    "xlsx": _csv,  # written by `_table`
    "hl7v2": _hl7v2,
}
COMPLETE: Final = frozenset({"ndjson"})
"""Formats that hold every event as it is: only an export in one of them can count as delivery. A spreadsheet that
somebody saved must not let the box forget which implants it has seen."""


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
